"""What has been seen in the last 30 days, so that a typo in a definition shows, and which share of users did what."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from starlette.responses import Response

from afterword.errors import DefinitionError
from afterword.interfaces.api import seen_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.arriving import may_list_persons
from afterword.interfaces.api.bodies import fields_of
from afterword.interfaces.api.braze_usage import cursor_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation, PerServer
from afterword.interfaces.api.parameters import IN_PATH, Choice, Text, WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.model import Campaign, ConversionEvent, Variant
from afterword.reports.report import iso_time
from afterword.store.campaign_forms import from_document, to_data
from afterword.store.permissions import Permission
from afterword.workspace import seen
from afterword.workspace.kept import KeptAMinute
from afterword.workspace.seen import FEW_USERS, SPAN, Found, Look
from afterword.workspace.shares import Shares, shares

PROPERTIES, VALUES = "properties", "values"
WHAT = Choice("what", "what is asked for", (*seen.COLUMNS, PROPERTIES, VALUES), required=True, place=IN_PATH)
Q = Text("q", "only what has this in it, in whatever case; what begins with it comes first", example="cart")
LIMIT = WholeNumber("limit", "how many items", 1, 1_000, 50)
KIND = Choice("kind", "of the events whose properties or values are asked for", ("custom", "purchase", "session"))
NAME = Text("name", "properties and values: only of custom events of this name", example="signed_up")
APP = Text("app", "versions: only of this app")
PROPERTY = Text("property", "values: of this property, as filters name it", example="cart.items[].sku")
_PLACE = 'campaigns[0] "x" conversion_events[0]'
_SHARES = PerServer[Answers, KeptAMinute[Shares]](lambda _server: KeptAMinute(100))
_NAMES = PerServer[Answers, KeptAMinute[pa.Table]](lambda _server: KeptAMinute(20))


async def _told(server: Answers, call: Call) -> Response:
    what, asked = WHAT.read(call.request.path_params), call.parameters
    path = PROPERTY.read(asked)
    if what == VALUES:
        _check_path(path)
    look = Look(
        as_of=server.clock(),
        limit=LIMIT.read(asked),
        text=Q.read(asked),
        kind=KIND.read(asked),
        name=NAME.read(asked),
        app=APP.read(asked),
    )
    least = 1 if may_list_persons(call.key) else FEW_USERS
    found = await asyncio.to_thread(find_seen, server, what, look, path, least)
    return answer(
        200,
        {
            "as_of": iso_time(look.as_of),
            "since": iso_time(look.as_of - SPAN),
            "what": what,
            "items": [_item(each) for each in found.items],
            "matching": found.matching,
            "events": found.events,
            "one_in": found.one_in,
        },
    )


def _check_path(path: str) -> None:
    """Refuse a property that no filter could name."""
    if not path:
        raise bad_request("property is missing: say whose values are asked for, such as ?property=plan")
    _event({"kind": "custom", "name": "x", "deadline": 1, "where": [{"property": path, "op": "exists"}]}, "the event")


def find_seen(server: Answers, what: str, look: Look, path: str, least_users: int) -> Found:
    """Return what was seen; `least_users` is of how many users a property's value must be to be told."""
    with cursor_of(server) as con:
        if what == PROPERTIES:
            return seen.properties(con, look)
        if what == VALUES:
            return seen.values(con, look, path, least_users=least_users)
        known = _NAMES.of(server).ask(
            (what, look.app), look.as_of, _erased(con), lambda: seen.all_names(con, what, look.as_of, look.app)
        )
        return seen.names(con, look, known)


def _erased(con: duckdb.DuckDBPyConnection) -> Hashable:
    """Return what changes when persons are erased."""
    return tuple(con.execute("SELECT count(*), max(erased_at) FROM main.tombstones").fetchall()[0])


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(item)
    if "last_seen" in told:
        told["last_seen"] = iso_time(told["last_seen"])
    if "value" in told:  # as it was sent: a number may have more digits than a float
        told["value"] = msgspec.Raw(told["value"].encode())
    return told


async def _shared(server: Answers, call: Call) -> Response:
    events = read_events(fields_of(await call.body(), ("conversion_events",)).get("conversion_events"))
    return answer(200, shares_told(await asyncio.to_thread(shares_of, server, events), events))


def read_events(said: object) -> list[ConversionEvent]:
    """Read the conversion events of a body, as those of definitions; refused with what is wrong."""
    if not isinstance(said, list) or not 0 < len(said) <= types.MAX_CANDIDATES:
        raise bad_request(f"conversion_events must be a list of 1 to {types.MAX_CANDIDATES}")
    return [_event(each, f"conversion_events[{number}]") for number, each in enumerate(said)]


def _event(said: object, place: str) -> ConversionEvent:
    alone = {"id": "x", "name": "x", "variants": [{"id": "x", "share": 100}], "conversion_events": [said]}
    try:
        return from_document("campaign", alone).conversion_events[0]
    except DefinitionError as error:
        raise bad_request("\n".join(one.replace(_PLACE, place, 1) for one in error.problems)) from None


def shares_of(server: Answers, events: Sequence[ConversionEvent]) -> Shares:
    """Return who did what, as of now or of a moment ago."""
    with cursor_of(server) as con:
        as_of = server.clock()
        key = repr(events)  # for Python 50 is 50.00 and 1 is True, for a filter they are not
        return _SHARES.of(server).ask(key, as_of, _erased(con), lambda: shares(con, events, as_of))


def shares_told(found: Shares, events: Sequence[ConversionEvent]) -> dict[str, Any]:
    """Return what is said of shares."""
    rows = zip(events, found.users, strict=True)
    return {
        "as_of": iso_time(found.as_of),
        "since": iso_time(found.as_of - SPAN),
        "seen": found.seen,
        "one_in": found.one_in,
        "conversion_events": [
            {
                "conversion_event": event_data(event),
                "users": users,
                "share": None if users is None or not found.seen else users / found.seen,
            }
            for event, users in rows
        ],
    }


def event_data(event: ConversionEvent) -> dict[str, Any]:
    """Return a conversion event as definitions write it."""
    data: dict[str, Any] = to_data(Campaign("x", "campaign", "x", (Variant("x", 10_000),), (event,)))
    return dict(data["conversion_events"][0])


EXAMPLE = {"conversion_events": [{"kind": "purchase", "deadline": "7 days"}, {"kind": "session", "deadline": "1 day"}]}
_LATE = {504: "there was no answer in time"}
OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "GET",
        "/api/seen/{what}",
        "What has been seen in the last 30 days, and how often: so that a typo shows",
        _told,
        OURS,
        (Answered(200, "what was seen", types.Seen),),
        Permission.API_READ,
        (WHAT, Q, LIMIT, KIND, NAME, APP, PROPERTY),
        refusals=_LATE,
        about=f"Values that fewer than {FEW_USERS} users have are named only to keys with `users.export.ids`.",
    ),
    Operation(
        "POST",
        "/api/seen/shares",
        "Which share of the users seen in the last 30 days did what conversion events ask for",
        _shared,
        OURS,
        (Answered(200, "how many did what", types.SharesOfSeen),),
        Permission.API_READ,
        body=Body(types.Candidates, EXAMPLE),
        refusals=_LATE,
    ),
)
