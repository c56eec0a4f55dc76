"""The credit of events over all campaigns, a question whose answer may take seconds."""

from __future__ import annotations

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import parse_definitions
from afterword.interfaces.api import credit_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import fields_of
from afterword.interfaces.api.explorations import FROM, TO, edge, until_over
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import IN_PATH, Text
from afterword.interfaces.api.server import Answers
from afterword.model import ConversionEvent
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission
from afterword.workspace.explorations import Exploration, TooMany
from afterword.workspace.live.crediting import CreditQuestion

QUESTION = Text("question", "what an answer said is its id", required=True, place=IN_PATH)
FIELDS = ("conversion_event", "from", "to", "count")
COUNTS = ("users", "events")


async def _asked(server: Answers, call: Call) -> Response:
    """Take a question."""
    one = await asyncio.to_thread(ask_of, server, await call.body())
    await until_over(one)
    return answer(200 if one.is_over else 202, _described(one), {"Location": f"/api/attribution/{one.id}"})


async def _told(server: Answers, call: Call) -> Response:
    """Tell how far it is, or the result."""
    one = server.data.explorations.find(call.request.path_params[QUESTION.name])
    if one is None or not isinstance(one.question, CreditQuestion):
        raise Refused(404, "there is no such question, or it is forgotten: ask again")
    return answer(200, _described(one))


def ask_of(server: Answers, body: bytes) -> Exploration:
    """Take a question, as a body in JSON.

    Raises:
        Refused: 400 it is no question, 429 too many wait.

    """
    data = server.data
    said = {name: value for name, value in fields_of(body, FIELDS).items() if value is not None}
    definitions = data.definitions()
    zone = ZoneInfo(definitions.workspace.timezone)
    first, last = edge(said, FROM, zone), edge(said, TO, zone)
    if first is not None and last is not None and first > last:
        raise bad_request("from is after to: no event can be in that period")
    count = said.get("count", COUNTS[0])
    if count not in COUNTS:
        raise bad_request(f'count is "{str(count)[:60]}", must be {" or ".join(COUNTS)}')
    event = _event(said.get("conversion_event"))
    try:
        question = CreditQuestion(
            definitions,
            event,
            first,
            last,
            once_per_user=count == COUNTS[0],
            holdouts=tuple(data.metadata.holdouts.list()),
            histories=data.histories(),
        )
        return data.explorations.ask(question)
    except TooMany as error:
        raise Refused(429, str(error), {"Retry-After": "5"}) from None
    except MetadataUnavailable:
        raise
    except UserError as error:
        raise bad_request(str(error)) from None


def _event(said: Any) -> ConversionEvent:
    if not isinstance(said, dict):
        raise bad_request("conversion_event is missing, must be one as definition files have them, a JSON object")
    one = {"id": "all", "variants": [{"id": "a", "share": 100}], "conversion_events": [said]}
    try:
        [campaign] = parse_definitions({"campaigns": [one]}, "conversion_event").campaigns
    except DefinitionError as error:
        raise bad_request("\n".join(error.problems)) from None
    return campaign.conversion_events[0]


def _described(one: Exploration) -> dict[str, Any]:
    assert isinstance(one.question, CreditQuestion)
    return {
        "id": one.id,
        **one.question.described,
        "state": one.stage.value,
        "progress": round(one.progress, 3),
        "doing": one.doing,
        "failure": one.failure,
        "result": one.result,
    }


EXAMPLE = {"conversion_event": {"kind": "purchase", "deadline": "7 days"}, "from": "2026-03-01", "to": "2026-03-31"}
OPERATIONS = (
    Operation(
        "POST",
        "/api/attribution",
        "Share out the credit of events over all campaigns, in six views (rule 12)",
        _asked,
        OURS,
        (
            Answered(200, "the result", types.AskedCredit),
            Answered(202, "it takes longer: `Location` says where the result will be", types.AskedCredit),
        ),
        Permission.API_READ,
        body=Body(types.CreditQuestion, EXAMPLE),
        refusals={504: "there was no answer in time"},
    ),
    Operation(
        "GET",
        "/api/attribution/{question}",
        "How far the sharing out of credit is, or its result",
        _told,
        OURS,
        (Answered(200, "what became of it", types.AskedCredit),),
        Permission.API_READ,
        (QUESTION,),
        refusals={404: "it is unknown, or forgotten", 504: "there was no answer in time"},
    ),
)
