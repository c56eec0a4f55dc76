"""The feed of changes of conversions over Afterword's own API."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.errors import UserError
from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.store.campaigns import UnknownCampaign
from afterword.store.permissions import Permission
from afterword.workspace.live import ChangesGone, FeedState
from afterword.workspace.live.feed import START_AGAIN, Page, Position, Wanted, read_cursor

LIMIT, MAX_LIMIT = 1_000, 10_000
NOW, BEGINNING = "now", "beginning"


def routes(server: Answers) -> list[Route]:
    """Return the routes."""

    async def changes(request: Request) -> Response:
        """List conversions gained and taken back after a `cursor`, in order; `limit` and `campaign` say how many."""
        _, headers = server.key(request, bearer(request), Permission.API_READ)
        asked = request.query_params
        limit = _limit(asked.get("limit"))
        page = await asyncio.to_thread(_page, server, asked.get("cursor", BEGINNING), limit, asked.get("campaign"))
        return answer(200, {"changes": page.changes, "cursor": page.reached.cursor, "more": page.more}, headers)

    return [Route("/api/conversions/changes", changes, methods=["GET"])]


def place_of(text: str, state: FeedState) -> Position:
    """Read a place in the feed: `now`, `beginning` or a cursor.

    Raises:
        Refused: 400 it is no cursor, 410 not all changes after it are kept, 503 there are no results yet.

    """
    if not state.born:
        raise Refused(503, "there are no results yet: come again", {"Retry-After": "2"})
    try:
        place = {NOW: state.end, BEGINNING: state.beginning}.get(text) or read_cursor(text)
        state.check(place)
    except ChangesGone as error:
        raise gone(error) from None
    except UserError as error:
        raise bad_request(str(error)) from None
    return place


def gone(error: ChangesGone) -> Refused:
    """Return the refusal to tell of changes that are not there."""
    return Refused(410, str(error))


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
        raise gone(error) from None


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise bad_request(f"limit is {text[:20]}, must be between 1 and {MAX_LIMIT:,}")
    return int(text)


__all__ = ["BEGINNING", "NOW", "START_AGAIN", "gone", "place_of", "routes"]
