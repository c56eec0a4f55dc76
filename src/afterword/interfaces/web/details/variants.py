"""The variant table, with the columns that somebody chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import Cell, Grid, Heading, Line, Numbers, scopes, variant_line
from afterword.reports import wording
from afterword.reports.page_context import badge_of, lift_of, note_of


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be shown."""

    key: str
    label: str
    about: str
    usual: bool = True
    """Whether it is there if nobody chose."""
    of_event: bool = True
    """Whether it is about the conversion event that is shown."""


COLUMNS = (
    Column(
        "exposed",
        "Recipients",
        "Everyone who was assigned to the variant and reached by the campaign, also who did not open anything. "
        "Control's were held out: they got no message.",
        of_event=False,
    ),
    Column(
        "audience", "Audience", "The variant's part of all who were exposed, control included.", False, of_event=False
    ),
    Column(
        "converted",
        "Conversions",
        "Who did what the conversion event asks for within its window, whether or not the message was opened.",
    ),
    Column("after_open", "After an open", "Conversions that came after an open of that message by a person.", False),
    Column("after_click", "After a click", "Conversions that came after a click in that message by a person.", False),
    Column("rate", "Rate", "Conversions so far, of all recipients. It still grows while windows are open."),
    Column(
        "interval",
        "95 % interval",
        "Where the rate would lie if the same were done again many times: Wilson's interval, right for one look.",
    ),
    Column("pending", "Pending", "Not converted, and the window is still open."),
    Column(
        "lift",
        "Lift over control",
        "How much higher the rate is than control's. It is not clear where the 95 % interval of the difference holds "
        "zero. Users of several variants are left out.",
    ),
    Column(
        "revenue",
        "Revenue",
        "All purchases by the recipients within the primary window, less refunds, of any product.",
        of_event=False,
    ),
    Column("per", "Per recipient", "Revenue divided by everyone exposed to the variant.", of_event=False),
)
KEYS = tuple(column.key for column in COLUMNS)
USUAL = tuple(column.key for column in COLUMNS if column.usual)


@dataclass(frozen=True, slots=True)
class Choice:
    """A column that can be ticked."""

    key: str
    label: str
    chosen: bool


def choices(told: Mapping[str, Any], chosen: Sequence[str]) -> list[Choice]:
    """Return the columns that a campaign can have, and which are shown."""
    return [Choice(column.key, _label(column, told), column.key in chosen) for column in _possible(told)]


def variant_grid(
    told: Mapping[str, Any], letter: str | None, chosen: Sequence[str], colours: Sequence[str], numbers: Numbers
) -> Grid:
    """Return the table of the variants on one conversion event; without one, of recipients and revenue."""
    shown = [column for column in _possible(told) if column.key in chosen and (letter or not column.of_event)]
    badge, best = badge_of(dict(told), letter)
    lines = [
        variant_line(
            variant,
            [_cell(told, variant["id"], variant, letter, column.key, numbers) for column in shown],
            colour,
            note=written.sentence(note_of(dict(variant)), [variant["id"]]),
            badge=badge if variant["id"] == best else "",
        )
        for variant, colour in zip(told["variants"], colours, strict=True)
    ]
    totals = [
        Line(name, [_cell(told, scope, row, letter, column.key, numbers) for column in shown], note)
        for scope, name, note, row in scopes(told)
    ]
    headings = [Heading("Variant"), *(Heading(_label(column, told), column.about) for column in shown)]
    return Grid(f"Variants on {letter}" if letter else "Variants", headings, lines, totals)


def _possible(told: Mapping[str, Any]) -> list[Column]:
    events = bool(told["conversion_events"])
    return [column for column in COLUMNS if events or not column.of_event]


def _label(column: Column, told: Mapping[str, Any]) -> str:
    if column.key == "exposed":
        return exposed_label(told)
    if column.key == "per":
        per = {"users": "Per recipient", "exposures": "Per exposure"}.get(told["denominator"], "Per channel")
        return "Per entry" if told["kind"] == "canvas" else per
    return column.label


def exposed_label(told: Mapping[str, Any]) -> str:
    """Return what those are called who are counted: rule 16's denominator in the marketer's words."""
    if told["kind"] == "canvas":
        return "Entries"
    return wording.DENOMINATORS[told["denominator"]][0]


def _cell(
    told: Mapping[str, Any], scope: str, row: Mapping[str, Any], letter: str | None, key: str, numbers: Numbers
) -> Cell:
    of_everyone = _of_everyone(told, scope, row, key, numbers)
    if of_everyone is not None or letter is None:
        return of_everyone or Cell(wording.NOTHING)
    on = row["conversions"][letter]
    hidden = numbers.is_hidden(on["converted"]) or numbers.is_hidden(row["exposed"])
    if key == "converted":
        return numbers.people(on["converted"], scope, letter, "converted")
    if key in ("after_open", "after_click"):
        return numbers.people(on[key], scope, letter, key, numbers.part(on[key], on["converted"]))
    if key == "rate":
        return Cell(wording.NOTHING if hidden else written.percent(on["rate"]), tone="strong")
    if key == "interval":
        return Cell(wording.NOTHING if hidden else written.interval(on["interval"]), tone="small")
    if key == "pending":
        return numbers.people(on["pending"], scope, letter, "pending")
    event = next(event for event in told["conversion_events"] if event["letter"] == letter)
    if hidden:
        return Cell(wording.NOTHING, tone="muted")
    lift, tone, note = lift_of(dict(row), on, not wording.is_never_compared(event))
    return Cell(written.rewritten(lift), note, tone=tone)


def _of_everyone(
    told: Mapping[str, Any], scope: str, row: Mapping[str, Any], key: str, numbers: Numbers
) -> Cell | None:
    revenue, currency = row["revenue"], told["currency"]
    hidden = numbers.is_hidden(revenue["purchases"]) or numbers.is_hidden(row["exposed"])
    if key == "exposed":
        return numbers.people(row["exposed"], scope, "", "exposed", "held out" if row.get("control") else "")
    if key == "audience":
        return Cell(written.percent(row["audience_share"], 1))
    if key == "revenue":
        apart = " + ".join(written.money(amount, code) for code, amount in revenue["unconverted"].items())
        shown = written.money(revenue["amount"], currency)
        return Cell(wording.NOTHING) if hidden else Cell(shown, f"+ {apart}" if apart else "")
    if key == "per":
        return Cell(wording.NOTHING if hidden else written.per_unit(revenue["per_exposed"], currency))
    return None
