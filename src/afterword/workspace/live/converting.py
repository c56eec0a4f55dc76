"""Exchange rates beside the facts, as the workspace has them now, and what they do to the purchases that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import pyarrow as pa

from afterword.reports.exchange import MAX_RATE_AGE_DAYS
from afterword.store.exchange_rates import ExchangeRate


@dataclass(frozen=True, slots=True)
class Converted:
    """Of the purchases in a currency other than the reporting one."""

    currency: str
    rates: int
    first: str | None
    """The first day with a rate, None if there is none."""
    last: str | None
    purchases: int
    without: int
    """Purchases whose day has no rate that is at most seven days old."""


def place_rates(con: duckdb.DuckDBPyConnection, rates: Sequence[ExchangeRate]) -> bool:
    """Make the table of rates hold just these, and say so to all who keep results; return whether it held others.

    To be called by the thread that refreshes the results: nobody else writes their version.
    """
    columns = [one.day for one in rates], [one.currency for one in rates], [one.rate for one in rates]
    kinds = (pa.date32(), pa.string(), pa.decimal128(38, 12))
    names = ("date", "currency", "rate")
    arrays = {name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)}
    con.register("given_rates", pa.table(arrays))
    try:
        con.execute("BEGIN TRANSACTION")
        differs = con.execute(
            "SELECT count(*) FROM ((FROM given_rates EXCEPT FROM rates) UNION ALL (FROM rates EXCEPT FROM given_rates))"
        ).fetchall()[0][0]
        if differs:
            con.execute("DELETE FROM rates")
            con.execute("INSERT INTO rates SELECT date, currency, rate FROM given_rates")
            con.execute("UPDATE derived.state SET version = version + 1")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    finally:
        con.unregister("given_rates")
    return bool(differs)


def conversions_of(
    con: duckdb.DuckDBPyConnection, rates: Sequence[ExchangeRate], reporting: str, timezone: str
) -> list[Converted]:
    """Return how many purchases there are in each foreign currency, and how many have no rate (rule 27)."""
    days = con.execute(
        "SELECT currency, timezone($zone, make_timestamptz(occurred_at))::DATE AS day, count(*) FROM main.events "
        "WHERE kind = 'purchase' AND currency <> $reporting GROUP BY ALL",
        {"zone": timezone, "reporting": reporting},
    ).fetchall()
    by_currency: dict[str, list[ExchangeRate]] = {}
    for one in rates:
        by_currency.setdefault(one.currency, []).append(one)
    found = []
    for currency in sorted({*by_currency, *(code for code, _, _ in days)}):
        own = sorted(by_currency.get(currency, []))
        served = {one.day + timedelta(days=age) for one in own for age in range(MAX_RATE_AGE_DAYS + 1)}
        counts = [(day, n) for code, day, n in days if code == currency]
        without = sum(n for day, n in counts if day not in served)
        first, last = (own[0].day.isoformat(), own[-1].day.isoformat()) if own else (None, None)
        found.append(Converted(currency, len(own), first, last, sum(n for _, n in counts), without))
    return found
