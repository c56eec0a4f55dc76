"""Conversion events that a campaign does not have, evaluated over its facts (rule 6); no derived row is touched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from afterword.attribution.embedded import attribute
from afterword.attribution.gather import Limits
from afterword.attribution.reading import Step
from afterword.intake.definitions import definition_version
from afterword.intake.fact_tables import FactTables, fact_tables
from afterword.model import LETTERS, Campaign, Definitions, Workspace
from afterword.reports.counted import Count
from afterword.reports.facts import FactCounts
from afterword.reports.report import report_of
from afterword.workspace.live.gathering import gather_campaigns
from afterword.workspace.live.state import State
from afterword.workspace.verdicts import NO_HISTORY, History, add_verdicts

COPYING, COUNTING = "copying exposures", "counting"
NAMES = {letter: f"X{number}" for number, letter in enumerate(LETTERS, start=1)}
"""What exploratory conversion events are called (rule 6)."""
ABOUT = ("id", "name", "kind", "counting", "denominator", "timezone", "channels", "first_exposed_at", "last_exposed_at")
OF_ROW = ("id", "name", "control", "share", "exposed", "audience_share", "persons", "several_variants", "exposures")
OF_LETTER = (
    *("converted", "pending", "not_converted", "rate", "interval", "matured_n", "matured_converted"),
    *("compared_n", "compared_converted", "difference", "difference_interval", "lift", "confidence"),
    "time_to_convert",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be evaluated."""

    workspace: Workspace
    campaign: Campaign
    """With the conversion events and the counting in question."""
    exploratory: bool
    """Whether these are not a version of the campaign's own."""
    first: int | None = None
    """Only exposures from this time on, in epoch microseconds."""
    last: int | None = None
    """Only exposures up to this time."""
    history: History = NO_HISTORY
    """Of the campaign, for the verdict."""
    beside: Campaign | None = None
    """The campaign under another definition, to be evaluated over the same facts as of the same time."""

    @property
    def key(self) -> str:
        """A name that equal questions share."""
        # Not by comparing: for Python 50 is 50.00 and 1 is True, for a filter they are not.
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"an exploration of {self.campaign.id}"

    @property
    def definitions(self) -> Definitions:
        """The campaign alone."""
        return Definitions(self.workspace, (self.campaign,))


def explore(
    con: duckdb.DuckDBPyConnection,
    question: Question,
    facts: FactTables,
    state: State,
    as_of: int,
    limits: Limits,
    step: Step,
) -> dict[str, Any]:
    """Return what a report would say, had the campaign the question's conversion events, and no other exposures.

    Args:
        con: a cursor of a snapshot; temporary tables are left in it.
        question: what is asked.
        facts: under the question's definitions.
        state: of the results: facts that they do not know are not looked at.
        as_of: epoch microseconds.
        limits: of the sweep.
        step: told (what, share done or None).

    """
    step(COPYING, None)
    definitions = question.definitions
    known = f"position <= {-1 if state.position is None else state.position}"
    scans = gather_campaigns(con, facts, definitions, known=known, exposed=_exposed(question))
    count = Count(definitions)
    found = attribute(con, definitions, scans, limits, as_of, step, count)
    try:
        step(COUNTING, None)
        tables = count.tables(found.results)
    finally:
        found.results.close()
    report = report_of(tables, definitions, FactCounts(), as_of, [definition_version(question.campaign)])
    if not question.exploratory and question.first is None and question.last is None:
        # Not over a period: to choose one among many until the verdict pleases is what verdicts are to prevent.
        add_verdicts(report["campaigns"], definitions, tables.persons, as_of, {question.campaign.id: question.history})
    (campaign,) = report["campaigns"]
    told = {"as_of": report["as_of"], **(_exploratory(campaign) if question.exploratory else campaign)}
    if question.beside is not None:
        other = replace(question, campaign=question.beside, beside=None)
        told["beside"] = explore(con, other, fact_tables(con, other.definitions), state, as_of, limits, step)
    return told


def _exposed(question: Question) -> str:
    """SQL: an exposure is of the period."""
    edges = ((">=", question.first), ("<=", question.last))
    return " AND ".join(["TRUE", *(f"exposed_at {sign} {int(at)}" for sign, at in edges if at is not None)])


def _exploratory(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of exploratory conversion events: under names of their own, and no revenue (rule 6)."""
    events = [
        {**{name: value for name, value in event.items() if name != "primary"}, "letter": NAMES[event["letter"]]}
        for event in campaign["conversion_events"]
    ]
    return {
        **{name: campaign[name] for name in ABOUT},
        "conversion_events": events,
        "variants": [_row(row) for row in campaign["variants"]],
        "total": _row(campaign["total"]),
        "total_with_control": _row(campaign["total_with_control"]),
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    conversions = {
        NAMES[letter]: {name: said[name] for name in OF_LETTER} for letter, said in row["conversions"].items()
    }
    return {name: row[name] for name in OF_ROW if name in row} | {"conversions": conversions}


Watch = Callable[[duckdb.DuckDBPyConnection], None]
"""Told by which connection the work is done, so that it can be interrupted."""
