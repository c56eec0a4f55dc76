"""What a request is accepted as: facts in one form, whatever dialect they came in.

Every dialect (`native`, `braze`, `segment`) turns a body into `Accepted`, item by item accepted or rejected.
Its JSON is what the log keeps and the loader reads (`docs/decisions/0021-accepted-facts-in-the-log.md`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from afterword.errors import Reason

DIALECT = "facts"
"""The dialect of frames whose body is the JSON of `Accepted`."""

Json: TypeAlias = Any
"""A value as decoded from JSON, or `msgspec.Raw`: the text of one."""


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """An event (docs/files.md has the meaning of the columns)."""

    item: int
    """The position in the request, from 0: with the request's position in the log it names the item for ever."""
    user_id: str
    kind: str
    """A label of `EventKind`."""
    occurred_at: int
    """Epoch microseconds, as in all facts."""
    event_id: str | None = None
    """None where the sender gave none; `once` then says what becomes of equal items."""
    once: bool = True
    """Of items without an id: whether an equal item in a later request is the same fact (rule 33), or another."""
    name: str | None = None
    product_id: str | None = None
    order_id: str | None = None
    app_id: str | None = None
    app_version: str | None = None
    from_version: str | None = None
    device_id: str | None = None
    price: str | None = None
    """A decimal number of at most 6 places, as text."""
    quantity: int = 1
    currency: str | None = None
    campaign_id: str | None = None
    channel: str | None = None
    exposure_id: str | None = None
    machine: bool = False
    properties: Json = None
    """A JSON object, or None."""
    refund_of: str | None = None
    corrected: bool = False
    """`occurred_at` is derived from the time of receipt and is no content (rule 33)."""


class Exposure(msgspec.Struct, omit_defaults=True, gc=False):
    """An exposure; its campaign may be defined later."""

    item: int
    user_id: str
    campaign_id: str
    exposed_at: int
    exposure_id: str | None = None
    variant_id: str | None = None
    channel: str | None = None
    trigger_event_id: str | None = None
    outcome: str | None = None


class StepMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """A message of a Canvas step that a user received."""

    item: int
    user_id: str
    campaign_id: str
    step_id: str
    received_at: int
    message_id: str | None = None
    exposure_id: str | None = None


class Attributes(msgspec.Struct, omit_defaults=True, gc=False):
    """Attributes of a user; later ones replace earlier ones by name, null removes."""

    item: int
    user_id: str
    values: Json


class Merge(msgspec.Struct, gc=False):
    """Two ids are one person from now on, and always were (rule 37)."""

    item: int
    from_user_id: str
    to_user_id: str


class Deletion(msgspec.Struct, omit_defaults=True, gc=False):
    """A person is to be erased (rule 36)."""

    item: int
    user_id: str
    leave: str = "counts"
    """`counts`: a stranger's facts stay; `nothing`: they go, too."""


class Tombstone(msgspec.Struct, gc=False):
    """Stands in the log where a deletion stood, once the person is erased from it: later facts are refused."""

    item: int
    hash: str
    """The keyed hash of one of the person's ids."""
    erased_at: int


class Rejected(msgspec.Struct, omit_defaults=True, gc=False):
    """An item that cannot be used (rule 35)."""

    item: int
    kind: str
    """`events`, `exposures`, `step_messages`, `attributes`, `merges` or `deletions`."""
    reason: Reason
    message: str
    """One sentence: the value, the bound, the nearest right thing."""


class Usual(msgspec.Struct):
    """Objects of `/users/track` that are kept as they were sent: all are events that can be used (decision 0037)."""

    first: int
    """The item of the first; the others follow."""
    objects: Json
    """A list of `braze_usual.UsualEvent` or `UsualPurchase`."""


class Accepted(msgspec.Struct, omit_defaults=True):
    """All of one request."""

    events: list[Event] = []
    usual_events: Usual | None = None
    usual_purchases: Usual | None = None
    exposures: list[Exposure] = []
    step_messages: list[StepMessage] = []
    attributes: list[Attributes] = []
    merges: list[Merge] = []
    deletions: list[Deletion] = []
    tombstones: list[Tombstone] = []
    """Written by erasing alone; no dialect makes any."""
    rejected: list[Rejected] = []
