"""Single objects of `/users/track`, read step by step: what is wrong with each, in the sender's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw

from afterword.errors import Reason
from afterword.intake import steps
from afterword.intake.accepted import Attributes, Event, Json
from afterword.intake.bodies import object_of
from afterword.intake.braze_orders import ORDER_EVENTS, Head, order_events
from afterword.intake.braze_users import user_of
from afterword.intake.columns import MAX_LENGTH
from afterword.intake.instants import read_instant
from afterword.intake.steps import Clock, Draft

MAX_PURCHASED = 100
"""The largest quantity of a purchase."""
_OWN_FIELDS = frozenset(
    {"external_id", "user_alias", "braze_id", "event_id"}
    | {"_update_existing_only", "_merge_objects", "push_token_import"}
)
"""Fields of an attributes object that are no attributes."""
_MILLISECONDS = re.compile(r"([T ][0-9]{2}:[0-9]{2}:[0-9]{2}):([0-9]{3})(?![0-9])")

Read = Callable[[int, Draft, Clock], list[Event]]
"""Reads an object as the facts that it stands for; none if the draft has faults."""


def read_track_instant(text: str) -> int | None:
    """Return the time that a text stands for; the milliseconds may follow a colon, as the original allows."""
    instant = read_instant(text)
    return read_instant(_MILLISECONDS.sub(r"\1.\2", text)) if instant is None else instant


def attributes(item: int, draft: Draft) -> Attributes | None:
    """Read an object of the array `attributes`; None if it has faults."""
    user = user_of(draft)
    values = {name: raw for name, raw in draft.fields.items() if name not in _OWN_FIELDS}
    _check_names(draft, "attributes", values)
    encoded = msgspec.json.encode(values)
    steps.check_object(draft, "attributes", encoded)
    return None if draft.faults or user is None else Attributes(item, user, Raw(encoded))


def event(item: int, draft: Draft, clock: Clock) -> list[Event]:
    """Read an object of the array `events`."""
    user, at, event_id, app_id = _head(draft, clock)
    draft.need("name")
    name = steps.identifier(draft, "name")
    if name in ORDER_EVENTS and user is not None and at is not None:
        return order_events(draft, Head(item, user, at, name, app_id, event_id))
    properties = _properties(draft)
    if draft.faults or user is None or at is None:
        return []
    return [Event(item, user, "custom", at, event_id, event_id is not None, name, app_id=app_id, properties=properties)]


def purchase(item: int, draft: Draft, clock: Clock) -> list[Event]:
    """Read an object of the array `purchases`."""
    user, at, event_id, app_id = _head(draft, clock)
    for name in ("product_id", "price", "currency"):
        draft.need(name)
    product_id, exact = steps.identifier(draft, "product_id"), steps.price(draft, "price")
    quantity, currency = steps.quantity(MAX_PURCHASED)(draft, "quantity"), steps.currency(draft, "currency")
    steps.check_amount(draft, "price", "purchase", exact, quantity)
    properties = _properties(draft)
    if draft.faults or user is None or at is None:
        return []
    price = steps.price_text(draft["price"], exact)
    return [
        Event(
            item, user, "purchase", at, event_id, event_id is not None, product_id=product_id, app_id=app_id,
            price=price, quantity=quantity, currency=currency, properties=properties,
        )
    ]  # fmt: skip


def session(item: int, draft: Draft, clock: Clock) -> list[Event]:
    """Read an object of the array `sessions`, which the original does not have."""
    user, at, event_id, app_id = _head(draft, clock)
    version, device = steps.identifier(draft, "app_version"), steps.identifier(draft, "device_id")
    if draft.faults or user is None or at is None:
        return []
    once = event_id is not None
    return [Event(item, user, "session", at, event_id, once, app_id=app_id, app_version=version, device_id=device)]


def _head(draft: Draft, clock: Clock) -> tuple[str | None, int | None, str | None, str | None]:
    user = user_of(draft)
    at: int | None = steps.time(clock, read_track_instant)(draft, "time")
    return user, at, steps.identifier(draft, "event_id"), steps.identifier(draft, "app_id")


def _properties(draft: Draft) -> Json:
    value = steps.properties(draft, "properties")
    if value is not None:
        _check_names(draft, "properties", object_of(value))
    return value


def _check_names(draft: Draft, field: str, values: Mapping[str, Raw]) -> None:
    """Names that begin with `$` are the original's own, and filters take them for columns (rule 5)."""
    for name in values:
        if name.startswith("$"):
            draft.fault(Reason.BAD_PROPERTIES, field, f'{field} has the name "{name[:60]}", must not begin with "$"')
        if len(name) > MAX_LENGTH:
            message = f"{field} has a name of {len(name)} characters, must be at most {MAX_LENGTH}"
            draft.fault(Reason.TOO_LONG, field, message)
