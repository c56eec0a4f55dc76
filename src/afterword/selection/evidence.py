"""Differences between the arms of an experiment, as its plan allows to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations

from afterword.model import PlanKind
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.bayes import Reading, read_means, read_rates
from afterword.stats.means import Estimate, ratio, welch
from afterword.stats.rates import LEVEL, Counts, Interval, clopper_pearson, newcombe, p_value
from afterword.stats.sequential import BURN_IN, always_valid_p, difference_sequence, rate_sequence, weight
from afterword.stats.sums import Sums


@dataclass(frozen=True, slots=True)
class Pair:
    """An arm against another on one metric, over persons come of age; None where there is no answer."""

    arm: str
    other: str
    difference: float | None
    interval: Interval | None
    """By the plan, at the level asked for: however often one looks, or for the one look that was planned."""
    plain: Interval | None
    """At 95 %, for one look and one comparison."""

    @property
    def is_ahead(self) -> bool:
        """Whether the arm is better than the other."""
        return self.interval is not None and self.interval.low > 0

    @property
    def seems_ahead(self) -> bool:
        """Whether it is by an interval that is right for a single look."""
        return self.plain is not None and self.plain.low > 0

    def turned(self) -> Pair:
        """Return the other against the arm."""
        apart = None if self.difference is None else -self.difference
        return Pair(self.other, self.arm, apart, _turned(self.interval), _turned(self.plain))


def pair_level(experiment: Experiment, metric: Metric) -> float:
    """Return the level of each difference, so that the probability to name any arm wrongly is at most alpha.

    Of k arms each may wrongly be found better than the truly best with probability alpha / k, one-sided; that is a
    two-sided interval at 1 - 2 alpha / k (Bonferroni over the arms that could be named). With two arms it is 1 - alpha.
    """
    return level_of(float(experiment.plan.alpha), len(experiment.arms_of(metric)))


def level_of(alpha: float, arms: int) -> float:
    """Return `pair_level` of so many arms."""
    return 1 - 2 * alpha / max(2, arms)


def pairs_of(experiment: Experiment, metric: Metric) -> list[Pair]:
    """Return every arm against every other, at `pair_level`."""
    level, plan = pair_level(experiment, metric), experiment.plan.plan
    names = [arm.id for arm in experiment.arms_of(metric)]
    found = [
        compared(plan, one, other, *experiment.two(one, other, metric), level) for one, other in combinations(names, 2)
    ]
    return [*found, *(pair.turned() for pair in found)]


def compared(
    plan: PlanKind, arm: str, other: str, mine: Sums, others: Sums, level: float, *, are_rates: bool = True
) -> Pair:
    """Return one arm against another; `are_rates` is False of money."""
    group, control = ratio(mine), ratio(others)
    apart = None if group is None or control is None else group.value - control.value
    by_plan = interval_of(plan, mine, others, level, are_rates=are_rates)
    plain = interval_of(PlanKind.FIXED, mine, others, LEVEL, are_rates=are_rates)
    return Pair(arm, other, apart, by_plan, plain)


def interval_of(plan: PlanKind, group: Sums, control: Sums, level: float, *, are_rates: bool = True) -> Interval | None:
    """Return the interval of a difference of rates or means.

    Always valid from the day on which both arms have 5 conversions. For a single look Newcombe's where each person is
    one unit, converted or not, else Welch's.
    """
    if plan is PlanKind.ALWAYS_VALID:
        return difference_sequence(group, control, 1 - level)
    if are_rates and _are_counts(group) and _are_counts(control):
        return newcombe(_counts(group), _counts(control), level)
    return welch(ratio(group), ratio(control), level).interval


def p_value_of(plan: PlanKind, group: Sums, control: Sums, *, are_rates: bool = True) -> float | None:
    """Return the two-sided p value of no difference by which `interval_of` goes (nearly, for Newcombe's)."""
    if plan is PlanKind.ALWAYS_VALID:
        return always_valid_p(group, control)
    if are_rates and _are_counts(group) and _are_counts(control):
        return p_value(_counts(group), _counts(control))
    return welch(ratio(group), ratio(control)).p_value


def share_interval(plan: PlanKind, sums: Sums, level: float) -> Interval | None:
    """Return the interval of the share of persons with something that happens once at most (y is 1 or 0)."""
    if plan is PlanKind.FIXED:
        return clopper_pearson(_counts(sums), level)
    return rate_sequence(_counts(sums), 1 - level)


def reading_of(arms: Sequence[Sums]) -> Reading | None:
    """Return the Bayesian reading of rates: uniform priors where each person is one unit, else normal posteriors."""
    if all(_are_counts(sums) for sums in arms):
        return read_rates([_counts(sums) for sums in arms])
    return read_means([ratio(sums) for sums in arms])


def conversions_lacking(plan: PlanKind, sums: Sums) -> bool:
    """Return whether an arm has fewer conversions (or others) than always-valid intervals begin with."""
    return plan is PlanKind.ALWAYS_VALID and weight(sums) < BURN_IN


def value_of(arm: Arm, metric: Metric) -> float | None:
    """Return the rate, or the mean of revenue, over those who have come of age."""
    found = ratio(arm.total(metric.name))
    return None if found is None else found.value


def overall(arms: Sequence[Arm], metric: Metric) -> Estimate | None:
    """Return the rate of all arms together."""
    return ratio(sum((arm.total(metric.name) for arm in arms), Sums()))


def scaled(sums: Sums, n: int) -> Sums:
    """Return what the sums will be of `n` persons if things go on as they are."""
    factor = n / sums.n
    return Sums(n, *(getattr(sums, one.name) * factor for one in fields(sums)[1:]))


def _turned(interval: Interval | None) -> Interval | None:
    return None if interval is None else Interval(-interval.high, -interval.low)


def _are_counts(sums: Sums) -> bool:
    return sums.mm == sums.m == sums.n and sums.yy == sums.y


def _counts(sums: Sums) -> Counts:
    return Counts(sums.n, round(sums.y))
