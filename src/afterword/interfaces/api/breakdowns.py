"""A campaign's conversions by channel, or by an attribute of its users."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypedDict

from msgspec import Meta
from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import EVENT, from_results
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import ID, Text
from afterword.interfaces.api.report_types import Letter
from afterword.interfaces.api.server import Answers
from afterword.store.permissions import Permission

BY = Text("by", "`channel` (if nothing is said), or `attribute:` and its name", example="attribute:country")


class BreakdownCell(TypedDict):
    """A variant's units in a group."""

    exposed: int
    converted: int
    rate: float | None
    interval: list[float] | None


class BreakdownGroup(TypedDict):
    """Who has one value."""

    value: Annotated[str | None, Meta(description="null: none is known")]
    variants: dict[str, BreakdownCell]


class Breakdown(TypedDict):
    """The largest groups first."""

    as_of: str
    campaign: str
    by: str
    conversion_event: Letter
    denominator: str
    groups: Annotated[list[BreakdownGroup], Meta(description="200 at most")]
    left_off: Annotated[int, Meta(description="how many smaller groups there are besides")]


async def _told(server: Answers, call: Call) -> Response:
    by, letter = BY.read(call.parameters) or "channel", EVENT.read(call.parameters) or "A"
    found = await asyncio.to_thread(
        from_results,
        server,
        call.id,
        lambda live, definitions, now: live.breakdown(definitions, now, call.id, letter, by),
    )
    return answer(200, found)


OPERATIONS = (
    Operation(
        "GET",
        "/api/campaigns/{id}/breakdown",
        "A campaign's conversions by channel, or by an attribute of its users",
        _told,
        OURS,
        (Answered(200, "the groups", Breakdown),),
        Permission.API_READ,
        (ID, BY, EVENT),
        refusals={
            404: "there is no such campaign",
            409: "it was never launched",
            503: "the results are not up to date",
            504: "there was no answer in time",
        },
    ),
)
