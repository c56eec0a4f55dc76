"""How far the erasing of deleted persons is, and to have it done now."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.native_types import Deletions
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import Text
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.store.permissions import Permission

PATH = "/api/users/deletions"
USER = Text("user_id", "any id of a person: say what there is of the person, too")


async def _told(server: Answers, call: Call) -> Response:
    user = USER.read(call.parameters)
    status = await asyncio.to_thread(status_of, server)
    if not user:
        return answer(200, status)
    found = await asyncio.to_thread(server.data.erasing.find, [user])
    users = [{"user_id": one.user_id, "ids": one.ids, "facts": one.facts} for one in found]
    return answer(200, {**status, "users": users})


async def _asked(server: Answers, _call: Call) -> Response:
    server.data.cleaning.ask()
    return answer(202, await asyncio.to_thread(status_of, server))


def status_of(server: Answers) -> dict[str, Any]:
    """Return how far it is, as the API tells it."""
    status = server.data.cleaning.status
    return {
        "stage": status.stage.value,
        "deletions": status.persons,
        "since": iso(status.since),
        "due": iso(status.due),
        "loaded_position": status.loaded,
        "done_position": status.done,
        "failure": status.failure,
    }


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "GET",
        PATH,
        "Say how far the erasing of deleted persons is",
        _told,
        OURS,
        (Answered(200, "how far it is", Deletions),),
        Permission.USERS_DELETE,
        (USER,),
    ),
    Operation(
        "POST",
        PATH,
        "Rid log and files of deleted persons now",
        _asked,
        OURS,
        (Answered(202, "it is begun, or will be as soon as they have left the results", Deletions),),
        Permission.USERS_DELETE,
    ),
)
