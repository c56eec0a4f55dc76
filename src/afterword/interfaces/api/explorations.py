"""Exploratory conversion events and old versions of a campaign: questions whose answers may take seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from afterword.errors import DefinitionError, nearest
from afterword.intake.instants import is_date
from afterword.interfaces.api import result_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import fields_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import EPOCH, ID, IN_PATH, Instant, Text
from afterword.interfaces.api.server import Answers
from afterword.model import MAX_CONVERSION_EVENTS, Campaign
from afterword.reports.report import iso_time
from afterword.store.campaign_forms import from_document, to_data
from afterword.store.campaigns import UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.explorations import Exploration, TooMany
from afterword.workspace.live.exploring import Question
from afterword.workspace.verdicts import NO_HISTORY

PATIENCE_SECONDS, LOOK_SECONDS = 1.0, 0.02
"""How long the first answer waits for the result."""
FIELDS = ("conversion_events", "version", "from", "to")
MICROSECOND = timedelta(microseconds=1)


EXPLORATION = Text("exploration", "what an answer said is its id", required=True, place=IN_PATH)
FROM, TO = Instant("from", "the first exposure that counts"), Instant("to", "the last one")


async def _asked(server: Answers, call: Call) -> Response:
    """Take a question: `conversion_events` or a `version`, and a period of exposures `from` and `to`."""
    one = await asyncio.to_thread(ask_of, server, call.id, await call.body())
    await until_over(one)
    return answer(200 if one.is_over else 202, described(one), {"Location": place_of(one)})


async def until_over(one: Exploration) -> None:
    """Wait a moment for the result, not in a thread: those are few, and reports need them."""
    for _ in range(round(PATIENCE_SECONDS / LOOK_SECONDS)):
        if one.is_over:
            break
        await asyncio.sleep(LOOK_SECONDS)


def place_of(one: Exploration) -> str:
    """Return where it is told how far an exploration is."""
    return f"/api/explorations/{one.id}"


async def _told(server: Answers, call: Call) -> Response:
    """Tell how far it is, or the result."""
    one = server.data.explorations.find(call.request.path_params[EXPLORATION.name])
    if one is None or not isinstance(one.question, Question):
        raise Refused(404, "there is no such exploration, or it is forgotten: ask again")
    return answer(200, described(one))


async def _listed(server: Answers, call: Call) -> Response:
    """List the versions of a campaign's definition, from its launch on."""
    return answer(200, {"versions": await asyncio.to_thread(_versions, server, call.id)})


def _versions(server: Answers, campaign: str) -> list[dict[str, Any]]:
    try:
        adopted = server.data.metadata.campaigns.versions(campaign)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None
    return [
        {
            "version": one.version,
            "adopted_at": iso_time(one.adopted_at),
            "counting": one.campaign.counting.value,
            "conversion_events": to_data(one.campaign).get("conversion_events", []),
        }
        for one in adopted
    ]


def ask_of(server: Answers, name: str, body: bytes) -> Exploration:
    """Take a question about a campaign, as a body in JSON.

    Raises:
        Refused: 400 it is no question, 404 no such campaign, 409 it was never launched, 429 too many wait.

    """
    data = server.data
    try:
        stored = data.metadata.campaigns.get(name)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None
    if stored.launched_at is None:
        raise Refused(409, f'campaign "{name}" was not launched yet: there is nothing to explore')
    said = {name: value for name, value in fields_of(body, FIELDS).items() if value is not None}
    workspace = data.metadata.workspace()
    zone = ZoneInfo(workspace.timezone)
    first, last = edge(said, FROM, zone), edge(said, TO, zone)
    if first is not None and last is not None and first > last:
        raise bad_request("from is after to: no exposure can be in that period")
    exploratory = "conversion_events" in said
    if exploratory == ("version" in said):
        raise bad_request("name either conversion_events or a version")
    campaign = _with_events(stored.campaign, said) if exploratory else _version(server, name, said["version"])
    history = data.histories().get(name, NO_HISTORY)
    return take(server, Question(workspace, campaign, exploratory, first, last, history))


