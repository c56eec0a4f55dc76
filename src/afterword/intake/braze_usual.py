"""Requests to `/users/track` of which every event and purchase is a usual one: checked as a whole, and not taken apart.

This is the hot path of the server. Python looks at no single object here: decoding checks types and lengths, a few
searches through the body show that nothing in it needs a closer look, and what goes into the log is what was decoded.
The loader makes facts of it in SQL (`store.usual`, decision 0037); `unfolded` makes the very same in Python.
What is not usual is left to `braze`, which has the same outcome for what is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta, Raw

from afterword.intake.accepted import Accepted, Event, Usual
from afterword.intake.bodies import DECODE_ERRORS, MAX_DEPTH, NOTHING
from afterword.intake.braze_items import MAX_PURCHASED
from afterword.intake.columns import MAX_LENGTH, MAX_PROPERTIES_BYTES
from afterword.intake.typed import Id, Text

ARRAYS: Final = ("usual_events", "usual_purchases")
"""Fields of `Accepted`."""
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_OFFSET: Final = timedelta(hours=15)
_QUOTE: Final = ord('"')
_OPENING: Final = b"{["
_BLOCK: Final = (MAX_LENGTH + 1) // 2
"""Bytes: a text that is too long has at least twice as many, and so the whole of one block."""
# Escapes that can hide a quote or a character, and names that stand for columns. One byte is found sooner than two.
_SPECIAL: Final = ((b"\\", (b'\\"', b"\\\\", b"\\u")), (b"$", (b'"$',)))
_ORDERS: Final = b"ecommerce."
_NO_OBJECT: Final = re.compile(rb'"properties"\s*:\s*[^\s{]')
_TOO_FINE: Final = re.compile(rb'\.[0-9]{7,}[Zz"+-]')
# Below a billion, no quantity of a purchase makes a price too much.
_PRICES: Final = re.compile(rb"(?:[0-9]{1,9}(?:\.[0-9]{1,6})?,)*")


class UsualEvent(msgspec.Struct, omit_defaults=True, gc=False):
    """An object of `events` whose user has an id."""

    external_id: Id
    name: Id
    time: datetime
    app_id: Text | None = None
    event_id: Text | None = None
    properties: Raw = NOTHING


class UsualPurchase(msgspec.Struct, omit_defaults=True, gc=False):
    """An object of `purchases` whose user has an id."""

    external_id: Id
    product_id: Id
    currency: str
    price: Raw
    time: datetime
    quantity: Annotated[int, Meta(ge=1, le=MAX_PURCHASED)] | None = None
    app_id: Text | None = None
    event_id: Text | None = None
    properties: Raw = NOTHING


class UsualTrack(msgspec.Struct, gc=False):
    """A request; attributes and sessions are for `braze`."""

    attributes: Raw = NOTHING
    events: list[UsualEvent] | None = None
    purchases: list[UsualPurchase] | None = None
    sessions: Raw = NOTHING


_TRACK: Final = msgspec.json.Decoder(UsualTrack)
_OBJECTS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "usual_events": msgspec.json.Decoder(list[UsualEvent]),
    "usual_purchases": msgspec.json.Decoder(list[UsualPurchase]),
}


def read_usual(body: bytes, latest: int) -> UsualTrack | None:
    """Return a request that brings nothing but usual events and purchases; None if it needs a look at each object.

    Args:
        body: UTF-8 without a byte order mark.
        latest: the latest time that a fact may have, in epoch microseconds.

    """
    if len(body) > MAX_PROPERTIES_BYTES or _is_special(body) or _NO_OBJECT.search(body) or _TOO_FINE.search(body):
        return None
    try:
        sent = _TRACK.decode(body)
        events, purchases = sent.events or [], sent.purchases or []
        if sent.attributes is not NOTHING or sent.sessions is not NOTHING or not (events or purchases):
            return None
        times = [one.time for one in events] + [one.time for one in purchases]
        if not (min(times) >= _EPOCH and max(times) <= _EPOCH + latest * _MICROSECOND):
            return None
        zones = {at.tzinfo for at in times}
    except (*DECODE_ERRORS, TypeError):  # times without a zone cannot be compared with others
        return None
    if any(abs(_offset(zone)) > _MAX_OFFSET for zone in zones) or not _are_amounts(purchases):
        return None
    return sent if _is_plain(body, len(times)) else None


def _is_special(body: bytes) -> bool:
    """Return whether there is something that may need a look at the object in which it stands."""
    return _ORDERS in body or any(byte in body and any(one in body for one in ones) for byte, ones in _SPECIAL)


def _offset(zone: tzinfo | None) -> timedelta:
    return (zone.utcoffset(None) if zone is not None else None) or timedelta()


def _are_amounts(purchases: Sequence[UsualPurchase]) -> bool:
    prices = b",".join([*[one.price for one in purchases], b""])
    currencies = {one.currency for one in purchases}
    return bool(_PRICES.fullmatch(prices)) and all(
        len(code) == 3 and code.isascii() and code.isalpha() for code in currencies
    )


def _is_plain(body: bytes, objects: int) -> bool:
    """Return whether no text of a body is long and nothing in it is deep; there is no quote inside a text."""
    text = np.frombuffer(body, np.uint8)
    is_quote = text == _QUOTE
    # Few bodies have a block without a quote.
    if not is_quote[: len(body) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).any(axis=1).all():
        quotes = np.flatnonzero(is_quote)
        if int((quotes[1:] - quotes[:-1]).max()) > MAX_LENGTH + 1:
            return False
    # An object and its properties account for two levels; whatever else opens could all be in one of them.
    opened = sum(int(np.count_nonzero(text == one)) for one in _OPENING)
    return opened - 2 * objects <= MAX_DEPTH - 2


def unfold(accepted: Accepted) -> None:
    """Make facts of the objects that are kept as they were sent, as the loader does."""
    for name in ARRAYS:
        usual: Usual | None = getattr(accepted, name)
        if usual is not None:
            accepted.events.extend(unfolded(name, usual.first, usual.objects))
            setattr(accepted, name, None)


def unfolded(name: str, first: int, objects: Any) -> list[Event]:
    """Return the facts that objects stand for.

    Args:
        name: one of `ARRAYS`.
        first: the item of the first.
        objects: a list of `UsualEvent` or `UsualPurchase`, or the text of one.

    """
    sent = _OBJECTS[name].decode(objects) if isinstance(objects, bytes | Raw) else objects
    make = _purchase if name == "usual_purchases" else _event
    return [make(first + number, one) for number, one in enumerate(sent)]


def _event(item: int, sent: UsualEvent) -> Event:
    return Event(**_shared(item, sent), kind="custom", name=sent.name)


def _purchase(item: int, sent: UsualPurchase) -> Event:
    return Event(
        **_shared(item, sent),
        kind="purchase",
        product_id=sent.product_id,
        price=bytes(sent.price).decode(),
        quantity=sent.quantity or 1,
        currency=sent.currency.upper(),
    )


def _shared(item: int, sent: UsualEvent | UsualPurchase) -> dict[str, Any]:
    properties = sent.properties
    return {
        "item": item,
        "user_id": sent.external_id,
        "occurred_at": (sent.time - _EPOCH) // _MICROSECOND,
        "event_id": sent.event_id or None,
        "once": bool(sent.event_id),
        "app_id": sent.app_id or None,
        "properties": None if properties is NOTHING or not bytes(properties) else properties,
    }
