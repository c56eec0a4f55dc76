"""What bodies and answers of assignment and holdouts look like."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.braze_types import Id, UserId
from afterword.interfaces.api.native_types import RejectedItem, Time
from afterword.model import Channel


class Assign(TypedDict):
    """Whom to assign in a campaign that runs."""

    campaign_id: Id
    users: Annotated[list[UserId], Meta(description="10,000 at most")]
    record: NotRequired[
        Annotated[bool | None, Meta(description="whether the users are exposed by this; false if nothing is said")]
    ]
    exposed_at: NotRequired[
        Annotated[Time | None, Meta(description="when they are exposed; the time of receipt if nothing is said")]
    ]
    channel: NotRequired[Annotated[Channel | None, Meta(description="of the recorded exposures")]]


class AssignedUser(TypedDict):
    """Which variant a user gets."""

    user_id: str
    variant_id: Annotated[str | None, Meta(description="null for who is held out: nothing must be sent")]
    control: Annotated[bool, Meta(description="whether that is the control, which gets no message")]
    held_out: Annotated[str | None, Meta(description="the holdout that the user is in")]
    exposure_id: NotRequired[Annotated[str, Meta(description="of the exposure that was recorded")]]


class Assigned(TypedDict):
    """The variants, each user once, in the order of the request."""

    message: str
    campaign_id: str
    assigned: list[AssignedUser]
    recorded: Annotated[int, Meta(description="how many exposures were recorded")]
    rejected: list[RejectedItem]
    notes: Annotated[list[str], Meta(description="what was assumed or ignored, a sentence each")]


class NobodyAssigned(TypedDict):
    """Why nobody was assigned: the body as a whole, or each of its users."""

    message: str
    campaign_id: NotRequired[str]
    assigned: NotRequired[list[AssignedUser]]
    recorded: NotRequired[int]
    rejected: NotRequired[list[RejectedItem]]
    notes: NotRequired[list[str]]


Share = Annotated[float, Meta(ge=0.1, le=15, description="percent, at most two decimals")]
Ends = Annotated[list[float | None] | None, Meta(description="both ends; null for one without a bound")]
State = Literal["planned", "active", "ended"]
NewHoldout = TypedDict(
    "NewHoldout",
    {
        "name": Annotated[str, Meta(min_length=1, max_length=255)],
        "share": Share,
        "from": NotRequired[Annotated[str | None, Meta(description="a date or a time; now if nothing is said")]],
        "until": Annotated[str, Meta(description="a date or a time, at which it has ended")],
    },
)
"""A holdout to be."""
Holdout = TypedDict("Holdout", {"name": str, "share": Share, "from": str, "until": str, "state": State})
"""A holdout."""


class AllHoldouts(TypedDict):
    """The holdouts of the workspace."""

    holdouts: list[Holdout]


class Sums(TypedDict):
    """Sums over persons."""

    n: int
    y: float
    yy: float


class Side(TypedDict):
    """One side: persons known before the period's end, and what they did in the period."""

    known: int
    converted: int
    rate: float | None
    interval: Ends
    revenue: Annotated[str, Meta(description="exact, in the reporting currency")]
    unconverted: Annotated[dict[str, str], Meta(description="what has no exchange rate, in its own currencies")]
    purchases: int
    revenue_per_person: float | None
    revenue_sums: Sums


class Sides(TypedDict):
    """Both sides."""

    held_out: Side
    everyone_else: Side


class MoreConversions(TypedDict):
    """Everyone else's rate less that of who was held out, and what that makes of all who were not."""

    difference: float | None
    interval: Ends
    lift: float | None
    lift_interval: Ends
    p_value: float | None
    incremental: Annotated[float | None, Meta(description="conversions that messaging brought")]
    incremental_interval: Ends


class MoreRevenue(TypedDict):
    """The same of revenue per person."""

    difference: float | None
    interval: Ends
    lift: float | None
    lift_interval: Ends
    p_value: float | None
    incremental: Annotated[str | None, Meta(description="revenue that messaging brought")]
    incremental_interval: list[str | None] | None


class LeftOut(TypedDict):
    """Persons on neither side."""

    merged_across: int
    in_other_holdouts: int


class HoldoutSplit(TypedDict):
    """Whether the sides have the sizes that the share gives."""

    expected_share: float
    share: float | None
    p_value: float | None


class CountedEvent(TypedDict):
    """What counts as a conversion."""

    kind: str
    name: str | None
    apps: list[str]
    products: list[str]
    filters: int


class HoldoutReport(TypedDict):
    """What all messaging brought."""

    as_of: str
    holdout: Holdout
    conversion_event: CountedEvent
    currency: str
    groups: Sides
    conversions: MoreConversions
    revenue: MoreRevenue
    left_out: LeftOut
    split: HoldoutSplit
    warnings: list[str]
