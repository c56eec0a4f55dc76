"""Always-valid intervals and p values: right at every look, whenever and however often one looks.

A confidence sequence holds the truth at all looks together with probability 1 - alpha, an ordinary interval only at one
look that was fixed beforehand. The one here is Robbins' normal mixture: where an ordinary interval reaches z errors to
either side, it reaches `reach(persons, alpha)` errors,

    sqrt((1 + 1/x) (ln(1 + x) - 2 ln alpha)),   x = 8.21 persons / tuned_for,

which is 3.03 for alpha 0.05 at `tuned_for` persons and grows so slowly that it is 3.57 at a hundred times as many.
Robbins, H. (1970), Statistical methods related to the law of the iterated logarithm, Annals of Mathematical Statistics
41, 1397-1409; for estimated variances, arms and covariates Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024),
Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52, 2613-2640, equation
for the boundary of theorem 2.2. It is an asymptotic confidence sequence: it begins when every arm has `BURN_IN`
conversions, and docs/statistics.md has its coverage by simulation from there on.

A look needs nothing but the sums over all persons who have come of age by then (whose deadline since their first
exposure has passed), so that a person enters once and never changes. What is asked of the assignment: by chance, by
shares that stay the same while the looks last (the arms that are compared may have different ones); data of epochs with
other shares are compared within each epoch. Shares that follow the results (a bandit's) are outside what is said here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from afterword.stats.adjusted import adjusted_ratios
from afterword.stats.means import Winsorised, bare, residue
from afterword.stats.rates import Counts, Interval
from afterword.stats.sums import Sums

ALPHA = 0.05
"""The probability, over all looks together, of an interval without the truth."""

TUNED_FOR = 10_000
"""Persons in the two arms together for which the sequence is at its tightest (relative to an ordinary interval)."""

BURN_IN = 5
"""Conversions (of means: persons who count, see `weight`) that each arm must have before the sequence begins."""

_OPTIMUM = 8.21197
"""The x that minimises `reach` for alpha 0.05: the root of x = ln(1 + x) - 2 ln 0.05; rho^2 of the paper times n."""

_STEPS, _CLOSE, _FLATTEST = 100, 1e-12, 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """What could be said at one look; None where the sequence had not begun.

    `p_value` is the smallest so far: once a difference was clear at a level it stays so. The interval is the one of
    this look, which the band of a chart shows; it may widen again.
    """

    difference: float | None
    interval: Interval | None
    p_value: float | None


@dataclass(frozen=True, slots=True)
class _Share:
    """A rate and the number of independent units that it is worth."""

    value: float
    n: float

    def limits(self, z: float) -> tuple[float, float]:
        """Wilson's limits, see `rates.wilson`, with any z and any effective number."""
        p, z2_n = self.value, z * z / self.n
        centre, half = p + z2_n / 2, math.sqrt(z2_n * (p * (1 - p) + z2_n / 4))
        low = 0.0 if p <= 0 else max(0.0, (centre - half) / (1 + z2_n))
        return low, 1.0 if p >= 1 else min(1.0, (centre + half) / (1 + z2_n))


@dataclass(frozen=True, slots=True)
class _Mean:
    """A mean and its variance."""

    value: float
    variance: float

    def limits(self, z: float) -> tuple[float, float]:
        """As far to the one side as to the other."""
        half = z * math.sqrt(self.variance)
        return self.value - half, self.value + half


_Side = _Share | _Mean


def reach(persons: float, alpha: float = ALPHA, tuned_for: float = TUNED_FOR) -> float:
    """How many standard errors the sequence reaches to either side when it rests on this many persons.

    With rho^2 = 8.21 / tuned_for it is sqrt(n) / sigma times the paper's boundary
    sigma sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(sqrt(n rho^2 + 1) / alpha)).
    """
    _check(alpha, tuned_for)
    x = _OPTIMUM * persons / tuned_for
    return math.sqrt((1 + 1 / x) * (math.log1p(x) - 2 * math.log(alpha)))


def p_of(z: float, persons: float, tuned_for: float = TUNED_FOR) -> float:
    """The always-valid p value of an estimate that is z errors from zero: the alpha whose `reach` is z, at most 1.

    1 / the mixture of likelihood ratios: sqrt(1 + x) exp(-z^2 x / (2 (1 + x))).
    """
    _check(ALPHA, tuned_for)
    x = _OPTIMUM * persons / tuned_for
    return min(1.0, math.sqrt(1 + x) * math.exp(-z * z * x / (2 * (1 + x))))


def weight(of: Sums | Winsorised) -> float:
    """By how many persons the mean is carried: (sum y)^2 / sum y^2, Kish's effective number; 0 without any y.

    For a rate it is the number of conversions, or of non-conversions if they are fewer; of revenue it is fewer than the
    buyers if some bought much more than others. Kish (1965), Survey Sampling, section 11.7.
    """
    sums = bare(of)
    carried = sums.y * sums.y / sums.yy if sums.yy else 0.0
    if not _are_shares(sums):
        return carried
    left = sums.m - sums.y
    squares = sums.mm - 2 * sums.my + sums.yy
    return min(carried, left * left / squares if squares > 0 else 0.0)