def take(server: Answers, question: Question) -> Exploration:
    """Have a question answered in its turn; refused while too many wait."""
    try:
        return server.data.explorations.ask(question)
    except TooMany as error:
        raise Refused(429, str(error), {"Retry-After": "5"}) from None


def _version(server: Answers, name: str, version: Any) -> Campaign:
    """Return the campaign of today with the conversion events and counting of a version."""
    adopted = {one.version: one.campaign for one in server.data.metadata.campaigns.versions(name)}
    if not isinstance(version, str) or version not in adopted:
        shown = str(version)[:60]
        raise bad_request(
            f'campaign "{name}" never had version "{shown}"{nearest(shown, adopted)}, '
            f"/api/campaigns/{name}/versions lists those that it had"
        )
    return adopted[version]


def _with_events(campaign: Campaign, said: Mapping[str, Any]) -> Campaign:
    events = said["conversion_events"]
    if not isinstance(events, list) or not 0 < len(events) <= MAX_CONVERSION_EVENTS:
        raise bad_request(f"conversion_events must be a list of 1 to {MAX_CONVERSION_EVENTS}")
    # The plan is about the campaign's own conversion events: guardrails name their letters.
    data = {name: value for name, value in to_data(campaign).items() if name != "analysis"}
    try:
        return from_document(campaign.kind, {**data, "conversion_events": events})
    except DefinitionError as error:
        raise bad_request("\n".join(error.problems)) from None


def edge(said: Mapping[str, Any], of: Instant, zone: ZoneInfo) -> int | None:
    """Return a time as epoch microseconds; a date is its first moment, or for `to` its last."""
    text = said.get(of.name)
    if text is None:
        return None
    if not isinstance(text, str) or not text.strip():
        raise bad_request(f"{of.name} must be a date or a time such as 2026-03-31T09:30:00Z, as text")
    at = of.read({of.name: text}, zone)
    if at is None or of is FROM or not is_date(text.strip()):
        return at
    after = datetime.combine(date.fromisoformat(text.strip()) + timedelta(days=1), datetime.min.time(), zone)
    return (after - EPOCH) // MICROSECOND - 1


def described(one: Exploration) -> dict[str, Any]:
    """Return what is told of an exploration."""
    question = one.question
    assert isinstance(question, Question)
    return {
        "id": one.id,
        "campaign": question.campaign.id,
        "exploratory": question.exploratory,
        "from": None if question.first is None else iso_time(question.first),
        "to": None if question.last is None else iso_time(question.last),
        "state": one.stage.value,
        "progress": round(one.progress, 3),
        "doing": one.doing,
        "failure": one.failure,
        "result": one.result,
    }


_KNOWN = {404: "there is no such campaign", 504: "there was no answer in time"}
EXAMPLE = {"conversion_events": [{"kind": "purchase", "deadline": "7 days", "products": ["tea"]}], "from": "2026-03-01"}
OPERATIONS = (
    Operation(
        "POST",
        "/api/campaigns/{id}/explore",
        "Evaluate conversion events that a campaign does not have, or an old version of its own (rule 6)",
        _asked,
        OURS,
        (
            Answered(200, "the result", types.Exploration),
            Answered(202, "it takes longer: `Location` says where the result will be", types.Exploration),
        ),
        Permission.API_READ,
        (ID,),
        Body(types.Question, EXAMPLE),
        refusals={409: "it was never launched", **_KNOWN},
    ),
    Operation(
        "GET",
        "/api/explorations/{exploration}",
        "How far an exploration is, or its result",
        _told,
        OURS,
        (Answered(200, "what became of it", types.Exploration),),
        Permission.API_READ,
        (EXPLORATION,),
        refusals={404: "it is unknown, or forgotten", 504: "there was no answer in time"},
    ),
    Operation(
        "GET",
        "/api/campaigns/{id}/versions",
        "The versions of a campaign's definition, from the launch on (rule 6)",
        _listed,
        OURS,
        (Answered(200, "all of them", types.Versions),),
        Permission.API_READ,
        (ID,),
        refusals=_KNOWN,
    ),
)
