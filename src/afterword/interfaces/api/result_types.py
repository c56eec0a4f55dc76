"""What answers about results look like besides report.json (docs/report-json.md), for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.native_types import ConversionEvent
from afterword.interfaces.api.report_types import DescribedEvent, Letter, Money
from afterword.model import MAX_CONVERSION_EVENTS

Day = Annotated[str, Meta(description="a day of the workspace", examples=["2026-03-31"])]
Edge = Annotated[str, Meta(description="a day of the workspace, or a time", examples=["2026-03-31"])]


class Cumulative(TypedDict):
    """Sums from the campaign's first day on."""

    exposed: list[int]
    conversions: dict[Letter, list[int]]
    revenue: list[Money]


class SeriesEntry(TypedDict):
    """A variant's or total's numbers, one for each of the days."""

    exposed: list[int]
    recipients: list[int]
    conversions: dict[Letter, list[int]]
    revenue: list[Money]
    revenue_unconverted: dict[str, list[Money]]
    cumulative: Cumulative


class CampaignDays(TypedDict):
    """A campaign's days."""

    as_of: str
    campaign: str
    timezone: str
    currency: str
    counting: str
    denominator: str
    by: Literal["conversion", "exposure"]
    conversion_events: list[DescribedEvent]
    days: list[Day]
    variants: dict[str, SeriesEntry]
    total: NotRequired[SeriesEntry]
    total_with_control: NotRequired[SeriesEntry]


# What `from` names is a word of Python, so these two are made by a call.
Question = TypedDict(
    "Question",
    {
        "conversion_events": NotRequired[
            Annotated[list[ConversionEvent], Meta(min_length=1, max_length=MAX_CONVERSION_EVENTS)] | None
        ],
        "version": NotRequired[Annotated[str, Meta(description="of the campaign's own definition")] | None],
        "from": NotRequired[Edge | None],
        "to": NotRequired[Edge | None],
    },
)
Question.__doc__ = "Conversion events or a version, and which exposures."
Exploration = TypedDict(
    "Exploration",
    {
        "id": str,
        "campaign": str,
        "exploratory": bool,
        "from": str | None,
        "to": str | None,
        "state": Literal["waiting", "running", "done", "failed"],
        "progress": Annotated[float, Meta(ge=0, le=1)],
        "doing": str | None,
        "failure": str | None,
        "result": Annotated[
            dict[str, Any] | None,
            Meta(description="docs/report-json.md; of a version the campaign's part of report.json"),
        ],
    },
)
Exploration.__doc__ = "A question and what became of it."


class Version(TypedDict):
    """A version of a campaign's definition."""

    version: str
    adopted_at: str
    counting: str
    conversion_events: list[ConversionEvent]


class Versions(TypedDict):
    """All versions, in the order in which they were adopted."""

    versions: list[Version]


class Compared(TypedDict):
    """Whether the results are what a full computation gives."""

    same: bool
    as_of: str
    campaigns: int
    rows: int
    differences: list[dict[str, Any]]


class StillComparing(TypedDict):
    """It is not known yet."""

    same: None
    message: str
