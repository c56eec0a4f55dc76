"""The server as an ASGI application: routes, and what holds for all of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afterword.interfaces.api import braze, braze_reading, campaigns, native, pages, segment, watching
from afterword.interfaces.api.answers import answer_refused, form_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.server import Server

Endpoint = Callable[[Request], Awaitable[Response]]

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def make_app(server: Server) -> Starlette:
    """Return the application; `server` is started and stopped by who runs it."""
    routes: list[BaseRoute] = [
        *watching.routes(server),
        *native.routes(server),
        *braze.routes(server),
        *braze_reading.routes(server),
        *segment.routes(server),
        *campaigns.routes(server),
        *pages.routes(server),
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: _refused, HTTPException: _unrouted})
    app.state.server = server
    app.add_middleware(_Around, server=server)
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

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

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
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            self._server.metrics.observe(
                "afterword_request_seconds", time.perf_counter() - began, path=route, status=str(status)
            )
