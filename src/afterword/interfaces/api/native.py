"""Afterword's own paths that take facts."""

from __future__ import annotations

from functools import partial

from starlette.routing import Route

from afterword.intake.native import read_events, read_exposures, read_step_messages
from afterword.intake.native_users import read_deletions
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import write_route
from afterword.store.permissions import Permission


def routes(server: Receiving) -> list[Route]:
    """Return the routes."""
    limit, intake = server.policy.batch_bytes, server.policy.intake
    dialects = {"events": read_events, "exposures": read_exposures, "step-messages": read_step_messages}
    taken = [
        write_route(server, f"/api/{name}", Permission.API_WRITE, limit, partial(read, policy=intake))
        for name, read in dialects.items()
    ]
    deletions = write_route(
        server,
        "/api/users/delete",
        Permission.USERS_DELETE,
        server.policy.body_bytes,
        lambda body, _content_type, _received_at: read_deletions(body),
    )
    return [*taken, deletions]
