"""The results of a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from afterword.attribution.canonical import add_canonical_json
from afterword.attribution.gather import Limits
from afterword.attribution.reading import Step
from afterword.errors import UserError, nearest
from afterword.model import Definitions
from afterword.reports.daily import DailyNumbers
from afterword.reports.day_series import AskedSeries, day_of
from afterword.reports.holdouts import Measured
from afterword.reports.report import described_events, heading, iso_time
from afterword.store.exchange_rates import ExchangeRate
from afterword.workspace.explaining import tell
from afterword.workspace.inputs import only_campaign
from afterword.workspace.listing import EVERYBODY, WHOLE, Narrow, Page, asked
from afterword.workspace.live import answering, refreshing
from afterword.workspace.live.breaking_down import break_down
from afterword.workspace.live.comparing import Comparison, Difference, compare
from afterword.workspace.live.converting import place_rates
from afterword.workspace.live.crediting import CreditQuestion, answered
from afterword.workspace.live.daily import read_daily, read_exposed
from afterword.workspace.live.exploring import Question, Watch, explore
from afterword.workspace.live.exporting import Exported, Wanted, write_rows
from afterword.workspace.live.fact_files import write_facts
from afterword.workspace.live.feed import Feed
from afterword.workspace.live.holding_out import HoldoutQuestion, measure
from afterword.workspace.live.overview import read_once
from afterword.workspace.live.person import PersonFacts
from afterword.workspace.live.refreshing import Erase, Refreshed, nothing
from afterword.workspace.live.reporting import Reports
from afterword.workspace.live.series import read_series
from afterword.workspace.live.settled import Settled, settle
from afterword.workspace.live.snapshots import Snapshots
from afterword.workspace.live.state import State, by_number, create_tables, read_state
from afterword.workspace.story import Story
from afterword.workspace.verdicts import History

REPORT_SECONDS = 10


class Live:
    """Derived rows that are kept up with the facts in the same database, and what can be asked of them.

    One thread calls `refresh`, after each load; any thread may ask. Every answer is of one state of the database.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, limits: Limits, *, report_seconds: int = REPORT_SECONDS) -> None:
        """Make the derived tables where they are not there yet.

        Args:
            con: a database with the tables of `store/facts.sql`; every piece of work takes a cursor of it.
            limits: memory, a directory to spill to, batch size and threads of a sweep.
            report_seconds: a report without new facts is as old as this at most.

        """
        self._con = con
        self._limits = limits
        self._bucket = report_seconds * 1_000_000
        self._reports = Reports(self._bucket)
        self._snapshots = Snapshots(con)
        create_tables(con)
        self.feed = Feed(con)
        """Conversions gained and taken back, in their order."""
        _add_function(con)

    def stop(self) -> None:
        """Leave undone what is being asked, and let nothing be asked any more: the database is to be closed."""
        self._snapshots.stop()

    def refresh(
        self,
        definitions: Definitions,
        touched_users: Iterable[str] = (),
        *,
        as_of: int,
        erase: Erase | None = None,
        meanwhile: Callable[[], bool] = nothing,
    ) -> Refreshed:
        """Bring the derived rows up to the facts that are there, in one transaction.

        Swept again are the users, if they can convert, of facts that the log has brought since the last refresh and
        whose time has come, of purchases that such facts refund, of merged ids, and those that are named. A campaign
        whose definition is new or changed is derived again as a whole; one that is gone loses its rows.

        Args:
            definitions: all campaigns.
            touched_users: any ids of users whose facts changed in another way.
            as_of: now, in epoch microseconds; later facts wait. It never goes back.
            erase: erases persons from the facts, in the same transaction.
            meanwhile: called between parts; may load more facts, not seen by this refresh; says whether to give up.

        Raises:
            Superseded: it gave up, and changed nothing.

        """
        with closing(self._con.cursor()) as con:
            return refreshing.refresh(con, definitions, touched_users, as_of, self._limits, meanwhile, erase=erase)

    def convert_by(self, rates: Sequence[ExchangeRate]) -> None:
        """Convert revenue by these rates from now on; to be called by the thread that refreshes."""
        cursor = self._con.cursor()
        try:
            place_rates(cursor, rates)
        finally:
            cursor.close()

    def settle(self, definitions: Definitions, as_of: int) -> Settled:
        """Return how things stand after a refresh with this; as long as they stand so, another would change nothing."""
        with self._snapshots.open(definitions, scans=False) as (con, state, facts):
            return settle(con, definitions, state, facts, as_of + self._bucket)

    def stands(self, settled: Settled, definitions: Definitions, as_of: int) -> bool:
        """Return whether things stand as they did; for facts that the loader brings, the only ones of a server."""
        cursor = self._con.cursor()
        try:
            return settled.stands(cursor, definitions, as_of)
        finally:
            cursor.close()

    @property
    def state(self) -> State:
        """As of when the rows are, and up to which position of the log."""
        cursor = self._con.cursor()
        try:
            return read_state(cursor)
        finally:
            cursor.close()

    def report(
        self,
        definitions: Definitions,
        as_of: int,
        histories: Mapping[str, History] | None = None,
        *,
        only: str | None = None,
    ) -> dict[str, Any]:
        """Return the content of report.json (docs/report-json.md); it says as of when it is.

        That is `as_of`, or a little earlier where facts have come due since the last refresh, and never before that.
        The same campaigns may be returned again, so they must not be changed.

        Args:
            definitions: all campaigns.
            as_of: now, in epoch microseconds.
            histories: of the campaigns, by id.
            only: the id of the campaign that is asked for; None for all of them, which costs as many times more.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            counted = self._reports.campaigns(con, definitions, state, at, histories or {}, only)
            return {
                **heading(definitions.workspace, counted.as_of),
                "facts": self._reports.facts(con, definitions, state, at).as_json(),
                "campaigns": counted.campaigns,
            }

    def campaign(
        self, definitions: Definitions, as_of: int, histories: Mapping[str, History], campaign_id: str
    ) -> dict[str, Any]:
        """Return a campaign's part of report.json, and as of when it is: the facts are not counted for it.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            counted = self._reports.campaigns(con, definitions, state, at, histories, campaign_id)
        return {**counted.campaigns[0], "as_of": iso_time(counted.as_of)}

    def daily(self, definitions: Definitions, campaign_id: str, first: date, last: date) -> DailyNumbers:
        """Return what a campaign counts on the days from `first` to `last`, as of the last refresh.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, state, _facts):
            return read_daily(con, definitions, state, campaign_id, (first, last))

    def series(self, definitions: Definitions, as_of: int, campaign_id: str, wanted: AskedSeries) -> dict[str, Any]:
        """Return a campaign's days for charts (docs/report-json.md), as of the time that a report would have.

        Raises:
            NotDerived: the definitions are not those of the last refresh.
            UserError: there is no such campaign, variant, conversion event or range of days.

        """
        _index(definitions, campaign_id)
        with self._snapshots.open(definitions, scans=False) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            counted = read_series(con, definitions, campaign_id, at)
        return {"as_of": iso_time(at), **counted.as_json(wanted, day_of(at, definitions.workspace.timezone))}

    def first_and_last_exposure(self, definitions: Definitions, campaign_id: str) -> tuple[int | None, int | None]:
        """Return when a message of the campaign first and last reached somebody; None if none ever did.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, _state, _facts):
            return read_exposed(con, definitions, campaign_id)

    def users(
        self,
        definitions: Definitions,
        as_of: int,
        campaign: str,
        variant: str | None = None,
        event: str = "A",
        state: str = "converted",
        narrow: Narrow = EVERYBODY,
    ) -> list[dict[str, Any]]:
        """List the units behind a number (rule 38), as `Results.users` does, as of the time that a report would have.

        Besides, `reported:message_open` and the like list the exposures of whose message that was reported, and units
        are narrowed by an attribute, too.

        Raises:
            NotDerived: the definitions are not those of the last refresh.
            UserError: there is no such campaign, variant, conversion event, state or channel.

        """
        return self.users_page(definitions, as_of, campaign, variant, event, state, narrow, WHOLE)[0]

    def users_page(
        self,
        definitions: Definitions,
        as_of: int,
        campaign: str,
        variant: str | None,
        event: str,
        state: str,
        narrow: Narrow,
        page: Page,
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of what `users` lists, or the last one, and how many there are; raises as `users`."""
        wanted = asked(definitions.campaigns[_index(definitions, campaign)], variant, event, state, narrow)
        with self._snapshots.open(definitions, scans=False) as (con, at, facts):
            seen = answering.seen_until(con, facts, at, as_of)
            return answering.users(con, definitions, facts, at, wanted, seen, page)

    def campaigns_of(self, definitions: Definitions, user: str) -> list[str]:
        """Return the ids of the campaigns that a user came under the influence of, in the order of the definitions.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, _state, _facts):
            return answering.campaigns_of_user(con, definitions, user)

    def export(self, definitions: Definitions, as_of: int, wanted: Wanted, path: Path) -> Exported:
        """Write rows of the result files to a file, of one state and as of the time that a report would have.

        Raises:
            NotDerived: the definitions are not those of the last refresh.
            UserError: there is no such campaign, variant or conversion event.

        """
        with self._snapshots.open(definitions) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            rows, last = write_rows(con, definitions, wanted, at, path)
        return Exported(rows, last, at, state.version)

    def export_facts(self, definitions: Definitions, as_of: int, directory: Path) -> list[str]:
        """Write facts and definitions from which `afterword run` gives these results; return the files' names.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions) as (con, state, facts):
            by_number(con, definitions)
            return write_facts(
                con, definitions, facts, state, answering.seen_until(con, facts, state, as_of), directory
            )

    def explain(self, definitions: Definitions, as_of: int, campaign: str, user: str) -> Story:
        """Say why a user did or did not convert (rule 39), as of the time that a report would have.

        Raises:
            UserError: there is no such campaign.

        """
        _index(definitions, campaign)
        only = only_campaign(definitions, campaign)
        with self._snapshots.open(only) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            person = PersonFacts(con, self._limits, facts, state, user)
            return tell(person, only, campaign, user, described_events(only.campaigns[only.index_of(campaign)]), at)

    def explore(self, question: Question, as_of: int, step: Step, watch: Watch) -> tuple[dict[str, Any], State]:
        """Evaluate conversion events that need not be the campaign's own, over the facts that the results know.

        Args:
            question: what is asked.
            as_of: now; the answer is as of the time that a report would have.
            step: told (what, share done or None).
            watch: told by which cursor the work is done.

        """
        # Beside a refresh: with less memory, more on the disk.
        limits = replace(self._limits, budget=self._limits.budget // 4, threads=1)
        with self._snapshots.open(question.definitions) as (con, state, facts):
            watch(con)
            at = answering.seen_until(con, facts, state, as_of)
            return explore(con, question, facts, state, at, limits, step), state

    def credit(self, question: CreditQuestion, as_of: int, step: Step, watch: Watch) -> tuple[dict[str, Any], State]:
        """Share out the credit of events over all campaigns, beside what each brought against control (rule 12).

        The arguments are those of `explore`.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(question.definitions) as (con, state, facts):
            watch(con)
            at = answering.seen_until(con, facts, state, as_of)
            found = answered(con, question, facts, state, at, step)
            brought = answering.incrementals(con, question.definitions, at, question.histories)
        for campaign in found["campaigns"]:
            campaign["incremental"] = brought[campaign["id"]]
        return found, state

    def breakdown(self, definitions: Definitions, as_of: int, campaign_id: str, letter: str, by: str) -> dict[str, Any]:
        """Return one conversion event by channel or attribute, as of the time that a report would have.

        Raises:
            NotDerived: the definitions are not those of the last refresh.
            UserError: there is no such campaign, conversion event or way to break it down.

        """
        _index(definitions, campaign_id)
        with self._snapshots.open(definitions, scans=False) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            found = break_down(con, definitions, facts, state, campaign_id, letter, by)
        return {"as_of": iso_time(at), **found}

    def counted_once(self, definitions: Definitions) -> dict[str, Any]:
        """Return what all campaigns together reached, users and purchases counted once (rule 12).

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        with self._snapshots.open(definitions, scans=False) as (con, _state, _facts):
            return read_once(con, definitions)

    def holdout(self, question: HoldoutQuestion, as_of: int) -> tuple[Measured, int]:
        """Return both sides of a holdout, and as of when they are."""
        with self._snapshots.open(Definitions(question.workspace)) as (con, state, facts):
            at = answering.seen_until(con, facts, state, as_of)
            return measure(con, question, facts, state, at), at

    def recompute(self, definitions: Definitions) -> list[Difference]:
        """Derive all rows again from all facts; return where those that are kept differ (nowhere, if all is well).

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        return list(self.compare(definitions).differences)

    def compare(self, definitions: Definitions) -> Comparison:
        """Do what `recompute` does, and say what was compared."""
        with self._snapshots.open(definitions) as (con, state, _facts):
            return compare(con, definitions, state, self._limits)


def _index(definitions: Definitions, campaign: str) -> int:
    known = [one.id for one in definitions.campaigns]
    if campaign not in known:
        raise UserError(f'unknown campaign "{campaign}"{nearest(campaign, known)}')
    return known.index(campaign)


def _add_function(con: duckdb.DuckDBPyConnection) -> None:
    """Add what the engine calls, unless another cursor of the database did."""
    known = con.execute("SELECT count(*) FROM duckdb_functions() WHERE function_name = 'canonical_json'").fetchall()
    if not known[0][0]:
        add_canonical_json(con)
