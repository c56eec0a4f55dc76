"""The usual good events of Afterword's own dialect, decoded all at once: what is unusual is left to `native`.

It accepts nothing that `native` would not accept with the very same outcome; tests compare the two.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from afterword.intake.accepted import Event
from afterword.intake.amounts import MAX_QUANTITY
from afterword.intake.bodies import DECODE_ERRORS, NOTHING
from afterword.intake.instants import read_instant
from afterword.intake.typed import Text, UserId, is_plain, user_text

# Below a million, no quantity makes a price too much.
_PRICE = re.compile(rb'("?)([0-9]{1,6}(?:\.[0-9]{1,6})?)\1')


class SentEvent(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An event whose fields are all known and usual."""

    user_id: UserId
    kind: Literal[
        "session", "purchase", "refund", "custom", "upgrade", "message_delivered", "message_bounced",
        "message_impression", "message_open", "message_click", "message_unsubscribe", "message_complaint",
    ]  # fmt: skip
    occurred_at: str
    event_id: Text | None = None
    name: Text | None = None
    product_id: Text | None = None
    order_id: Text | None = None
    app_id: Text | None = None
    app_version: Text | None = None
    from_version: Text | None = None
    device_id: Text | None = None
    price: Raw = NOTHING
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] | None = None
    currency: str | None = None
    campaign_id: Text | None = None
    channel: Literal["email", "push", "sms", "webhook", "in_app", "content_card"] | None = None
    exposure_id: Text | None = None
    machine: bool | None = None
    properties: Raw = NOTHING
    refund_of: Text | None = None


class _Sent(msgspec.Struct, gc=False):
    events: list[SentEvent]


_LIST = msgspec.json.Decoder(list[SentEvent])
_OBJECT = msgspec.json.Decoder(_Sent)


def typed_events(body: bytes) -> list[SentEvent] | None:
    """Return the events of a body; None if one of them is unusual, or the body."""
    try:
        return _LIST.decode(body) if body.lstrip()[:1] == b"[" else _OBJECT.decode(body).events
    except DECODE_ERRORS:
        return None


def typed_event(item: int, sent: SentEvent, latest: int) -> Event | None:
    """Return the fact; None if only a look at every single field can tell whether it is one."""
    at = read_instant(sent.occurred_at)
    if at is None or not 0 <= at <= latest or not _has_needed(sent):
        return None
    price, currency, properties = None, sent.currency or None, sent.properties
    if sent.price is not NOTHING:
        found = _PRICE.fullmatch(bytes(sent.price))
        if found is None:
            return None
        price = found.group(2).decode()
        if sent.kind == "refund" and not price.strip("0."):
            return None
    if currency is not None:
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
            return None
        currency = currency.upper()
    if properties is not NOTHING and not is_plain(properties):
        return None
    return Event(
        item, user_text(sent.user_id), sent.kind, at, sent.event_id or None, True, sent.name or None,
        sent.product_id or None, sent.order_id or None, sent.app_id or None, sent.app_version or None,
        sent.from_version or None, sent.device_id or None, price, sent.quantity or 1, currency,
        sent.campaign_id or None, sent.channel, sent.exposure_id or None, bool(sent.machine),
        None if properties is NOTHING else properties, sent.refund_of or None,
    )  # fmt: skip


def _has_needed(sent: SentEvent) -> bool:
    """Return whether an event has what its kind must have."""
    kind = sent.kind
    if kind == "session":
        return True
    if kind == "custom":
        return bool(sent.name)
    if kind == "purchase":
        return sent.price is not NOTHING and bool(sent.currency)
    if kind == "refund":
        return sent.price is not NOTHING and bool(sent.refund_of)
    if kind == "upgrade":
        return bool(sent.from_version and sent.app_version)
    return bool(sent.campaign_id)
