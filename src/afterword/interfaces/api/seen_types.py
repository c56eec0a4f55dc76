"""What answers about the data itself look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, TypedDict

from msgspec import Meta


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


