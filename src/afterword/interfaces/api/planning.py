"""How many users a campaign's smallest effect takes, over the API."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta
from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import report_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation
from afterword.interfaces.api.parameters import ID, IN_QUERY, Parameters
from afterword.interfaces.api.server import Answers
from afterword.store.campaigns import UnknownCampaign
from afterword.store.permissions import Permission

_NUMBER = re.compile(r"[0-9]{0,15}(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,3})?")
Share = Annotated[float, Meta(description="a percentage")]


@dataclass(frozen=True, slots=True)
class Number:
    """A number above 0."""

    name: str
    about: str
    below: float
    example: float
    required: bool = False
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        found = {"type": "number", "exclusiveMinimum": 0, "examples": [self.example]}
        return found if math.isinf(self.below) else found | {"exclusiveMaximum": self.below}

    def read(self, parameters: Parameters) -> float | None:
        """Return the number; None if nothing is said."""
        text = parameters.get(self.name, "").strip()
        if not text:
            return None
        found = float(text) if _NUMBER.fullmatch(text) and text[-1:].isdecimal() else 0.0
        if not 0 < found < self.below:
            most = "" if math.isinf(self.below) else f" and below {self.below:g}"
            raise bad_request(f'{self.name} is "{text[:60]}", must be a number above 0{most}, such as {self.example:g}')
        return found


RATE = Number("rate", "the share of users who convert anyway; the campaign's so far if nothing is said", 1, 0.03)
EFFECT = Number(
    "effect", "the smallest effect as a part of the rate; the campaign's if neither is said", math.inf, 0.02
)
DIFFERENCE = Number("difference", "the smallest effect as a difference of rates", 1, 0.005)
POWER = Number("power", "the probability to find it; 0.8 if nothing is said", 1, 0.8)
PER_DAY = Number(
    "per_day", "users first exposed on a day, in all; as in the last week if nothing is said", math.inf, 1000
)


class PlanEffect(TypedDict):
    """The smallest effect."""

    relative: Annotated[float, Meta(description="a part of the rate")]
    difference: Annotated[float, Meta(description="of rates")]


class PlanVariant(TypedDict):
    """A variant, control included."""

    id: str
    name: str
    control: bool
    share: Share
    users: Annotated[int | None, Meta(description="that it needs; null if no number of people suffices")]
    of_age: Annotated[int | None, Meta(description="users whose window has passed")]


class PlanCollected(TypedDict):
    """What has been collected."""

    users: Annotated[int, Meta(description="whose window has passed")]
    power: Annotated[float, Meta(description="the probability that they show the effect, if it is there")]
    missing_users: int | None
    missing_days: Annotated[int | None, Meta(description="about; null if nobody comes")]


class Plan(TypedDict):
    """How many users and days a difference takes (docs/statistics.md, Planning)."""

    campaign: str | None
    conversion_event: str | None
    plan: Literal["always_valid", "fixed"]
    alpha: float
    level: Annotated[float, Meta(description="of each difference's interval")]
    power: float
    minimum_sample: int
    deadline_seconds: int
    rate: float
    rate_from: Literal["given", "control", "all"]
    effect: PlanEffect
    users: Annotated[int | None, Meta(description="in all")]
    variants: list[PlanVariant]
    users_per_day: float | None
    days: Annotated[int | None, Meta(description="from the first user until the last window has passed, about")]
    collected: Annotated[PlanCollected | None, Meta(description="null before the launch")]
    sentences: list[str]


async def _planned(server: Answers, call: Call) -> Response:
    """Tell how many users a campaign takes."""
    return answer(200, await asyncio.to_thread(_plan, server, call.id, call.parameters))


def _plan(server: Answers, campaign_id: str, asked: Parameters) -> dict[str, Any]:
    from afterword.selection.sized import sizing_data
    from afterword.selection.sizing import Wish, sized, terms_of
    from afterword.stats.planning import POWER as USUAL
    from afterword.workspace.verdicts import sized as sized_by_results

    wish = Wish(
        RATE.read(asked),
        EFFECT.read(asked),
        DIFFERENCE.read(asked),
        POWER.read(asked) or USUAL,
        PER_DAY.read(asked),
    )
    try:
        stored = server.data.metadata.campaigns.get(campaign_id)
    except UnknownCampaign as error:
        raise Refused(404, str(error)) from None
    try:
        if stored.launched_at is None:
            return sizing_data(sized(terms_of(stored.campaign), wish))
        report = report_of(server, campaign_id)
        return sizing_data(sized_by_results(report, stored.campaign, wish, server.data.histories()))
    except UserError as error:
        raise bad_request(str(error)) from None


OPERATIONS = (
    Operation(
        "GET",
        "/api/campaigns/{id}/plan",
        "How many users and days a campaign's smallest effect takes, and what those that there are can show",
        _planned,
        OURS,
        (Answered(200, "the plan", Plan),),
        Permission.API_READ,
        (ID, RATE, EFFECT, DIFFERENCE, POWER, PER_DAY),
        refusals={
            404: "there is no such campaign",
            503: "the results are not up to date",
            504: "there was no answer in time",
        },
        about="Before the launch `rate` must be said, and `collected` is null.",
    ),
)
"""Paths about planning."""
