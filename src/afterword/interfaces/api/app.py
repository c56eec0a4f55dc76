"""The server as an ASGI application: routes, and what holds for all of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from afterword.interfaces.api import (
    braze,
    braze_export,
    braze_reading,
    braze_usage,
    campaigns,
    native,
    pages,
    segment,
    watching,
)
from afterword.interfaces.api.answers import answer_refused, form_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.metrics import Metrics
from afterword.interfaces.api.server import Answers, Gate, Reading, Receiving, Server

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

    return _app(server, [*receiving_routes(server), Mount("/", others)], lifespan)


def make_reading_app(server: Reading) -> Starlette:
    """Return the application that answers for facts and results."""
    return _app(server, reading_routes(server))


def receiving_routes(server: Receiving) -> list[BaseRoute]:
    """Return the routes that take facts in."""
    return [*watching.routes(server), *native.routes(server), *braze.routes(server), *segment.routes(server)]


def reading_routes(server: Answers) -> list[BaseRoute]:
    """Return the routes that read facts and results."""
    compatible = [*braze_reading.routes(server), *braze_usage.routes(server), *braze_export.routes(server)]
    # Before the pages, one of which is /campaigns/ and any name.
    return [*compatible, *campaigns.routes(server), *pages.routes(server)]


def _app(server: Gate, routes: list[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    handlers = {Refused: _refused, HTTPException: _unrouted}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.add_middleware(_Around, metrics=server.metrics)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer_refused(form_of(request.url.path), error)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:100]
    message = f"there is nothing at {path}"
    if error.status_code != 404:
        message = f"{request.method} is not answered at {path}"
    return answer_refused(form_of(request.url.path), Refused(error.status_code, message, error.headers))


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
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name for name, _ in message["headers"]}  # of an answer that was handed on
                message["headers"] = [*message["headers"], *(each for each in HEADERS if each[0] not in there)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            self._metrics.observe(
                "afterword_request_seconds", time.perf_counter() - began, path=route, status=str(status)
            )
