"""A campaign's days for charts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.responses import Response

from afterword.intake.instants import is_date
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import ID, IN_QUERY, Choice, Parameters, Text
from afterword.interfaces.api.result_types import CampaignDays
from afterword.interfaces.api.server import Answers
from afterword.reports.day_series import AskedSeries
from afterword.store.permissions import Permission

FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Facts have no others."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the workspace."""

    name: str
    about: str
    required: bool = False
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        return {"type": "string", "examples": ["2026-03-31"]}

    def read(self, parameters: Parameters) -> date | None:
        """Return the day; None if nothing is said."""
        text = parameters.get(self.name, "").strip()
        if not text:
            return None
        found = date.fromisoformat(text) if is_date(text) else None
        if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise bad_request(
                f'{self.name} is "{text[:60]}", must be a date such as 2026-03-31, '
                f"of the years {FIRST_YEAR} to {LAST_YEAR}"
            )
        return found


FROM = Day("from", "the first day; the campaign's own if nothing is said")
TO = Day("to", "the last day; that of the results if nothing is said")
BY = Choice(
    "by", "whose day conversions and revenue belong to: their own or their exposure's", ("conversion", "exposure")
)
EVENT = Text("event", "the letter of a conversion event; all if nothing is said", example="A")
VARIANT = Text("variant", "the id of a variant, `total` or `total_with_control`; all if nothing is said")


async def _series(server: Answers, call: Call) -> Response:
    """Tell a campaign's days."""
    asked = call.parameters
    wanted = AskedSeries(
        first=FROM.read(asked),
        last=TO.read(asked),
        by_exposure=BY.read(asked) == "exposure",
        event=EVENT.read(asked) or None,
        variant=VARIANT.read(asked) or None,
    )
    found = await asyncio.to_thread(
        from_results,
        server,
        call.id,
        lambda live, definitions, now: live.series(definitions, now, call.id, wanted),
    )
    return answer(200, found)


OPERATIONS = (
    Operation(
        "GET",
        "/api/campaigns/{id}/series",
        "The days of a campaign, for charts",
        _series,
        OURS,
        (Answered(200, "its days", CampaignDays),),
        Permission.API_READ,
        (ID, FROM, TO, BY, EVENT, VARIANT),
        refusals={
            404: "there is no such campaign",
            409: "it was never launched",
            503: "the results are not up to date",
            504: "there was no answer in time",
        },
    ),
)
