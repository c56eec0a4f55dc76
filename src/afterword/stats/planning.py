"""How many persons and days a question takes, and what a number of persons can answer.

A `Question` is a difference worth finding between one group and the control, with the variance that its estimate will
have. It is asked of the whole campaign: totals are over all arms, the shares say what part of them the two arms get.
Of several variants each is a question of its own at alpha divided by their number (`per_comparison`), the level of
Holm's first step, so that the size suffices for every variant, whatever the others turn out to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from afterword.stats.sequential import TUNED_FOR, reach

NORMAL = NormalDist()
ALPHA = 0.05
POWER = 0.8
MOST = 10**12
"""More persons than there are: what needs more than that has no answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A difference to be found: its size, and the variance of its estimate times the campaign's total.

    `null` is the variance that the test takes for granted, without a difference; `alternative` the one with it.
    """

    effect: float
    null: float
    alternative: float


@dataclass(frozen=True, slots=True)
class Size:
    """Persons in all and per arm, in the order of the shares (control first)."""

    total: int
    per_arm: tuple[int, ...]


def of_rates(baseline: float, effect: float, group: float = 0.5, control: float = 0.5) -> Question:
    """A difference `effect` from a rate `baseline` of the control, with the shares of group and control.

    null: p (1-p) (1/s1 + 1/s0) with p = (s1 p1 + s0 p0) / (s1 + s0), as the pooled z-test has it; alternative:
    p1 (1-p1) / s1 + p0 (1-p0) / s0. Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd edition
    (2003), sections 4.2 and 4.5. Both rates must be above 0 and below 1.
    """
    other = baseline + effect
    for name, rate in (("baseline", baseline), ("baseline plus effect", other)):
        if not 0 < rate < 1:
            raise ValueError(f"{name} is {rate}, must be between 0 and 1")
    _check(effect, group, control)
    pooled = (group * other + control * baseline) / (group + control)
    return Question(
        effect=effect,
        null=pooled * (1 - pooled) * (1 / group + 1 / control),
        alternative=other * (1 - other) / group + baseline * (1 - baseline) / control,
    )


def of_means(
    effect: float, variance: float, group: float = 0.5, control: float = 0.5, *, group_variance: float | None = None
) -> Question:
    """A difference `effect` of means (or ratios) per person, with the variance between persons.

    The variance is that of one person, such as n times the variance of an `Estimate`; the group has the control's
    unless said otherwise. Cohen, J. (1988), Statistical Power Analysis for the Behavioral Sciences, section 2.5, by
    the normal distribution.
    """
    _check(effect, group, control)
    if not variance > 0:
        raise ValueError(f"variance is {variance}, must be above 0")
    both = (variance if group_variance is None else group_variance) / group + variance / control
    return Question(effect, both, both)


def _check(effect: float, group: float, control: float) -> None:
    if not effect:
        raise ValueError("effect is 0: no number of persons finds a difference of nothing")
    if not (group > 0 and control > 0 and group + control <= 1 + 1e-9):
        raise ValueError(f"shares are {group} and {control}: must be above 0 and sum to at most 1")


def _check_shares(shares: Sequence[float]) -> None:
    if len(shares) < 2 or min(shares) <= 0 or not math.isclose(math.fsum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(f"shares are {list(shares)}: must be at least two, above 0, and sum to 1")


def per_comparison(alpha: float, variants: int) -> float:
    """The level at which each of several variants is planned for."""
    if variants < 1:
        raise ValueError(f"variants is {variants}, must be at least 1")
    return alpha / variants


def total_for(question: Question, power: float = POWER, alpha: float = ALPHA) -> float:
    """Persons in all arms together with which a two-sided z-test finds the difference with this power.

    ((z_a sqrt(null) + z_b sqrt(alternative)) / effect)^2 with the quantiles of 1 - alpha/2 and of the power: not
    rounded.
    """
    _check_share("power", power)
    needed = _z(1 - alpha / 2) * math.sqrt(question.null) + _z(power) * math.sqrt(question.alternative)
    return (needed / question.effect) ** 2 if needed > 0 else 0.0


def power_of(question: Question, total: float, alpha: float = ALPHA) -> float:
    """The chance that so many persons in all show the difference, in its true direction.

    Phi((|effect| - z sqrt(null/N)) / sqrt(alternative/N)). Of what has been collected this says what it could have
    found, asked for an effect that was worth finding beforehand. Put the observed difference in, and it only repeats
    the p value (Hoenig and Heisey 2001, The American Statistician 55, 19-24).
    """
    if total <= 0:
        return 0.0
    clear = abs(question.effect) * math.sqrt(total) - _z(1 - alpha / 2) * math.sqrt(question.null)
    return NORMAL.cdf(clear / math.sqrt(question.alternative))


def smallest_rate_effect(
    baseline: float,
    total: float,
    group: float = 0.5,
    control: float = 0.5,
    *,
    power: float = POWER,
    alpha: float = ALPHA,
) -> float | None:
    """The smallest rise above the baseline that so many persons in all find with this power; None if they find none.

    By bisection: the power rises with the effect.
    """
    _check_share("power", power)

    def found(effect: float) -> bool:
        return power_of(of_rates(baseline, effect, group, control), total, alpha) >= power

    low, high = 0.0, (1 - baseline) * (1 - 1e-12)
    if not found(high):
        return None
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def smallest_mean_effect(
    variance: float,
    total: float,
    group: float = 0.5,
    control: float = 0.5,
    *,
    power: float = POWER,
    alpha: float = ALPHA,
) -> float | None:
    """The smallest difference of means that so many persons in all find with this power; None of nobody.

    (z_a + z_b) sqrt(variance (1/s1 + 1/s0) / N).
    """
    _check_share("power", power)
    if total <= 0:
        return None
    return (_z(1 - alpha / 2) + _z(power)) * math.sqrt(of_means(1.0, variance, group, control).null / total)


def total_always_valid(question: Question, half_width: Callable[[float], float], power: float = POWER) -> float | None:
    """Persons in all after which an always-valid verdict has come with this probability at least; None if never.

    `half_width(N)` is that of the confidence sequence of the difference after N persons in all. With the difference
    real, the interval at N excludes zero with probability Phi((|effect| - half_width(N)) / sqrt(alternative/N)), and
    it may have done so before: looking daily, one stops at N at the latest. Compare with `total_for` for what looking
    when one likes costs. By bisection over N.
    """
    _check_share("power", power)

    def enough(total: float) -> bool:
        margin = _z(power) * math.sqrt(question.alternative / total)
        return abs(question.effect) >= half_width(total) + margin

    high = 2.0
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high / 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def by_sequence(
    question: Question, together: float = 1.0, alpha: float = ALPHA, *, tuned_for: float = TUNED_FOR
) -> Callable[[float], float]:
    """The half-width of `sequential.difference_sequence` after N persons in all, of whom the two arms have a share.

    `reach` standard errors; that Wilson's limits are a little off the estimate matters to no plan.
    """
    return lambda total: reach(together * total, alpha, tuned_for) * math.sqrt(question.alternative / total)


def size(totals: Sequence[float], shares: Sequence[float]) -> Size:
    """The size that suffices for every question: each arm gets its share of the largest total, rounded up."""
    _check_shares(shares)
    # What is a whole number but for rounding stays that number.
    per_arm = tuple(math.ceil(max(totals) * share - 1e-6) for share in shares)
    return Size(sum(per_arm), per_arm)


def plan_rates(
    baseline: float,
    effect: float,
    shares: Sequence[float],
    *,
    power: float = POWER,
    alpha: float = ALPHA,
    always_valid: bool = False,
) -> Size:
    """Persons per arm so that every variant's difference from control is found; `shares` with control first.

    For one look at the end, or with `always_valid` for looking when one likes, which takes more persons at most and
    fewer on average if the difference is larger than planned for.
    """
    return _plan(lambda group, control: of_rates(baseline, effect, group, control), shares, power, alpha, always_valid)


def plan_means(
    effect: float,
    variance: float,
    shares: Sequence[float],
    *,
    power: float = POWER,
    alpha: float = ALPHA,
    always_valid: bool = False,
) -> Size:
    """As `plan_rates`, for a difference of means per person with this variance between persons."""
    return _plan(lambda group, control: of_means(effect, variance, group, control), shares, power, alpha, always_valid)


def _plan(
    question: Callable[[float, float], Question],
    shares: Sequence[float],
    power: float,
    alpha: float,
    always_valid: bool,
) -> Size:
    _check_shares(shares)
    control, level = shares[0], per_comparison(alpha, len(shares) - 1)
    totals = []
    for group in shares[1:]:
        asked = question(group, control)
        if always_valid:
            total = total_always_valid(asked, by_sequence(asked, group + control, level), power)
            if total is None:
                raise ValueError(f"effect is {asked.effect}: too small to be found by {MOST:,} persons")
            totals.append(total)
        else:
            totals.append(total_for(asked, power, level))
    return size(totals, shares)


def days(persons: float, per_day: float, deadline_days: float) -> int | None:
    """Whole days until so many persons have come of age, at a daily rate of first exposures; None if nobody comes.

    The last of them is exposed after persons / per_day days, and its window closes a deadline later.
    """
    if persons <= 0:
        return 0
    return math.ceil(persons / per_day + deadline_days - 1e-9) if per_day > 0 else None


def _z(probability: float) -> float:
    return NORMAL.inv_cdf(probability)


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}, must be between 0 and 1")
