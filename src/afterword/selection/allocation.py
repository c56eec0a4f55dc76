"""From what the rates may be to the shares of variants: Thompson sampling, its floor, and when to stop.

Thompson, W. R. (1933), On the likelihood that one unknown probability exceeds another, Biometrika 25, 285-294: a
variant gets the share of traffic that is the probability that it is the best. Stopping by the value remaining: Scott,
S. L. (2010), A modern Bayesian look at the multi-armed bandit, Applied Stochastic Models in Business and Industry 26,
639-658, and (2015), Multi-armed bandit experiments in the online service economy, same journal 31, 37-45.

Arrays may have leading axes of independent problems; the last axis is the variant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
WHOLE_HUNDREDTHS = 10_000


def probability_best(draws: Floats, candidates: Flags) -> Floats:
    """Return in which part of the draws [..., draw, variant] each candidate has the highest rate.

    `candidates` is [..., variant]; the others are left out and get 0.
    """
    best = _argmax(draws, candidates)
    return np.stack([(best == variant).mean(axis=-1) for variant in range(draws.shape[-1])], axis=-1)


def value_remaining(draws: Floats, candidates: Flags, quantile: float = 0.95) -> Floats:
    """Return what going on can bring, relative to the rate of today's best: a quantile of (max - best) / best.

    The best is the candidate that is most probably so. Scott (2015), section 2.2: "potential value remaining".
    """
    leader = probability_best(draws, candidates).argmax(axis=-1)
    of_leader = np.take_along_axis(draws, leader[..., None, None], axis=-1)[..., 0]
    highest = np.where(candidates[..., None, :], draws, 0.0).max(axis=-1)
    return np.asarray(np.quantile(highest / np.maximum(of_leader, 1e-12) - 1, quantile, axis=-1))


def shares_of(best: Floats, trained: Flags, floor: float) -> Floats:
    """Return shares that sum to 1: what is still in training has an equal share, the others theirs of the rest.

    Every variant has at least `floor`, which is at most one over their number.
    """
    count = best.shape[-1]
    equal = np.where(trained, 0.0, 1 / count)
    rest = 1 - equal.sum(axis=-1, keepdims=True)
    free = rest - floor * trained.sum(axis=-1, keepdims=True)
    sum_best = np.where(trained, best, 0.0).sum(axis=-1, keepdims=True)
    wanted = np.where(trained, best, 0.0) / np.where(sum_best > 0, sum_best, 1.0)
    return np.where(trained, floor + free * wanted, equal)


def in_hundredths(shares: Floats, total: int) -> list[int]:
    """Round shares (summing to 1) of `total` hundredths of a percent so that they sum to it (largest remainders).

    Of equal remainders the earlier variant has the larger share.
    """
    exact = np.round(shares * total, 6)
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return [int(one) for one in whole]


def _argmax(draws: Floats, candidates: Flags) -> NDArray[np.int64]:
    return np.asarray(np.where(candidates[..., None, :], draws, -1.0).argmax(axis=-1))
