"""Whether users came into the variants as planned (`stats.split`); where they did not, no difference can be trusted."""

from __future__ import annotations

from bisect import bisect_right

from afterword.selection.experiment import Experiment
from afterword.stats.split import Split, SplitCheck, check


def split_of(experiment: Experiment) -> SplitCheck:
    """Check the split of an experiment: by day, by outcome, and for users in several variants.

    A day on which the shares were changed is left out, since it has users of both. Outcomes are checked where every
    user was exposed once: the messages of one user have outcomes alike.
    """
    arms = experiment.arms
    by_day: dict[int, list[int]] = {}
    for place, arm in enumerate(arms):
        for day, n in arm.first_exposed:
            by_day.setdefault(day, [0] * len(arms))[place] = n
    shares = _Shares(experiment)
    days = [Split(tuple(counts), shares.on(day)) for day, counts in sorted(by_day.items()) if shares.are_known(day)]
    once = all(arm.exposures == arm.persons for arm in arms)
    names = sorted({name for arm in arms for name in arm.outcomes}) if once else []
    return check(
        days,
        ["control" if arm.control else f'"{arm.name}"' for arm in arms],
        outcomes={name: [arm.outcomes.get(name, 0) for arm in arms] for name in names},
        messages=[not arm.control for arm in arms],
        several=(experiment.several_variants, experiment.persons) if experiment.persons else None,
    )


class _Shares:
    """The planned shares by day."""

    def __init__(self, experiment: Experiment) -> None:
        self._arms = experiment.arms
        self._epochs = sorted(experiment.epochs, key=lambda epoch: epoch.first_day)
        self._first_days = [epoch.first_day for epoch in self._epochs]

    def are_known(self, day: int) -> bool:
        """Return whether the shares did not change on a day."""
        return day not in self._first_days[1:]

    def on(self, day: int) -> tuple[float, ...]:
        """Return the shares on a day; before the first epoch they are its."""
        if not self._epochs:
            return tuple(arm.share for arm in self._arms)
        epoch = self._epochs[max(0, bisect_right(self._first_days, day) - 1)]
        return tuple(epoch.shares.get(arm.id, 0.0) for arm in self._arms)
