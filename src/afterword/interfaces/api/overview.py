"""All campaigns with their headlines, and the one total over them that counts nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta
from starlette.responses import Response

from afterword.interfaces.api.answers import answer
from afterword.interfaces.api.campaigns import from_results, must_be_up_to_date, stored_campaigns
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Call, Operation, PerServer
from afterword.interfaces.api.report_types import Money
from afterword.interfaces.api.server import Answers
from afterword.model import Definitions
from afterword.reports.report import iso_time
from afterword.store.campaigns import StoredCampaign
from afterword.store.permissions import Permission
from afterword.workspace.latest import PATIENCE_SECONDS, Latest
from afterword.workspace.latest import Answer as LatestAnswer
from afterword.workspace.live import Live
from afterword.workspace.live.overview import overview_data


class RevenueOfMany(TypedDict):
    """Revenue."""

    amount: Money
    unconverted: dict[str, Money]
    purchases: int


class SumOfCampaigns(TypedDict):
    """The campaigns' own numbers added up, in which one user may be several."""

    converted: int


class OverviewTotal(TypedDict):
    """What all campaigns reached, counted once."""

    converted: Annotated[int, Meta(description="users who converted on the primary event of any campaign")]
    revenue: RevenueOfMany
    sum_of_campaigns: SumOfCampaigns
    reason: Annotated[str, Meta(description="why it is not the sum (rule 12)")]


class HeadlineVerdict(TypedDict):
    """The verdict in short."""

    answer: str
    variant: str | None
    sentence: str
    because: str | None


class Attention(TypedDict):
    """What somebody should look at."""

    code: Literal["split_broken", "guardrail_breached", "winner_found"]
    message: str


class Headline(TypedDict):
    """A campaign's results in short, of the variants with a message."""

    recipients: Annotated[int, Meta(description="distinct users")]
    denominator: str
    exposed: int
    converted: int | None
    rate: float | None
    interval: list[float] | None
    revenue: RevenueOfMany
    incremental_revenue: Annotated[Money | None, Meta(description="against control; null without one")]
    incremental_revenue_interval: list[Money] | None
    verdict: HeadlineVerdict | None
    attention: list[Attention]


class OverviewCampaign(TypedDict):
    """A campaign or Canvas."""

    id: str
    name: str
    kind: str
    status: str
    tags: list[str]
    channels: list[str]
    launched_at: str | None
    results: Annotated[Headline | None, Meta(description="null before the launch, and until they are computed")]


class Overview(TypedDict):
    """All campaigns."""

    as_of: str
    timezone: str
    currency: str
    total: OverviewTotal
    campaigns: list[OverviewCampaign]


_KEPT = PerServer[Answers, Latest[dict[str, Any]]](lambda server: Latest(precedence=server.data.precedence))


async def _told(server: Answers, _call: Call) -> Response:
    return answer(200, (await asyncio.to_thread(overview_of, server)).data)


def overview_of(
    server: Answers,
    patience: float = PATIENCE_SECONDS,
    *,
    must: bool = True,
    stored: Sequence[StoredCampaign] | None = None,
) -> LatestAnswer[dict[str, Any]]:
    """Return all campaigns with their headlines, as the API tells them; raises as `from_results` and `Latest.ask`.

    Args:
        server: whose campaigns.
        patience: how many seconds to wait for newer numbers.
        must: whether to wait for the first ones as long as it takes.
        stored: the campaigns as `stored_campaigns` has them, where they were asked for already.

    """
    must_be_up_to_date(server)
    stored = stored_campaigns(server) if stored is None else stored
    # Of other definitions the last one is still shown: what is new in it says that it has no results yet.
    key = (server.data.live.state.version, tuple((one.campaign.id, one.updated_at, one.status) for one in stored))
    latest = _KEPT.of(server)
    return latest.ask("overview", key, server.clock, lambda: _make(server, stored), patience=patience, must=must)


def _make(server: Answers, stored: Sequence[StoredCampaign]) -> dict[str, Any]:
    histories = server.data.histories()

    def ask(live: Live, definitions: Definitions, now: int) -> dict[str, Any]:
        report = live.report(definitions, now, histories)
        return overview_data(report, live.counted_once(definitions), [_kept(one) for one in stored])

    return from_results(server, None, ask)


def _kept(one: StoredCampaign) -> dict[str, Any]:
    campaign = one.campaign
    return {
        "id": campaign.id,
        "name": campaign.name,
        "kind": campaign.kind,
        "status": one.status.value,
        "tags": list(campaign.tags),
        "channels": [channel.value for channel in campaign.channels],
        "launched_at": None if one.launched_at is None else iso_time(one.launched_at),
    }


OPERATIONS = (
    Operation(
        "GET",
        "/api/overview",
        "All campaigns with their headlines, and a total that counts users and purchases once (rule 12)",
        _told,
        OURS,
        (Answered(200, "all of them, drafts and archived ones too", Overview),),
        Permission.API_READ,
        refusals={503: "the results are not up to date", 504: "there was no answer in time"},
        about="Made anew when the results have changed; until then, and while that takes longer than a moment, the "
        "last one is told, which says as of when it is.",
    ),
)
