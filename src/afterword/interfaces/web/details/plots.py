"""Charts over time: tables that a script draws, so that nothing is in a chart that is not in its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import Numbers
from afterword.interfaces.web.details.variants import exposed_label
from afterword.model import Campaign
from afterword.reports import wording
from afterword.reports.charts import shortened
from afterword.reports.page_charts import colours, period
from afterword.selection.bands import rate_bands

NAME_LETTERS = 40


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A column of the table, and a line of the chart."""

    name: str
    colour: str
    dashed: bool = False
    band: str = ""
    """`low` or `high`: an edge of the band around the line before."""


@dataclass(frozen=True, slots=True)
class Point:
    """A number of a line; the value is empty where it is not known or not told."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class PlotRow:
    """A day (or longer) and its numbers."""

    day: str
    label: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart and the table behind it."""

    id: str
    title: str
    about: str
    unit: str
    """`%`, a currency, or nothing."""
    lines: Sequence[PlotLine]
    rows: Sequence[PlotRow]
    first_column: str = "Day"


def plots(
    told: Mapping[str, Any], campaign: Campaign, letter: str | None, numbers: Numbers, first: str, last: str
) -> list[Plot]:
    """Return the charts of a campaign.

    Args:
        told: its part of report.json.
        campaign: its definition.
        letter: the conversion event that is shown; None if there is none.
        numbers: writes counts for who asks.
        first: only days from this one on; empty for all.
        last: only days up to this one; empty for all.

    """
    drawer = _Drawer(told, numbers)
    found = [drawer.so_far(letter), drawer.of_age(campaign, letter), drawer.daily(letter)] if letter else []
    found += [drawer.revenue(), drawer.recipients()]
    cut = [
        replace(
            one, rows=[row for row in one.rows if (not first or row.day >= first) and (not last or row.day <= last)]
        )
        for one in found
    ]
    return [grouped(one) for one in cut if one.rows]


