"""What bodies and answers of assignment and holdouts look like."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

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
