"""The headline figures, over the variants with a message, each with what the message caused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from afterword.durations import describe_duration
from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import Numbers
from afterword.interfaces.web.details.variants import exposed_label
from afterword.reports import wording


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    label: str
    value: str
    about: str
    """What it means."""
    note: str = ""
    address: str = ""
    caused: str = ""
    """How much more or less it is than without the message; empty where nothing can be said."""
    between: str = ""
    """The interval of that part."""
    tone: str = ""


def figures(told: Mapping[str, Any], numbers: Numbers) -> list[Figure]:
    """Return the headline figures of a campaign."""
    total, currency = told["total"], told["currency"]
    controlled = any(variant["control"] for variant in told["variants"])
    found = [
        Figure(
            exposed_label(told),
            numbers.text(total["exposed"]),
            f"Those with a message ({wording.DENOMINATORS[told['denominator']][1]})"
            + (", control left out." if controlled else "."),
            "without control" if controlled else "",
            numbers.address(total["exposed"], "total", "", "exposed"),
        )
    ]
    if told["conversion_events"]:
        found += _of_primary(told, numbers)
    window = describe_duration(told["revenue_window_seconds"])
    apart = " + ".join(written.money(amount, code) for code, amount in total["revenue"]["unconverted"].items())
    hidden = numbers.is_hidden(total["revenue"]["purchases"])
    caused, between, tone = _caused(told, "revenue", lambda value: written.signed_money(value, currency), hidden)
    found.append(
        Figure(
            "Revenue in window",
            wording.NOTHING if hidden else written.money(total["revenue"]["amount"], currency),
            f"All that the recipients bought within {window} of their message, less refunds, of any product. "
            "What the message caused is the difference from control per user whose window has passed, times all users.",
            f"within {window}" + (f", and {apart} without a rate" if apart else ""),
            caused=wording.beside(caused) if caused else "",
            between=between,
            tone=tone,
        )
    )
    return found


def _of_primary(told: Mapping[str, Any], numbers: Numbers) -> list[Figure]:
    on, exposed = told["total"]["conversions"]["A"], told["total"]["exposed"]
    hidden = numbers.is_hidden(on["converted"]) or numbers.is_hidden(exposed)
    caused, between, tone = _caused(told, "A", lambda value: written.signed(value, 0), hidden)
    points, points_between, _ = _caused(told, "A", lambda value: written.signed(100 * value, 2), hidden, "rate")
    pending = on["pending"] / exposed if exposed else None
    return [
        Figure(
            "Conversions, event A",
            numbers.text(on["converted"]),
            "Who did what the primary conversion event asks for, in time. What the message caused is the difference "
            "from control among users whose window has passed, times all recipients: the others would have done it "
            "anyway.",
            address=numbers.address(on["converted"], "total", "A", "converted"),
            caused=wording.beside(caused, less="fewer") if caused else "",
            between=between,
            tone=tone,
        ),
        Figure(
            "Conversion rate",
            wording.NOTHING if hidden else written.percent(on["rate"]),
            "Conversions so far, of all recipients; under it the difference from control in percentage points, among "
            "users whose window has passed.",
            "" if hidden else written.interval(on["interval"]),
            caused=wording.beside(points, "points") if points else "",
            between=points_between,
            tone=tone,
        ),
        Figure(
            "Pending",
            wording.NOTHING if numbers.is_hidden(on["pending"]) else written.percent(pending, 1),
            "Recipients who have not converted on A and whose window is still open: the rate can still grow by them.",
            f"{numbers.text(on['pending'])} windows open" if on["pending"] else "all windows have closed",
            numbers.address(on["pending"], "total", "A", "pending"),
        ),
    ]


def _caused(
    told: Mapping[str, Any], metric: str, write: Callable[[float], str], hidden: bool, field: str = ""
) -> tuple[str, str, str]:
    """Return what the message caused, its interval, and how it looks: of the whole, or the difference of the rate."""
    one = ((told.get("incremental") or {}).get("metrics") or {}).get(metric)
    value = one["difference" if field else "incremental"] if one else None
    if one is None or hidden or value is None:
        return "", "", ""
    bounds = one["interval" if field else "incremental_interval"]
    if bounds is None:
        return ("", "", "") if not float(value) else (write(float(value)), "too early for an interval", "muted")
    low, high = map(float, bounds)
    tone = "good" if low > 0 else "bad" if high < 0 else "muted"
    return write(float(value)), f"{write(low)} to {write(high)}", tone
