"""Reports as CSV: one row per campaign, variant (or total) and conversion event; numbers as in report.json."""

from __future__ import annotations

import csv
import io
from typing import Any

from afterword.reports.text_table import campaigns_of

# fmt: off
COLUMNS = (
    "campaign_id", "campaign_name", "row", "variant_id", "variant_name", "control", "conversion_event", "exposed",
    "audience_share", "several_variants", "converted", "pending", "not_converted", "rate", "interval_low",
    "interval_high", "matured_n", "matured_converted", "compared_n", "compared_converted", "difference",
    "difference_low", "difference_high", "lift", "confidence", "p25_seconds", "median_seconds", "p75_seconds",
    "after_open", "after_click", "currency", "revenue", "per_exposed", "unconverted",
)
# fmt: on

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets run a cell that starts so; a name that does gets an apostrophe before it."""


def csv_text(report: dict[str, Any], campaign_id: str | None = None) -> str:
    """One campaign, or all, as CSV (RFC 4180) with a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for campaign in campaigns_of(report, campaign_id):
        totals = [
            {"id": "", "name": "", "control": False, "row": name} | campaign[name]
            for name in ("total", "total_with_control")
        ]
        for variant in [*campaign["variants"], *totals]:
            for letter in variant["conversions"] or [""]:
                cells = _cells(campaign, variant, letter)
                writer.writerow(["" if cells[column] is None else cells[column] for column in COLUMNS])
    return text.getvalue()


def guarded(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(FORMULA_STARTS) else name


def _cells(campaign: dict[str, Any], variant: dict[str, Any], letter: str) -> dict[str, Any]:
    revenue = variant["revenue"]
    cells: dict[str, Any] = dict.fromkeys(COLUMNS)
    cells |= {
        "campaign_id": guarded(campaign["id"]),
        "campaign_name": guarded(campaign["name"]),
        "row": variant.get("row", "variant"),
        "variant_id": guarded(variant["id"]),
        "variant_name": guarded(variant["name"]),
        "control": str(variant["control"]).lower(),
        "conversion_event": letter,
        "exposed": variant["exposed"],
        "audience_share": variant["audience_share"],
        "several_variants": variant["several_variants"],
        "currency": campaign["currency"],
        "revenue": revenue["amount"],
        "per_exposed": revenue["per_exposed"],
        "unconverted": " ".join(f"{amount} {currency}" for currency, amount in revenue["unconverted"].items()),
    }
    return cells | _conversion(variant["conversions"][letter]) if letter else cells


def _conversion(on: dict[str, Any]) -> dict[str, Any]:
    # fmt: off
    same = (
        "converted", "pending", "not_converted", "rate", "matured_n", "matured_converted", "compared_n",
        "compared_converted", "difference", "lift", "confidence", "after_open", "after_click",
    )
    # fmt: on
    low, high = on["interval"] or (None, None)
    difference_low, difference_high = on["difference_interval"] or (None, None)
    return {name: on[name] for name in same} | {
        "interval_low": low,
        "interval_high": high,
        "difference_low": difference_low,
        "difference_high": difference_high,
        **{f"{quartile}_seconds": on["time_to_convert"][quartile] for quartile in ("p25", "median", "p75")},
    }
