"""Braze-compatible paths that read what users of the workspace did: events, purchases, sessions, key figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import duckdb

from afterword.interfaces.api import braze_answers as types
from afterword.interfaces.api.braze_answers import SUCCESS
from afterword.interfaces.api.braze_parameters import (
    APP_ID,
    ENDING_AT,
    EVENT,
    LENGTH,
    PAGE,
    PRODUCT,
    SEGMENT_ID,
    UNIT,
    hour_of,
)
from afterword.interfaces.api.braze_reading import Ask, read_operation, zone_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.operations import Operation
from afterword.interfaces.api.parameters import Parameter, Parameters
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission
from afterword.workspace import usage
from afterword.workspace.usage import Span

PAGE_SIZE = 250


@contextmanager
def cursor_of(server: Answers) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a cursor of the facts that sees one state of them."""
    cursor = server.data.facts.cursor()
    try:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        yield cursor
    finally:
        cursor.close()


def _event_names(server: Answers, parameters: Parameters) -> types.EventNamePage:
    with cursor_of(server) as con:
        names = usage.event_names(con, server.clock(), PAGE.read(parameters), PAGE_SIZE)
    return {"events": names, "message": SUCCESS}


def _products(server: Answers, parameters: Parameters) -> types.ProductPage:
    with cursor_of(server) as con:
        ids = usage.product_ids(con, server.clock(), PAGE.read(parameters), PAGE_SIZE)
    return {"products": ids, "message": SUCCESS}


def _events(server: Answers, parameters: Parameters) -> dict[str, Any]:
    name = EVENT.read(parameters)
    span = _span(server, parameters)
    with cursor_of(server) as con:
        return _rows(span, "count", usage.event_counts(con, name, span))


def _revenue(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span, product = _span(server, parameters), PRODUCT.read(parameters) or None
    currency = server.data.metadata.workspace().currency
    with cursor_of(server) as con:
        return _rows(span, "revenue", usage.purchase_revenue(con, product, span, currency))


def _quantities(server: Answers, parameters: Parameters) -> dict[str, Any]:
    span, product = _span(server, parameters), PRODUCT.read(parameters) or None
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
    PAGE.read(parameters)
    return {name: [], "message": SUCCESS}


def _span(server: Answers, parameters: Parameters, *, daily: bool = False) -> Span:
    # To ignore it would give numbers of another question.
    if SEGMENT_ID.read(parameters):
        raise bad_request("segment_id is not known: there are no segments; leave it out for the numbers of all users")
    hourly = not daily and UNIT.read(parameters) == "hour"
    length = LENGTH.read(parameters)
    zone, now = zone_of(server), server.clock()
    at = ENDING_AT.read(parameters, zone)
    last = hour_of(now if at is None else at, zone)
    app_id = APP_ID.read(parameters) or None
    return Span.until(last, length, zone.key, now, hourly=hourly, app_id=app_id)


def _rows(span: Span, name: str, values: Sequence[int | float | None]) -> dict[str, Any]:
    times = [bucket.isoformat() if span.hourly else bucket.date().isoformat() for bucket in span.buckets]
    data = [{"time": at, name: value} for at, value in zip(times, values, strict=True)]
    return {"data": data, "message": SUCCESS}


def _series(
    path: str, permission: Permission, summary: str, ask: Ask, *more: Parameter, daily: bool = False
) -> Operation[Answers]:
    asked = (LENGTH, ENDING_AT, *(() if daily else (UNIT,)), APP_ID, SEGMENT_ID)
    return read_operation(path, permission, summary, ask, types.Series, (*more, *asked))


OPERATIONS = (
    read_operation(
        "/events/list", Permission.EVENTS_LIST, "List custom events", _event_names, types.EventNamePage, (PAGE,)
    ),
    _series("/events/data_series", Permission.EVENTS_DATA_SERIES, "How often an event happened", _events, EVENT),
    read_operation(
        "/purchases/product_list",
        Permission.PURCHASES_PRODUCT_LIST,
        "List products that were bought",
        _products,
        types.ProductPage,
        (PAGE,),
    ),
    _series(
        "/purchases/revenue_series",
        Permission.PURCHASES_REVENUE_SERIES,
        "Revenue in the currency of the workspace",
        _revenue,
        PRODUCT,
    ),
    _series(
        "/purchases/quantity_series",
        Permission.PURCHASES_QUANTITY_SERIES,
        "How many products were bought",
        _quantities,
        PRODUCT,
    ),
    _series("/sessions/data_series", Permission.SESSIONS_DATA_SERIES, "How many sessions there were", _sessions),
    _series(
        "/kpi/dau/data_series",
        Permission.KPI_DAU_DATA_SERIES,
        "Users who were active on each day",
        _active("dau", 1),
        daily=True,
    ),
    _series(
        "/kpi/mau/data_series",
        Permission.KPI_MAU_DATA_SERIES,
        "Users who were active in the 30 days up to each day",
        _active("mau", usage.MONTH_DAYS),
        daily=True,
    ),
    _series(
        "/kpi/new_users/data_series",
        Permission.KPI_NEW_USERS_DATA_SERIES,
        "Users who were first seen on each day",
        _new_users,
        daily=True,
    ),
    _series(
        "/kpi/uninstalls/data_series",
        Permission.KPI_UNINSTALLS_DATA_SERIES,
        "Always null: nobody reports uninstalls",
        _uninstalls,
        daily=True,
    ),
    read_operation(
        "/segments/list", Permission.SEGMENTS_LIST, "Always empty", _none("segments"), types.NoSegments, (PAGE,)
    ),
    read_operation("/feed/list", Permission.FEED_LIST, "Always empty", _none("cards"), types.NoCards, (PAGE,)),
)
