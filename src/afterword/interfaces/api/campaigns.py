"""Campaigns over Afterword's own API: defined, launched, reported.

What asks a database runs in a thread, so that the acknowledgement of facts never waits for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.responses import Response

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import definitions_to_data, parse_definitions
from afterword.interfaces.api import native_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import object_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.parameters import ID, Parameter, Text
from afterword.interfaces.api.refusing import asked_of
from afterword.interfaces.api.report_types import Report
from afterword.interfaces.api.server import Answers
from afterword.model import Campaign, Definitions
from afterword.store.campaigns import StoredCampaign, UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.listing import Narrow
from afterword.workspace.live import Live, NotDerived
from afterword.workspace.story import Story

Found = TypeVar("Found")
CAUGHT_UP_SECONDS = 60.0
"""How long a report waits for results of a definition that was just launched or changed."""
VARIANT = Text("variant", "the id of a variant, `total` or `total_with_control`; the latter if nothing is said")
EVENT = Text("event", "the letter of a conversion event; A if nothing is said", example="A")
STATE = Text(
    "state",
    "`converted` (if nothing is said), `pending`, `not_converted` or `exposed`; of those who converted `after_open`, "
    "`after_click`, `also_b` (on another conversion event, too), `step:ID` (by a Canvas step) or `no_step`; and "
    "what is counted apart from conversions: `exposures`, those with an outcome such as `outcome:sent`, those of whose "
    "message an event was reported such as `reported:message_open`, and `received:ID`, who received a message of a "
    "Canvas step",
    example="converted",
)
CHANNEL = Text(
    "channel",
    "only who converted on this channel, or for the other states was exposed on it, as breakdowns count; `none` is no "
    "known one",
    example="email",
)
ATTRIBUTE = Text("attribute", "only users of whom this attribute has the value", example="country")
VALUE = Text("value", "of the attribute; if nothing is said, users of whom it is not known", example="NL")
USER = Text("user", "the id of a user", required=True, example="ann")


def told(stored: StoredCampaign) -> dict[str, Any]:
    """Return a campaign as the API tells it: the fields of definition files, and what became of it."""
    data: dict[str, Any] = definitions_to_data(Definitions(campaigns=(stored.campaign,)))
    return {
        **(data.get("campaigns") or data["canvases"])[0],
        "kind": stored.campaign.kind,
        "description": stored.description,
        "status": stored.status.value,
        "version": stored.version,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "launched_at": stored.launched_at,
        "redefined": stored.redefined,
    }


async def _listed(server: Answers, _call: Call) -> Response:
    return answer(200, {"campaigns": await asyncio.to_thread(_all, server)})


def _all(server: Answers) -> list[dict[str, Any]]:
    return [told(stored) for stored in stored_campaigns(server)]


def stored_campaigns(server: Answers) -> list[StoredCampaign]:
    """Return all campaigns and Canvases, drafts and archived ones too, in the order of creation."""
    return list(server.data.metadata.campaigns.list(include_archived=True, page_size=sys.maxsize))


async def _told(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.campaigns.get(call.id))))


async def _created(server: Answers, call: Call) -> Response:
    campaign, description = await read_definition(call)
    create = server.data.metadata.campaigns.create
    return answer(201, told(await asked_of(lambda: create(campaign, server.clock(), description or ""))))


async def _changed(server: Answers, call: Call) -> Response:
    campaign, description = await read_definition(call)
    if campaign.id != call.id:
        raise bad_request(f'the path names campaign "{call.id}", the body "{campaign.id}"')
    change = server.data.metadata.campaigns.change
    return answer(200, told(await asked_of(lambda: change(campaign, server.clock(), description))))


async def _launched(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.campaigns.launch(call.id, server.clock()))))


async def _stopped(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.campaigns.stop(call.id, server.clock()))))


async def _archived(server: Answers, call: Call) -> Response:
    return answer(200, told(await asked_of(lambda: server.data.metadata.campaigns.archive(call.id, server.clock()))))


async def _reported(server: Answers, call: Call) -> Response:
    return answer(200, await asyncio.to_thread(report_of, server, call.id))


async def _reported_all(server: Answers, _call: Call) -> Response:
    return answer(200, await asyncio.to_thread(report_of, server, None))


async def _users(server: Answers, call: Call) -> Response:
    asked = call.parameters
    variant, event, state = VARIANT.read(asked) or None, EVENT.read(asked) or "A", STATE.read(asked) or "converted"
    narrow = Narrow(CHANNEL.read(asked), ATTRIBUTE.read(asked), VALUE.read(asked) or None)

    def ask(live: Live, definitions: Definitions, now: int) -> list[dict[str, Any]]:
        return live.users(definitions, now, call.id, variant, event, state, narrow)

    return answer(200, {"users": await asyncio.to_thread(from_results, server, call.id, ask)})


async def _explained(server: Answers, call: Call) -> Response:
    user = call.parameters.get(USER.name)
    if not user:
        raise bad_request("user is missing: say whose story is asked for, with ?user=")

    def ask(live: Live, definitions: Definitions, now: int) -> Story:
        return live.explain(definitions, now, call.id, user)

    return answer(200, (await asyncio.to_thread(from_results, server, call.id, ask)).json)


async def read_definition(call: Call) -> tuple[Campaign, str | None]:
    """Read one campaign, or one Canvas if it has steps, with the fields of definition files."""
    body = await call.body()
    data = object_of(body)
    if data is None:
        raise bad_request("the body must be one campaign, a JSON object with the fields of definition files")
    description = data.pop("description", None)
    kind = data.pop("kind", "canvas" if "steps" in data else "campaign")
    if kind not in ("campaign", "canvas") or not isinstance(description, str | None):
        raise bad_request('kind must be "campaign" or "canvas", and description text')
    try:
        definitions = parse_definitions({"canvases" if kind == "canvas" else "campaigns": [data]}, "body")
    except DefinitionError as error:
        raise bad_request(str(error)) from None
    return definitions.campaigns[0], description


def report_of(server: Answers, campaign: str | None) -> Mapping[str, Any]:
    """Return the report of all campaigns or of one, as of now; raises as `from_results`."""
    histories = server.data.histories()

    def ask(live: Live, definitions: Definitions, now: int) -> dict[str, Any]:
        return live.report(definitions, now, histories, only=campaign)

    return from_results(server, campaign, ask)


def from_results(server: Answers, campaign: str | None, ask: Callable[[Live, Definitions, int], Found]) -> Found:
    """Return what the results say; waits where a definition was just changed.

    Args:
        server: has the results.
        campaign: whose results are asked for; None is all.
        ask: given the results, the definitions and the time.

    Raises:
        Refused: 400 what is asked for is not there, 404 no such campaign, 409 it was never launched, 503 results are
            not up to it yet.

    """
    if campaign is not None:
        launched(server, campaign)
    for _ in range(2):
        must_be_up_to_date(server)
        try:
            return ask(server.data.live, server.data.definitions(), server.clock())
        except NotDerived:
            server.data.keeper.caught_up(CAUGHT_UP_SECONDS)
        except UserError as error:
            raise bad_request(str(error)) from None
    raise Refused(503, "the results of a changed definition are not there yet: come again", {"Retry-After": "5"})


def launched(server: Answers, campaign: str) -> StoredCampaign:
    """Return a campaign that has results; raises as `from_results` if there is none or it was never launched."""
    try:
        stored = server.data.metadata.campaigns.get(campaign)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None
    if stored.launched_at is None:
        raise Refused(409, f'campaign "{campaign}" was not launched yet: there is nothing to report')
    return stored


def must_be_up_to_date(server: Answers) -> None:
    """Raise as `from_results` where the results do not follow the facts."""
    keeper = server.data.keeper
    if (why := keeper.failure or keeper.stale) is not None:
        raise Refused(503, f"the results are not up to date: {why}", {"Retry-After": "5"})


EXAMPLE = {
    "id": "cart-rescue",
    "name": "Cart rescue",
    "channels": ["email"],
    "variants": [{"id": "a", "name": "Mail", "share": 90}, {"id": "control", "control": True, "share": 10}],
    "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
}
_ONE = "/api/campaigns/{id}"
_UNKNOWN = {404: "there is no such campaign"}
_STATE = _UNKNOWN | {409: "its state does not allow it"}
_RESULTS = _UNKNOWN | {409: "it was never launched", 503: "the results are not up to date"}
_READ, _WRITE = Permission.API_READ, Permission.API_DEFINITIONS
_DEFINED = (Answered(200, "the campaign", types.Campaign),)


def _operation(
    method: str,
    path: str,
    summary: str,
    handle: Callable[[Answers, Call], Awaitable[Response]],
    permission: Permission,
    answers: tuple[Answered, ...],
    refusals: Mapping[int, str],
    parameters: tuple[Parameter, ...] = (),
    body: Body | None = None,
) -> Operation[Answers]:
    path_parameters = (ID,) if "{id}" in path else ()
    refusals = {504: "there was no answer in time", **refusals}
    asked = (*path_parameters, *parameters)
    return Operation(method, path, summary, handle, OURS, answers, permission, asked, body, refusals)


OPERATIONS = (
    _operation(
        "GET",
        "/api/campaigns",
        "List campaigns and Canvases, archived ones too",
        _listed,
        _READ,
        (Answered(200, "all of them", types.AllCampaigns),),
        {},
    ),
    _operation(
        "POST",
        "/api/campaigns",
        "Define a campaign or Canvas",
        _created,
        _WRITE,
        (Answered(201, "a draft", types.Campaign),),
        {409: "the id is taken"},
        body=Body(types.Definition, EXAMPLE),
    ),
    _operation("GET", _ONE, "A campaign as it is defined", _told, _READ, _DEFINED, _UNKNOWN),
    _operation(
        "PUT",
        _ONE,
        "Change a campaign; other conversion events or counting make a new version (rule 6)",
        _changed,
        _WRITE,
        _DEFINED,
        _STATE,
        body=Body(types.Definition, EXAMPLE),
    ),
    _operation("POST", f"{_ONE}/launch", "Launch it; earlier exposures count too", _launched, _WRITE, _DEFINED, _STATE),
    _operation("POST", f"{_ONE}/stop", "Stop it", _stopped, _WRITE, _DEFINED, _STATE),
    _operation("POST", f"{_ONE}/archive", "Archive it", _archived, _WRITE, _DEFINED, _STATE),
    _operation(
        "GET",
        f"{_ONE}/report",
        "The report of a campaign, as of now",
        _reported,
        _READ,
        (Answered(200, "report.json", Report),),
        _RESULTS,
    ),
    _operation(
        "GET",
        f"{_ONE}/users",
        "Who is behind a number (rule 38)",
        _users,
        _READ,
        (Answered(200, "the users", types.Units, {"users": [{"user_id": "ann"}]}),),
        _RESULTS,
        (VARIANT, EVENT, STATE, CHANNEL, ATTRIBUTE, VALUE),
    ),
    _operation(
        "GET",
        f"{_ONE}/explain",
        "Why a user did or did not convert (rule 39)",
        _explained,
        _READ,
        (Answered(200, "the user's story", types.Story),),
        _RESULTS,
        (USER,),
    ),
    _operation(
        "GET",
        "/api/report",
        "The report of all campaigns that were launched, as of now",
        _reported_all,
        _READ,
        (Answered(200, "report.json", Report),),
        {503: "the results are not up to date"},
    ),
)
