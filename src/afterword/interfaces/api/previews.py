"""What a definition would measure before it is adopted: on the last 30 days, and on the exposures that there are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from afterword.intake.definitions import definition_version
from afterword.interfaces.api import native_types, seen_types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_usage import cursor_of
from afterword.interfaces.api.campaigns import EXAMPLE, read_definition
from afterword.interfaces.api.explorations import described, place_of, take, until_over
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Call, Operation
from afterword.interfaces.api.seen import event_data, shares_of, shares_told
from afterword.interfaces.api.server import Answers
from afterword.model import Campaign, ConversionEvent
from afterword.store.campaigns import UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.explorations import Exploration, Stage
from afterword.workspace.live.exploring import NAMES, Question


async def _previewed(server: Answers, call: Call) -> Response:
    campaign, _description = await read_definition(call)
    shares = await asyncio.to_thread(shares_of, server, campaign.conversion_events)
    told = shares_told(shares, campaign.conversion_events)
    one = await asyncio.to_thread(_explored, server, campaign)
    if one is None:
        return answer(200, {**told, "exploration": None, "effect": None})
    await until_over(one)
    content = {**told, "exploration": described(one), "effect": _effect(one)}
    return answer(200 if one.is_over else 202, content, {"Location": place_of(one)})


def _explored(server: Answers, campaign: Campaign) -> Exploration | None:
    """Have the definition evaluated over the campaign's exposures, beside the one that stands if it was launched."""
    if not campaign.conversion_events:
        return None
    with cursor_of(server) as con:
        if not con.execute("SELECT 1 FROM main.exposures WHERE campaign_id = ? LIMIT 1", [campaign.id]).fetchall():
            return None
    return take(
        server,
        Question(server.data.metadata.workspace(), campaign, True, beside=_standing(server, campaign)),
    )


def _standing(server: Answers, campaign: Campaign) -> Campaign | None:
    """Return the campaign as it was launched, if it counts otherwise than the one in question."""
    try:
        stored = server.data.metadata.campaigns.get(campaign.id)
    except UnknownCampaign:
        return None
    if stored.launched_at is None or definition_version(stored.campaign) == definition_version(campaign):
        return None
    return stored.campaign


def _effect(one: Exploration) -> dict[str, Any] | None:
    result, question = one.result, one.question
    assert isinstance(question, Question)
    if one.stage is not Stage.DONE or result is None:
        return None
    standing = question.beside
    return {
        "as_of": result["as_of"],
        "exposed": result["total"]["exposed"],
        "becomes": _measured(result, question.campaign.conversion_events),
        "was": None if standing is None else _measured(result["beside"], standing.conversion_events),
    }


def _measured(result: Mapping[str, Any], events: Sequence[ConversionEvent]) -> list[dict[str, Any]]:
    conversions = result["total"]["conversions"]
    said = [conversions[letter] for letter, _ in zip(NAMES.values(), events, strict=False)]
    return [
        {"conversion_event": event_data(event), "converted": one["converted"], "rate": one["rate"]}
        for event, one in zip(events, said, strict=True)
    ]


OPERATIONS: tuple[Operation[Answers], ...] = (
    Operation(
        "POST",
        "/api/preview",
        "What a definition would measure: on the last 30 days, and on the exposures that the campaign has",
        _previewed,
        OURS,
        (
            Answered(200, "what it would measure", seen_types.Preview),
            Answered(202, "the effect takes longer: ask again, or at `Location`", seen_types.Preview),
        ),
        Permission.API_READ,
        body=Body(native_types.Definition, EXAMPLE),
        refusals={504: "there was no answer in time"},
        about="Nothing is stored. For a campaign that was launched, the definition that stands is evaluated beside it.",
    ),
)
