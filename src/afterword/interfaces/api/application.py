"""What holds for every application of the server: how requests are refused, timed and kept in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from afterword.interfaces.api.answers import answer_refused, form_of
from afterword.interfaces.api.entrances import wrong_method
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.metrics import Metrics
from afterword.interfaces.api.operations import DescribedRoute, keep_apart
from afterword.interfaces.api.server import RETRY_SECONDS, Gate
from afterword.store.metadata_database import MetadataUnavailable

LOGGER = logging.getLogger("afterword")
FAULT = "the server failed at this request: its log says how"

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def application(server: Gate, routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Return an application with these routes; `server` is started and stopped by who runs it."""
    described = [route for route in routes if isinstance(route, DescribedRoute)]
    keep_apart(described)
    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=lifespan)
    # A redirect would send a client, and its key, to where its own Host header says.
    app.router.redirect_slashes = False
    app.add_middleware(_Direct, routes=described)
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
    return answer_refused(form_of(path), wrong_method(request, matching))


async def _unavailable(request: Request, error: Exception) -> Response:
    refused = Refused(503, str(error), {"Retry-After": RETRY_SECONDS})
    return answer_refused(form_of(request.scope["path"]), refused)


HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    Refused: _refused,
    HTTPException: _unrouted,
    MetadataUnavailable: _unavailable,
}
"""What is answered to errors, whichever way a request took."""


class _Direct:
    """Answers by the routes whose paths are whole texts, without the way through all routes and layers.

    A request that brings facts spends more time there than with them. Everything else goes that way.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[DescribedRoute]) -> None:
        self._app = app
        self._routes: dict[tuple[str, bytes], DescribedRoute] = {}
        for route in routes:
            if "{" not in route.path:
                # What is found first answers.
                self._routes.setdefault((route.operation.method, route.path.encode()), route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        route = self._routes.get((scope["method"], scope.get("raw_path", b""))) if is_http else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response = await route.answered(request)
        except tuple(HANDLERS) as error:
            handle = next(handle for kind, handle in HANDLERS.items() if isinstance(error, kind))
            response = await handle(request, error)
        await response(scope, receive, send)


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
