"""How far the erasing of deleted persons is, and to have it done now."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.store.permissions import Permission
from afterword.workspace.cleaning import Status

MAX_USERS = 100


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    cleaning = server.data.cleaning

    async def told(request: Request) -> Response:
        """Tell how far it is; with `user_id`, also what there is of persons."""
        _, headers = server.key(request, bearer(request), Permission.USERS_DELETE)
        users = request.query_params.getlist("user_id")
        if len(users) > MAX_USERS:
            raise bad_request(f"user_id comes {len(users)} times, must be at most {MAX_USERS}")
        found = [
            {"user_id": one.user_id, "ids": one.ids, "facts": one.facts}
            for one in await asyncio.to_thread(server.data.erasing.find, users)
        ]
        status = _told(await asyncio.to_thread(lambda: cleaning.status))
        return answer(200, {**status, "users": found} if users else status, headers)

    async def asked(request: Request) -> Response:
        """Do now what waits for its time."""
        _, headers = server.key(request, bearer(request), Permission.USERS_DELETE)
        cleaning.ask()
        return answer(202, _told(await asyncio.to_thread(lambda: cleaning.status)), headers)

    path = "/api/users/deletions"
    return [Route(path, told, methods=["GET"]), Route(path, asked, methods=["POST"])]


def _told(status: Status) -> dict[str, Any]:
    return {
        "stage": status.stage.value,
        "deletions": status.persons,
        "since": iso(status.since),
        "due": iso(status.due),
        "loaded_position": status.loaded,
        "done_position": status.done,
        "failure": status.failure,
    }
