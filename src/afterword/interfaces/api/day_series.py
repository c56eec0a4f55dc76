"""A campaign's days for charts."""

from __future__ import annotations

import asyncio
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afterword.intake.instants import is_date
from afterword.interfaces.api.access import bearer
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.braze_parameters import Parameters, choice
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.server import Answers
from afterword.reports.day_series import AskedSeries
from afterword.store.permissions import Permission

FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Facts have no others."""


def routes(server: Answers) -> list[Route]:
    """Return the routes."""

    async def series(request: Request) -> Response:
        """Tell a campaign's days: `from`, `to`, `by`, `event` (A to D) and `variant` say which part."""
        _, headers = server.key(request, bearer(request), Permission.API_READ)
        campaign, wanted = request.path_params["id"], asked(request.query_params)
        found = await asyncio.to_thread(
            from_results,
            server,
            campaign,
            lambda live, definitions, now: live.series(definitions, now, campaign, wanted),
        )
        return answer(200, found, headers)

    return [Route("/api/campaigns/{id}/series", series, methods=["GET"])]


def asked(parameters: Parameters) -> AskedSeries:
    """Read which part of the days is asked for."""
    return AskedSeries(
        first=day(parameters, "from"),
        last=day(parameters, "to"),
        by_exposure=choice(parameters, "by", ("conversion", "exposure")) == "exposure",
        event=parameters.get("event"),
        variant=parameters.get("variant"),
    )


def day(parameters: Parameters, name: str) -> date | None:
    """Return a day of the workspace.

    Raises:
        Refused: 400 for what is no date.

    """
    text = parameters.get(name, "").strip()
    if not text:
        return None
    found = date.fromisoformat(text) if is_date(text) else None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise bad_request(
            f'{name} is "{text[:60]}", must be a date such as 2026-03-31, of the years {FIRST_YEAR} to {LAST_YEAR}'
        )
    return found
