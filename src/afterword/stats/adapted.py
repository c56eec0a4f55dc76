"""Differences over data whose shares were adapted to what had been seen.

Where shares follow results, ordinary intervals do not hold: a variant that was unlucky at first got few users and
stays low, so its mean is too small (Nie et al. 2018), and where rates change with time a variant is compared by when
it was sent more than by what it is. Within a stretch of time between two changes of shares (a share epoch) assignment
is an ordinary lottery. So the difference is taken within each epoch, and the epochs are put together with weights that
make every person exposed count the same in the variance, whatever the shares were:

    difference = sum w_e d_e / sum w_e,   w_e = sqrt(N_e) / sqrt(1/n1_e + 1/n0_e),
    variance   = sum w_e^2 (s1^2/n1_e + s0^2/n0_e) / (sum w_e)^2,

n1_e and n0_e persons of the two arms, N_e of all arms. w_e^2 times the variance of d_e is then N_e s^2, which no
outcome can have a part in, so the standardised sum is a martingale with fixed variance and is normal in large samples.
Zhang, K. W., Janson, L. and Murphy, S. A. (2020), Inference for batched bandits, NeurIPS 33 (the batched least squares
estimator); Hadad, V. et al. (2021), Confidence intervals for policy evaluation in adaptive experiments, PNAS 118
(weights that stabilise the variance). The weights are the price: the interval is wider than the ordinary one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from afterword.stats.rates import LEVEL, Interval, z_of
from afterword.stats.sums import Sums

METHOD = "weighted by share epoch"
"""What a report calls it."""


@dataclass(frozen=True, slots=True)
class EpochSums:
    """Persons first exposed within one share epoch who have come of age."""

    group: Sums
    control: Sums
    everyone: int
    """Persons of all variants."""

    def __post_init__(self) -> None:
        if self.everyone < self.group.n + self.control.n:
            raise ValueError(f"everyone is {self.everyone}, must be at least {self.group.n} + {self.control.n}")


@dataclass(frozen=True, slots=True)
class Adapted:
    """A difference of means that holds for shares that were adapted."""

    difference: float
    interval: Interval | None
    """None where nothing is known of the variance."""
    epochs: int
    """In how many epochs both were sent."""
    left_out: int
    """Persons of both in epochs in which the other was not sent."""
    method: str = METHOD


def adapted_difference(epochs: Sequence[EpochSums], level: float = LEVEL) -> Adapted | None:
    """Return the difference of means of y, group less control; None without an epoch in which both were sent.

    With one epoch it is the ordinary difference of means. The variance of a person is taken to be the same in all
    epochs, estimated from the squares within them, since an epoch may have few conversions.
    """
    weighed = _weigh(epochs)
    if weighed is None:
        return None
    spread = _within([one.group for one in weighed.used]), _within([one.control for one in weighed.used])
    interval = None
    if spread[0] is not None and spread[1] is not None and spread[0] + spread[1]:
        half = z_of(level) * math.sqrt(spread[0] / weighed.group_n + spread[1] / weighed.control_n)
        interval = Interval(weighed.difference - half, weighed.difference + half)
    return weighed.told(interval)


def adapted_rates(epochs: Sequence[EpochSums], level: float = LEVEL) -> Adapted | None:
    """Return the difference of rates (y is 0 or 1 per person), with an interval that holds for few conversions too.

    The arms' weighted rates have the variance of rates of (sum w)^2 / sum (w^2 / n) persons. With as many each has
    Wilson's interval, and the two are put together as Newcombe does (see `afterword.stats.rates`).
    """
    weighed = _weigh(epochs)
    if weighed is None:
        return None
    p1, p0 = weighed.group_mean, weighed.control_mean
    (low1, high1), (low0, high0) = _wilson(p1, weighed.group_n, level), _wilson(p0, weighed.control_n, level)
    d = weighed.difference
    return weighed.told(Interval(d - math.hypot(p1 - low1, high0 - p0), d + math.hypot(high1 - p1, p0 - low0)))


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The arms over all epochs in which both were sent."""

    used: list[EpochSums]
    left_out: int
    group_mean: float
    control_mean: float
    group_n: float
    """Of how many persons an unweighted mean has the same variance."""
    control_n: float

    @property
    def difference(self) -> float:
        return self.group_mean - self.control_mean

    def told(self, interval: Interval | None) -> Adapted:
        return Adapted(self.difference, interval, len(self.used), self.left_out)


def _weigh(epochs: Sequence[EpochSums]) -> _Weighed | None:
    used = [one for one in epochs if one.group.n and one.control.n]
    if not used:
        return None
    weights = [math.sqrt(one.everyone / (1 / one.group.n + 1 / one.control.n)) for one in used]
    return _Weighed(
        used,
        sum(one.group.n + one.control.n for one in epochs) - sum(one.group.n + one.control.n for one in used),
        *(_mean(arm, weights) for arm in ([one.group for one in used], [one.control for one in used])),
        *(_size(arm, weights) for arm in ([one.group for one in used], [one.control for one in used])),
    )


def _mean(arm: Sequence[Sums], weights: Sequence[float]) -> float:
    return sum(weight * one.y / one.n for weight, one in zip(weights, arm, strict=True)) / sum(weights)


def _size(arm: Sequence[Sums], weights: Sequence[float]) -> float:
    return sum(weights) ** 2 / sum(weight**2 / one.n for weight, one in zip(weights, arm, strict=True))


def _within(sums: Sequence[Sums]) -> float | None:
    """The variance of a person within epochs; None where no epoch has two persons."""
    freedom = sum(one.n - 1 for one in sums)
    return sum(max(0.0, one.yy - one.y**2 / one.n) for one in sums) / freedom if freedom else None


def _wilson(p: float, n: float, level: float) -> tuple[float, float]:
    z2_n = z_of(level) ** 2 / n
    centre = (p + z2_n / 2) / (1 + z2_n)
    half = math.sqrt(z2_n * (max(0.0, p * (1 - p)) + z2_n / 4)) / (1 + z2_n)
    return centre - half, centre + half
