"""The application that takes facts in; it loads nothing of what reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from afterword.interfaces.api import assigning, braze, imports, native, segment, standing, watching
from afterword.interfaces.api.application import application
from afterword.interfaces.api.operations import Operation
from afterword.interfaces.api.server import Receiving

TAKING: tuple[Operation[Receiving], ...] = (
    *watching.OPERATIONS,
    *standing.OPERATIONS,
    *native.OPERATIONS,
    *assigning.OPERATIONS,
    *imports.OPERATIONS,
    *braze.OPERATIONS,
    *segment.OPERATIONS,
)
"""What takes facts in, and what tells about the server itself."""


def make_receiving_app(
    server: Receiving, others: ASGIApp, running: Callable[[], AbstractAsyncContextManager[None]]
) -> Starlette:
    """Return the application that takes facts in; everything else is for `others`, which `running` keeps going."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running():
            yield

    own = receiving_routes(server)
    return application(server, [*own, _Others(own, others)], lifespan)


def receiving_routes(server: Receiving) -> list[BaseRoute]:
    """Return the routes that take facts in, and those about the server itself."""
    return [each.route(server) for each in TAKING]


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
