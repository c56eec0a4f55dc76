"""Who did what: the audit log over the API."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api import people_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import Text, WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.interfaces.moments import iso
from afterword.store.audit import PAGE_SIZE, Entry
from afterword.store.permissions import Permission

MOST = 1_000
LIMIT = WholeNumber("limit", "how many entries at most", 1, MOST, PAGE_SIZE)
BEFORE = WholeNumber("before", "only entries with a lower number; 0 is all", 0, 999_999_999, 0)
ACTOR = Text("actor", "only what one did: the id of a person, `key:` and the id of a key, or `command`", example="p1")
ACTION = Text("action", "only this, or all that begins so: `campaign` finds `campaign.launched`", example="campaign")


async def _listed(server: Answers, call: Call) -> Response:
    limit, before = LIMIT.read(call.parameters), BEFORE.read(call.parameters)
    actor, action = ACTOR.read(call.parameters), ACTION.read(call.parameters)
    listing = server.data.metadata.audit.list
    found = await asyncio.to_thread(listing, limit, before or None, actor or None, action or None)
    following = found[-1].number if len(found) == limit and found[-1].number > 1 else None
    return answer(200, {"entries": [told(entry) for entry in found], "next": following})


def told(entry: Entry) -> dict[str, Any]:
    """Return an entry as the API tells it."""
    return {
        "number": entry.number,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "user_id": entry.user_id,
    }


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "GET",
        "/api/audit",
        "Who did what, the newest first",
        _listed,
        OURS,
        (Answered(200, "entries, and from where to go on", types.AuditLog),),
        Permission.ADMIN,
        (LIMIT, BEFORE, ACTOR, ACTION),
    ),
)
