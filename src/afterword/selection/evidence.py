"""Differences between the arms of an experiment, as its plan allows to look at them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.model import AnalysisPlan, PlanKind
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.means import Estimate, ratio, welch
from afterword.stats.rates import LEVEL, Counts, Interval, clopper_pearson
from afterword.stats.sums import Sums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """An arm against another on one metric, over persons come of age; None where there is no answer."""

    arm: str
    other: str
    difference: float | None
    interval: Interval | None
    """By the plan, at `level`: however often one looks, or for the one look that was planned."""
    plain: Interval | None
    """At 95 %, for one look and one comparison."""
    p_value: float | None
    """By the plan, two-sided, of this comparison alone."""

    @property
    def is_ahead(self) -> bool:
        """Whether the arm is better than the other."""
        return self.interval is not None and self.interval.low > 0

    @property
    def seems_ahead(self) -> bool:
        """Whether it is by an interval that is right for a single look."""
        return self.plain is not None and self.plain.low > 0


def pair_level(experiment: Experiment, metric: Metric) -> float:
    """Return the level of each difference, so that the probability to name any arm wrongly is at most alpha.

    Of k arms each may wrongly be found better than the truly best with probability alpha / k, one-sided; that is a
    two-sided interval at 1 - 2 alpha / k (Bonferroni over the arms that could be named). With two arms it is 1 - alpha.
    """
    arms = max(2, len(experiment.arms_of(metric)))
    return 1 - 2 * float(experiment.plan.alpha) / arms


def pairs_of(experiment: Experiment, metric: Metric, level: float | None = None) -> list[Pair]:
    """Return every arm against every other."""
    arms = experiment.arms_of(metric)
    level = pair_level(experiment, metric) if level is None else level
    sums = {arm.id: arm.total(metric.name) for arm in arms}
    return [
        compared(experiment.plan.plan, arm.id, other.id, sums[arm.id], sums[other.id], level)
        for arm, other in permutations(arms, 2)
    ]


def compared(plan: PlanKind, arm: str, other: str, mine: Sums, others: Sums, level: float) -> Pair:
    """Return one arm against another."""
    group, control = ratio(mine), ratio(others)
    plain = welch(group, control, LEVEL)
    if plan is PlanKind.FIXED:
        at_level = welch(group, control, level)
        return Pair(arm, other, plain.difference, at_level.interval, plain.interval, plain.p_value)
    return Pair(arm, other, plain.difference, _sequence(group, control, level), plain.interval, None)


def _sequence(group: Estimate | None, control: Estimate | None, level: float) -> Interval | None:
    if group is None or control is None or not group.variance or not control.variance:
        return None
    half = float(half_width(group.variance + control.variance, 1 / (1 / group.n + 1 / control.n), level))
    apart = group.value - control.value
    return Interval(apart - half, apart + half)


def half_width(variance: Floats | float, persons: Floats | float, level: float) -> Floats:
    """Stands in until stats has always-valid intervals: the normal mixture, tightest at 5,000 persons."""
    alpha = 1 - level
    tuned = np.asarray(persons) / 5000 * (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha)))
    return np.asarray(np.sqrt(variance * (1 + tuned) / tuned * np.log((1 + tuned) / alpha**2)))


def named(plan: AnalysisPlan, level: float, persons: NDArray[Any], converted: NDArray[Any]) -> NDArray[np.int64]:
    """Return which arm is better than every other, -1 for none, of many experiments at once.

    Args:
        plan: says by which intervals, and from how many persons on.
        level: of each difference.
        persons: come of age, by [..., arm], each with one unit.
        converted: of these.

    """
    from scipy.special import stdtrit

    with np.errstate(divide="ignore", invalid="ignore"):
        rates = converted / persons
        variances = rates * (1 - rates) / (persons - 1)
        best = np.nan_to_num(rates, nan=-1.0).argmax(axis=-1)[..., None]
        of_best, n = np.take_along_axis(variances, best, -1), np.take_along_axis(persons, best, -1)
        variance = variances + of_best
        if plan.plan is PlanKind.FIXED:
            df = variance**2 / (variances**2 / (persons - 1) + of_best**2 / (n - 1))
            half = stdtrit(df, 0.5 + level / 2) * np.sqrt(variance)
        else:
            half = half_width(variance, 1 / (1 / persons + 1 / n), level)
        ahead = np.take_along_axis(rates, best, -1) - rates > half
    known = (variances > 0) & (of_best > 0)
    all_others = (ahead & known).sum(axis=-1) == persons.shape[-1] - 1
    enough = (persons >= plan.minimum_sample).all(axis=-1)
    return np.where(all_others & enough, best[..., 0], -1)


def share_interval(plan: PlanKind, sums: Sums, level: float) -> Interval | None:
    """Return the interval of the share of persons with something that happens once at most (y is 1 or 0)."""
    if plan is PlanKind.FIXED:
        return clopper_pearson(Counts(sums.n, round(sums.y)), level)
    if not sums.n:
        return None
    from scipy.special import betaln

    a = 1 - level
    n, y = sums.n, sums.y

    def e(p):
        return (
            betaln(0.5 + y, 0.5 + n - y)
            - betaln(0.5, 0.5)
            - (y * math.log(p) if y else 0)
            - (n - y) * math.log1p(-p)
            - math.log(1 / a)
        )

    hat = min(max(y / n, 1e-9), 1 - 1e-9)

    def root(lo, hi):
        for _ in range(60):
            mid = (lo + hi) / 2
            if (e(mid) > 0) == (e(lo) > 0):
                lo = mid
            else:
                hi = mid
        return mid

    return Interval(0.0 if not y else root(1e-12, hat), root(hat, 1 - 1e-12))


def value_of(arm: Arm, metric: Metric) -> float | None:
    """Return the rate, or the mean of revenue, over those who have come of age."""
    found = ratio(arm.total(metric.name))
    return None if found is None else found.value


def overall(arms: Sequence[Arm], metric: Metric) -> Estimate | None:
    """Return the rate of all arms together."""
    return ratio(sum((arm.total(metric.name) for arm in arms), Sums()))


def scaled(sums: Sums, n: int) -> Sums:
    """Return what the sums will be of `n` persons if things go on as they are."""
    k = n / sums.n
    return replace(
        sums,
        n=n,
        y=sums.y * k,
        yy=sums.yy * k,
        m=sums.m * k,
        mm=sums.mm * k,
        my=sums.my * k,
        x=sums.x * k,
        xx=sums.xx * k,
        xy=sums.xy * k,
        xm=sums.xm * k,
    )
