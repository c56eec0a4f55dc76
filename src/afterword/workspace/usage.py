"""What all users of a workspace did, by day or hour: custom events, purchases, sessions, users. No campaign is asked.

Each question is one query over the tables of facts; merged ids are one person (rule 37), and facts later than `as_of`
are not seen (rule 34).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import duckdb

from afterword.reports.exchange import ONE, Money, Rates

EPOCH = date(1970, 1, 1)
MONTH_DAYS = 30
"""How many days an active user of a month may have been active in, the day itself among them."""

Count = int | None
"""A count, or None where no fact that could be counted was ever received."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which facts are asked for: those of some hours or days of the workspace's calendar, up to a time."""

    buckets: Sequence[datetime]
    """Where each day or hour begins, oldest first, as the workspace's clocks show it."""
    hourly: bool
    timezone: str
    as_of: int
    """Epoch microseconds."""
    app_id: str | None = None

    @classmethod
    def until(cls, last: datetime, length: int, timezone: str, as_of: int, *, hourly: bool, app_id: str | None) -> Span:
        """Return the days (or hours) up to the one of `last`, so many."""
        end = last.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        step = timedelta(hours=1) if hourly else timedelta(days=1)
        if not hourly:
            end = end.replace(hour=0)
        return cls([end - step * back for back in range(length - 1, -1, -1)], hourly, timezone, as_of, app_id)

    def parameters(self) -> dict[str, Any]:
        """Return what every query takes."""
        return {
            "unit": "hour" if self.hourly else "day",
            "timezone": self.timezone,
            "as_of": self.as_of,
            "app_id": self.app_id,
            "first": self.buckets[0],
            "last": self.buckets[-1],
        }


def event_names(con: duckdb.DuckDBPyConnection, as_of: int, page: int, page_size: int) -> list[str]:
    """Return a page of the names of custom events, sorted."""
    return _names(con, "event_names", as_of, page, page_size)


def product_ids(con: duckdb.DuckDBPyConnection, as_of: int, page: int, page_size: int) -> list[str]:
    """Return a page of the ids of products that were bought, sorted."""
    return _names(con, "product_ids", as_of, page, page_size)


def _names(con: duckdb.DuckDBPyConnection, query: str, as_of: int, page: int, page_size: int) -> list[str]:
    parameters = {"as_of": as_of, "limit": page_size, "offset": page * page_size}
    return [name for (name,) in con.execute(_query(query), parameters).fetchall()]


def event_counts(con: duckdb.DuckDBPyConnection, name: str, span: Span) -> list[int]:
    """Return how often a custom event happened."""
    return _series(con, "event_counts", span, name=name)


def session_counts(con: duckdb.DuckDBPyConnection, span: Span) -> list[Count]:
    """Return how many sessions began."""
    counts = _series(con, "session_counts", span)
    return list(counts) if _has_sessions(con) else [None] * len(counts)


def purchase_quantities(con: duckdb.DuckDBPyConnection, product: str | None, span: Span) -> list[int]:
    """Return how many pieces were bought."""
    return _series(con, "purchase_quantities", span, product=product)


def purchase_revenue(con: duckdb.DuckDBPyConnection, product: str | None, span: Span, currency: str) -> list[float]:
    """Return the revenue of purchases less what was given back of them, in the reporting currency (rules 27 and 28)."""
    rows = con.execute(_query("purchase_revenue"), span.parameters() | {"product": product}).fetchall()
    rates = _rates(con, currency, span)
    sums: defaultdict[datetime, Money] = defaultdict(Money)
    for at, day, code, millionths in rows:
        rates.book(sums[at], code, (day - EPOCH).days, int(millionths))
    return [sums[bucket].converted / ONE for bucket in span.buckets]


def _rates(con: duckdb.DuckDBPyConnection, currency: str, span: Span) -> Rates:
    days = [span.buckets[0].date() - timedelta(days=7), span.buckets[-1].date()]
    return Rates(currency, con.execute(_query("rates"), {"first": days[0], "last": days[1]}).fetchall())


def active_users(con: duckdb.DuckDBPyConnection, span: Span, days: int) -> list[Count]:
    """Return, for each day, how many persons had a session on it or on one of the days before, `days` in all."""
    if not _has_sessions(con):
        return [None] * len(span.buckets)
    rows = con.execute(_query("active_users"), span.parameters() | {"days": days}).fetchall()
    return list(_running(rows, span))


def _running(changes: Sequence[tuple[datetime, int]], span: Span) -> Iterator[int]:
    """Sum up who came and who went, from before the first day on."""
    by_day: defaultdict[datetime, int] = defaultdict(int)
    active = 0
    for at, change in changes:
        if at < span.buckets[0]:
            active += change
        else:
            by_day[at] += change
    for bucket in span.buckets:
        active += by_day[bucket]
        yield active


def new_users(con: duckdb.DuckDBPyConnection, span: Span) -> list[int]:
    """Return how many persons did something for the first time; being sent a message is nothing that they did."""
    return _series(con, "new_users", span)


def _has_sessions(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(con.execute("SELECT 1 FROM main.events WHERE kind = 'session' LIMIT 1").fetchall())


def _series(con: duckdb.DuckDBPyConnection, query: str, span: Span, **more: object) -> list[int]:
    counts = dict(con.execute(_query(query), span.parameters() | more).fetchall())
    return [int(counts.get(bucket, 0)) for bucket in span.buckets]


@cache
def _query(name: str) -> str:
    return (resources.files("afterword.workspace") / "usage_queries" / f"{name}.sql").read_text(encoding="utf-8")
