"""Means and ratios over persons, and what differs between two arms.

A person is the unit of analysis (rule 17). `mean` is per person (revenue per recipient, zeros included); `ratio` is
per unit of what a person can have several of (conversions per exposure or per channel), with the variance that comes
of the units of one person resembling each other. Both are an `Estimate`, and so is what `adjusted` makes of them;
`welch` compares two estimates of either kind. Where a question has no answer (nobody, one person, no spread at all)
the answer is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from afterword.stats.rates import LEVEL, Interval
from afterword.stats.sums import Sums

ROUNDING = 1e-12
"""What sums of doubles may be wrong by, relative to the largest of them."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated mean or ratio, the variance of the estimate (not of a person), and of how many persons it is."""

    value: float
    variance: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Winsorised:
    """Sums of min(y, cap) in place of y: what a report supplies where large values are to count as `cap` only.

    Sums cannot be winsorised after the fact, so whoever adds up persons does it. The cap is one number for all arms of
    a comparison, in the unit of y: stated beforehand, or the `quantile` (0.99, say) of y over the persons of all arms
    together, control included, taken once at the time of the comparison. A cap of each arm's own would hide a
    difference that lies in the large values. `capped` persons were above it, and a page that shows the figure shows
    cap and number.
    """

    sums: Sums
    cap: float
    capped: int
    quantile: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.capped <= self.sums.n:
            raise ValueError(f"{self.capped} capped of {self.sums.n}: must be from 0 to n")
        if self.quantile is not None and not 0 < self.quantile < 1:
            raise ValueError(f"quantile is {self.quantile}, must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class Difference:
    """A group's estimate against its control's; None where there is no answer."""

    difference: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    df: float | None = None
    relative: float | None = None
    relative_interval: Interval | None = None


def mean(of: Sums | Winsorised) -> Estimate | None:
    """The mean of y per person, with s^2 / n for its variance; None if there is nobody."""
    sums = bare(of)
    if not sums.n:
        return None
    value = sums.y / sums.n
    return Estimate(value, variance_of(residue(sums.yy - sums.y * value, sums.yy), sums.n), sums.n)


def ratio(of: Sums | Winsorised) -> Estimate | None:
    """The ratio of y per unit, sum y / sum m, with the variance clustered by person; None if there is no unit.

    The linearised residual of a person is (y - r m) / mean(m), and the variance that of its mean over persons, n /
    (n-1) sum (y - r m)^2 / (sum m)^2. Cochran, Sampling Techniques, 3rd edition (1977), section 3.12;
    Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics, KDD.
    """
    sums = bare(of)
    if not sums.m:
        return None
    r = sums.y / sums.m
    squares = residue(sums.yy - 2 * r * sums.my + r * r * sums.mm, sums.yy + r * r * sums.mm)
    return Estimate(r, variance_of(squares / (sums.m / sums.n) ** 2, sums.n), sums.n)


def variance_of(squares: float, n: int) -> float | None:
    """The variance of a mean over n persons, from the sum of squared residuals; unknown (None) of one person."""
    return squares / ((n - 1) * n) if n > 1 else None


def residue(squares: float, of: float) -> float:
    """A sum of squared residuals that is the small difference of large sums: 0 where only rounding is left."""
    return squares if squares > ROUNDING * of else 0.0


def bare(of: Sums | Winsorised) -> Sums:
    """The sums themselves, winsorised or not."""
    return of.sums if isinstance(of, Winsorised) else of


def interval(of: Estimate, level: float = LEVEL) -> Interval | None:
    """Student's interval of an estimate on n - 1 degrees of freedom; None where nothing is known of its variance.

    For a mean: "Student" (1908), The probable error of a mean, Biometrika 6, 1-25. Without any spread it is None too:
    that all of few persons agree does not make the mean certain.
    """
    if not of.variance:
        return None
    half = t_quantile(level, of.n - 1) * math.sqrt(of.variance)
    return Interval(of.value - half, of.value + half)


def welch(group: Estimate | None, control: Estimate | None, level: float = LEVEL) -> Difference:
    """The difference of two estimates with Welch's interval and two-sided t-test, and the relative difference.

    t = (a - b) / sqrt(va + vb) on (va + vb)^2 / (va^2/(na-1) + vb^2/(nb-1)) degrees of freedom. Welch, B. L. (1947),
    The generalization of "Student's" problem when several different population variances are involved, Biometrika 34,
    28-35; degrees of freedom by Satterthwaite (1946), Biometrics Bulletin 2, 110-114. The relative difference (a - b)
    / b has Fieller's interval, see `fieller`. Neither arm's variance may be unknown, nor both zero, for interval and
    test.
    """
    if group is None or control is None:
        return Difference()
    apart = group.value - control.value
    relative = apart / control.value if control.value > 0 else None
    if group.variance is None or control.variance is None or not group.variance + control.variance:
        return Difference(difference=apart, relative=relative)
    variance = group.variance + control.variance
    df = variance**2 / (group.variance**2 / (group.n - 1) + control.variance**2 / (control.n - 1))
    error, t = math.sqrt(variance), t_quantile(level, df)
    return Difference(
        difference=apart,
        interval=Interval(apart - t * error, apart + t * error),
        p_value=_t_two_sided(apart / error, df),
        df=df,
        relative=relative,
        relative_interval=fieller(group, control, t),
    )


def fieller(group: Estimate, control: Estimate, quantile: float) -> Interval | None:
    """The relative differences that a test of a - (1 + lift) b = 0 does not refuse at this quantile of t or z.

    With ratio t: (a - t b)^2 <= q^2 (va + t^2 vb). Fieller, E. C. (1954), Some problems in interval estimation, JRSS B
    16, 175-185. At t = 1 it is the test of the difference, so that with the same quantile both hold zero or neither
    does. None where the control's mean is not itself clear of zero (b^2 <= q^2 vb): the ratios not refused then have
    no bounds.
    """
    a, b, va, vb = group.value, control.value, group.variance, control.variance
    if va is None or vb is None or b <= 0 or b * b <= quantile**2 * vb:
        return None
    scale = b * b - quantile**2 * vb
    root = math.sqrt(max(0.0, a * a * vb + b * b * va - quantile**2 * va * vb)) * quantile
    return Interval((a * b - root) / scale - 1, (a * b + root) / scale - 1)


def t_quantile(level: float, df: float) -> float:
    """The two-sided quantile of Student's distribution: 1.96 for 95 % and many degrees of freedom."""
    from scipy.special import stdtrit  # loading it takes longer than a report without it

    if not 0 < level < 1:
        raise ValueError(f"level is {level}, must be between 0 and 1")
    return float(stdtrit(df, 0.5 + level / 2))


def _t_two_sided(t: float, df: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))
