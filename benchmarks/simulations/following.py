"""The verdict where shares follow results: two arms alike, Thompson sampling once a day, a look every day.

Compared day by day, with the weights of `selection.experiment.reweighted`, and pooled, as if the shares had stood
still.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from afterword.stats.sequential import BURN_IN, reach
from benchmarks.simulations.table import Table, percent

Floats = NDArray[np.float64]
DAYS, A_DAY, FLOOR = 30, 1_000, 0.05


def false_winners(runs: int = 4_000) -> Table:
    """How often one of two arms alike is named, for rates that stand still or double in the 30 days."""
    rows = []
    for rate in (0.01, 0.1):
        for doubles in (False, True):
            by_day, pooled = _named(rate, doubles, runs)
            moves = "doubles" if doubles else "stands still"
            rows.append((percent(rate, 0), moves, percent(by_day), percent(pooled)))
    columns = ("rate", "in 30 days it", "compared day by day", "pooled")
    return Table("Campaigns with a wrong winner where shares follow results, 1,000 users a day", columns, tuple(rows))


def _named(rate: float, doubles: bool, runs: int) -> tuple[float, float]:
    rng = np.random.default_rng(5)
    persons, converted = np.zeros((2, runs, 2))
    means, squares, weights = np.zeros((runs, 2)), np.zeros((runs, 2)), np.zeros((runs, 1))
    by_day, pooled = np.zeros((2, runs), bool)
    share = np.full(runs, 0.5)
    for day in range(DAYS):
        first = rng.binomial(A_DAY, share)
        n = np.stack([first, A_DAY - first], axis=1)
        hits = rng.binomial(n, rate * (1 + doubles * day / DAYS))
        persons, converted = persons + n, converted + hits
        weight = np.sqrt(A_DAY / (1 / n).sum(axis=1, keepdims=True))
        weights, means, squares = weights + weight, means + weight * hits / n, squares + weight**2 / n
        begun = (converted >= BURN_IN).all(axis=1)
        by_day |= begun & _apart(means / weights, weights**2 / squares)
        pooled |= begun & _apart(converted / persons, persons)
        rates = (converted + 1) / (persons + 2)
        error = np.sqrt((rates * (1 - rates) / persons).sum(axis=1))
        share = np.clip(ndtr((rates[:, 0] - rates[:, 1]) / error), FLOOR, 1 - FLOOR)
    return float(by_day.mean()), float(pooled.mean())


def _apart(rates: Floats, persons: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the always-valid interval of the difference does not hold zero."""
    z = np.array([reach(float(n), 0.05) for n in persons.sum(axis=1)])[:, None]
    z2_n = z * z / persons
    centre, half = rates + z2_n / 2, np.sqrt(z2_n * (rates * (1 - rates) + z2_n / 4))
    below, above = rates - (centre - half) / (1 + z2_n), (centre + half) / (1 + z2_n) - rates
    difference = rates[:, 0] - rates[:, 1]
    ahead = difference > np.hypot(below[:, 0], above[:, 1])
    found: NDArray[np.bool_] = ahead | (-difference > np.hypot(above[:, 0], below[:, 1]))
    return found
