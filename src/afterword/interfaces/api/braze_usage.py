"""Braze-compatible paths that read what users of the workspace did: events, purchases, sessions, key figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from starlette.routing import Route

from afterword.interfaces.api.braze_parameters import Parameters, choice, instant, length_of, page_of, required
from afterword.interfaces.api.braze_reading import Ask, read_route, zone_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission
from afterword.workspace import usage
from afterword.workspace.usage import Span

PAGE_SIZE = 250
UNKNOWN_FILTERS = ("segment_id",)
"""Filters of the original that Afterword has nothing for; to ignore one would give numbers of another question."""


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    paths: tuple[tuple[str, Permission, Ask], ...] = (
        ("/events/list", Permission.EVENTS_LIST, _event_names),
        ("/events/data_series", Permission.EVENTS_DATA_SERIES, _events),
        ("/purchases/product_list", Permission.PURCHASES_PRODUCT_LIST, _products),
        ("/purchases/revenue_series", Permission.PURCHASES_REVENUE_SERIES, _revenue),
        ("/purchases/quantity_series", Permission.PURCHASES_QUANTITY_SERIES, _quantities),
        ("/sessions/data_series", Permission.SESSIONS_DATA_SERIES, _sessions),
        ("/kpi/dau/data_series", Permission.KPI_DAU_DATA_SERIES, _active("dau", 1)),
        ("/kpi/mau/data_series", Permission.KPI_MAU_DATA_SERIES, _active("mau", usage.MONTH_DAYS)),
        ("/kpi/new_users/data_series", Permission.KPI_NEW_USERS_DATA_SERIES, _new_users),
        ("/kpi/uninstalls/data_series", Permission.KPI_UNINSTALLS_DATA_SERIES, _uninstalls),
        ("/segments/list", Permission.SEGMENTS_LIST, _none("segments")),
        ("/feed/list", Permission.FEED_LIST, _none("cards")),
    )
    return [read_route(server, path, permission, ask) for path, permission, ask in paths]


@contextmanager
def cursor_of(server: Answers) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a cursor of the facts that sees one state of them."""
    cursor = server.data.facts.cursor()
    try:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        yield cursor
    finally:
        cursor.close()


def _event_names(server: Answers, parameters: Parameters) -> dict[str, Any]:
    with cursor_of(server) as con:
        return {"events": usage.event_names(con, server.clock(), page_of(parameters), PAGE_SIZE)}


def _products(server: Answers, parameters: Parameters) -> dict[str, Any]:
    with cursor_of(server) as con:
        return {"products": usage.product_ids(con, server.clock(), page_of(parameters), PAGE_SIZE)}


def _events(server: Answers, parameters: Parameters) -> dict[str, Any]:
    name = required(parameters, "event")
    span = _span(server, parameters)
    with cursor_of(server) as con:
        return _rows(span, "count", usage.event_counts(con, name, span))


def _revenue(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span, product = _span(server, parameters), parameters.get("product") or None
    currency = server.data.metadata.workspace().currency
    with cursor_of(server) as con:
        return _rows(span, "revenue", usage.purchase_revenue(con, product, span, currency))


def _quantities(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span, product = _span(server, parameters), parameters.get("product") or None
    with cursor_of(server) as con:
        return _rows(span, "purchase_quantity", usage.purchase_quantities(con, product, span))


def _sessions(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span = _span(server, parameters)
    with cursor_of(server) as con:
        return _rows(span, "sessions", usage.session_counts(con, span))


def _active(name: str, days: int) -> Ask:
    def ask(server: Answers, parameters: Parameters) -> dict[str, Any]:
        span = _span(server, parameters, daily=True)
        with cursor_of(server) as con:
            return _rows(span, name, usage.active_users(con, span, days))

    return ask


def _new_users(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span = _span(server, parameters, daily=True)
    with cursor_of(server) as con:
        return _rows(span, "new_users", usage.new_users(con, span))


def _uninstalls(server: Answers, parameters: Parameters) -> dict[str, Any]:
    """Answer that nobody reports them: there is no such fact."""
    span = _span(server, parameters, daily=True)
    return _rows(span, "uninstalls", [None] * len(span.buckets))


def _none(name: str) -> Ask:
    return partial(_nothing, name)


def _nothing(name: str, _server: Answers, parameters: Parameters) -> dict[str, Any]:
    page_of(parameters)
    return {name: []}


def _span(server: Answers, parameters: Parameters, *, daily: bool = False) -> Span:
    for name in UNKNOWN_FILTERS:
        if parameters.get(name):
            raise bad_request(f"{name} is not known: there are no segments; leave it out for the numbers of all users")
    hourly = not daily and choice(parameters, "unit", ("day", "hour")) == "hour"
    length = length_of(parameters)
    zone, now = zone_of(server), server.clock()
    at = instant(parameters, "ending_at", zone, now)
    last = _on_the_wall(now if at is None else at, zone)
    app_id = parameters.get("app_id") or None
    return Span.until(last, length, zone.key, now, hourly=hourly, app_id=app_id)


def _on_the_wall(at: int, zone: ZoneInfo) -> datetime:
    """Return a time as the clocks of the workspace show it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone).replace(tzinfo=None)


def _rows(span: Span, name: str, values: Sequence[int | float | None]) -> dict[str, Any]:
    times = [bucket.isoformat() if span.hourly else bucket.date().isoformat() for bucket in span.buckets]
    return {"data": [{"time": at, name: value} for at, value in zip(times, values, strict=True)]}