def rate_sequence(counts: Counts, alpha: float = ALPHA, tuned_for: float = TUNED_FOR) -> Interval | None:
    """The sequence of one rate: Wilson's interval with `reach` in place of z; None if n is 0.

    It is not empty before conversions have come, and begins at the first person.
    """
    if not counts.n:
        return None
    share = _Share(counts.converted / counts.n, counts.n)
    return Interval(*share.limits(reach(counts.n, alpha, tuned_for)))


def share_sequence(sums: Sums, alpha: float = ALPHA, tuned_for: float = TUNED_FOR) -> Interval | None:
    """The sequence of one rate over persons who may have several units each: `rate_sequence` where each has one.

    The units count as the independent ones that they are worth (the design effect of the delta method, as in
    `difference_sequence`), the persons say how far the sequence reaches. None without a person.
    """
    if not sums.m:
        return None
    return Interval(*_share(sums).limits(reach(sums.n, alpha, tuned_for)))


def difference_sequence(
    group: Sums | Winsorised,
    control: Sums | Winsorised,
    alpha: float = ALPHA,
    *,
    tuned_for: float = TUNED_FOR,
    adjusted: bool = False,
) -> Interval | None:
    """The sequence of the difference of two rates or means (sum y / sum m); None before it begins.

    Limits of both arms at `reach` errors, put together as Newcombe does: Wilson's limits for shares (of units that
    resemble each other with the design effect by the delta method over persons), symmetric ones for means, where this
    is the paper's sequence itself but that the variance of a person in the smaller arm is taken to be at least that in
    the larger one. `adjusted` takes the estimates adjusted by the covariate (`adjusted.py`), with
    their variance; it answers None where the covariate does not vary.
    """
    sides = _sides(group, control, adjusted)
    if sides is None or not _begun(group, control):
        return None
    return _apart(*sides, reach(_persons(group, control), alpha, tuned_for))


def lift_sequence(
    group: Sums | Winsorised,
    control: Sums | Winsorised,
    alpha: float = ALPHA,
    *,
    tuned_for: float = TUNED_FOR,
    adjusted: bool = False,
) -> Interval | None:
    """The sequence of the relative difference; holds zero exactly where `difference_sequence` does.

    Fieller's argument on the same limits: the ratios t for which the sequence of p1 - t p0 holds zero. Donner and Zou
    (2012), Statistical Methods in Medical Research 21, 347-359; Fieller, E. C. (1954), JRSS B 16, 175-185. None before
    the sequence begins, and where the control's mean is not clear of zero: the lift has no bounds then.
    """
    sides = _sides(group, control, adjusted)
    if sides is None or not _begun(group, control):
        return None
    return _relative(*sides, reach(_persons(group, control), alpha, tuned_for))


def always_valid_p(
    group: Sums | Winsorised,
    control: Sums | Winsorised,
    *,
    tuned_for: float = TUNED_FOR,
    adjusted: bool = False,
    smallest_so_far: float | None = None,
) -> float | None:
    """The always-valid p value of no difference: at most alpha exactly where the sequence at alpha does not hold 0.

    At most u with probability at most u, over all looks together, so that Holm and gatekeeping may use it at any time.
    `smallest_so_far` is the answer of earlier looks, if they are known: the smaller one stays. None before the sequence
    begins and nothing was known earlier.
    """
    sides = _sides(group, control, adjusted)
    z = _distance(*sides) if sides is not None and _begun(group, control) else None
    if z is None:
        return smallest_so_far
    p = p_of(z, _persons(group, control), tuned_for)
    return p if smallest_so_far is None else min(p, smallest_so_far)


def looks(
    sums: Iterable[tuple[Sums, Sums]],
    alpha: float = ALPHA,
    *,
    tuned_for: float = TUNED_FOR,
    adjusted: bool = False,
) -> list[Look]:
    """One `Look` for each pair (group, control) of *cumulative* sums, in the order of the looks."""
    series: list[Look] = []
    smallest: float | None = None
    for group, control in sums:
        smallest = always_valid_p(group, control, tuned_for=tuned_for, adjusted=adjusted, smallest_so_far=smallest)
        series.append(
            Look(
                estimate(group, control, adjusted=adjusted),
                difference_sequence(group, control, alpha, tuned_for=tuned_for, adjusted=adjusted),
                smallest,
            )
        )
    return series


def estimate(group: Sums | Winsorised, control: Sums | Winsorised, *, adjusted: bool = False) -> float | None:
    """The difference that the sequence is around; None if an arm is empty or cannot be adjusted."""
    sides = _sides(group, control, adjusted)
    return None if sides is None else sides[0].value - sides[1].value


