"""How numbers, times and conversion events read, the same on the page, in the terminal and in Markdown."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from afterword.durations import describe_duration
from afterword.money import minor_units

NARROW = "\u202f"
"""A narrow space that does not break, between a number and its percent sign."""
NOTHING = "–"
MINUS = "\u2212"

SYMBOLS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "KRW": "₩",
    "BRL": "R$",
    "AUD": "A$",
    "CAD": "C$",
}

DENOMINATORS = {
    "users": ("Recipients", "distinct users"),
    "exposures": ("Exposures", "every exposure counts"),
    "user_channels": ("User-channels", "each user counts once per channel"),
}
"""Heading of the denominator's column, and what it counts."""

COUNTING = {
    "once_per_user": "A recipient counts once per conversion event, whether or not the message was opened.",
    "once_per_exposure": "Each exposure may convert once per conversion event, whether or not the message was opened.",
    "once_per_channel": "Each channel of a recipient may convert once per conversion event.",
}

KINDS = {
    "session": "Starts session",
    "purchase": "Makes purchase",
    "upgrade": "Upgrades app",
    "message_open": "Opens message",
    "message_click": "Clicks message",
}


def number(value: int | None) -> str:
    """With thousands separators: 10,021."""
    return NOTHING if value is None else f"{value:,}"


def percent(fraction: float | None, digits: int = 2) -> str:
    """7.32 %."""
    return NOTHING if fraction is None else f"{100 * fraction:,.{digits}f}{NARROW}%"


def signed(value: float, digits: int) -> str:
    """With a sign, a real minus, and none on what rounds to zero."""
    text = f"{abs(value):,.{digits}f}"
    if not any(digit in "123456789" for digit in text):
        return text
    return ("+" if value > 0 else MINUS) + text


def signed_percent(fraction: float | None, digits: int = 1) -> str:
    """+19.9 %."""
    return NOTHING if fraction is None else f"{signed(100 * fraction, digits)}{NARROW}%"


def interval(bounds: list[float] | None) -> str:
    """5.65 – 6.59 %."""
    return NOTHING if bounds is None else f"{100 * bounds[0]:.2f} – {100 * bounds[1]:.2f}{NARROW}%"


def confidence(value: float | None) -> str:
    """A percentage that never claims certainty, not even by rounding: 98.7 %, > 99.9 %, > 99.99 %."""
    if value is None:
        return NOTHING
    if value > 99.99:
        return f">{NARROW}99.99{NARROW}%"
    return f">{NARROW}99.9{NARROW}%" if value > 99.9 else f"{value:.1f}{NARROW}%"


def money(amount: str | None, currency: str) -> str:
    """A decimal string as people write it: €30,311.69, or 30,311.69 CHF where no sign is common."""
    if amount is None:
        return NOTHING
    value = Decimal(amount)
    digits = f"{abs(value):,f}"
    symbol = SYMBOLS.get(currency)
    text = f"{symbol}{digits}" if symbol else f"{digits}{NARROW}{currency}"
    return f"{MINUS}{text}" if value < 0 else text


def signed_money(value: float, currency: str) -> str:
    """Money with a sign, and none on what rounds to zero; whole units where it is much: −$1,200."""
    digits = 0 if abs(value) >= 1000 else minor_units(currency)
    rounded = round(Decimal(value), digits)
    text = money(f"{abs(rounded):.{digits}f}", currency)
    return text if not rounded else ("+" if rounded > 0 else MINUS) + text


def beside(signed: str, unit: str = "", less: str = "less") -> str:
    """A signed number as what there is more or less of it than elsewhere: 20 fewer."""
    word = less if signed.startswith(MINUS) else "more"
    return " ".join(part for part in (signed.lstrip(f"+{MINUS}"), unit, word) if part)


def per_unit(amount: str | None, currency: str) -> str:
    """Revenue per recipient: the minor units, and two digits more below 1."""
    if amount is None:
        return NOTHING
    value = Decimal(amount)
    digits = minor_units(currency) + (2 if 0 < abs(value) < 1 else 0)
    return money(f"{value:.{digits}f}", currency)


def duration(seconds: float | None) -> str:
    """The two largest units: 2 h 5 min."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes} min" if hours and minutes else (f"{hours} h" if hours else f"{minutes} min")


def day(iso: str, year: bool = False) -> str:
    """2 Nov, or 2 Nov 2026."""
    value = date.fromisoformat(iso[:10])
    return f"{value.day} {value:%b} {value.year}" if year else f"{value.day} {value:%b}"


def moment(iso: str) -> str:
    """22 Nov 2026, 14:03 UTC."""
    value = datetime.fromisoformat(iso)
    return f"{value.day} {value:%b %Y, %H:%M} UTC"


def event_title(event: dict[str, Any]) -> str:
    """What a conversion event is: Makes purchase, or the custom event's name."""
    return str(event["name"]) if event["kind"] == "custom" else KINDS[event["kind"]]


def event_sentence(event: dict[str, Any]) -> str:
    """Its filters and deadline: any product · within 3 days."""
    parts = [*_scope_of(event), *(_filter(one) for one in event["where"])]
    return " · ".join([*parts, f"within {describe_duration(event['deadline_seconds'])}"])


def _scope_of(event: dict[str, Any]) -> list[str]:
    kind = event["kind"]
    if kind == "purchase":
        return [", ".join(event["products"]) or "any product"]
    if kind in ("session", "upgrade"):
        return [", ".join(event["apps"]) or "all apps"]
    return ["custom event"] if kind == "custom" else ["of this campaign, by a person"]


def _filter(one: dict[str, Any]) -> str:
    words = {"exists": "is set", "not_exists": "is not set"}
    if one["op"] in words:
        return f"{one['property']} {words[one['op']]}"
    value = one["value"]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    signs = {">=": "≥", "<=": "≤", "!=": "≠"}
    return f"{one['property']} {signs.get(one['op'], one['op'])} {text}"


def variant_name(variant: dict[str, Any]) -> str:
    """The variant's name, else its id."""
    return str(variant["name"] or ("Control" if variant["control"] else variant["id"]))


def remarks(campaign: dict[str, Any]) -> list[str]:
    """What a reader would otherwise wonder about: nobody exposed, no control, one variant."""
    found = []
    messaged = [variant for variant in campaign["variants"] if not variant["control"]]
    control = [variant for variant in campaign["variants"] if variant["control"]]
    if not campaign["total_with_control"]["exposed"]:
        return ["Nobody was exposed to this campaign yet, so there are no rates."]
    if not control:
        found.append("There is no control group to compare with: no difference, no lift, no confidence.")
    elif not control[0]["exposed"]:
        found.append("Nobody is in the control group yet, so there is nothing to compare with.")
    if len(messaged) == 1:
        found.append("There is one variant with a message.")
    if not campaign["conversion_events"]:
        found.append("The campaign has no conversion events; its revenue window is 3 days.")
    return found


def letter_remark(campaign: dict[str, Any], event: dict[str, Any]) -> str:
    """What must be said about one conversion event; empty if nothing."""
    total, found = campaign["total_with_control"], []
    if total["exposed"] and not total["conversions"][event["letter"]]["converted"]:
        found.append(f"Nobody has converted on {event['letter']} so far.")
    if is_never_compared(event):
        found.append("Opens and clicks are not compared with control, which gets no message.")
    return " ".join(found)


def is_never_compared(event: dict[str, Any]) -> bool:
    """Whether it is an open or a click, which control cannot have (rule 17)."""
    return event["kind"] in ("message_open", "message_click")
