"""The verdict against known truth: false winners when one looks every day, and how long a true one takes.

Arms get as many users a day each, who come of age the same day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.model import AnalysisPlan, PlanKind
from afterword.selection.naming import Arms, named
from afterword.stats.rates import z_of
from benchmarks.simulations.table import Table, percent

DAYS = 30
CHUNK = 1_000
FIXED = AnalysisPlan(plan=PlanKind.FIXED)


@dataclass(frozen=True, slots=True)
class Named:
    """How often, as shares of the campaigns."""

    any: float
    """Some arm was named at one look or more."""
    wrongly: float
    """An arm was named whose rate is not above all others'."""
    day: float | None
    """The median day of the first naming, over the campaigns with one."""
    chi_squared: float
    """The chi-squared rule of the commercial products, looked at as often, named a variant; the last arm is control."""


def campaigns(
    rates: Sequence[float], *, a_day: int = 500, days: int = DAYS, runs: int = 4_000, plan: AnalysisPlan | None = None
) -> Named:
    """Look every day at campaigns with arms of these rates; a fixed plan looks on the last day."""
    plan = plan or AnalysisPlan()
    rng, truth = np.random.default_rng(1), np.array(rates)
    level = 1 - 2 * float(plan.alpha) / len(rates)
    is_best = (truth == truth.max()) & ((truth == truth.max()).sum() == 1)
    first: list[NDArray[np.int64]] = []
    wrong = chi = 0
    for begin in range(0, runs, CHUNK):
        shape = (min(CHUNK, runs - begin), days, len(rates))
        converted = rng.binomial(a_day, truth, shape).cumsum(axis=1)
        persons = np.broadcast_to((np.arange(1, days + 1) * a_day)[:, None], converted.shape)
        looks = slice(-1, None) if plan.plan is PlanKind.FIXED else slice(None)
        found = named(plan, level, Arms.of_counts(persons[:, looks], converted[:, looks]))
        wrong += int(((found >= 0) & ~is_best[found]).any(axis=1).sum())
        first.append(np.where((found >= 0).any(axis=1), (found >= 0).argmax(axis=1), -1))
        chi += int(_chi_squared(persons[:, looks], converted[:, looks]).any(axis=(1, 2)).sum())
    when = np.concatenate(first)
    return Named(
        any=float((when >= 0).mean()),
        wrongly=wrong / len(when),
        day=float(np.median(when[when >= 0])) + 1 if (when >= 0).any() else None,
        chi_squared=chi / len(when),
    )


def _chi_squared(persons: NDArray[Any], converted: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a variant passes against the last arm: z of the pooled test above 1.96 is Pearson's p below 0.05."""
    n, c = persons[..., :-1], converted[..., :-1]
    n0, c0 = persons[..., -1:], converted[..., -1:]
    pooled = (c + c0) / (n + n0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (c / n - c0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n0))
    found: NDArray[np.bool_] = np.nan_to_num(z) > z_of(0.95)
    return found


def no_difference(runs: int = 4_000) -> Table:
    """All arms alike, and two alike ahead of the others."""
    rows = []
    for rates in (
        *([rate] * arms for arms in (2, 3, 5, 9) for rate in (0.01, 0.1)),
        [0.1, 0.1, 0.05],
        [0.1, 0.1, *[0.05] * 7],
    ):
        daily, once = campaigns(rates, runs=runs), campaigns(rates, runs=runs, plan=FIXED)
        alike = len(set(rates)) == 1
        rows.append(
            (
                str(len(rates)),
                f"all {percent(rates[0], 0)}"
                if alike
                else f"two {percent(rates[0], 0)}, others {percent(rates[-1], 0)}",
                percent(daily.wrongly),
                percent(once.wrongly),
                percent(daily.chi_squared, 0) if alike else "",
            )
        )
    columns = ("arms", "rates", "always valid, daily", "fixed, one look", "chi-squared rule, daily")
    return Table("Campaigns with a wrong winner, 30 daily looks, 500 users a day and arm", columns, tuple(rows))


def true_winners(runs: int = 2_000) -> Table:
    """One arm ahead of the others, which are at 10 %."""
    rows = []
    for arms in (2, 3, 5, 9):
        for best in (0.11, 0.12):
            found = campaigns([best, *[0.1] * (arms - 1)], a_day=1_000, runs=runs)
            day = "" if found.day is None else f"{found.day:.0f}"
            rows.append((str(arms), percent(best, 0), percent(found.any, 1), day, percent(found.wrongly)))
    columns = ("arms", "the best", "named within 30 days", "median day", "another named")
    return Table("Days until a true winner is named, 1,000 users a day and arm", columns, tuple(rows))
