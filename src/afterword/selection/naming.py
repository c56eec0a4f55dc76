"""Which arm is named best, of many experiments at once: `winner.judge`'s comparisons on arrays of sums.

For simulations and A/A permutations, which judge millions of looks; a test holds it against `judge`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterword.model import AnalysisPlan, PlanKind
from afterword.stats.rates import z_of
from afterword.stats.sequential import BURN_IN, reach

Numbers = NDArray[Any]
Floats = NDArray[np.float64]


class Arms(NamedTuple):
    """`Sums` of rates as arrays by [..., arm]: persons come of age, and what converted of their units."""

    n: Numbers
    y: Numbers
    yy: Numbers
    m: Numbers
    mm: Numbers
    my: Numbers

    @classmethod
    def of_counts(cls, persons: Numbers, converted: Numbers) -> Arms:
        """Persons with one unit each, of whom some converted."""
        return cls(persons, converted, converted, persons, persons, converted)


def named(plan: AnalysisPlan, level: float, arms: Arms) -> NDArray[np.int64]:
    """Return which arm is better than every other, -1 for none; `level` is that of each difference."""
    always = plan.plan is PlanKind.ALWAYS_VALID
    one_each = bool((arms.m == arms.n).all() and (arms.mm == arms.n).all() and (arms.yy == arms.y).all())
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = arms.y / arms.m
        squares = np.maximum(arms.yy - 2 * rates * arms.my + rates**2 * arms.mm, 0)
        best = np.nan_to_num(rates, nan=-1.0).argmax(axis=-1)[..., None]
        if always:
            ahead = _begun(arms, best) & _ahead(rates, _worth(arms, rates, squares), _reach(arms.n, best, level), best)
        elif one_each:
            ahead = _ahead(rates, arms.n, np.full(rates.shape, z_of(level)), best)
        else:
            ahead = _ahead_by_welch(arms, rates, squares, best, level)
    every_other = ahead.sum(axis=-1) == rates.shape[-1] - 1
    enough = (arms.n >= plan.minimum_sample).all(axis=-1)
    return np.where(every_other & enough, best[..., 0], -1)


def _of(values: Numbers, best: NDArray[np.int64]) -> Numbers:
    return np.take_along_axis(values, best, -1)


def _begun(arms: Arms, best: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether both have the conversions, and the others, with which sequences begin (`sequential.weight`)."""
    left = arms.m - arms.y
    carried = np.minimum(arms.y**2 / arms.yy, left**2 / (arms.mm - 2 * arms.my + arms.yy))
    found: NDArray[np.bool_] = (carried >= BURN_IN) & (_of(carried, best) >= BURN_IN)
    return found


def _worth(arms: Arms, rates: Floats, squares: Floats) -> Floats:
    """The independent units that each rate is worth (the design effect of units of one person)."""
    spread = rates * (1 - rates) * arms.m**2
    return np.where((squares > 0) & (spread > 0), np.minimum(arms.m, spread / squares), arms.n)


def _reach(persons: Numbers, best: NDArray[np.int64], level: float) -> Floats:
    # Once for each number of persons: the same come again and again.
    together, place = np.unique(persons + _of(persons, best), return_inverse=True)
    return np.array([reach(int(one), 1 - level) if one else np.nan for one in together])[place].reshape(persons.shape)


def _ahead(rates: Floats, n: Numbers, z: Floats, best: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the difference of Wilson's limits, as Newcombe puts them together, lies above zero."""
    of_best = _of(rates, best)
    low, _ = _wilson(of_best, _of(n, best), z)
    _, high = _wilson(rates, n, z)
    found: NDArray[np.bool_] = of_best - rates > np.hypot(of_best - low, high - rates)
    return found


def _wilson(rates: Floats, n: Numbers, z: Floats) -> tuple[Floats, Floats]:
    z2_n = z * z / n
    centre, half = rates + z2_n / 2, np.sqrt(z2_n * (rates * (1 - rates) + z2_n / 4))
    return (centre - half) / (1 + z2_n), (centre + half) / (1 + z2_n)


def _ahead_by_welch(
    arms: Arms, rates: Floats, squares: Floats, best: NDArray[np.int64], level: float
) -> NDArray[np.bool_]:
    from scipy.special import stdtrit

    variances = squares * arms.n / ((arms.n - 1) * arms.m**2)
    both = variances + _of(variances, best)
    df = both**2 / (variances**2 / (arms.n - 1) + _of(variances, best) ** 2 / (_of(arms.n, best) - 1))
    found: NDArray[np.bool_] = _of(rates, best) - rates > stdtrit(df, 0.5 + level / 2) * np.sqrt(both)
    return found
