"""What a report is made of, counted as the derived rows come by: nothing is stored, only cells remain.

Parts are disjoint by user, so counts of units, also of distinct ones, add up over them. Most is counted in compiled
passes; what needs a look at whole persons and is rare enough (units per person, step messages) goes through its query,
some hundred thousand rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I64, NEVER
from afterword.attribution.derive import Derived, Rows
from afterword.attribution.stored import as_table, stacked
from afterword.attribution.tables import ResultRows
from afterword.errors import UserError
from afterword.model import LETTERS, Campaign, Counting, Definitions, Outcome
from afterword.reports import ages, keys, steps, units
from afterword.reports.grouping import Cells, add, count, count_users, new_cells
from afterword.reports.person_count import PersonCount
from afterword.reports.queried import describe
from afterword.reports.revenue import load_revenue
from afterword.reports.sql import empty, joined
from afterword.reports.tables import Tables

QUERY_ROWS = 1 << 18


def known_of(campaigns: Sequence[Campaign], as_of: int) -> keys.Known:
    """Return what the passes must know."""
    size = max(1, len(campaigns))
    deadline = np.zeros((size, len(LETTERS)), np.int64)
    control = np.zeros((size, 16), np.bool_)
    per_exposure = np.zeros(size, np.bool_)
    last_hour = np.zeros(size, np.int64)
    for index, campaign in enumerate(campaigns):
        seconds = [event.deadline_seconds for event in campaign.conversion_events]
        deadline[index, : len(seconds)] = np.array(seconds, np.int64) * 1_000_000
        last_hour[index] = max(map(ages.last_hour, seconds), default=0)
        per_exposure[index] = campaign.counting is Counting.ONCE_PER_EXPOSURE
        control[index, : len(campaign.variants)] = [variant.control for variant in campaign.variants]
    return keys.Known(as_of, per_exposure, deadline, deadline.max(axis=1), last_hour, control)


class ConversionCells(NamedTuple):
    """What is counted of conversions, as in `keys.ConversionKeys`."""

    days: Cells
    hours: Cells
    marks: Cells


class Count:
    """Receives derived rows (attribution's `Receiver`) and counts them for the report."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        campaigns = definitions.campaigns
        if len(campaigns) > keys.CAMPAIGNS:
            raise UserError(f"there are {len(campaigns):,} campaigns, at most {keys.CAMPAIGNS:,} are allowed")
        self._clustered = np.array([c.counting is not Counting.ONCE_PER_USER for c in campaigns] or [False])
        self._per_channel = np.array([c.counting is Counting.ONCE_PER_CHANNEL for c in campaigns] or [False])
        self._units, self._units_in_totals, self._hours = new_cells(), new_cells(), new_cells()
        self._lone_days, self._repeated_days = new_cells(), new_cells(extra=1)
        self._conversions = ConversionCells(new_cells(), new_cells(), new_cells())
        self._credits, self._credited = keys.Credits(), new_cells(extra=2)
        self._outcomes = np.zeros((max(1, len(campaigns)), 16, len(Outcome) + 1, 3), np.int64)
        self._outcomes[..., 1:] = NEVER, -NEVER

    def begin(self, con: duckdb.DuckDBPyConnection, as_of: int) -> None:
        """Prepare for what happened until `as_of`."""
        self._con = con
        self._known = known_of(self._definitions.campaigns, as_of)
        self._person_days = PersonCount(self._definitions, as_of)
        self._persons = _Waiting()
        self._received = _Waiting()
        self._person_sums: tuple[list[units.PersonSums], list[units.PersonSums]] = ([], [])
        self._steps: list[steps.Received] = []
        describe(con, self._definitions.campaigns)

    def add(self, derived: Derived) -> None:
        """Count the rows of the next part."""
        self._add_recipients(derived.recipients)
        self._add_exposures(derived.exposures)
        self._add_conversions(derived.conversions.rows)
        credited = derived.credited.rows
        self._credited = add(self._credited, self._credits.keys(credited), credited["amount"] - credited["refunded"])
        self._person_days.add(derived.persons, derived.person_money)
        self._received.add(derived.received)
        if self._persons.rows + self._received.rows >= QUERY_ROWS:
            self.end()

    def _add_recipients(self, rows: Rows) -> None:
        key = np.empty(len(rows["campaign"]), np.int64)
        keys.unit_keys(self._known, keys.Recipients(**rows), key)
        self._units = count(self._units, key)
        several = np.flatnonzero(rows["variants_seen"] > 1)
        if len(several):
            key = np.empty(2 * len(several), np.int64)
            keys.total_keys(self._known, keys.Recipients(**_at(rows, several)), key)
            self._units_in_totals = count(self._units_in_totals, key)
        if self._clustered.any():
            self._persons.add(_at(rows, np.flatnonzero(self._clustered[rows["campaign"]])))

    def _add_exposures(self, rows: Rows) -> None:
        hours, days = np.empty((2, len(rows["campaign"])), np.int64)
        columns = {name: rows[name] for name in keys.Exposures._fields}
        keys.exposure_keys(self._known, keys.Exposures(**columns), hours, days, self._outcomes)
        self._hours, self._lone_days = count(self._hours, hours), count(self._lone_days, days)
        repeated = np.flatnonzero(days < 0)
        variant = rows["variant"][repeated]
        messaged = repeated[~self._known.control[rows["campaign"][repeated], variant]]
        scopes = (repeated, keys.REPEATED + variant), (repeated, keys.WITH_CONTROL), (messaged, keys.TOTAL)
        for here, scope in scopes if len(repeated) else ():
            key = keys.repeated_day_keys(rows, here, scope, self._per_channel)
            self._repeated_days = count_users(self._repeated_days, key, rows["user"][here])

    def _add_conversions(self, rows: Rows) -> None:
        cells = zip(self._conversions, keys.conversion_keys(rows), strict=True)
        self._conversions = ConversionCells(*(count(counted, key) for counted, key in cells))

    def end(self) -> None:
        """Query what is waiting."""
        if (recipients := self._persons.take()) is not None:
            with _registered(self._con, "recipients", recipients):
                persons, several = units.load_persons(self._con, self._definitions.campaigns)
            self._person_sums[0].append(persons)
            self._person_sums[1].append(several)
        if (received := self._received.take()) is not None:
            with _registered(self._con, "received", received):
                self._steps.append(steps.load_received(self._con))

    def tables(self, rows: ResultRows) -> Tables:
        """Return what was counted; the rows tell the quartiles."""
        campaigns, currency = self._definitions.campaigns, self._definitions.workspace.currency
        conversions = self._conversions
        histograms = ages.hour_histograms(keys.conversion_hours_of(conversions.hours), campaigns)
        with _registered(self._con, "counted_revenue", as_table(self._credits.rows(self._credited))):
            revenue = load_revenue(self._con, len(campaigns), currency, "counted_revenue_cells")
        persons, several_persons = (joined(units.PersonSums, sums) for sums in self._person_sums)
        alone, in_totals = keys.units_of(self._units), keys.units_of(self._units_in_totals)
        return Tables(
            units=units.UnitTables(alone, in_totals, persons, several_persons),
            outcomes=keys.outcomes_of(self._outcomes),
            exposed_days=keys.exposed_days_of(self._lone_days, self._repeated_days, self._known.control),
            observed=keys.observed_hours_of(self._hours),
            conversion_days=keys.conversion_days_of(conversions.days),
            histograms=histograms,
            quartiles=ages.quartiles(partial(_ages, rows), histograms, campaigns),
            steps=steps.StepTables(keys.conversion_marks_of(conversions.marks), joined(steps.Received, self._steps)),
            revenue=revenue,
            persons=self._person_days.days(self._con),
        )


def _at(rows: Rows, places: I64) -> Rows:
    return {name: column[places] for name, column in rows.items()}


def _ages(rows: ResultRows, buckets: Sequence[ages.Bucket]) -> ages.ConversionAges:
    """Return what the query `conversion_ages` would, from the rows of the result file."""
    found = [empty(ages.ConversionAges)]
    for (campaign, letter), group in groupby(buckets, key=lambda bucket: bucket[:2]):
        key = campaign * len(LETTERS) + letter
        age = rows.conversions.column(key, "converted_at") - rows.conversions.column(key, "exposed_at")
        hour = age // keys.HOUR
        wanted = np.zeros(ages.HOURS + 1, np.bool_)
        wanted[[hour for _, _, hour in group]] = True
        here = np.flatnonzero(wanted[hour])
        variant = rows.conversions.column(key, "variant")[here].astype(np.int64)
        columns = np.full_like(here, campaign), np.full_like(here, letter), variant, hour[here], age[here]
        found.append(ages.ConversionAges(*columns))
    return joined(ages.ConversionAges, found)


@contextmanager
def _registered(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    con.register(name, table)
    try:
        yield
    finally:
        con.unregister(name)


class _Waiting:
    """Rows that wait for a query."""

    def __init__(self) -> None:
        self.rows = 0
        self._parts: list[Rows] = []

    def add(self, part: Rows) -> None:
        if size := len(part["campaign"]):
            self._parts.append(part)
            self.rows += size

    def take(self) -> pa.Table | None:
        """Return what waits, if anything, and wait for more."""
        parts, self._parts, self.rows = self._parts, [], 0
        return as_table(stacked(parts)) if parts else None