class _Drawer:
    """Makes the charts of one campaign, by day."""

    def __init__(self, told: Mapping[str, Any], numbers: Numbers) -> None:
        self._told, self._numbers = told, numbers
        self._days: list[str] = told["by_day"]["days"]
        self._zone = told["timezone"]
        self._lines = [
            PlotLine(shortened(wording.variant_name(dict(variant)), NAME_LETTERS), colour, variant["control"])
            for variant, colour in zip(told["variants"], colours(dict(told)), strict=True)
        ]

    def so_far(self, letter: str) -> Plot:
        """The share of all recipients that had converted by the end of each day."""
        columns = []
        for variant in self._told["variants"]:
            counts = accumulate(self._told["by_day"]["variants"][variant["id"]]["conversions"][letter])
            columns.append([self._share(count, variant["exposed"]) for count in counts])
        return self._plot(
            "so-far",
            "Converted so far",
            f"Cumulative share of all recipients who converted on {letter}, by day of conversion ({self._zone}).",
            "%",
            self._lines,
            columns,
        )

    def of_age(self, campaign: Campaign, letter: str) -> Plot:
        """The rate among those whose window had passed, with its band."""
        bands = rate_bands(campaign, self._told, letter)
        days = self._told["persons"]["days"]
        lines, columns = [], []
        for variant, line in zip(self._told["variants"], self._lines, strict=True):
            by_day = {band.day: band for band in bands[variant["id"]]}
            known, column = None, []
            for day in days:
                known = by_day.get(day, known)
                hidden = known is None or self._numbers.is_hidden(known.converted)
                column.append(
                    [_nothing()] * 3
                    if known is None or hidden
                    else [_percent(known.rate), _percent(known.low), _percent(known.high)]
                )
            names = (("", ""), ("low", ", from"), ("high", ", to"))
            lines += [replace(line, name=line.name + more, band=band) for band, more in names]
            columns += [list(each) for each in zip(*column, strict=True)] if column else [[], [], []]
        about = (
            f"Users whose window on {letter} had passed by the end of each day, with the band that holds the truth on "
            "all days together, however often one looks: variants are compared at the same age here."
        )
        title = "Rate when the window has passed"
        rows = [row for row in _rows(days, columns) if any(point.value for point in row.points)]
        return Plot("of-age", title, about, "%", lines, rows)

    def daily(self, letter: str) -> Plot:
        """Conversions of each day, by their own day and by that of the exposure."""
        columns = [
            [self._count(n) for n in self._told[by]["total"]["conversions"][letter]]
            for by in ("by_day", "by_exposure_day")
        ]
        return self._plot(
            "daily",
            "Conversions per day",
            f"Variants with a message, event {letter}: by the day of the conversion, and by the day of the exposure "
            f"that it goes back to ({self._zone}).",
            "",
            [PlotLine("by conversion", "v0"), PlotLine("by exposure", "v2", dashed=True)],
            columns,
        )

    def revenue(self) -> Plot:
        """Revenue of each day."""
        currency = self._told["currency"]
        columns = [
            [Point(amount, written.money(amount, currency)) for amount in self._told[by]["total"]["revenue"]]
            for by in ("by_day", "by_exposure_day")
        ]
        return self._plot(
            "revenue",
            "Revenue per day",
            "Variants with a message, within the primary window: by the day of the purchase, and by the day of the "
            f"exposure ({self._zone}).",
            currency,
            [PlotLine("by purchase", "v0"), PlotLine("by exposure", "v2", dashed=True)],
            columns,
        )

    def recipients(self) -> Plot:
        """Recipients of each day."""
        series = self._told["by_exposure_day"]
        columns = [
            [self._count(n) for n in series["variants"][variant["id"]]["exposed"]] for variant in self._told["variants"]
        ]
        return self._plot(
            "recipients",
            f"{exposed_label(self._told)} per day",
            f"By the day of the exposure ({self._zone}); whoever was reached on two days counts on both.",
            "",
            self._lines,
            columns,
        )

    def _plot(
        self, name: str, title: str, about: str, unit: str, lines: Sequence[PlotLine], columns: Sequence[list[Point]]
    ) -> Plot:
        return Plot(name, title, about, unit, lines, _rows(self._days, columns))

    def _share(self, count: int, exposed: int) -> Point:
        if not exposed or self._numbers.is_hidden(count):
            return _nothing()
        return _percent(count / exposed)

    def _count(self, count: int) -> Point:
        return Point("" if self._numbers.is_hidden(count) else str(count), self._numbers.text(count))


def _rows(days: Sequence[str], columns: Sequence[list[Point]]) -> list[PlotRow]:
    return [PlotRow(day, written.day(day, year=True), points) for day, *points in zip(days, *columns, strict=True)]


def _percent(share: float) -> Point:
    return Point(f"{100 * share:.4g}", written.percent(share))


def _nothing() -> Point:
    return Point("", wording.NOTHING)


def grouped(plot: Plot) -> Plot:
    """Return a chart with so few rows that it can be read: what adds up in sums, what is cumulative at its last."""
    size, name = period(len(plot.rows))
    if size == 1:
        return plot
    groups = [plot.rows[start : start + size] for start in range(0, len(plot.rows), size)]
    if plot.unit == "%":
        return replace(plot, rows=[group[-1] for group in groups], first_column=f"Each {name}, by its last day")
    rows = [
        PlotRow(
            group[0].day,
            group[0].label,
            [_sum([row.points[place] for row in group], plot.unit) for place in range(len(plot.lines))],
        )
        for group in groups
    ]
    return replace(
        plot, title=plot.title.replace("per day", f"per {name}"), rows=rows, first_column=f"Each {name}, from"
    )


def _sum(points: Sequence[Point], currency: str) -> Point:
    if any(not point.value for point in points):
        return _nothing()
    total = sum((Decimal(point.value) for point in points), Decimal(0))
    text = written.money(f"{total:f}", currency) if currency else written.number(int(total))
    return Point(f"{total:f}", text)
