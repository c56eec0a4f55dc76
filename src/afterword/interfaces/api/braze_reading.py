"""Braze-compatible paths that read campaigns and Canvases: lists, details, and numbers by day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_details import campaign_details, canvas_details, edited_at
from afterword.interfaces.api.braze_parameters import (
    Parameters,
    choice,
    day_of,
    flag,
    instant,
    last_day,
    length_of,
    page_of,
    required,
)
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.model import Definitions
from afterword.reports.braze_series import campaign_series, canvas_series, canvas_summary
from afterword.reports.daily import DailyNumbers, days_until
from afterword.store.campaigns import StoredCampaign, UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.live import NotDerived

CAUGHT_UP_SECONDS = 60.0
"""How long an answer waits for results of a definition that was just launched or changed."""
CANVAS_LENGTH = 14

Ask = Callable[[Answers, Parameters], dict[str, Any]]
"""Answers a request from its parameters; runs in a thread of its own."""
T = TypeVar("T")


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    paths: tuple[tuple[str, Permission, Ask], ...] = (
        ("/campaigns/list", Permission.CAMPAIGNS_LIST, _campaigns),
        ("/campaigns/details", Permission.CAMPAIGNS_DETAILS, _campaign_details),
        ("/campaigns/data_series", Permission.CAMPAIGNS_DATA_SERIES, _campaign_series),
        ("/sends/data_series", Permission.SENDS_DATA_SERIES, _send_series),
        ("/canvas/list", Permission.CANVAS_LIST, _canvases),
        ("/canvas/details", Permission.CANVAS_DETAILS, _canvas_details),
        ("/canvas/data_series", Permission.CANVAS_DATA_SERIES, _canvas_series),
        ("/canvas/data_summary", Permission.CANVAS_DATA_SUMMARY, _canvas_summary),
    )
    return [read_route(server, path, permission, ask) for path, permission, ask in paths]


def read_route(server: Answers, path: str, permission: Permission, ask: Ask) -> Route:
    """Return the route of a path that answers from the parameters of its URL."""

    async def read(request: Request) -> Response:
        _, headers = server.key(request, bearer(request), permission)
        content = await asyncio.to_thread(ask, server, request.query_params)
        return answer(200, {**content, "message": "success"}, headers)

    return Route(path, read, methods=["GET"])


def zone_of(server: Answers) -> ZoneInfo:
    """Return the time zone of the workspace, whose calendar days all series have."""
    return ZoneInfo(server.data.metadata.workspace().timezone)


def _listed(server: Answers, parameters: Parameters, kind: str) -> Sequence[StoredCampaign]:
    return server.data.metadata.campaigns.list(
        kind=kind,
        page=page_of(parameters),
        include_archived=flag(parameters, "include_archived"),
        newest_first=choice(parameters, "sort_direction", ("asc", "desc")) == "desc",
        edited_after=instant(parameters, "last_edit.time[gt]", zone_of(server)),
    )


def _campaigns(server: Answers, parameters: Parameters) -> dict[str, Any]:
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
        ]
    }


def _canvases(server: Answers, parameters: Parameters) -> dict[str, Any]:
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
        ]
    }


def _campaign(server: Answers, parameters: Parameters) -> StoredCampaign:
    return _one(
        server, parameters, "campaign_id", "campaign", "campaign_id must be a string of the campaign api identifier"
    )


def _canvas(server: Answers, parameters: Parameters) -> StoredCampaign:
    return _one(server, parameters, "canvas_id", "canvas", "canvas_id must be a string of the Canvas api identifier")


def _one(server: Answers, parameters: Parameters, name: str, kind: str, sentence: str) -> StoredCampaign:
    try:
        stored = server.data.metadata.campaigns.get(parameters.get(name, ""))
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
    return campaign_details(stored, *_sent(server, stored))


def _canvas_details(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _canvas(server, parameters)
    return canvas_details(stored, *_sent(server, stored))


def _numbers(server: Answers, stored: StoredCampaign, days: Sequence[date]) -> DailyNumbers:
    """Return what a campaign counts on some days; before its launch that is nothing."""
    if stored.launched_at is None:
        return DailyNumbers(stored.campaign)
    live, name = server.data.live, stored.campaign.id
    return _derived(server, lambda known: live.daily(known, name, days[0], days[-1]))


def _campaign_series(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _campaign(server, parameters)
    length = length_of(parameters)
    days = days_until(last_day(parameters, zone_of(server), server.clock()), length)
    return {"data": campaign_series(_numbers(server, stored, days), days)}


def _send_series(server: Answers, parameters: Parameters) -> dict[str, Any]:
    _campaign(server, parameters)
    length_of(parameters)
    send = required(parameters, "send_id")
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
        "data": {"name": stored.campaign.name, "stats": canvas_series(numbers, days, variants=variants, steps=steps)}
    }


def _canvas_summary(server: Answers, parameters: Parameters) -> dict[str, Any]:
    stored = _canvas(server, parameters)
    days = _canvas_days(server, parameters)
    variants, steps = _breakdowns(parameters)
    numbers = _numbers(server, stored, days)
    return {"data": {"name": stored.campaign.name, **canvas_summary(numbers, days, variants=variants, steps=steps)}}


def _breakdowns(parameters: Parameters) -> tuple[bool, bool]:
    # No step can be removed after launch, so there are no deleted ones to include.
    flag(parameters, "include_deleted_step_data")
    return flag(parameters, "include_variant_breakdown"), flag(parameters, "include_step_breakdown")


def _canvas_days(server: Answers, parameters: Parameters) -> list[date]:
    """Return the days from `starting_at`, or so many as `length` says, up to `ending_at`."""
    zone = zone_of(server)
    last = last_day(parameters, zone, server.clock())
    starting_at = instant(parameters, "starting_at", zone)
    if starting_at is None:
        return days_until(last, length_of(parameters, CANVAS_LENGTH))
    first = day_of(starting_at, zone)
    if not last - timedelta(days=CANVAS_LENGTH - 1) <= first <= last:
        raise bad_request(
            f"starting_at is {first}, must not be after ending_at, {last}, "
            f"and at most {CANVAS_LENGTH - 1} days before it"
        )
    return days_until(last, (last - first).days + 1)
