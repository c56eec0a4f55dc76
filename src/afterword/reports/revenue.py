"""Revenue per campaign, variant, step and day, from the credited purchases (rules 26-28)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import duckdb

from afterword.precedence import give_way
from afterword.reports.exchange import Money, load_rates
from afterword.reports.sql import query

Ledger = defaultdict[tuple[int, int], Money]
"""Sums by (variant, step) or (variant, day since 1970)."""


def _ledger() -> Ledger:
    return defaultdict(Money)


@dataclass(slots=True)
class CampaignRevenue:
    """The revenue of one campaign, cut in the three ways that a report shows."""

    by_step: Ledger = field(default_factory=_ledger)
    """Every purchase is here: step -1 is revenue outside any step."""
    by_day: Ledger = field(default_factory=_ledger)
    by_exposure_day: Ledger = field(default_factory=_ledger)

    def of(self, variants: list[int], steps: list[int] | None = None) -> Money:
        """The sum over some variants, and over some steps or all."""
        total = Money()
        for (variant, step), money in self.by_step.items():
            if variant in variants and (steps is None or step in steps):
                total.add(money)
        return total


def load_revenue(
    con: duckdb.DuckDBPyConnection, campaigns: int, currency: str, cells: str = "revenue_cells"
) -> list[CampaignRevenue]:
    """Read and convert the revenue of all campaigns; the query `cells` makes the table of sums."""
    con.execute(query(cells))
    rates = load_rates(con, currency)
    revenue = [CampaignRevenue() for _ in range(campaigns)]
    for campaign, variant, step, code, rate_day, net, purchases in _rows(con, "revenue_steps", currency=currency):
        rates.book(revenue[campaign].by_step[variant, step], code, rate_day, int(net), purchases)
    for campaign, variant, code, day, net in _rows(con, "revenue_days"):
        rates.book(revenue[campaign].by_day[variant, day], code, day, int(net))
    for campaign, variant, code, day, rate_day, net in _rows(con, "revenue_exposure_days", currency=currency):
        rates.book(revenue[campaign].by_exposure_day[variant, day], code, rate_day, int(net))
    return revenue


def _rows(con: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    give_way()
    return con.execute(query(name), parameters or None).fetchall()