def _check(alpha: float, tuned_for: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, must be between 0 and 1")
    if tuned_for <= 0:
        raise ValueError(f"tuned_for is {tuned_for}, must be a number of persons above 0")


def _persons(group: Sums | Winsorised, control: Sums | Winsorised) -> int:
    return bare(group).n + bare(control).n


def _begun(group: Sums | Winsorised, control: Sums | Winsorised) -> bool:
    return min(weight(group), weight(control)) >= BURN_IN


def _sides(group: Sums | Winsorised, control: Sums | Winsorised, adjusted: bool) -> tuple[_Side, _Side] | None:
    """Both arms; None where one has nobody, or so few that nothing is known of its variance."""
    one, other = bare(group), bare(control)
    if not one.m or not other.m or min(one.n, other.n) < 2:
        return None
    if adjusted:
        both = adjusted_ratios([one, other])
        means = [_Mean(e.value, e.variance) for e in both.estimates if e and e.variance is not None] if both else []
        return _cautious(means[0], one.n, means[1], other.n) if len(means) == 2 else None
    if _are_shares(one) and _are_shares(other):
        return _share(one), _share(other)
    return _cautious(_mean(one), one.n, _mean(other), other.n)


def _share(sums: Sums) -> _Share:
    r = sums.y / sums.m
    spread, squares = r * (1 - r) * sums.m * sums.m, _squares(sums, r)
    return _Share(r, min(sums.m, spread / squares) if squares and spread else sums.n)


def _mean(sums: Sums) -> _Mean:
    r = sums.y / sums.m
    return _Mean(r, _squares(sums, r) / (sums.m * sums.m) * sums.n / (sums.n - 1))


def _squares(sums: Sums, r: float) -> float:
    """The sum of squared residuals y - r m over persons."""
    return residue(sums.yy - 2 * r * sums.my + r * r * sums.mm, sums.yy + r * r * sums.mm)


def _cautious(one: _Mean, n: int, other: _Mean, m: int) -> tuple[_Mean, _Mean]:
    """The same means; a person of the smaller arm varies at least as much as one of the larger.

    Where few persons make most of the revenue, a small arm without them has too small a mean and too small a variance
    at once, and would be sure of it.
    """
    least = one.variance * n if n > m else other.variance * m
    if n > m:
        return one, _Mean(other.value, max(other.variance, least / m))
    return _Mean(one.value, max(one.variance, least / n)), other


def _are_shares(sums: Sums) -> bool:
    """Whether every y may lie between 0 and m. Of revenue this can be so by chance, and both limits are right then."""
    return 0 <= sums.y <= sums.m and sums.yy <= sums.my


def _apart(one: _Side, other: _Side, z: float) -> Interval:
    difference = one.value - other.value
    (one_low, one_high), (other_low, other_high) = one.limits(z), other.limits(z)
    below = math.hypot(one.value - one_low, other_high - other.value)
    above = math.hypot(one_high - one.value, other.value - other_low)
    return Interval(difference - below, difference + above)


def _relative(one: _Side, other: _Side, z: float) -> Interval | None:
    """The smaller root of (a - t b)^2 = (a-l1)^2 + t^2 (u0-b)^2 and the larger one with the other limits, less 1."""
    (one_low, one_high), (other_low, other_high) = one.limits(z), other.limits(z)
    if other_low <= 0:
        return None
    product = one.value * other.value
    low, high = _cross(one.value, one_low), _cross(one.value, one_high)
    far = product + math.sqrt(max(0.0, product**2 - low * _cross(other.value, other_high)))
    near = product + math.sqrt(max(0.0, product**2 - high * _cross(other.value, other_low)))
    # By the product of the roots: Wilson's upper limit may be twice the rate, where the usual formula is 0 / 0.
    return Interval((low / far if far else 0.0) - 1, near / _cross(other.value, other_low) - 1)


def _cross(value: float, limit: float) -> float:
    """value^2 - (value - limit)^2."""
    return limit * (2 * value - limit)


def _distance(one: _Side, other: _Side) -> float | None:
    """How many errors the difference is from zero: the z at which a limit of the interval is zero.

    Symmetric limits give it at once. Wilson's are nearly proportional to z, and the secant method on the logarithms
    finds it in a few steps. None where there is no variance at all.
    """
    difference = one.value - other.value
    if not difference:
        return 0.0

    def excess(z: float) -> float:
        interval = _apart(one, other, z)
        half = difference - interval.low if difference > 0 else interval.high - difference
        return math.log(half / abs(difference)) if half else -math.inf

    last, at_last, slope = 0.0, excess(1.0), 1.0
    if at_last == -math.inf:
        return None
    for _ in range(_STEPS):
        z = last - at_last / slope
        if abs(z - last) < _CLOSE:
            break
        at_z = excess(math.exp(z))
        slope = max(_FLATTEST, (at_z - at_last) / (z - last))
        last, at_last = z, at_z
    return math.exp(last)
