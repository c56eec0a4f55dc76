"""Shares of recipients who converted: intervals, differences, lift and confidence.

Every function takes counts and answers None where the question has no answer (nobody exposed, no
control, a baseline of zero): zero never stands in for "no answer". The normal distribution comes
from the standard library (`math.erfc`, `statistics.NormalDist`), whose values agree with SciPy's to
the last digits; loading SciPy for them would cost more than a whole report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

LEVEL = 0.95
"""The coverage of every interval that a report shows."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`converted` out of `n`; the sufficient statistics of a rate."""

    n: int
    converted: int

    def __post_init__(self) -> None:
        if not 0 <= self.converted <= self.n:
            raise ValueError(f"{self.converted} converted of {self.n}: must be from 0 to n")


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A group against its control; None where there is no answer."""

    difference: float | None = None
    interval: Interval | None = None
    lift: float | None = None
    confidence: float | None = None
    lift_interval: Interval | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class ChiSquared:
    """Pearson's statistic, its degrees of freedom and the probability of a larger one without any difference."""

    statistic: float
    df: int
    p_value: float


@cache
def z_of(level: float) -> float:
    """The two-sided normal quantile of a confidence level: 1.96 for 95 %."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, must be between 0 and 1")
    return NormalDist().inv_cdf(0.5 + level / 2)


def rate(counts: Counts) -> float | None:
    """Converted / n; None if n is 0."""
    return counts.converted / counts.n if counts.n else None


def wilson(counts: Counts, level: float = LEVEL, design_effect: float = 1.0) -> Interval | None:
    """The Wilson score interval of a rate; None if n is 0.

    The rates p that a score test does not refuse: with m = n / design_effect and z the normal quantile,
    (p + z^2/2m -+ z sqrt(p(1-p)/m + z^2/4m^2)) / (1 + z^2/m). Wilson, E. B. (1927), JASA 22, 209-212.
    `design_effect` (1 for independent units) is how much larger clustering makes the variance, which
    counts as if there were that much fewer units; see `design_effect`.
    """
    if not counts.n:
        return None
    n = counts.n / design_effect
    p = counts.converted / counts.n
    z2_n = z_of(level) ** 2 / n
    centre = (p + z2_n / 2) / (1 + z2_n)
    half = math.sqrt(z2_n * (p * (1 - p) + z2_n / 4)) / (1 + z2_n)
    # At the bounds the formula gives exactly 0 and 1; floating point may miss them by a hair.
    low = 0.0 if counts.converted == 0 else max(0.0, centre - half)
    high = 1.0 if counts.converted == counts.n else min(1.0, centre + half)
    return Interval(low, high)


def difference(group: Counts, control: Counts) -> float | None:
    """The group's rate less the control's; None if either is empty."""
    p1, p0 = rate(group), rate(control)
    return None if p1 is None or p0 is None else p1 - p0


def newcombe(group: Counts, control: Counts, level: float = LEVEL) -> Interval | None:
    """Newcombe's hybrid score interval of a difference of rates; None if either group is empty.

    With the Wilson intervals (l1, u1) of p1 and (l0, u0) of p0:
    d - sqrt((p1-l1)^2 + (u0-p0)^2) to d + sqrt((u1-p1)^2 + (p0-l0)^2).
    Newcombe, R. G. (1998), Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17, 873-890, method 10.
    """
    w1, w0 = wilson(group, level), wilson(control, level)
    p1, p0 = rate(group), rate(control)
    if w1 is None or w0 is None or p1 is None or p0 is None:
        return None
    d = p1 - p0
    low = d - math.hypot(p1 - w1.low, w0.high - p0)
    high = d + math.hypot(w1.high - p1, p0 - w0.low)
    return Interval(low, high)


def lift(group: Counts, control: Counts) -> float | None:
    """The relative difference (p1 - p0) / p0 as a fraction; None if the control has no rate above 0."""
    p1, p0 = rate(group), rate(control)
    return None if p1 is None or not p0 else (p1 - p0) / p0


def lift_interval(group: Counts, control: Counts, level: float = LEVEL) -> Interval | None:
    """The interval of the relative difference; None if either group is empty.

    Fieller's argument with Wilson's limits: the ratios t for which the hybrid score interval of p1 - t p0 holds
    zero. With the Wilson intervals (l1, u1) of p1 and (l0, u0) of p0 they go from the smaller root of
    (p1 - t p0)^2 = (p1 - l1)^2 + t^2 (u0 - p0)^2 to the larger one of (p1 - t p0)^2 = (u1 - p1)^2 + t^2 (p0 - l0)^2.
    Donner, A. and Zou, G. Y. (2012), Closed-form confidence intervals for functions of the normal mean and
    standard deviation, Statistical Methods in Medical Research 21, 347-359; Fagerland, Lydersen and Laake, Statistical
    Analysis of Contingency Tables (2017), chapter 4. At t = 1 it is Newcombe's interval: the lift holds zero
    exactly where the difference does. Where the control has no conversion the upper end is infinite (`math.inf`):
    the data bound the lift from below only, and not at all (-1 to infinity) if the group has none either.
    """
    w1, w0 = wilson(group, level), wilson(control, level)
    p1, p0 = rate(group), rate(control)
    if w1 is None or w0 is None or p1 is None or p0 is None:
        return None
    # Both quadratics a t^2 - 2 b t + c with b = p1 p0; this form of the smaller root never cancels.
    b = p1 * p0
    a, c = w0.high * (2 * p0 - w0.high), w1.low * (2 * p1 - w1.low)
    low = c / (b + math.sqrt(max(0.0, b * b - a * c))) if c else 0.0
    a, c = w0.low * (2 * p0 - w0.low), w1.high * (2 * p1 - w1.high)
    high = (b + math.sqrt(max(0.0, b * b - a * c))) / a if a else math.inf
    return Interval(low - 1, high - 1)


def clopper_pearson(counts: Counts, level: float = LEVEL) -> Interval | None:
    """The exact interval of a rate, which covers at least `level` at every rate; None if n is 0.

    The rates that neither one-sided binomial test refuses at half of 1 - level. It is wider than Wilson's and the one
    to quote where a guarantee is asked of few counts. Clopper, C. J. and Pearson, E. S. (1934), Biometrika 26, 404-413.
    """
    from scipy.special import betaincinv  # loading it takes longer than a report without it

    if not counts.n:
        return None
    n, c, tail = counts.n, counts.converted, (1 - level) / 2
    low = float(betaincinv(c, n - c + 1, tail)) if c else 0.0
    high = float(betaincinv(c + 1, n - c, 1 - tail)) if c < n else 1.0
    return Interval(low, high)


def z_statistic(group: Counts, control: Counts) -> float | None:
    """The pooled z of two rates; None where all or none converted, or a group is empty.

    z = (p1 - p0) / sqrt(p (1-p) (1/n1 + 1/n0)) with p = (c1 + c0) / (n1 + n0): the square root of
    Pearson's chi-squared of the two-by-two table. Fleiss, Levin and Paik, Statistical Methods for
    Rates and Proportions, 3rd edition (2003), section 3.2.
    """
    if not group.n or not control.n:
        return None
    pooled = (group.converted + control.converted) / (group.n + control.n)
    if pooled in (0.0, 1.0):
        return None
    error = math.sqrt(pooled * (1 - pooled) * (1 / group.n + 1 / control.n))
    return (group.converted / group.n - control.converted / control.n) / error


def confidence(group: Counts, control: Counts) -> float | None:
    """100 (1 - p) of the two-sided pooled z-test, a percentage; None where the test does not apply."""
    p = p_value(group, control)
    return None if p is None else 100.0 * (1.0 - p)


def p_value(group: Counts, control: Counts) -> float | None:
    """The p value of the two-sided pooled z-test, 2 (1 - Phi(|z|)); None where the test does not apply."""
    z = z_statistic(group, control)
    return None if z is None else math.erfc(abs(z) / math.sqrt(2))


def pearson(groups: Sequence[Counts]) -> ChiSquared | None:
    """Pearson's chi-squared test that all groups have one rate; None with less than two groups that hold somebody.

    sum over groups of n (p_i - p)^2 / (p (1-p)) with the pooled rate p, without continuity correction, on one degree of
    freedom less than there are groups; for two groups it is the square of `z_statistic`. None where nobody or
    everybody converted. Pearson, K. (1900), Philosophical Magazine 50, 157-175; Fleiss, Levin and Paik, chapter 9.
    """
    held = [group for group in groups if group.n]
    n, converted = sum(group.n for group in held), sum(group.converted for group in held)
    if len(held) < 2 or converted in (0, n):
        return None
    pooled = converted / n
    spread = sum((group.converted - group.n * pooled) ** 2 / group.n for group in held)
    statistic = spread / (pooled * (1 - pooled))
    df = len(held) - 1
    return ChiSquared(statistic, df, _chi_squared_tail(statistic, df))


def _chi_squared_tail(statistic: float, df: int) -> float:
    """The upper tail of chi-squared with a whole number of degrees of freedom: a finite sum.

    Q(k/2, h) with h half the statistic, raised two degrees at a time: Q(a+1, h) = Q(a, h) + h^a e^-h / Gamma(a+1).
    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.4.4 and 26.4.5.
    """
    h = statistic / 2
    if not h:
        return 1.0
    a, tail = (0.5, math.erfc(math.sqrt(h))) if df % 2 else (1.0, math.exp(-h))
    while a < df / 2:
        tail += math.exp(a * math.log(h) - h - math.lgamma(a + 1))
        a += 1
    return tail


def compare(group: Counts, control: Counts | None) -> Comparison:
    """Everything that a report says about a group against its control."""
    if control is None:
        return Comparison()
    return Comparison(
        difference=difference(group, control),
        interval=newcombe(group, control),
        lift=lift(group, control),
        confidence=confidence(group, control),
        lift_interval=lift_interval(group, control),
        p_value=p_value(group, control),
    )


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums over persons with m units and c conversions each, where a person may have several units."""

    persons: int
    units_squared: int
    """Sum of m squared."""
    units_converted: int
    """Sum of m times c."""
    converted_squared: int
    """Sum of c squared."""


def design_effect(counts: Counts, clusters: Clusters) -> float:
    """How much larger than for independent units the variance of a rate is, at least 1 (rule 17).

    The rate is a ratio of sums over persons, r = sum c / sum m, whose linearised variance is
    sum (c - r m)^2 / n^2; independent units would have r (1-r) / n. Cochran, Sampling Techniques, 3rd
    edition (1977), section 3.12; Kish, Survey Sampling (1965), section 5.4. With nobody or everybody
    converted the data say nothing about clustering, and persons are counted instead of units.
    """
    n, r = counts.n, counts.converted / counts.n if counts.n else 0.0
    if not n or not clusters.persons:
        return 1.0
    if counts.converted in (0, n):
        return n / clusters.persons
    residuals = clusters.converted_squared - 2 * r * clusters.units_converted + r * r * clusters.units_squared
    return max(1.0, residuals / (n * r * (1 - r)))
