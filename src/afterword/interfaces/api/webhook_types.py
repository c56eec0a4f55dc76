"""What changes of conversions and webhooks look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import Meta

from afterword.interfaces.api.braze_types import Id, UserId
from afterword.model import Channel
from afterword.store.webhooks import MAX_URL

NOW = "now"
Url = Annotated[str, Meta(description=f"https or http, at most {MAX_URL:,} characters, without user name and password")]
Campaigns = Annotated[list[Id] | None, Meta(description="ids of campaigns; null or left out: all")]
Events = Annotated[list[str] | None, Meta(description="letters of conversion events; null or left out: all")]
From = Annotated[str, Meta(description="`now`, `beginning` or a cursor")]
Time = Annotated[str, Meta(description="ISO 8601, UTC")]


class Change(TypedDict):
    """A conversion that was gained or taken back; the fields are those of `conversions.parquet`."""

    sequence: Annotated[int, Meta(description="grows for ever")]
    changed_at: Time
    kind: Literal["conversion", "retraction"]
    conversion_id: str
    campaign_id: Id
    conversion_event: str
    user_id: UserId
    exposure_id: str
    variant_id: str
    channel: Channel | None
    step_id: str | None
    exposed_at: Time
    converted_at: Time
    event_id: str
    after_open: bool
    after_click: bool
    definition_version: str


class Changes(TypedDict):
    """Changes in their order."""

    changes: list[Change]
    cursor: Annotated[str, Meta(description="where to go on")]
    more: Annotated[bool, Meta(description="whether there is more already")]


class Webhook(TypedDict):
    """A webhook without its secret."""

    id: str
    url: str
    campaigns: list[str] | None
    conversion_events: list[str] | None
    status: Literal["active", "failing", "paused"]
    cursor: Annotated[str, Meta(description="how far the receiver is")]
    created_at: Time
    delivered_at: Time | None
    failures: Annotated[int, Meta(description="in a row")]
    failing_since: Time | None
    last_error: str | None
    next_attempt: Time | None
    paused_at: Time | None


class AllWebhooks(TypedDict):
    """All webhooks, oldest first."""

    webhooks: list[Webhook]


class MadeWebhook(Webhook):
    """A new webhook with its secret, which is not shown again."""

    secret: str


class TestedWebhook(TypedDict):
    """What became of a delivery without changes."""

    delivery_id: str
    received: bool
    status: Annotated[int | None, Meta(description="what the receiver answered; null if it did not")]
    message: str


class WantedChanges(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent, and where to."""

    url: Url
    campaigns: Campaigns = None
    conversion_events: Events = None


class NewWebhook(WantedChanges, forbid_unknown_fields=True):
    """The body that makes a webhook."""

    from_: From = msgspec.field(default=NOW, name="from")


class ChangedWebhook(WantedChanges, forbid_unknown_fields=True):
    """The body that changes one; without `paused` it stays as paused or active as it is."""

    paused: bool | None = None


class ResumedWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """The body that resumes one; without `from` it goes on where it stood."""

    from_: From | None = msgspec.field(default=None, name="from")
