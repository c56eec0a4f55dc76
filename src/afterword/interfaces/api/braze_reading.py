"""Braze-compatible paths that read campaigns and Canvases: lists, details, and numbers by day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from starlette.responses import Response

from afterword.interfaces.api import braze_answers as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_answers import SUCCESS
from afterword.interfaces.api.braze_details import campaign_details, canvas_details, edited_at
from afterword.interfaces.api.braze_parameters import (
    ARCHIVED,
    BY_STEP,
    BY_VARIANT,
    CAMPAIGN_ID,
    CANVAS_DAYS,
    CANVAS_ID,
    CANVAS_LENGTH,
    DELETED_STEPS,
    EDITED_AFTER,
    ENDING_AT,
    LENGTH,
    PAGE,
    SEND_ID,
    SORT,
    STARTING_AT,
    day_of,
    last_day,
)
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import BRAZE_READING
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import Parameter, Parameters, Text
from afterword.interfaces.api.server import Answers
from afterword.model import Definitions
from afterword.reports.braze_series import campaign_series, canvas_series, canvas_summary
from afterword.reports.daily import DailyNumbers, days_until
from afterword.store.campaigns import StoredCampaign, UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.live import NotDerived

CAUGHT_UP_SECONDS = 60.0
"""How long an answer waits for results of a definition that was just launched or changed."""
NO_ANSWER = {504: "there was no answer in time"}

Ask = Callable[[Answers, Parameters], Mapping[str, Any]]
"""Answers a request from its parameters; runs in a thread of its own."""
T = TypeVar("T")


def read_operation(
    path: str,
    permission: Permission,
    summary: str,
    ask: Ask,
    answered: Any,
    parameters: tuple[Parameter, ...] = (),
    example: Any = None,
) -> Operation[Answers]:
    """Return the operation of a path that answers from the parameters of its URL."""

    async def read(server: Answers, call: Call) -> Response:
        return answer(200, await asyncio.to_thread(ask, server, call.parameters))

    answers = (Answered(200, "what was asked for", answered, example),)
    return Operation("GET", path, summary, read, BRAZE_READING, answers, permission, parameters, refusals=NO_ANSWER)


def zone_of(server: Answers) -> ZoneInfo:
    """Return the time zone of the workspace, whose calendar days all series have."""
    return ZoneInfo(server.data.metadata.workspace().timezone)


def _listed(server: Answers, parameters: Parameters, kind: str) -> Sequence[StoredCampaign]:
    return server.data.metadata.campaigns.list(
        kind=kind,
        page=PAGE.read(parameters),
        include_archived=ARCHIVED.read(parameters),
        newest_first=SORT.read(parameters) == "desc",
        edited_after=EDITED_AFTER.read(parameters, zone_of(server)),
    )


def _campaigns(server: Answers, parameters: Parameters) -> types.CampaignPage:
    found = _listed(server, parameters, "campaign")
    return {
        "campaigns": [
            {
                "id": stored.campaign.id,
                "last_edited": edited_at(stored),
                "name": stored.campaign.name,
                "is_api_campaign": False,
                "tags": list(stored.campaign.tags),
            }
            for stored in found
        ],
        "message": SUCCESS,
    }


def _canvases(server: Answers, parameters: Parameters) -> types.CanvasPage:
    found = _listed(server, parameters, "canvas")
    return {
        "canvases": [
            {
                "id": stored.campaign.id,
                "last_edited": edited_at(stored),
                "name": stored.campaign.name,
                "tags": list(stored.campaign.tags),
            }
            for stored in found
        ],
        "message": SUCCESS,
    }


def _campaign(server: Answers, parameters: Parameters) -> StoredCampaign:
    return _one(
        server, parameters, CAMPAIGN_ID, "campaign", "campaign_id must be a string of the campaign api identifier"
    )


def _canvas(server: Answers, parameters: Parameters) -> StoredCampaign:
    return _one(server, parameters, CANVAS_ID, "canvas", "canvas_id must be a string of the Canvas api identifier")


def _one(server: Answers, parameters: Parameters, id_: Text, kind: str, sentence: str) -> StoredCampaign:
    try:
        stored = server.data.metadata.campaigns.get(parameters.get(id_.name, ""))
    except UnknownCampaign:
        raise bad_request(sentence) from None
    if stored.campaign.kind != kind:
        raise bad_request(sentence)
    return stored


def _derived(server: Answers, ask: Callable[[Definitions], T]) -> T:
    """Ask the results; waits where a definition was just launched or changed.

    Raises:
        Refused: 503, the results are not up to it yet.

    """
    for _ in range(2):
        try:
            return ask(server.data.definitions())
        except NotDerived:
            server.data.keeper.caught_up(CAUGHT_UP_SECONDS)
    raise Refused(503, "the results of a changed definition are not there yet: come again", {"Retry-After": "5"})


def _sent(server: Answers, stored: StoredCampaign) -> tuple[int | None, int | None]:
    if stored.launched_at is None:
        return None, None
    return _derived(server, lambda known: server.data.live.first_and_last_exposure(known, stored.campaign.id))


def _campaign_details(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _campaign(server, parameters)
    return {**campaign_details(stored, *_sent(server, stored)), "message": SUCCESS}


def _canvas_details(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _canvas(server, parameters)
    return {**canvas_details(stored, *_sent(server, stored)), "message": SUCCESS}


def _numbers(server: Answers, stored: StoredCampaign, days: Sequence[date]) -> DailyNumbers:
    """Return what a campaign counts on some days; before its launch that is nothing."""
    if stored.launched_at is None:
        return DailyNumbers(stored.campaign)
    live, name = server.data.live, stored.campaign.id
    return _derived(server, lambda known: live.daily(known, name, days[0], days[-1]))


def _campaign_series(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _campaign(server, parameters)
    length = LENGTH.read(parameters)
    days = days_until(last_day(parameters, zone_of(server), server.clock()), length)
    return {"data": campaign_series(_numbers(server, stored, days), days), "message": SUCCESS}


def _send_series(server: Answers, parameters: Parameters) -> dict[str, Any]:
    _campaign(server, parameters)
    LENGTH.read(parameters)
    send = SEND_ID.read(parameters)
    last_day(parameters, zone_of(server), server.clock())
    raise bad_request(
        f'send_id "{send[:60]}" is unknown: exposures do not say which send they belong to; '
        "/campaigns/data_series has the numbers of the whole campaign"
    )


def _canvas_series(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _canvas(server, parameters)
    days = _canvas_days(server, parameters)
    variants, steps = _breakdowns(parameters)
    numbers = _numbers(server, stored, days)
    return {
        "data": {"name": stored.campaign.name, "stats": canvas_series(numbers, days, variants=variants, steps=steps)},
        "message": SUCCESS,
    }


def _canvas_summary(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _canvas(server, parameters)
    days = _canvas_days(server, parameters)
    variants, steps = _breakdowns(parameters)
    numbers = _numbers(server, stored, days)
    summary = canvas_summary(numbers, days, variants=variants, steps=steps)
    return {"data": {"name": stored.campaign.name, **summary}, "message": SUCCESS}


def _breakdowns(parameters: Parameters) -> tuple[bool, bool]:
    # No step can be removed after launch, so there are no deleted ones to include.
    DELETED_STEPS.read(parameters)
    return BY_VARIANT.read(parameters), BY_STEP.read(parameters)


def _canvas_days(server: Answers, parameters: Parameters) -> list[date]:
    """Return the days from `starting_at`, or so many as `length` says, up to `ending_at`."""
    zone = zone_of(server)
    last = last_day(parameters, zone, server.clock())
    starting_at = STARTING_AT.read(parameters, zone)
    if starting_at is None:
        return days_until(last, CANVAS_DAYS.read(parameters))
    first = day_of(starting_at, zone)
    if not last - timedelta(days=CANVAS_LENGTH - 1) <= first <= last:
        raise bad_request(
            f"starting_at is {first}, must not be after ending_at, {last}, "
            f"and at most {CANVAS_LENGTH - 1} days before it"
        )
    return days_until(last, (last - first).days + 1)


_LISTS = (PAGE, ARCHIVED, SORT, EDITED_AFTER)
_CANVAS = (CANVAS_ID, CANVAS_DAYS, STARTING_AT, ENDING_AT, BY_VARIANT, BY_STEP, DELETED_STEPS)
OPERATIONS = (
    read_operation(
        "/campaigns/list", Permission.CAMPAIGNS_LIST, "List campaigns", _campaigns, types.CampaignPage, _LISTS
    ),
    read_operation(
        "/campaigns/details",
        Permission.CAMPAIGNS_DETAILS,
        "Describe a campaign",
        _campaign_details,
        types.CampaignDetails,
        (CAMPAIGN_ID,),
    ),
    read_operation(
        "/campaigns/data_series",
        Permission.CAMPAIGNS_DATA_SERIES,
        "Numbers of a campaign by day",
        _campaign_series,
        types.CampaignSeries,
        (CAMPAIGN_ID, LENGTH, ENDING_AT),
    ),
    read_operation(
        "/sends/data_series",
        Permission.SENDS_DATA_SERIES,
        "Refused with a sentence: exposures do not say which send they belong to",
        _send_series,
        types.CampaignSeries,
        (CAMPAIGN_ID, SEND_ID, LENGTH, ENDING_AT),
    ),
    read_operation("/canvas/list", Permission.CANVAS_LIST, "List Canvases", _canvases, types.CanvasPage, _LISTS),
    read_operation(
        "/canvas/details",
        Permission.CANVAS_DETAILS,
        "Describe a Canvas",
        _canvas_details,
        types.CanvasDetails,
        (CANVAS_ID,),
    ),
    read_operation(
        "/canvas/data_series",
        Permission.CANVAS_DATA_SERIES,
        "Numbers of a Canvas by day",
        _canvas_series,
        types.CanvasSeries,
        _CANVAS,
    ),
    read_operation(
        "/canvas/data_summary",
        Permission.CANVAS_DATA_SUMMARY,
        "Numbers of a Canvas over some days",
        _canvas_summary,
        types.CanvasSummary,
        _CANVAS,
    ),
)
