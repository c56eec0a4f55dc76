"""What arrives: the latest facts, and what could not be used (rule 35)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api import seen_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_reading import zone_of
from afterword.interfaces.api.braze_usage import cursor_of
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import EPOCH, WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.reports.report import iso_time
from afterword.store.keys import Key
from afterword.store.loader import loaded_position
from afterword.store.permissions import Permission
from afterword.workspace import arrivals

LIMIT = WholeNumber("limit", "how many facts", 1, 200, 50)
DAYS = WholeNumber("days", "how many days back, today among them", 1, 366, 30)
EXAMPLES = WholeNumber("examples", "how many examples of each reason", 0, 20, 5)
MICROSECOND = timedelta(microseconds=1)


def may_list_persons(key: Key) -> bool:
    """Return whether a key may see who a person is where that is not what is asked for."""
    return key.allows(Permission.USERS_EXPORT_IDS)


async def _arrived(server: Answers, call: Call) -> Response:
    limit, with_persons = LIMIT.read(call.parameters), may_list_persons(call.key)
    return answer(200, await asyncio.to_thread(latest_facts, server, limit, with_persons))


def latest_facts(server: Answers, limit: int, with_persons: bool) -> dict[str, Any]:
    """Return the facts that came in last, as the API tells them."""
    names = {key.id: key.name for key in server.data.metadata.keys.list()}
    senders = server.data.loader.senders
    with cursor_of(server) as con:
        loaded = loaded_position(con)
        found = arrivals.latest(con, loaded, limit, senders)
    for one in found:
        one["key"] = names.get(one["key"], one["key"])
        one["user_id"] = one["user_id"] if with_persons else None
    return {"loaded_position": loaded, "arrivals": found}


async def _rejected(server: Answers, call: Call) -> Response:
    days, examples = DAYS.read(call.parameters), EXAMPLES.read(call.parameters)
    return answer(200, await asyncio.to_thread(refusals_of, server, days, examples, may_list_persons(call.key)))


def refusals_of(server: Answers, days: int, examples: int, with_messages: bool) -> dict[str, Any]:
    """Return what could not be used in the last days, as the API tells it."""
    zone = zone_of(server)
    today = (EPOCH + timedelta(microseconds=server.clock())).astimezone(zone).date()
    begins = datetime.combine(today - timedelta(days=days - 1), datetime.min.time(), zone)
    since = (begins - EPOCH) // MICROSECOND
    with cursor_of(server) as con:
        found = arrivals.refusals(con, since, zone.key, examples)
    if not with_messages:
        for example in (each for one in found for each in one.examples):
            example["message"] = None
    return {
        "timezone": zone.key,
        "since": iso_time(since),
        "count": sum(one.count for one in found),
        "reasons": [
            {"reason": one.reason, "count": one.count, "days": one.days, "examples": one.examples} for one in found
        ],
    }


_LATE = {504: "there was no answer in time"}
OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "GET",
        "/api/arrivals",
        "The facts that came in last",
        _arrived,
        OURS,
        (Answered(200, "the facts", types.Arrivals),),
        Permission.API_READ,
        (LIMIT,),
        refusals=_LATE,
        about="Users are named only to keys with `users.export.ids`.",
    ),
    Operation(
        "GET",
        "/api/rejections",
        "What could not be used, by reason and day, with examples (rule 35)",
        _rejected,
        OURS,
        (Answered(200, "the reasons", types.Rejections),),
        Permission.API_READ,
        (DAYS, EXAMPLES),
        refusals=_LATE,
        about="Messages quote what was sent, so only keys with `users.export.ids` see them.",
    ),
)
