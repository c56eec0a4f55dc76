"""What answers about the data itself look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.native_types import ConversionEvent
from afterword.interfaces.api.result_types import Exploration

MAX_CANDIDATES = 8


class ServerState(TypedDict):
    """How far facts and results are behind the log."""

    ready: bool
    message: Annotated[str | None, Meta(description="why it is not ready")]
    durable_position: Annotated[int, Meta(description="requests that are in the log")]
    loaded_position: Annotated[int, Meta(description="requests that are among the facts")]
    attributed_position: Annotated[int, Meta(description="requests that the results know")]
    lag_seconds: Annotated[float, Meta(ge=0, description="age of the oldest request that is not loaded")]
    waiting_bytes: int
    failure: Annotated[str | None, Meta(description="why loading has stopped")]


class Arrival(TypedDict):
    """A fact that came in."""

    kind: Annotated[str, Meta(description="of an event, or `exposure` or `step_message`")]
    user_id: Annotated[str | None, Meta(description="null where the key may not list persons")]
    name: Annotated[str | None, Meta(description="of a custom event; else the product, app or step")]
    campaign: str | None
    variant: str | None
    occurred_at: str
    received_at: str
    key: Annotated[
        str | None, Meta(description="the name of the key that sent it; null if it came before the last start")
    ]
    position: Annotated[int, Meta(description="of the request in the log")]
    item: Annotated[int, Meta(description="its place in the request, from 0")]


class Arrivals(TypedDict):
    """Facts, the last first."""

    loaded_position: int
    arrivals: list[Arrival]


class RejectionExample(TypedDict):
    """An item that could not be used."""

    kind: str
    message: Annotated[str | None, Meta(description="null where the key may not list persons: it quotes what was sent")]
    item: Annotated[int, Meta(description="its place in the request, from 0; -1 is the request as a whole")]
    received_at: str


class RejectionsOfReason(TypedDict):
    """Items that could not be used for one reason."""

    reason: Annotated[str, Meta(description="one of a closed set (rule 35)")]
    count: int
    days: Annotated[dict[str, int], Meta(description="by day of receipt; days without any are left out")]
    examples: Annotated[list[RejectionExample], Meta(description="the last first")]


class Rejections(TypedDict):
    """Items that could not be used, the commonest reason first."""

    timezone: str
    since: str
    count: int
    reasons: list[RejectionsOfReason]


class SeenItem(TypedDict):
    """Something that was seen."""

    name: NotRequired[Annotated[str, Meta(description="of what is asked for; of values there is `value` instead")]]
    value: NotRequired[Annotated[Any, Meta(description="as a filter would have it: text, a number, true or false")]]
    kinds: NotRequired[
        Annotated[
            list[Literal["text", "number", "boolean", "mixed"]],
            Meta(description="of a property: what its values are"),
        ]
    ]
    count: Annotated[int, Meta(description="events of the last 30 days")]
    last_seen: NotRequired[str]


class Seen(TypedDict):
    """What was seen in the last 30 days, what fits best and came most often first."""

    as_of: str
    since: str
    what: str
    items: Annotated[list[SeenItem], Meta(description="none where nothing like it was seen")]
    matching: Annotated[int, Meta(description="how many there are, also beyond the limit")]
    events: Annotated[int, Meta(description="how many events they are of")]
    one_in: Annotated[
        int, Meta(ge=1, description="one event in so many was looked into, and `count` is an estimate if that is not 1")
    ]


class Candidates(TypedDict):
    """Conversion events that a campaign might have."""

    conversion_events: Annotated[list[ConversionEvent], Meta(min_length=1, max_length=MAX_CANDIDATES)]


class ShareOfSeen(TypedDict):
    """How many of those who were seen did what a conversion event asks for."""

    conversion_event: ConversionEvent
    users: Annotated[
        int | None, Meta(description="null for opens and clicks: a message is a campaign's, and this asks none")
    ]
    share: float | None


class SharesOfSeen(TypedDict):
    """Who did what in the last 30 days."""

    as_of: str
    since: str
    seen: Annotated[int, Meta(description="users who did anything in these days")]
    one_in: Annotated[
        int,
        Meta(description="upgrades were looked for in the history of one user in so many, and are about as many times"),
    ]
    conversion_events: list[ShareOfSeen]


class Measured(TypedDict):
    """A conversion event over the users whom messages of the campaign reached."""

    conversion_event: ConversionEvent
    converted: int
    rate: float | None


class Effect(TypedDict):
    """What a definition measures on the campaign's own exposures, as of one time."""

    as_of: str
    exposed: int
    becomes: list[Measured]
    was: Annotated[
        list[Measured] | None,
        Meta(description="under the definition that stands; null where nothing was launched that differs (rule 6)"),
    ]


class Preview(SharesOfSeen):
    """What would be measured, had a campaign been running for the last 30 days, and on the exposures that it has."""

    exploration: Annotated[Exploration | None, Meta(description="null where the campaign has no exposures")]
    effect: Annotated[Effect | None, Meta(description="null until the exploration is done")]
