"""Exact coverage of the intervals of rates: binomial probabilities added up, nothing drawn at random."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom, norm

from afterword.stats.rates import Counts, wilson

Array = np.ndarray[Any, np.dtype[np.float64]]

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
LIFTS = (-0.2, 0.0, 0.02, 0.1, 0.5)
PARTS = (1.0, 3.0, 9.0)
"""How many times as large as the control the group is."""
MOST = 200_000
"""Persons in the larger arm at most."""
Z = float(norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Arm:
    """n persons with a true rate: what may be observed, how probably, and Wilson's limits of each."""

    n: int
    rate: float
    probability: Array
    observed: Array
    low: Array
    high: Array

    @property
    def expects(self) -> float:
        """The smaller of the expected numbers of conversions and of others."""
        return self.n * min(self.rate, 1 - self.rate)


def arm(n: int, rate: float) -> Arm:
    first, last = int(binom.ppf(1e-9, n, rate)), int(binom.isf(1e-9, n, rate))
    converted = np.arange(first, last + 1)
    limits = [wilson(Counts(n, int(c))) for c in converted]
    low, high = (np.array([getattr(one, end) for one in limits]) for end in ("low", "high"))
    return Arm(n, rate, binom.pmf(converted, n, rate), converted / n, low, high)


def of_rate(one: Arm) -> float:
    """How often Wilson's interval holds the true rate."""
    return float(one.probability[(one.low <= one.rate) & (one.rate <= one.high)].sum())


def of_ratio(group: Arm, control: Arm, ratio: float) -> float:
    """How often the interval of p1 - ratio p0 holds the truth: of the lift, or at ratio 1 of the difference.

    The lift's interval holds the ratios at which Newcombe's interval of p1 - t p0 holds zero, so that whether it holds
    the true one needs no root.
    """
    apart = group.observed[:, None] - ratio * control.observed
    below = (group.observed - group.low)[:, None] ** 2 + (ratio * (control.high - control.observed)) ** 2
    above = (group.high - group.observed)[:, None] ** 2 + (ratio * (control.observed - control.low)) ** 2
    off = apart - (group.rate - ratio * control.rate)
    held = np.where(off >= 0, off * off <= below, off * off <= above)
    return float(group.probability @ held @ control.probability)


def of_log_ratio(group: Arm, control: Arm, ratio: float) -> float:
    """How often Katz's interval of the ratio holds it: the delta method on its logarithm.

    Where an arm has no conversion there is none, which counts as a miss. Katz, D., Baptista, J., Azen, S. P. and Pike,
    M. C. (1978), Obtaining confidence intervals for the risk ratio in cohort studies, Biometrics 34, 469-474.
    """
    known = [one.observed > 0 for one in (group, control)]
    safe = [np.where(some, one.observed, 1.0) for some, one in zip(known, (group, control), strict=True)]
    variance = [(1 - rate) / (rate * one.n) for rate, one in zip(safe, (group, control), strict=True)]
    off = np.log(safe[0])[:, None] - np.log(safe[1]) - math.log(ratio)
    held = off * off <= Z**2 * (variance[0][:, None] + variance[1])
    return float(group.probability @ (held & known[0][:, None] & known[1]) @ control.probability)


def of_plain_fieller(group: Arm, control: Arm, ratio: float) -> float:
    """How often Fieller's interval of the ratio holds it, with the variances of the observed rates."""
    off = group.observed[:, None] - ratio * control.observed
    variance = [one.observed * (1 - one.observed) / one.n for one in (group, control)]
    held = off * off <= Z**2 * (variance[0][:, None] + ratio**2 * variance[1])
    return float(group.probability @ held @ control.probability)


def of_lifts(expected: float, part: float) -> Iterator[tuple[float, float, float]]:
    """Yield the coverage of the three intervals of a lift, over control rates and lifts that are not below zero."""
    for base in RATES:
        n = math.ceil(expected / min(base, 1 - base))
        if n * part > MOST:
            continue
        control = arm(n, base)
        for lift in (lift for lift in LIFTS if lift >= 0):
            group = arm(math.ceil(n * part), base * (1 + lift))
            ratio = group.rate / control.rate
            yield (
                of_ratio(group, control, ratio),
                of_log_ratio(group, control, ratio),
                of_plain_fieller(group, control, ratio),
            )


@dataclass(frozen=True, slots=True)
class Pair:
    """A case: both arms' expectations (the smallest of the four), and the coverage of three intervals."""

    expects: float
    rate: float
    difference: float
    lift: float


def pairs(expected: Sequence[float]) -> Iterator[Pair]:
    """All combinations in which the control expects so many conversions (or others, if they are fewer)."""
    for base in RATES:
        for least in expected:
            n = math.ceil(least / min(base, 1 - base))
            for part in PARTS:
                if n * part > MOST:
                    continue
                control = arm(n, base)
                for lift in LIFTS:
                    # A worse group is made larger, so that it too expects as many conversions as the control.
                    group = arm(math.ceil(n * part / min(1.0, 1 + lift)), base * (1 + lift))
                    yield Pair(
                        min(control.expects, group.expects),
                        of_rate(group),
                        of_ratio(group, control, 1.0),
                        of_ratio(group, control, group.rate / control.rate),
                    )


def of_single_rates(least: float, most: float, points: int = 400) -> tuple[float, float, float]:
    """Lowest, mean and highest coverage of Wilson's interval over rates and sizes that expect from least to most."""
    found = []
    for n in (200, 500, 1_000, 5_000, 20_000, 50_000, MOST):
        for rate in np.geomspace(0.001, 0.3, points):
            if least <= n * rate < most:
                found.append(of_rate(arm(n, float(rate))))
    return min(found), sum(found) / len(found), max(found)
