"""Does an event meet a conversion event? Kinds, filters and app versions (rules 5 and 20-25), one pair at a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum

from afterword.model import Campaign, ConversionEvent, ConversionKind, EventKind, Op, PropertyFilter
from tests.oracle_facts import EventFact, Json

KINDS = {
    ConversionKind.SESSION: {EventKind.SESSION},
    ConversionKind.PURCHASE: {EventKind.PURCHASE},
    ConversionKind.CUSTOM: {EventKind.CUSTOM},
    ConversionKind.UPGRADE: {EventKind.SESSION, EventKind.UPGRADE},
    ConversionKind.MESSAGE_OPEN: {EventKind.MESSAGE_OPEN},
    ConversionKind.MESSAGE_CLICK: {EventKind.MESSAGE_CLICK},
}


class Match(Enum):
    """How near one event comes to one conversion event, times apart."""

    MEETS = "meets"
    FILTER_NOT_MET = "filter_not_met"
    NOT_AN_UPGRADE = "not_an_upgrade"
    NO_EARLIER_VERSION = "no_earlier_version"
    NOTHING = "nothing"


def match(definition: ConversionEvent, campaign: Campaign, event: EventFact, history: Sequence[EventFact]) -> Match:
    """Compare one event with one conversion event; `history` is all of that person's events.

    Readings where the rulebook is silent: a custom event of another name, an open of another campaign and a
    session without a version (for an upgrade) are no near misses but nothing; an app or a product that is not
    listed, and an open by a machine, is a filter that is not met; a session of an app that is not listed is a near
    miss of an upgrade only if it is an upgrade of that other app.
    """
    if event.kind not in KINDS[definition.kind]:
        return Match.NOTHING
    if definition.kind is ConversionKind.CUSTOM and event.name != definition.name:
        return Match.NOTHING
    if definition.kind in (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK):
        if event.campaign_id != campaign.id:
            return Match.NOTHING
        if event.machine:
            return Match.FILTER_NOT_MET
    listed = not definition.apps or event.app_id in definition.apps
    if definition.kind is ConversionKind.UPGRADE:
        change = version_change(event, history)
        if change is not Match.MEETS:
            return change if listed else Match.NOTHING
    if definition.kind in (ConversionKind.SESSION, ConversionKind.UPGRADE) and not listed:
        return Match.FILTER_NOT_MET
    if definition.products and event.product_id not in definition.products:
        return Match.FILTER_NOT_MET
    return Match.MEETS if all(holds(where, event) for where in definition.where) else Match.FILTER_NOT_MET


# ---- versions


def version_change(event: EventFact, history: Sequence[EventFact]) -> Match:
    """Rules 20-25: is this session or stated upgrade an upgrade?"""
    if event.app_version is None:
        return Match.NOTHING
    if event.kind is EventKind.UPGRADE:
        assert event.from_version is not None
        return Match.MEETS if is_upgrade(event.from_version, event.app_version) else Match.NOT_AN_UPGRADE
    before = None
    for other in history:
        if other.kind not in (EventKind.SESSION, EventKind.UPGRADE) or other.app_version is None:
            continue
        if (other.app_id, other.device_id) != (event.app_id, event.device_id):
            continue
        if _order(other) < _order(event) and (before is None or _order(other) > _order(before)):
            before = other
    if before is None:
        return Match.NO_EARLIER_VERSION
    assert before.app_version is not None
    return Match.MEETS if is_upgrade(before.app_version, event.app_version) else Match.NOT_AN_UPGRADE


def _order(event: EventFact) -> tuple[int, bytes, int]:
    return event.at, event.id.encode(), event.kind


def is_upgrade(old: str, new: str) -> bool:
    """Rules 21-23."""
    old, new = old.strip(), new.strip()
    if old == new:
        return False
    old_parts, new_parts = _numbers(old), _numbers(new)
    if old_parts is None or new_parts is None:
        return True
    for i in range(max(len(old_parts), len(new_parts))):
        a = old_parts[i] if i < len(old_parts) else 0
        b = new_parts[i] if i < len(new_parts) else 0
        if a != b:
            return b > a
    return False


def _numbers(version: str) -> list[int] | None:
    parts = version.split(".")
    if all(part != "" and all(sign in "0123456789" for sign in part) for part in parts):
        return [int(part) for part in parts]
    return None


# ---- property filters


def holds(where: PropertyFilter, event: EventFact) -> bool:
    """Rule 5: one filter on one event. JSON null counts as missing."""
    found = [value for value in _values(where.property, event) if value is not None]
    match where.op:
        case Op.EXISTS:
            return bool(found)
        case Op.NOT_EXISTS:
            return not found
        case Op.NE:
            return not any(_equal(value, where.value) for value in found)
        case Op.EQ:
            return any(_equal(value, where.value) for value in found)
        case Op.IN:
            assert isinstance(where.value, tuple)
            return any(_equal(value, wanted) for value in found for wanted in where.value)
        case Op.CONTAINS:
            return any(isinstance(value, str) and str(where.value) in value for value in found)
        case _:
            return any(_compares(where.op, value, where.value) for value in found)


def _values(path: str, event: EventFact) -> list[Json]:
    columns: dict[str, Json] = {
        "$price": event.price,
        "$quantity": event.quantity if event.quantity is not None else 1,
        "$currency": event.currency,
        "$product_id": event.product_id,
        "$app_id": event.app_id,
        "$app_version": event.app_version,
    }
    if path in columns:
        return [columns[path]]
    at: list[Json] = [event.properties]
    for part in path.split("."):
        name = part.removesuffix("[]")
        at = [value[name] for value in at if isinstance(value, dict) and name in value]
        if part.endswith("[]"):
            at = [item for value in at if isinstance(value, list) for item in value]
    return at


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


def _equal(value: object, wanted: object) -> bool:
    a, b = _number(value), _number(wanted)
    if a is not None and b is not None:
        return a == b
    return type(value) is type(wanted) and value == wanted


def _compares(op: Op, value: object, wanted: object) -> bool:
    a, b = _number(value), _number(wanted)
    if a is not None and b is not None:
        return _ordered(op, (a > b) - (a < b))
    if isinstance(value, str) and isinstance(wanted, str):
        x, y = value.encode(), wanted.encode()
        return _ordered(op, (x > y) - (x < y))
    return False


def _ordered(op: Op, sign: int) -> bool:
    return {Op.GT: sign > 0, Op.GE: sign >= 0, Op.LT: sign < 0, Op.LE: sign <= 0}[op]
