"""Facts and verdicts as sentences, with the margin by which an event missed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from afterword.attribution.explain import Judged, Verdict
from afterword.durations import describe_duration
from afterword.model import ConversionEvent, EventKind, Op, PropertyFilter

MICROSECONDS = 1_000_000
MOST_VALUES = 5
"""So many values of an array are told."""


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names) if len(names) <= 3 else f"{names[0]} or {len(names) - 1} others"


def describe_filter(where: PropertyFilter) -> str:
    """Return a filter as the definition has it: `cart.total >= 50`."""
    if where.op in (Op.EXISTS, Op.NOT_EXISTS):
        return f"{where.property} {where.op.value.replace('_', ' ')}"
    return f"{where.property} {where.op.value} {_value(where.value)}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(_value(each) for each in value) + ")"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def describe_event(row: Mapping[str, Any]) -> str:
    """Return an event in words."""
    kind = EventKind(row["kind"])
    app = f" {row['app_id']}" if row["app_id"] else ""
    if kind in (EventKind.PURCHASE, EventKind.REFUND):
        money = f"{_money(row['price'])} {row['currency'] or ''}".strip()
        times = f" x {row['quantity']}" if row["quantity"] != 1 else ""
        if kind is EventKind.REFUND:
            return f"was refunded {money}{times} for purchase {row['refund_of']}"
        return f"bought {row['product_id'] or 'something'} for {money}{times}"
    if kind is EventKind.SESSION:
        return f"opened the app{app}" + (f", version {row['app_version']}" if row["app_version"] else "")
    if kind is EventKind.UPGRADE:
        return f"upgraded the app{app} from {row['from_version']} to {row['app_version']}"
    if kind is EventKind.CUSTOM:
        return f"did {row['name']}"
    return f"message {kind.label.removeprefix('message_')}" + (" by a machine" if row["machine"] else "")


def _money(price: Decimal) -> str:
    cents = price.quantize(Decimal("0.01"))
    return str(cents if cents == price else price.normalize())


def sentence(judged: Judged, event: ConversionEvent, exposed_at: int, row: Mapping[str, Any] | None, name: str) -> str:
    """Say why.

    Args:
        judged: the verdict, and the event that decided it.
        event: the conversion event.
        exposed_at: when the exposure was.
        row: the event's fields, None if no event decided.
        name: how to call that event.

    """
    verdict = judged.verdict
    if row is None or judged.time is None:
        if verdict is Verdict.PENDING:
            return f"nothing yet, and the window of {describe_duration(event.deadline_seconds)} is still open"
        return "nothing of this kind happened"
    if verdict is Verdict.FILTER_NOT_MET:
        return f"{name}: {_unmet(judged, event, row)}"
    late = judged.time - exposed_at - event.deadline_seconds * MICROSECONDS
    version = f"{name} shows version {row['app_version']}"
    told = {
        Verdict.CONVERTED: f"{name} came {_after(judged.time - exposed_at)}",
        Verdict.ALREADY_CONVERTED: f"{name} {_already(judged.time > exposed_at)}",
        Verdict.TRIGGER_EXCLUDED: f"{name} triggered this exposure, so it counts as just before it",
        Verdict.CREDITED_TO_LATER_EXPOSURE: f"{name} came after a later exposure and counts for that",
        Verdict.NOT_AN_UPGRADE: f"{version}, which is no upgrade",
        Verdict.NO_EARLIER_VERSION: f"{version}, the first one known of this app and device",
        Verdict.TOO_LATE: f"{name} came {_span(late)} after the deadline",
        Verdict.BEFORE_EXPOSURE: f"{name} came {_span(exposed_at - judged.time)} before the exposure",
    }
    return told[verdict]


def _already(later: bool) -> str:
    """What is named is the event that converted, or one of this exposure that came after a conversion."""
    return "came when the user had converted already" if later else "had converted before this exposure"


def _after(microseconds: int) -> str:
    return f"{_span(microseconds)} after the exposure" if microseconds else "at the very moment of the exposure"


def _span(microseconds: int) -> str:
    """Return a margin in words; what is under a minute is told exactly."""
    if microseconds < 1000:
        return f"{microseconds} µs"
    seconds, rest = divmod(microseconds, MICROSECONDS)
    if rest and seconds < 60:
        return f"{Decimal(microseconds) / MICROSECONDS:f} s" if seconds else f"{Decimal(microseconds) / 1000:f} ms"
    return describe_duration(seconds)


def _unmet(judged: Judged, event: ConversionEvent, row: Mapping[str, Any]) -> str:
    if row["machine"]:
        return "a machine did it, not the user"
    if event.products and row["product_id"] not in event.products:
        return f"product {_quoted(row['product_id'])}, asked for {_listed(event.products)}"
    if event.apps and row["app_id"] not in event.apps:
        return f"app {_quoted(row['app_id'])}, asked for {_listed(event.apps)}"
    missed = [event.where[place] for place in judged.unmet]
    return "; ".join(f"{_found(where, row)}, asked for {describe_filter(where)}" for where in missed)


def _quoted(value: object) -> str:
    return "missing" if value is None else f'"{value}"'


def _found(where: PropertyFilter, row: Mapping[str, Any]) -> str:
    """Return what the event has at the filter's place."""
    if where.property.startswith("$"):
        return f"{where.property} is {_shown_column(row[where.property[1:]])}"
    values = _at(json.loads(row["properties"] or "{}", parse_float=Decimal), where.property.split("."))
    if not values:
        return f"{where.property} is missing"
    return f"{where.property} is {', '.join(map(_shown_property, values[:MOST_VALUES]))}"


def _shown_column(value: object) -> str:
    if isinstance(value, Decimal):
        return _money(value)
    return _quoted(value) if isinstance(value, str | None) else str(value)


def _shown_property(value: object) -> str:
    return json.dumps(value, default=str) if isinstance(value, dict | list | None) else _value(value)


def _at(value: Any, parts: list[str]) -> list[Any]:
    """Return the values at a dotted path; `[]` goes through the elements of an array."""
    if not parts:
        return [value]
    name, each = parts[0].removesuffix("[]"), parts[0].endswith("[]")
    if not isinstance(value, dict) or name not in value:
        return []
    inner = value[name]
    if not each:
        return _at(inner, parts[1:])
    return [found for item in inner for found in _at(item, parts[1:])] if isinstance(inner, list) else []
