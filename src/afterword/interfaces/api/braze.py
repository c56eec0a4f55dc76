"""Braze-compatible paths that take facts, and those that would send."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.intake.braze import Track, read_track
from afterword.intake.braze_users import Answer, read_delete, read_identify, read_merge, read_new_alias
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Dialect, write_route
from afterword.store.permissions import Permission

SENDING = ("/campaigns/trigger/send", "/canvas/trigger/send", "/messages/send", "/campaigns/trigger/schedule/create")

USERS = (
    ("/users/delete", Permission.USERS_DELETE, read_delete),
    ("/users/merge", Permission.USERS_MERGE, read_merge),
    ("/users/alias/new", Permission.USERS_ALIAS_NEW, read_new_alias),
    ("/users/identify", Permission.USERS_IDENTIFY, read_identify),
)


def routes(server: Receiving) -> list[Route]:
    """Return the routes."""
    limit, intake = server.policy.body_bytes, server.policy.intake

    def track(body: bytes, _content_type: str | None, received_at: int) -> Track:
        return read_track(body, received_at, intake, keep_usual=True)

    found = [write_route(server, "/users/track", Permission.USERS_TRACK, limit, track)]
    found += [write_route(server, path, permission, limit, _untimed(read)) for path, permission, read in USERS]
    return [*found, *(Route(path, _no_sending, methods=["POST"]) for path in SENDING)]


def _untimed(read: Callable[[bytes], Answer]) -> Dialect:
    return lambda body, _content_type, _received_at: read(body)


async def _no_sending(request: Request) -> Response:
    raise Refused(501, "Afterword does not send messages: send with your own sender and report the exposures")
