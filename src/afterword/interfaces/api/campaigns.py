"""Campaigns over Afterword's own API: defined, launched, reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count, takewhile
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.errors import DefinitionError, UserError
from afterword.intake.definitions import definitions_to_data, parse_definitions
from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.bodies import read_body
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.server import Answers
from afterword.model import Campaign, Definitions
from afterword.store.campaigns import CampaignRefused, StoredCampaign, UnknownCampaign
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.permissions import Permission
from afterword.workspace.live import Live, NotDerived

Found = TypeVar("Found")
CAUGHT_UP_SECONDS = 60.0
"""How long a report waits for results of a definition that was just launched or changed."""


def routes(server: Answers) -> list[Route]:
    """Return the routes."""
    campaigns = _Campaigns(server)
    one = "/api/campaigns/{id}"
    return [
        Route("/api/campaigns", campaigns.listed, methods=["GET"]),
        Route("/api/campaigns", campaigns.created, methods=["POST"]),
        Route(one, campaigns.told, methods=["GET"]),
        Route(one, campaigns.changed, methods=["PUT"]),
        Route(f"{one}/launch", campaigns.moved, methods=["POST"]),
        Route(f"{one}/stop", campaigns.moved, methods=["POST"]),
        Route(f"{one}/archive", campaigns.moved, methods=["POST"]),
        Route(f"{one}/report", campaigns.reported, methods=["GET"]),
        Route(f"{one}/users", campaigns.users, methods=["GET"]),
        Route(f"{one}/explain", campaigns.explained, methods=["GET"]),
        Route("/api/report", campaigns.reported, methods=["GET"]),
    ]


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


class _Campaigns:
    """The endpoints; what asks a database runs in a thread, so that the acknowledgement of facts never waits for it."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._store = server.data.metadata.campaigns

    async def listed(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        return answer(200, {"campaigns": await asyncio.to_thread(self._all)}, headers)

    def _all(self) -> list[dict[str, Any]]:
        pages = (self._store.list(include_archived=True, page=page) for page in count())
        return [told(stored) for page in takewhile(bool, pages) for stored in page]

    async def told(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        return answer(200, told(await self._asked(self._store.get, request.path_params["id"])), headers)

    async def created(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_DEFINITIONS)
        campaign, description = await self._definition(request)
        stored = await self._asked(self._store.create, campaign, self._server.clock(), description or "")
        return answer(201, told(stored), headers)

    async def changed(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_DEFINITIONS)
        campaign, description = await self._definition(request)
        if campaign.id != (named := request.path_params["id"]):
            raise bad_request(f'the path names campaign "{named}", the body "{campaign.id}"')
        stored = await self._asked(self._store.change, campaign, self._server.clock(), description)
        return answer(200, told(stored), headers)

    async def moved(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_DEFINITIONS)
        verb = request.scope["path"].rpartition("/")[2]
        move = {"launch": self._store.launch, "stop": self._store.stop, "archive": self._store.archive}[verb]
        stored = await self._asked(move, request.path_params["id"], self._server.clock())
        return answer(200, told(stored), headers)

    async def reported(self, request: Request) -> Response:
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        report = await asyncio.to_thread(report_of, self._server, request.path_params.get("id"))
        return answer(200, report, headers)

    async def users(self, request: Request) -> Response:
        """List who is behind a number: `variant`, `event` (A to D) and `state` say which."""
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        campaign, asked = request.path_params["id"], request.query_params
        variant, event, state = asked.get("variant"), asked.get("event", "A"), asked.get("state", "converted")
        found = await asyncio.to_thread(
            from_results,
            self._server,
            campaign,
            lambda live, definitions, now: live.users(definitions, now, campaign, variant, event, state),
        )
        return answer(200, {"users": found}, headers)

    async def explained(self, request: Request) -> Response:
        """Say why a `user` did or did not convert."""
        _, headers = self._server.key(request, bearer(request), Permission.API_READ)
        campaign, user = request.path_params["id"], request.query_params.get("user")
        if not user:
            raise bad_request("user is missing: say whose story is asked for, with ?user=")
        found = await asyncio.to_thread(
            from_results,
            self._server,
            campaign,
            lambda live, definitions, now: live.explain(definitions, now, campaign, user),
        )
        return answer(200, found.json, headers)

    async def _definition(self, request: Request) -> tuple[Campaign, str | None]:
        """Read one campaign, or one Canvas if it has steps, with the fields of definition files."""
        body = await read_body(request, self._server.policy.body_bytes, self._server.policy.body_seconds)
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"the body is no JSON: {error}") from None
        if not isinstance(data, dict):
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

    async def _asked(self, ask: Callable[..., StoredCampaign], *arguments: Any) -> StoredCampaign:
        try:
            return await asyncio.to_thread(ask, *arguments)
        except UnknownCampaign as error:
            raise Refused(404, str(error)) from None
        except CampaignRefused as error:
            raise Refused(409, str(error)) from None
        except MetadataUnavailable:
            raise
        except UserError as error:
            raise bad_request(str(error)) from None


def report_of(server: Answers, campaign: str | None) -> Mapping[str, Any]:
    """Return the report of all campaigns or of one, as of now; raises as `from_results`."""
    report = from_results(server, campaign, lambda live, definitions, now: live.report(definitions, now))
    if campaign is None:
        return report
    return {**report, "campaigns": [one for one in report["campaigns"] if one["id"] == campaign]}


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
        try:
            stored = server.data.metadata.campaigns.get(campaign)
        except UnknownCampaign as error:
            raise Refused(404, str(error)) from None
        if stored.launched_at is None:
            raise Refused(409, f'campaign "{campaign}" was not launched yet: there is nothing to report')
    keeper = server.data.keeper
    for _ in range(2):
        if (why := keeper.failure or keeper.stale) is not None:
            raise Refused(503, f"the results are not up to date: {why}", {"Retry-After": "5"})
        try:
            return ask(server.data.live, server.data.definitions(), server.clock())
        except NotDerived:
            keeper.caught_up(CAUGHT_UP_SECONDS)
        except UserError as error:
            raise bad_request(str(error)) from None
    raise Refused(503, "the results of a changed definition are not there yet: come again", {"Retry-After": "5"})
