"""The server as an ASGI application: routes, and what holds for all of them."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from afterword.interfaces.api import (
    assigning,
    audit_log,
    backups,
    braze,
    braze_export,
    braze_reading,
    braze_usage,
    campaigns,
    changes,
    day_series,
    deletions,
    drafts,
    explorations,
    exports,
    holdouts,
    imports,
    native,
    openapi,
    pages,
    people,
    recomputing,
    segment,
    selection,
    watching,
    webhooks,
)
from afterword.interfaces.api.answers import answer_refused, form_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.metrics import Metrics
from afterword.interfaces.api.operations import DescribedRoute, Operation, keep_apart
from afterword.interfaces.api.server import RETRY_SECONDS, Answers, Gate, Reading, Receiving, Server
from afterword.store.metadata_database import MetadataUnavailable

LOGGER = logging.getLogger("afterword")
FAULT = "the server failed at this request: its log says how"
Endpoint = Callable[[Request], Awaitable[Response]]

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def make_app(server: Server) -> Starlette:
    """Return the whole application in one process; `server` is started and stopped by who runs it."""
    return _app(server, [*receiving_routes(server), *reading_routes(server)])


def make_receiving_app(
    server: Receiving, others: ASGIApp, running: Callable[[], AbstractAsyncContextManager[None]]
) -> Starlette:
    """Return the application that takes facts in; everything else is for `others`, which `running` keeps going."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running():
            yield

    own = receiving_routes(server)
    return _app(server, [*own, _Others(own, others)], lifespan)


def make_reading_app(server: Reading) -> Starlette:
    """Return the application that answers for facts and results."""
    return _app(server, reading_routes(server))


class _Others(BaseRoute):
    """All paths but those of our own, whose wrong methods are ours to answer."""

    def __init__(self, own: list[BaseRoute], app: ASGIApp) -> None:
        self._own = own
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match what no route of our own does, whatever characters are in it."""
        theirs = scope["type"] == "http" and all(route.matches(scope)[0] is Match.NONE for route in self._own)
        return (Match.FULL if theirs else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the other process answer."""
        await self._app(scope, receive, send)


TAKING = (*native.OPERATIONS, *assigning.OPERATIONS, *imports.OPERATIONS, *braze.OPERATIONS, *segment.OPERATIONS)
"""What takes facts in."""
ASKING = (
    *campaigns.OPERATIONS,
    *changes.OPERATIONS,
    *webhooks.OPERATIONS,
    *day_series.OPERATIONS,
    *exports.OPERATIONS,
    *explorations.OPERATIONS,
    *selection.OPERATIONS,
    *holdouts.OPERATIONS,
    *braze_reading.OPERATIONS,
    *braze_usage.OPERATIONS,
    *braze_export.OPERATIONS,
    *recomputing.OPERATIONS,
    *backups.OPERATIONS,
    *deletions.OPERATIONS,
    *people.OPERATIONS,
    *drafts.OPERATIONS,
    *audit_log.OPERATIONS,
    *pages.OPERATIONS,  # behind the others, for one of them is /campaigns/ and any name
)
"""What reads facts and results."""
DESCRIPTION = openapi.described([*TAKING, *ASKING, *watching.OPERATIONS])
DESCRIBED: tuple[Operation[Any], ...] = (*TAKING, *ASKING, *watching.OPERATIONS, DESCRIPTION)
"""Everything that a server answers."""


def receiving_routes(server: Receiving) -> list[BaseRoute]:
    """Return the routes that take facts in, and those about the server itself."""
    operations: tuple[Operation[Receiving], ...] = (*watching.OPERATIONS, *TAKING, DESCRIPTION)
    return [each.route(server) for each in operations]


def reading_routes(server: Answers) -> list[BaseRoute]:
    """Return the routes that read facts and results."""
    return [each.route(server) for each in ASKING]


def _app(server: Gate, routes: list[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    handlers = {Refused: _refused, HTTPException: _unrouted, MetadataUnavailable: _unavailable}
    keep_apart([route for route in routes if isinstance(route, DescribedRoute)])
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    # A redirect would send a client, and its key, to where its own Host header says.
    app.router.redirect_slashes = False
    app.add_middleware(_Around, metrics=server.metrics)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer_refused(form_of(request.scope["path"]), error)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    if error.status_code == 404:
        return answer_refused(form_of(path), Refused(404, f"there is nothing at {path[:100]}"))
    matching = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    # What is found first hides what another path, with any name in it, would answer.
    allowed = sorted({method for route in matching if route.path == matching[0].path for method in route.methods or ()})
    refused = Refused(
        error.status_code, f"{request.method} is not answered at {path[:100]}", {"Allow": ", ".join(allowed)}
    )
    return answer_refused(form_of(path), refused)


async def _unavailable(request: Request, error: Exception) -> Response:
    refused = Refused(503, str(error), {"Retry-After": RETRY_SECONDS})
    return answer_refused(form_of(request.scope["path"]), refused)


class _Around:
    """Times every request, adds the headers of all answers, and turns a fault of ours into one line of the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, started = 500, False

        async def sending(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                there = {name for name, _ in message["headers"]}  # of an answer that was handed on
                message["headers"] = [*message["headers"], *(each for each in HEADERS if each[0] not in there)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            LOGGER.error("%s %s failed", scope["method"], _label(scope), exc_info=error)
            self._metrics.add("afterword_faults_total")
            if started:
                raise
            response = answer_refused(form_of(scope["path"]), Refused(500, FAULT))
            await response(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.observe("afterword_request_seconds", seconds, path=_label(scope), status=str(status))


def _label(scope: Scope) -> str:
    """Return the path as the routes have it, which names no person and is one of a few."""
    return getattr(scope.get("route"), "path", None) or "other"
