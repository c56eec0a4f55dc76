"""How many more users a verdict would take, and about how many days until their windows have passed."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from afterword.selection.evidence import conversions_lacking, interval_of, pair_level, scaled
from afterword.selection.experiment import DAY_SECONDS, Arm, Experiment, Metric
from afterword.stats.means import ratio
from afterword.stats.sequential import BURN_IN, weight
from afterword.stats.sums import Sums

POWER_QUANTILE = 0.8416212335729143
"""The normal quantile of 80 %: with so many users the verdict comes at that time with that probability."""
LARGEST_FACTOR = 1e6
RULE_OF_THREE = 3.0
"""Of n users of whom nobody converted, a rate of 3 / n is the highest that fits, with 95 %."""


class Basis(StrEnum):
    """By which rate was said how many users it takes until enough have converted."""

    OWN = "own"
    TOGETHER = "together"
    """Of all arms, because nobody has converted in one."""
    AT_LEAST = "at_least"
    """The highest rate that fits, because nobody has converted in any."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing for a difference of some size to be seen."""

    users: int
    """More users come of age, in the arm that lacks most (`missing_standing`: over all arms)."""
    days: int | None
    """Until they have come of age, about; None if nobody comes any more."""
    difference: float | None
    """Of the rates; None where only the plan's minimum, or the first conversions, are missing."""
    by_pace: bool = False
    """Whether the days rest on others' coming as fast as of late, not only on windows that are open."""
    basis: Basis = Basis.OWN


def missing_minimum(experiment: Experiment, metric: Metric) -> Missing:
    """Return what is missing for the plan's minimum sample."""
    minimum = experiment.plan.minimum_sample
    arms = experiment.arms_of(metric)
    users = max(minimum - arm.total(metric.name).n for arm in arms)
    wanted = {arm.id: minimum for arm in arms}
    return Missing(max(0, users), _days(experiment, metric, wanted), None, _by_pace(experiment, metric, wanted))


def missing_conversions(experiment: Experiment, metric: Metric) -> Missing | None:
    """Return what is missing for always-valid intervals to begin, at the rates so far.

    An arm in which nobody has converted is taken to convert as all arms together. Where nobody has in any, its rate is
    taken to be the highest that fits with 95 % (3 of n: Hanley, J. A. and Lippman-Hand, A. (1983), If nothing goes
    wrong, is everything all right?, JAMA 249, 1743-1745), and what is missing is the least. None before anybody has
    come of age in an arm.
    """
    arms = experiment.arms_of(metric)
    together = sum((arm.total(metric.name) for arm in arms), Sums())
    wanted, users, basis = {}, 0, Basis.OWN
    for arm in arms:
        sums = arm.total(metric.name)
        if not sums.n:
            return None
        if not conversions_lacking(experiment.plan.plan, sums):
            continue
        has = weight(sums)
        share = has / sums.n
        if not share > 0:
            share, basis = weight(together) / together.n, Basis.TOGETHER
        if not share > 0:
            share, basis = RULE_OF_THREE / sums.n, Basis.AT_LEAST
        wanted[arm.id] = sums.n + math.ceil((BURN_IN - has) / share)
        users = max(users, wanted[arm.id] - sums.n)
    days, by_pace = _days(experiment, metric, wanted), _by_pace(experiment, metric, wanted)
    return Missing(users, days, None, by_pace, basis)


