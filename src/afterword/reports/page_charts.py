"""The charts of a campaign on the page, from its part of report.json."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from afterword.reports import wording
from afterword.reports.charts import Estimate, IntervalChart, LineChart, Series, interval_chart, line_chart

COLOURS = 8
"""The style sheet has so many colours for variants, v0 to v7, and vc for the control."""

PERIODS = ((1, "day"), (7, "week"), (28, "four weeks"))
MAX_PERIODS = 92


def colours(campaign: dict[str, Any]) -> list[str]:
    """The colour class of each variant."""
    found: list[str] = []
    for variant in campaign["variants"]:
        used = sum(colour != "vc" for colour in found)
        found.append("vc" if variant["control"] else f"v{used % COLOURS}")
    return found


def differences(campaign: dict[str, Any], letter: str, of: list[str]) -> IntervalChart | None:
    """Differences from control in percentage points."""
    estimates = []
    for variant, colour in zip(campaign["variants"], of, strict=True):
        on = variant["conversions"][letter]
        if on["difference_interval"] is None or on["difference"] is None:
            continue
        low, high = on["difference_interval"]
        estimates.append(Estimate(wording.variant_name(variant), colour, 100 * low, 100 * on["difference"], 100 * high))
    return interval_chart(estimates, "Difference of the conversion rate from control, with 95 percent intervals.")


def cumulative(campaign: dict[str, Any], letter: str, of: list[str]) -> LineChart | None:
    """The share of each variant's recipients that has converted by the end of each day."""
    days = campaign["by_day"]
    series = [
        Series(
            wording.variant_name(variant),
            colour,
            [
                100 * converted / variant["exposed"]
                for converted in accumulate(days["variants"][variant["id"]]["conversions"][letter])
            ],
            dashed=variant["control"],
        )
        for variant, colour in zip(campaign["variants"], of, strict=True)
        if variant["exposed"]
    ]
    return line_chart(series, days["days"], "%", "Cumulative share of recipients who converted, by day of conversion.")


def daily(campaign: dict[str, Any], letter: str) -> LineChart | None:
    """Conversions per day (or longer period) by day of conversion and by day of exposure."""
    days = campaign["by_day"]["days"]
    size, name = period(len(days))
    series = [
        Series("by conversion", "v0", _summed(campaign["by_day"]["total"]["conversions"][letter], size)),
        Series("by exposure", "v2", _summed(campaign["by_exposure_day"]["total"]["conversions"][letter], size), True),
    ]
    return line_chart(series, days[::size], "", f"Conversions per {name}, variants with a message.", height=210)


def recipients(campaign: dict[str, Any], of: list[str]) -> LineChart | None:
    """Unique recipients of each variant per day of exposure (or longer period: the sum of its days)."""
    series = campaign["by_exposure_day"]
    size, name = period(len(series["days"]))
    lines = [
        Series(
            wording.variant_name(variant),
            colour,
            _summed(series["variants"][variant["id"]]["exposed"], size),
            dashed=variant["control"],
        )
        for variant, colour in zip(campaign["variants"], of, strict=True)
    ]
    return line_chart(lines, series["days"][::size], "", f"Unique recipients per {name} of exposure.", height=210)


def period(days: int) -> tuple[int, str]:
    """How many days one point of a daily chart stands for, and their name."""
    return next((period for period in PERIODS if days <= MAX_PERIODS * period[0]), PERIODS[-1])


def _summed(values: Sequence[int], size: int) -> list[int]:
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]
