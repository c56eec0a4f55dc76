"""What questions and answers about all campaigns together look like."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.incremental_types import Incremental
from afterword.interfaces.api.native_types import ConversionEvent
from afterword.interfaces.api.report_types import Money
from afterword.interfaces.api.result_types import Day, Edge

View = Literal["every", "first", "last", "linear", "position", "time_decay"]
Count = Literal["users", "events"]
Credit = Annotated[str, Meta(description="exact, up to nine decimals", examples=["12.333333333"])]

CreditQuestion = TypedDict(
    "CreditQuestion",
    {
        "conversion_event": Annotated[
            ConversionEvent, Meta(description="a session, purchase or custom event; its deadline is the window")
        ],
        "from": NotRequired[Annotated[Edge | None, Meta(description="the first event that counts")]],
        "to": NotRequired[Annotated[Edge | None, Meta(description="the last one")]],
        "count": NotRequired[
            Annotated[Count | None, Meta(description="each user once (if nothing is said), or every event")]
        ],
    },
)
CreditQuestion.__doc__ = "Which events, of which period, after how long a time."


class DescribedView(TypedDict):
    """A way to share credit out."""

    view: View
    conserved: Annotated[bool, Meta(description="whether the campaigns' parts sum to the total that had a touch")]
    about: str


class RevenueOnce(TypedDict):
    """Revenue, each purchase once."""

    amount: Money
    unconverted: dict[str, Money]


class CreditTotal(TypedDict):
    """All of it, counted once."""

    conversions: int
    touched: Annotated[int, Meta(description="that had a message of some campaign in the window")]
    untouched: int
    revenue: RevenueOnce
    revenue_touched: RevenueOnce
    revenue_untouched: RevenueOnce


class CreditInView(TypedDict):
    """A campaign's part in a view."""

    conversions: Credit
    revenue: Money
    unconverted: dict[str, str]


class FunnelOf(TypedDict):
    """Persons, each once."""

    reached: int
    opened: Annotated[int | None, Meta(description="null where nobody reports opens")]
    clicked: Annotated[int | None, Meta(description="null where nobody reports clicks")]
    converted: int


class FunnelStep(TypedDict):
    """What a step counts."""

    step: Literal["reached", "opened", "clicked", "converted"]
    about: str


class AllFunnel(TypedDict):
    """From a message to the event, over all campaigns."""

    steps: list[FunnelStep]
    total: Annotated[FunnelOf, Meta(description="each person once, however many campaigns reached them")]


class CreditOfCampaign(TypedDict):
    """A campaign's parts."""

    id: str
    name: str
    kind: str
    views: dict[View, CreditInView]
    last_by_day: Annotated[list[int], Meta(description="conversions that it had the last touch of, by day")]
    funnel: FunnelOf
    incremental: Annotated[
        Incremental | None, Meta(description="of its own conversion events and whole time; null without control")
    ]


class AskedEvent(TypedDict):
    """The chosen event."""

    kind: str
    name: str | None
    apps: list[str]
    products: list[str]
    filters: int


BesideHoldout = TypedDict(
    "BesideHoldout",
    {
        "name": str,
        "from": str,
        "until": str,
        "conversions": dict[str, Any],
        "revenue": dict[str, Any],
        "warnings": list[str],
    },
)
BesideHoldout.__doc__ = "What a holdout says of the same event, over its own period."
CreditAnswer = TypedDict(
    "CreditAnswer",
    {
        "as_of": str,
        "timezone": str,
        "conversion_event": AskedEvent,
        "window_seconds": int,
        "from": str | None,
        "to": str | None,
        "count": Count,
        "currency": str,
        "views": list[DescribedView],
        "total": CreditTotal,
        "days": list[Day],
        "untouched_by_day": list[int],
        "funnel": AllFunnel,
        "campaigns": list[CreditOfCampaign],
        "holdouts": list[BesideHoldout],
    },
)
CreditAnswer.__doc__ = "Credit over all campaigns, in six views."
AskedCredit = TypedDict(
    "AskedCredit",
    {
        "id": str,
        "conversion_event": AskedEvent,
        "window_seconds": int,
        "from": str | None,
        "to": str | None,
        "count": Count,
        "state": Literal["waiting", "running", "done", "failed"],
        "progress": Annotated[float, Meta(ge=0, le=1)],
        "doing": str | None,
        "failure": str | None,
        "result": CreditAnswer | None,
    },
)
AskedCredit.__doc__ = "A question and what became of it."
