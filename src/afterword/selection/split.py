"""Whether users came into the variants as planned; where they did not, no difference can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.selection.experiment import Experiment

SEVERAL_VARIANTS_SHARE = 0.01
"""From this share of persons in several variants on, the split counts as broken (rule 17)."""


@dataclass(frozen=True, slots=True)
class Split:
    """The split check: a reason for each way in which it is broken."""

    reasons: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether verdicts are withheld."""
        return bool(self.reasons)


WHOLE = Split()
"""A split with nothing wrong."""


def split_of(experiment: Experiment) -> Split:
    """Check the split of an experiment."""
    persons = sum(arm.persons for arm in experiment.arms)
    several = max((arm.several_variants for arm in experiment.arms), default=0)
    if persons and several / persons >= SEVERAL_VARIANTS_SHARE:
        return Split((f"{several:,} users were exposed to more than one variant",))
    return WHOLE
