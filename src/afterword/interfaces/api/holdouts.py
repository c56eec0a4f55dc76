"""Global holdouts over Afterword's own API: made, listed, reported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from afterword.errors import DefinitionError
from afterword.intake.definitions import parse_definitions
from afterword.interfaces.api import assignment_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import fields_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import IN_PATH, Instant, Text
from afterword.interfaces.api.refusing import refusals
from afterword.interfaces.api.server import Answers
from afterword.model import LETTERS, ConversionEvent, ConversionKind
from afterword.reports.holdouts import holdout_report
from afterword.reports.report import iso_time
from afterword.store.campaign_rules import percent
from afterword.store.campaigns import UnknownCampaign
from afterword.store.holdouts import Holdout
from afterword.store.permissions import Permission
from afterword.workspace.live.holding_out import HoldoutQuestion

NAME = Text("name", "the name of a holdout", required=True, example="2026-q1", place=IN_PATH)
CAMPAIGN = Text("campaign", "count what converts on a conversion event of this campaign", example="cart-rescue")
EVENT = Text("event", "the letter of that conversion event; A if nothing is said", example="A")
ASKED = Text(
    "conversion_event",
    "count this: a conversion event as definition files have it, in JSON, where the deadline may be missing",
    example='{"kind": "purchase", "products": ["tea"]}',
)
FROM, UNTIL = Instant("from", "when it begins"), Instant("until", "when it has ended")
FIELDS = ("name", "share", "from", "until")
ANY_PURCHASE = ConversionEvent(ConversionKind.PURCHASE, 1)


def told(holdout: Holdout, now: int) -> dict[str, Any]:
    """Return a holdout as the API tells it."""
    state = "active" if holdout.holds(now) else "ended" if now >= holdout.until_at else "planned"
    return {
        "name": holdout.name,
        "share": float(percent(holdout.share)),
        "from": iso_time(holdout.from_at),
        "until": iso_time(holdout.until_at),
        "state": state,
    }


async def _listed(server: Answers, _call: Call) -> Response:
    found = await asyncio.to_thread(server.data.metadata.holdouts.list)
    return answer(200, {"holdouts": [told(one, server.clock()) for one in found]})


async def _created(server: Answers, call: Call) -> Response:
    said = fields_of(await call.body(), FIELDS)
    return answer(201, told(await asyncio.to_thread(create_holdout, server, said), server.clock()))


def create_holdout(server: Answers, said: Mapping[str, Any]) -> Holdout:
    """Make a holdout from what was said; raises `Refused` 400 and 409."""
    metadata = server.data.metadata
    name, share = said.get("name"), said.get("share")
    if not isinstance(name, str):
        raise bad_request("name is missing, must be text")
    if share is None:
        raise bad_request("share is missing, must be a percentage from 0.1 to 15")
    if isinstance(share, bool) or not isinstance(share, int | float) or round(share * 100, 6) % 1:
        said_share = json.dumps(share, ensure_ascii=False)
        raise bad_request(f"share is {said_share}, must be a percentage with at most two decimals, from 0.1 to 15")
    zone = ZoneInfo(metadata.workspace().timezone)
    first, until = _time(said, FROM, zone), _time(said, UNTIL, zone)
    if until is None:
        raise bad_request("until is missing: a holdout must end")
    with refusals():
        return metadata.holdouts.create(name, round(share * 100), first, until, server.clock())


def _time(said: Mapping[str, Any], of: Instant, zone: ZoneInfo) -> int | None:
    text = said.get(of.name)
    if text is None:
        return None
    if not isinstance(text, str) or not text.strip():
        raise bad_request(f"{of.name} must be a date or a time such as 2026-03-31T09:30:00Z, as text")
    return of.read({of.name: text}, zone)


async def _reported(server: Answers, call: Call) -> Response:
    return answer(200, await asyncio.to_thread(_report, server, call))


def _report(server: Answers, call: Call) -> dict[str, Any]:
    metadata, now = server.data.metadata, server.clock()
    name = str(call.request.path_params[NAME.name])
    with refusals():
        holdout = metadata.holdouts.get(name)
    workspace = metadata.workspace()
    event = _event(server, call)
    others = [one for one in metadata.holdouts.list() if one.name != name]
    with refusals():
        question = HoldoutQuestion(workspace, holdout, others, event)
    keeper = server.data.keeper
    if (why := keeper.failure or keeper.stale) is not None:
        raise Refused(503, f"the results are not up to date: {why}", {"Retry-After": "5"})
    measured, at = server.data.live.holdout(question, now)
    described: dict[str, Any] = {"kind": event.kind.value, "name": event.name, "apps": list(event.apps)}
    described |= {"products": list(event.products), "filters": len(event.where)}
    return {
        "as_of": iso_time(at),
        "holdout": told(holdout, now),
        "conversion_event": described,
        **holdout_report(measured, holdout.share, workspace.currency, ended=at >= holdout.until_at - 1),
    }


def _event(server: Answers, call: Call) -> ConversionEvent:
    """Return what counts as a conversion: of a campaign, said in the request, or any purchase."""
    campaign, letter, said = (one.read(call.parameters) for one in (CAMPAIGN, EVENT, ASKED))
    if said and (campaign or letter):
        raise bad_request("name either a conversion_event, or a campaign and perhaps the letter of its event")
    if said:
        return _said_event(said)
    if not campaign:
        if letter:
            raise bad_request("event is the letter of a campaign's conversion event: name the campaign too")
        return ANY_PURCHASE
    try:
        events = server.data.metadata.campaigns.get(campaign).campaign.conversion_events
    except UnknownCampaign as error:
        raise bad_request(str(error)) from None
    letters = LETTERS[: len(events)]
    if len(letter or "A") != 1 or (letter or "A") not in letters:
        raise bad_request(f'campaign "{campaign}" has the conversion events {", ".join(letters) or "(none)"}')
    return events[letters.index(letter or "A")]


def _said_event(said: str) -> ConversionEvent:
    try:
        data = json.loads(said)
        if not isinstance(data, dict):
            raise bad_request("conversion_event must be a JSON object")
        event = {"deadline": "1 day", **data}
        dummy = {"id": "holdout", "variants": [{"id": "a", "share": 100}], "conversion_events": [event]}
        [campaign] = parse_definitions({"campaigns": [dummy]}, "conversion_event").campaigns
    except DefinitionError as error:
        raise bad_request("\n".join(error.problems)) from None
    except (ValueError, RecursionError) as error:
        raise bad_request(f"conversion_event is no JSON: {error}") from None
    return campaign.conversion_events[0]


EXAMPLE = {"name": "2126-q1", "share": 5, "from": "2126-01-01", "until": "2126-04-01"}
HOLDOUT = {
    "name": "2026-q1",
    "share": 5.0,
    "from": "2026-01-01T00:00:00Z",
    "until": "2026-04-01T00:00:00Z",
    "state": "active",
}
OPERATIONS = (
    Operation(
        "GET",
        "/api/holdouts",
        "List the global holdouts",
        _listed,
        OURS,
        (Answered(200, "all of them, as they begin", types.AllHoldouts, {"holdouts": [HOLDOUT]}),),
        Permission.API_READ,
        refusals={504: "there was no answer in time"},
    ),
    Operation(
        "POST",
        "/api/holdouts",
        "Keep a part of all people out of all messages for a while",
        _created,
        OURS,
        (Answered(201, "the holdout; it stays as it is", types.Holdout, HOLDOUT),),
        Permission.API_DEFINITIONS,
        body=Body(types.NewHoldout, EXAMPLE),
        refusals={409: "the name is taken", 504: "there was no answer in time"},
        about="`POST /api/assign` tells who is held out, and gives them no variant while the holdout is in force.",
    ),
    Operation(
        "GET",
        "/api/holdouts/{name}/report",
        "What all messaging brought in the time of a holdout",
        _reported,
        OURS,
        (Answered(200, "both sides and their difference", types.HoldoutReport),),
        Permission.API_READ,
        (NAME, CAMPAIGN, EVENT, ASKED),
        refusals={404: "there is no such holdout", 503: "the results are not up to date", 504: "no answer in time"},
    ),
)
