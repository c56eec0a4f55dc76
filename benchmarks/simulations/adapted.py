"""How often intervals hold the truth where a bandit set the shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from afterword.stats.adapted import EpochSums, adapted_rates
from afterword.stats.rates import Counts, Interval, newcombe
from afterword.stats.sums import Sums
from benchmarks.simulations.bandit import REPORTED_SEED, simulate
from benchmarks.simulations.bandit_worlds import Floats, World, all_worlds, drifting, exponential, world
from benchmarks.simulations.table import Table, percent


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one kind of interval."""

    covered: float
    """How often the interval held the difference."""
    bias: float
    """How far the difference was off in the mean, in parts of its standard deviation."""
    width: float


def worlds() -> list[World]:
    """Two variants that are equal, with and without weekdays that are better for all; and worlds of the bandit."""
    usual = exponential(3.0)
    named = {one.name: one for one in all_worlds()}
    return [
        world("two equal", [0.05, 0.05], [usual], 100),
        drifting("two equal, rates fall by half", [0.08, 0.08], [0.04, 0.04], usual, 100),
        drifting("two differ, rates fall by half", [0.08, 0.06], [0.04, 0.03], usual, 100),
        named["all equal"],
        named["clear winner"],
    ]


def coverage(where: World, replications: int, seed: int) -> tuple[Coverage, Coverage]:
    """Of the ordinary interval and of the one for adapted shares, for the second variant less the first.

    Where rates change with time, the truth is the difference as each of the two weighs time, so that only what
    adapting does is held against it; the ordinary one takes all persons to be alike.
    """
    outcome = simulate(where, ["Afterword"], replications, seed)["Afterword"]
    rates = where.rates[:, 0, 1] - where.rates[:, 0, 0]
    pairs = [
        _judged(n[:2], converted[:2], n.sum(axis=0), rates)
        for n, converted in zip(outcome.n, outcome.converted, strict=True)
    ]
    ordinary, adapted = ([pair[place] for pair in pairs] for place in (0, 1))
    return _coverage(ordinary), _coverage(adapted)


Judged = tuple[Interval, float, float]
"""An interval, the difference that it belongs to, and the truth."""


def _judged(n: Floats, converted: Floats, everyone: Floats, rates: Floats) -> tuple[Judged, Judged]:
    group, control = (Counts(int(n[arm].sum()), int(converted[arm].sum())) for arm in (1, 0))
    ordinary, difference = newcombe(group, control), group.converted / group.n - control.converted / control.n
    arms = [[_sums(*cell) for cell in zip(n[arm], converted[arm], strict=True)] for arm in (1, 0)]
    adapted = adapted_rates([EpochSums(*cells) for cells in zip(*arms, map(int, everyone), strict=True)])
    if ordinary is None or adapted is None or adapted.interval is None:
        raise ValueError("a variant was never sent")
    weights = np.sqrt(everyone / (1 / np.maximum(n, 1e-9)).sum(axis=0))
    truths = float(rates @ everyone / everyone.sum()), float(rates @ weights / weights.sum())
    return (ordinary, difference, truths[0]), (adapted.interval, adapted.difference, truths[1])


def _coverage(found: list[Judged]) -> Coverage:
    off = np.array([difference - truth for _, difference, truth in found])
    covered = np.mean([interval.low <= truth <= interval.high for interval, _, truth in found])
    width = np.mean([interval.high - interval.low for interval, _, _ in found])
    return Coverage(float(covered), float(off.mean() / off.std()), float(width))


def _sums(n: float, converted: float) -> Sums:
    return Sums.of_counts(Counts(int(n), int(converted)))


def intervals(runs: int = 1000, seed: int = REPORTED_SEED + 100) -> Table:
    """How often both intervals hold the difference, how far off it is in the mean, and what the better one costs."""
    rows = []
    for number, where in enumerate(worlds()):
        plain, better = coverage(where, runs, seed + number)
        found = (percent(plain.covered, 1), f"{plain.bias:+.2f}", percent(better.covered, 1), f"{better.bias:+.2f}")
        rows.append((where.name, *found, percent(better.width / plain.width - 1, 0)))
    columns = ("world", "ordinary holds", "bias", "weighted by epoch holds", "bias", "wider by")
    return Table("Intervals over adapted shares", columns, tuple(rows))
