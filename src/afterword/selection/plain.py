"""What the commercial products compute, under their names: plain confidence, and the chi-squared rule.

Both test what has been counted so far, open windows included, as if this were the one look that had been planned, at
one variant and one conversion event.
"""

from __future__ import annotations

from dataclasses import dataclass

from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.rates import Counts, confidence, difference, p_value, pearson, rate

CHI_SQUARED_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Plain:
    """The best variant with a message against control, or where there is none against the next best."""

    best: str
    against: str
    difference: float
    confidence: float
    """100 (1 - p) of the pooled two-sided z-test, a percentage."""


def plain_of(experiment: Experiment, metric: Metric) -> Plain | None:
    """Return what other tools would say; None where the test does not apply."""
    arms = experiment.arms_of(metric)
    ranked = sorted((arm for arm in arms if not arm.control), key=lambda arm: -(_rate(arm, metric) or 0.0))
    control = next((arm for arm in arms if arm.control), None)
    if not ranked or (control is None and len(ranked) < 2):
        return None
    best, against = ranked[0], control or ranked[1]
    apart = difference(_counts(best, metric), _counts(against, metric))
    sure = confidence(_counts(best, metric), _counts(against, metric))
    return None if apart is None or sure is None else Plain(best.id, against.id, apart, sure)


def chi_squared_winner(experiment: Experiment, metric: Metric) -> str | None:
    """Return the variant that the chi-squared rule of the commercial products names; None if it names none.

    With a control: of the variants whose two-by-two table with control has Pearson's p below 0.05 and whose rate is
    higher, the one with the highest rate. Without: the one with the highest rate, if the table of all has such a p.
    """
    arms = experiment.arms_of(metric)
    control = next((arm for arm in arms if arm.control), None)
    if control is None:
        found = pearson([_counts(arm, metric) for arm in arms])
        passed = list(arms) if found is not None and found.p_value < CHI_SQUARED_LEVEL else []
    else:
        passed = [arm for arm in arms if _passes(_counts(arm, metric), _counts(control, metric))]
    return max(passed, key=lambda arm: _rate(arm, metric) or 0.0).id if passed else None


def _passes(variant: Counts, control: Counts) -> bool:
    p, apart = p_value(variant, control), difference(variant, control)
    return p is not None and apart is not None and p < CHI_SQUARED_LEVEL and apart > 0


def _counts(arm: Arm, metric: Metric) -> Counts:
    return arm.so_far.get(metric.name, Counts(0, 0))


def _rate(arm: Arm, metric: Metric) -> float | None:
    return rate(_counts(arm, metric))
