"""The false discovery rate of Benjamini-Hochberg over eight variants and four events, looked at once and every day.

The expected share of errors among what is called is bounded at a look that is chosen beforehand. Whoever looks every
day may stop on the worst of them, so the largest share of 30 days stands beside it, with always-valid p values and with
ordinary ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from afterword.stats.multiple import benjamini_hochberg, decided
from afterword.stats.rates import Counts, p_value
from afterword.stats.sequential import always_valid_p
from afterword.stats.sums import Sums
from benchmarks.simulations.table import Table, percent

Shares = np.ndarray[Any, np.dtype[np.float64]]
ALPHA, DAYS, PERSONS = 0.05, 30, 500
VARIANTS, EVENTS = 8, 4
LOOKS = (9, 29)
"""The looks of the table: after 10 and after 30 days."""


def discoveries(runs: int = 500, seed: int = 16) -> Table:
    """False discovery rate at 5 %: on days chosen beforehand, and on whichever of 30 days is the worst."""
    rows = []
    for real in (0, 2, 8, 16, 28):
        rng = np.random.default_rng((seed, real))
        shares = np.array([_false_shares(rng, real) for _ in range(runs)])
        valid, ordinary = shares.mean(axis=0)[:, LOOKS], shares.max(axis=2).mean(axis=0)
        cells = (*valid[0], ordinary[0], *valid[1], ordinary[1])
        rows.append((f"{real} of {VARIANTS * EVENTS}", *(percent(float(cell), 1) for cell in cells)))
    columns = (
        "real differences",
        "always-valid, day 10",
        "day 30",
        "worst of 30 days",
        "ordinary test, day 10",
        "day 30",
        "worst of 30 days",
    )
    return Table(
        "False discovery rate at 5 %, eight variants and four events, Benjamini-Hochberg", columns, tuple(rows)
    )


def _false_shares(rng: np.random.Generator, real: int) -> Shares:
    """The share of errors among what is called, by test (always-valid, ordinary) and day, shape (2, 30).

    500 persons a day and variant, 5 % of whom convert on each event, half of them for a reason that all events share,
    and 6 % where there is a difference; those are the first, event by event.
    """
    half = 1 - math.sqrt(0.95)
    is_real = np.zeros((VARIANTS + 1, EVENTS), bool)
    is_real[:VARIANTS] = (np.arange(VARIANTS * EVENTS) < real).reshape(EVENTS, VARIANTS).T
    own = np.where(is_real, 1 - 0.94 / (1 - half), half)[:, None, :]
    shared = rng.binomial(PERSONS, half, (VARIANTS + 1, DAYS, 1))
    counts = (shared + rng.binomial(PERSONS - shared, own, (VARIANTS + 1, DAYS, EVENTS))).cumsum(axis=1)
    truths = is_real[:VARIANTS].ravel().tolist()
    shares = np.zeros((2, DAYS))
    for day in range(DAYS):
        n, seen = PERSONS * (day + 1), counts[:, day].tolist()
        pairs = [(Counts(n, one), Counts(n, none)) for of in seen[:-1] for one, none in zip(of, seen[-1], strict=True)]
        valid = [always_valid_p(Sums.of_counts(one), Sums.of_counts(none)) for one, none in pairs]
        ordinary = [p_value(one, none) for one, none in pairs]
        shares[:, day] = [_false_share(p, truths) for p in (valid, ordinary)]
    return shares


def _false_share(p_values: Sequence[float | None], truths: Sequence[bool]) -> float:
    called = [real for real, yes in zip(truths, decided(benjamini_hochberg(p_values), ALPHA), strict=True) if yes]
    return called.count(False) / max(1, len(called))
