"""The rows that the terminal, Markdown and CSV show of a campaign: texts, not yet laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from afterword.durations import describe_duration
from afterword.errors import UserError, nearest
from afterword.reports import wording


@dataclass(frozen=True, slots=True)
class TextTable:
    """A titled table; the first column is left-aligned, the others are numbers."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    note: str = ""


def campaign_of(report: dict[str, Any], campaign_id: str) -> dict[str, Any]:
    """The part of a report about one campaign."""
    for campaign in report["campaigns"]:
        if campaign["id"] == campaign_id:
            return dict(campaign)
    known = [campaign["id"] for campaign in report["campaigns"]]
    raise UserError(f'there is no campaign "{campaign_id}" in this report{nearest(campaign_id, known)}')


def campaigns_of(report: dict[str, Any], campaign_id: str | None) -> list[dict[str, Any]]:
    """One campaign, or all."""
    return list(report["campaigns"]) if campaign_id is None else [campaign_of(report, campaign_id)]


def headline(campaign: dict[str, Any]) -> str:
    """What a campaign is, in a line."""
    kind = "Canvas" if campaign["kind"] == "canvas" else "Campaign"
    _, counted = wording.DENOMINATORS[campaign["denominator"]]
    return f"{kind} {campaign['id']} · rates are shares of {campaign['denominator'].replace('_', '-')} ({counted})"


def remarks(campaign: dict[str, Any]) -> list[str]:
    """Warnings and remarks as sentences."""
    return [*(warning["message"] for warning in campaign["warnings"]), *wording.remarks(campaign)]


def tables(campaign: dict[str, Any]) -> list[TextTable]:
    """The variants (per conversion event), revenue, time to convert, and steps."""
    found = [_variants(campaign, event) for event in campaign["conversion_events"]]
    found.append(_revenue(campaign))
    if campaign["conversion_events"]:
        found.append(_times(campaign))
    if campaign["steps"]:
        found.append(_steps(campaign))
    return found


def named_rows(campaign: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The variants and totals with their names."""
    rows = [(wording.variant_name(variant), variant) for variant in campaign["variants"]]
    if len(rows) > 1:
        rows.append(("Total without control", campaign["total"]))
    if any(variant["control"] for variant in campaign["variants"]):
        rows.append(("All with control", campaign["total_with_control"]))
    return rows


def _variants(campaign: dict[str, Any], event: dict[str, Any]) -> TextTable:
    letter = event["letter"]
    exposed, _ = wording.DENOMINATORS[campaign["denominator"]]
    compared = not wording.is_never_compared(event)
    rows = []
    for name, row in named_rows(campaign):
        on = row["conversions"][letter]
        lift = "baseline" if row.get("control") and compared else wording.signed_percent(on["lift"])
        rows.append(
            [
                name,
                wording.number(row["exposed"]),
                wording.number(on["converted"]),
                wording.percent(on["rate"]),
                wording.interval(on["interval"]),
                wording.number(on["pending"]),
                lift,
                wording.confidence(on["confidence"]),
            ]
        )
    primary = " (primary)" if event["primary"] else ""
    return TextTable(
        f"{letter}. {wording.event_title(event)}{primary}: {wording.event_sentence(event)}",
        ["Variant", exposed, "Conversions", "Rate", "95 % interval", "Pending", "Lift over control", "Confidence"],
        rows,
        wording.letter_remark(campaign, event),
    )


def _revenue(campaign: dict[str, Any]) -> TextTable:
    currency = campaign["currency"]
    exposed, _ = wording.DENOMINATORS[campaign["denominator"]]
    rows = [
        [
            name,
            wording.number(row["exposed"]),
            wording.number(row["revenue"]["purchases"]),
            wording.money(row["revenue"]["amount"], currency),
            wording.per_unit(row["revenue"]["per_exposed"], currency),
            " + ".join(wording.money(amount, code) for code, amount in row["revenue"]["unconverted"].items()),
        ]
        for name, row in named_rows(campaign)
    ]
    headings = ["Variant", exposed, "Purchases", "Revenue", "Revenue each", "Without a rate"]
    if not any(row[-1] for row in rows):
        rows, headings = [row[:-1] for row in rows], headings[:-1]
    window = describe_duration(campaign["revenue_window_seconds"])
    return TextTable(f"Revenue within {window} of the exposure", headings, rows)


def _times(campaign: dict[str, Any]) -> TextTable:
    rows = []
    for event in campaign["conversion_events"]:
        letter = event["letter"]
        on = campaign["total"]["conversions"][letter]
        time = on["time_to_convert"]
        also = campaign["also_converted"][letter]
        rows.append(
            [
                letter,
                *(wording.duration(time[quartile]) for quartile in ("p25", "median", "p75")),
                wording.number(on["after_open"]),
                wording.number(on["after_click"]),
                ", ".join(f"{other} {wording.number(count)}" for other, count in also.items()) or wording.NOTHING,
            ]
        )
    headings = ["Event", "A quarter within", "Half within", "Three quarters within"]
    return TextTable(
        "Time to convert, variants with a message",
        [*headings, "After an open", "After a click", "Also converted on"],
        rows,
    )


def _steps(campaign: dict[str, Any]) -> TextTable:
    letters = [event["letter"] for event in campaign["conversion_events"]]
    rows = [
        [
            step["name"] or step["id"],
            wording.number(step["received"]),
            wording.number(step["recipients"]),
            *(wording.number(step["conversions"][letter]) for letter in letters),
            wording.money(step["revenue"]["amount"], campaign["currency"]),
        ]
        for step in campaign["steps"]
    ]
    conversions = [f"Conversions {letter}" for letter in letters]
    return TextTable("Canvas steps", ["Step", "Messages", "Recipients", *conversions, "Revenue"], rows)