def missing_standing(experiment: Experiment, metric: Metric) -> Missing:
    """Return how many more users must come, over all variants, for half of them to have come while shares stood still.

    The shares are taken to stay from now on.
    """
    arms, change = experiment.arms_of(metric), max(experiment.changed_on)
    of_age = sum(arm.total(metric.name).n for arm in arms)
    kept = sum(sums.n for of_arms in experiment.strata(metric) for sums in of_arms.values())
    first_open = experiment.today - -(-metric.deadline_seconds // DAY_SECONDS)
    waiting = sum(experiment.waiting(arm, metric) for arm in arms)
    entered = sorted((day, n) for arm in arms for day, n in arm.first_exposed if day > max(change, first_open))
    after = min(waiting, sum(n for _, n in entered))
    users = max(1, of_age + (waiting - after) - 2 * kept)
    window = -(-metric.deadline_seconds // DAY_SECONDS)
    if users <= after:
        reached = list(accumulate(n for _, n in entered))
        day, _ = entered[min(bisect_left(reached, users), len(entered) - 1)]
        return Missing(users, max(1, day + window - experiment.today), None)
    pace = sum(map(experiment.arrivals, arms))
    days = window + max(1, round((users - after) / pace)) if pace else None
    return Missing(users, days, None, by_pace=True)


def missing_windows(experiment: Experiment, metric: Metric) -> Missing:
    """Return how many users' windows are open, and until when."""
    arms = experiment.arms_of(metric)
    users = sum(experiment.waiting(arm, metric) for arm in arms)
    return Missing(users, _days(experiment, metric, {arm.id: arm.entered for arm in arms}), None)


def missing_difference(
    experiment: Experiment, metric: Metric, difference: float, between: tuple[Arm, ...]
) -> Missing | None:
    """Return what is missing to see a difference between any two of some arms with a probability of 80 %.

    Things are taken to go on as they are: the same rates, variances and shares. The plan's interval with k times as
    many users is computed as it will be, and k is the smallest for which half of it and 0.84 standard errors are at
    most the difference, for the two arms of which least is known. None where nobody has converted in an arm, or no
    such k is below a million.
    """
    least_known = sorted(between, key=lambda arm: -_variance(arm, metric))[:2]
    factor = _factor(experiment, metric, difference, *least_known)
    if factor is None:
        return None
    wanted = {arm.id: math.ceil(arm.total(metric.name).n * factor) for arm in between}
    users = max(wanted[arm.id] - arm.total(metric.name).n for arm in between)
    return Missing(users, _days(experiment, metric, wanted), difference, _by_pace(experiment, metric, wanted))


def _variance(arm: Arm, metric: Metric) -> float:
    found = ratio(arm.total(metric.name))
    return math.inf if found is None or found.variance is None else found.variance


def _factor(experiment: Experiment, metric: Metric, difference: float, arm: Arm, other: Arm) -> float | None:
    level = pair_level(experiment, metric)
    mine, others = arm.total(metric.name), other.total(metric.name)

    def is_enough(factor: float) -> bool:
        more, more_others = scaled(mine, round(mine.n * factor)), scaled(others, round(others.n * factor))
        interval = interval_of(experiment.plan.plan, more, more_others, level)
        group, control = ratio(more), ratio(more_others)
        if interval is None or group is None or control is None:
            return False
        error = math.sqrt((group.variance or 0.0) + (control.variance or 0.0))
        return (interval.high - interval.low) / 2 + POWER_QUANTILE * error <= difference

    if difference <= 0 or not mine.y or not others.y or not is_enough(LARGEST_FACTOR):
        return None
    low, high = 0.0, math.log(LARGEST_FACTOR)
    if is_enough(1.0):
        return 1.0
    while high - low > 0.005:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(math.exp(middle)) else (middle, high)
    return math.exp(high)


def _days(experiment: Experiment, metric: Metric, wanted: dict[str, int]) -> int | None:
    arms = {arm.id: arm for arm in experiment.arms}
    days = [experiment.days_until(arms[name], metric, persons) for name, persons in wanted.items()]
    known = [day for day in days if day is not None]
    return max(known) if len(known) == len(days) and known else None


def _by_pace(experiment: Experiment, metric: Metric, wanted: dict[str, int]) -> bool:
    return any(experiment.must_still_come(arm, metric, wanted[arm.id]) for arm in experiment.arms if arm.id in wanted)
