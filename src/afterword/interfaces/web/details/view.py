"""The page of a campaign, put together: what there is to say in each of its states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.details.figures import Figure, figures
from afterword.interfaces.web.details.grids import NAME_LETTERS, Grid, Numbers
from afterword.interfaces.web.details.heading import EventCard, Title, event_cards, moment
from afterword.interfaces.web.details.tables import also_grid, outcomes_grid, plain_grid, steps_grid, times_grid
from afterword.interfaces.web.details.variants import Choice, choices, exposed_label, variant_grid
from afterword.reports import page_charts, wording
from afterword.reports.charts import IntervalChart, shortened
from afterword.reports.page_context import verdict_of
from afterword.reports.page_types import VerdictView

CHART_LETTERS = 60
"""Names in charts are not longer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the campaign somebody wants to see."""

    letter: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Results:
    """What came of the campaign."""

    as_of: str
    figures: Sequence[Figure]
    verdict: VerdictView | None
    plain: Grid | None
    """The confidence of other tools."""
    warnings: Sequence[str]
    remarks: Sequence[str]
    cards: Sequence[EventCard]
    letter: str
    remark: str
    """What must be said about the conversion event that is shown."""
    counting: str
    exposed: str
    variants: Grid
    columns: Sequence[Choice]
    differences: IntervalChart | None
    times: Grid | None
    also: Grid | None
    steps: Grid | None
    outcomes: Grid | None
    version: str


@dataclass(frozen=True, slots=True)
class Details:
    """The page: with results, or with the reason why there are none."""

    title: Title
    results: Results | None
    nothing: str = ""
    """`draft`, `nobody`, `counting` or `waiting` where there are no results."""
    why: str = ""
    """In words, where results are not there yet."""
    letter: str = ""
    """The conversion event that is shown; empty where the campaign has none."""
    selects: bool = False
    """Whether Intelligent Selection chooses its shares."""
    asks_why: bool = False
    """Whether who asks may be told about persons."""
    again: str = ""
    """Where newer numbers can be asked for soon; empty where none are being counted."""


def results_of(told: Mapping[str, Any], asked: Asked, numbers: Numbers) -> Results:
    """Return what a campaign's part of report.json says.

    Args:
        told: the campaign's part.
        asked: which of its conversion events, and what of them.
        numbers: writes counts for who asks.

    """
    told = _shortened(told)
    colours = page_charts.colours(told)
    events = {event["letter"]: event for event in told["conversion_events"]}
    letter = asked.letter if asked.letter in events else next(iter(events), None)
    return Results(
        as_of=moment(told["as_of"], told["timezone"]),
        figures=figures(told, numbers),
        verdict=_verdict(told),
        plain=plain_grid(told, letter, colours, numbers) if letter else None,
        warnings=[warning["message"] for warning in told["warnings"]],
        remarks=wording.remarks(told),
        cards=event_cards(told["conversion_events"], told["id"], letter or ""),
        letter=letter or "",
        remark=wording.letter_remark(told, events[letter]) if letter else "",
        counting=wording.COUNTING[told["counting"]],
        exposed=exposed_label(told),
        variants=variant_grid(told, letter, asked.columns, colours, numbers),
        columns=choices(told, asked.columns),
        differences=_differences(told, letter, colours, numbers) if letter else None,
        times=times_grid(told, letter, colours, numbers) if letter else None,
        also=also_grid(told, letter, colours, numbers) if letter else None,
        steps=steps_grid(told, letter, numbers),
        outcomes=outcomes_grid(told, colours, numbers),
        version=told["definition_version"] or "",
    )


def _differences(told: dict[str, Any], letter: str, colours: Sequence[str], numbers: Numbers) -> IntervalChart | None:
    """Return the differences from control; none where so few converted that a rate would tell who."""
    if any(numbers.is_hidden(variant["conversions"][letter]["converted"]) for variant in told["variants"]):
        return None
    told = _shortened(told, CHART_LETTERS)
    return written.differences(page_charts.differences(told, letter, list(colours)), _names(told))


def _verdict(told: dict[str, Any]) -> VerdictView | None:
    """Return the verdict with its numbers as the reader writes them."""
    if (verdict := verdict_of(told)) is None:
        return None
    names = _names(told)

    def read(text: str) -> str:
        return written.sentence(text, names)

    return VerdictView(
        read(verdict.sentence),
        list(map(read, verdict.remarks)),
        [replace(one, rows=[list(map(read, row)) for row in one.rows]) for one in verdict.tables],
        read(verdict.other_tools),
    )


def _names(told: Mapping[str, Any]) -> list[str]:
    return [name for one in told["variants"] for name in (one["name"] or "", one["id"])]


def _shortened(told: Mapping[str, Any], letters: int = 10 * NAME_LETTERS) -> dict[str, Any]:
    """Return the campaign with names of variants that a page can hold."""
    variants = [{**one, "name": shortened(one["name"], letters) if one["name"] else ""} for one in told["variants"]]
    return {**told, "variants": variants}
