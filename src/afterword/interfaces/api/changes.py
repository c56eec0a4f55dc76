"""The feed of changes of conversions over Afterword's own API."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api import webhook_types as types
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import Text, WholeNumber
from afterword.interfaces.api.server import Answers
from afterword.store.campaigns import UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.live import ChangesGone, FeedState
from afterword.workspace.live.feed import Page, Position, Wanted, read_cursor

BEGINNING = "beginning"
CURSOR = Text("cursor", "what the answer before gave, or `now`; the beginning of the feed if nothing is said")
LIMIT = WholeNumber("limit", "how many changes at most", 1, 10_000, 1_000)
CAMPAIGN = Text("campaign", "only the changes of this one", example="cart-rescue")


async def _changes(server: Answers, call: Call) -> Response:
    asked = call.parameters
    cursor, limit, campaign = CURSOR.read(asked) or BEGINNING, LIMIT.read(asked), CAMPAIGN.read(asked) or None
    page = await asyncio.to_thread(_page, server, cursor, limit, campaign)
    return answer(200, {"changes": page.changes, "cursor": page.reached.cursor, "more": page.more})


def place_of(text: str, state: FeedState) -> Position:
    """Read a place in the feed: `now`, `beginning` or a cursor.

    Raises:
        Refused: 400 it is no cursor, 410 not all changes after it are kept, 503 there are no results yet.

    """
    if not state.born:
        raise Refused(503, "there are no results yet: come again", {"Retry-After": "2"})
    try:
        place = {types.NOW: state.end, BEGINNING: state.beginning}.get(text) or read_cursor(text)
        state.check(place)
    except ChangesGone as error:
        raise Refused(410, str(error)) from None
    except UserError as error:
        raise bad_request(str(error)) from None
    return place


def _page(server: Answers, cursor: str, limit: int, campaign: str | None) -> Page:
    feed = server.data.live.feed
    if campaign is not None:
        try:
            server.data.metadata.campaigns.get(campaign)
        except UnknownCampaign as error:
            raise Refused(404, str(error)) from None
    try:
        return feed.read(place_of(cursor, feed.state), limit, Wanted(None if campaign is None else [campaign]))
    except ChangesGone as error:
        raise Refused(410, str(error)) from None


OPERATIONS = (
    Operation(
        "GET",
        "/api/conversions/changes",
        "Conversions gained and taken back, in order",
        _changes,
        OURS,
        (Answered(200, "a page of changes", types.Changes),),
        Permission.API_READ,
        (CURSOR, LIMIT, CAMPAIGN),
        refusals={404: "there is no such campaign", 410: "not all of these changes are kept", 504: "no answer in time"},
    ),
)
