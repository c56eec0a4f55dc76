"""Who may ask the process that answers, as the one in front of it knows while that is away.

A key that does not exist is refused whatever else goes on: with 503 a client would come again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.operations import Call, DescribedRoute, Operation, keep_apart
from afterword.interfaces.api.server import Gate
from afterword.store.permissions import Permission


class Entrance(msgspec.Struct, frozen=True):
    """What must be known of an operation in order to refuse a request to it."""

    method: str
    path: str
    permission: Permission | None


def entrances(operations: Iterable[Operation[Any]]) -> list[Entrance]:
    """Return the entrances of operations, all of which ask for the key in the same way."""
    return [Entrance(each.method, each.path, each.permission) for each in operations]


class Entrances:
    """Refuses in place of the process that answers, as that would."""

    def __init__(self, gate: Gate) -> None:
        """Take what knows the keys."""
        self._gate = gate
        self._routes: Sequence[DescribedRoute] = ()

    def learn(self, told: Iterable[Entrance]) -> None:
        """Take what the other process says when it has started; until then nothing is known, and nothing refused."""
        routes = [_route(self._gate, each) for each in told]
        keep_apart(routes)
        self._routes = routes

    def check(self, request: Request) -> None:
        """Let a request pass that the other process would not refuse at the door, or that is none of these.

        Raises:
            Refused: 401 without a valid key, 403 without the permission, 405 the wrong method.

        """
        found = [(each.matches(request.scope)[0], each) for each in self._routes]
        route = next((each for match, each in found if match is Match.FULL), None)
        if route is not None and (needed := route.operation.permission) is not None:
            self._gate.allowed(route.operation.scheme.secret(request), needed)
        near = [each for match, each in found if match is not Match.NONE]
        if route is None and near:
            raise wrong_method(request, near)


def wrong_method(request: Request, matching: Sequence[Route]) -> Refused:
    """Return the refusal of a method that none of the routes of a path answers."""
    path = request.scope["path"]
    # What is found first hides what another path, with any name in it, would answer.
    allowed = sorted({method for route in matching if route.path == matching[0].path for method in route.methods or ()})
    return Refused(405, f"{request.method} is not answered at {path[:100]}", {"Allow": ", ".join(allowed)})


def _route(gate: Gate, told: Entrance) -> DescribedRoute:
    return Operation(told.method, told.path, "", _never, "", (), told.permission).route(gate)


async def _never(_gate: Gate, _call: Call) -> Response:
    raise AssertionError("only the other process answers this")
