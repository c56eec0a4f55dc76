"""The rates that present recipients will have reached when their windows have closed (rule 40)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afterword.model import LETTERS, Campaign, ConversionKind
from afterword.stats.delays import Delays
from afterword.stats.forecast import Forecast, forecast
from afterword.stats.rates import Counts

OF_MESSAGES = (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)


def forecasts(campaign: Campaign, report: Mapping[str, Any]) -> dict[str, dict[str, Forecast | None]]:
    """Return the forecasts by conversion event and variant, from the campaign's part of report.json.

    None where nobody was exposed, where too few windows have got far enough for anything to be said, and for control
    on opens and clicks, which it cannot have (rule 17).
    """
    found: dict[str, dict[str, Forecast | None]] = {}
    for letter, event in zip(LETTERS, campaign.conversion_events, strict=False):
        found[letter] = {}
        for row in report["variants"]:
            if row["control"] and event.kind in OF_MESSAGES:
                found[letter][row["id"]] = None
                continue
            on, hours = row["conversions"][letter], report["delays"]["variants"][row["id"]][letter]
            found[letter][row["id"]] = forecast(
                Delays(tuple(hours["at_risk"]), tuple(hours["converted"])),
                event.deadline_seconds,
                Counts(row["exposed"], on["converted"]),
                pending=on["pending"],
            )
    return found
