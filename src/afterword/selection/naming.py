"""Which arm is named best, of many experiments at once: `winner.judge`'s comparisons on arrays of counts.

For simulations and A/A permutations, which judge millions of looks; a test holds it against `judge`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.model import AnalysisPlan, PlanKind
from afterword.stats.rates import z_of
from afterword.stats.sequential import BURN_IN, reach

Floats = NDArray[np.float64]


def named(plan: AnalysisPlan, level: float, persons: NDArray[Any], converted: NDArray[Any]) -> NDArray[np.int64]:
    """Return which arm is better than every other, -1 for none.

    Args:
        plan: says by which intervals, and from how many persons on.
        level: of each difference.
        persons: come of age, by [..., arm], each of one unit.
        converted: of these.

    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = converted / persons
        best = np.nan_to_num(rates, nan=-1.0).argmax(axis=-1)[..., None]
        of_best, n = np.take_along_axis(rates, best, -1), np.take_along_axis(persons, best, -1)
        if plan.plan is PlanKind.ALWAYS_VALID:
            # In one call per number of persons: the same numbers come again and again.
            together, place = np.unique(persons + n, return_inverse=True)
            z = np.array([reach(int(one), 1 - level) if one else np.nan for one in together])[place]
            carried = np.minimum(converted, persons - converted)
            begun = (carried >= BURN_IN) & (np.take_along_axis(carried, best, -1) >= BURN_IN)
        else:
            z, begun = np.full(persons.shape, z_of(level)), persons > 0
        low, _ = _wilson(of_best, n, z)
        _, high = _wilson(rates, persons, z)
        ahead = begun & (of_best - rates > np.hypot(of_best - low, high - rates))
    every_other = ahead.sum(axis=-1) == persons.shape[-1] - 1
    enough = (persons >= plan.minimum_sample).all(axis=-1)
    return np.where(every_other & enough, best[..., 0], -1)


def _wilson(rates: Floats, persons: NDArray[Any], z: Floats) -> tuple[Floats, Floats]:
    """Wilson's limits (`rates.wilson`)."""
    z2_n = z * z / persons
    centre, half = rates + z2_n / 2, np.sqrt(z2_n * (rates * (1 - rates) + z2_n / 4))
    return (centre - half) / (1 + z2_n), (centre + half) / (1 + z2_n)
