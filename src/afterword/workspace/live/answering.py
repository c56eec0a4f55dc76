"""The report and the lists of users, from the derived rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from afterword.attribution.refunds import FoundRefunds, find_refunds, no_refunds
from afterword.errors import Reason
from afterword.intake.definitions import definition_version
from afterword.intake.fact_tables import FactTables
from afterword.intake.facts import TIMES
from afterword.model import Definitions
from afterword.reports.facts import FactCounts
from afterword.reports.person_count import query_persons
from afterword.reports.queried import describe, query_tables
from afterword.reports.report import campaigns_of
from afterword.reports.units import load_units, sizes
from afterword.selection.incremental import Reached, incremental_of
from afterword.workspace.listing import Asked, Page, list_page
from afterword.workspace.live.breaking_down import find_values
from afterword.workspace.live.daily import find_reported
from afterword.workspace.live.gathering import KINDS, next_due
from afterword.workspace.live.state import State, by_number
from afterword.workspace.verdicts import NO_HISTORY, History, add_verdicts, epochs_of


def seen_until(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State, as_of: int) -> int:
    """Return the time nearest to `as_of` as of which the derived rows are right: no fact has come due since."""
    due = next_due(con, facts, state)
    return max(state.as_of, as_of if due is None else min(as_of, due - 1))


def campaigns(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    as_of: int,
    histories: Mapping[str, History],
    only: str | None = None,
) -> list[dict[str, Any]]:
    """Return what report.json says of all campaigns or of one.

    Args:
        con: a cursor of its own, whose search path begins with `derived`; views are left in it.
        definitions: all campaigns.
        as_of: epoch microseconds.
        histories: of the campaigns, by id.
        only: the id of the one.

    """
    places, wanted = by_number(con, definitions), definitions.campaigns
    if only is not None:
        number = places.index_of(only)
        _narrow(con, number)
        wanted = (places.campaigns[number],)
        places = Definitions(definitions.workspace, wanted)
    versions = [definition_version(campaign) for campaign in places.campaigns]
    tables = query_tables(con, places, as_of)
    told = campaigns_of(tables, places, versions)
    add_verdicts(told, places, tables.persons, as_of, histories)
    by_id = {campaign["id"]: campaign for campaign in told}
    return [by_id[campaign.id] for campaign in wanted]


def incrementals(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of: int, histories: Mapping[str, History]
) -> dict[str, Any]:
    """Return what the messages of each campaign brought, by its id, as `campaigns` does; the arguments are the same."""
    places = by_number(con, definitions)
    describe(con, places.campaigns)
    tables, persons = load_units(con, places.campaigns, as_of), query_persons(con, places, as_of)
    zone, found = ZoneInfo(definitions.workspace.timezone), {}
    for index, (campaign, days) in enumerate(zip(places.campaigns, persons, strict=True)):
        *variants, messaged, _everybody = sizes(tables, index, campaign)
        epochs = epochs_of(histories.get(campaign.id, NO_HISTORY), zone)
        exposed = [each for _, each in variants]
        found[campaign.id] = incremental_of(
            campaign, days, exposed, Reached(*messaged), epochs, definitions.workspace.currency
        )
    return found


_OF_CAMPAIGNS = ("recipients", "exposures", "conversions", "credited", "received", "persons", "person_money")
"""The tables of derived rows."""


def _narrow(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """Put views of one campaign's rows before the tables: as if there were no other campaign, and its number were 0."""
    for name in _OF_CAMPAIGNS:
        sql = f"SELECT * REPLACE (0::INTEGER AS campaign) FROM derived.{name} WHERE campaign = {number:d}"
        con.execute(f"CREATE TEMP VIEW {name} AS {sql}")


def users(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    facts: FactTables,
    state: State,
    wanted: Asked,
    as_of: int,
    page: Page,
) -> tuple[list[dict[str, Any]], int]:
    """Return a page of the units behind a number, and how many there are.

    `con` is a cursor whose search path begins with `derived`.
    """
    number = by_number(con, definitions).index_of(wanted.campaign.id)

    def names() -> dict[int, str]:
        sql = "SELECT exposure, exposure_id FROM derived.exposures WHERE campaign = ?"
        return dict(con.execute(sql, [number]).fetchall())

    if wanted.attribute:
        find_values(con, facts, state, wanted.attribute)
    if wanted.reported:
        find_reported(con, definitions, state, wanted.campaign.id, wanted.reported)
    return list_page(con, number, wanted, as_of, names, page)


def campaigns_of_user(con: duckdb.DuckDBPyConnection, definitions: Definitions, user: str) -> list[str]:
    """Return the campaigns that any id of a person was exposed to."""
    places = by_number(con, definitions)
    rows = con.execute(
        """
        SELECT DISTINCT campaign FROM recipients JOIN users USING ("user")
        WHERE user_id = coalesce((SELECT any_value(person) FROM aliases WHERE user_id = $user), $user)""",
        {"user": user},
    ).fetchall()
    found = {places.campaigns[number].id for (number,) in rows}
    return [campaign.id for campaign in definitions.campaigns if campaign.id in found]


def count_facts(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State, as_of: int) -> FactCounts:
    """Count the facts that were seen, and those that cannot be used.

    An open or click of a campaign counted once per channel whose channel nobody says is still among the events.
    """
    known = f"position <= {-1 if state.position is None else state.position}"
    counted = Counter[str]()
    rejected = Counter[str]()
    for kind in KINDS:
        rows = con.execute(
            f"SELECT reason, {TIMES[kind]} > ? AS later, count(*) FROM ({facts.relation(kind, f'WHERE {known}')}) "
            "GROUP BY ALL",
            [as_of],
        ).fetchall()
        for code, is_later, n in rows:
            if code:
                rejected[_REASONS[code]] += n
            else:
                counted["after_as_of" if is_later else kind] += n
    for reason, n in con.execute(
        f"SELECT reason, count(*) FROM {facts.table('rejected')} WHERE {known} GROUP BY reason"
    ).fetchall():
        rejected[Reason(reason)] += n
    refunds = _refunds(con, facts, known, as_of)
    rejected[Reason.BAD_CURRENCY] += len(refunds.other_currency)
    received = int(con.execute("SELECT count(*) FROM derived.received").fetchall()[0][0])
    rejected[Reason.NO_EXPOSURE] += counted["step_messages"] - received
    repetitions = con.execute(f"SELECT coalesce(sum(repetitions), 0)::BIGINT FROM {facts.table('loaded')}").fetchall()
    return FactCounts(
        events=counted["events"] - len(refunds.other_currency),
        exposures=counted["exposures"],
        step_messages=received,
        repetitions=int(repetitions[0][0]),
        after_as_of=counted["after_as_of"],
        refunds_unmatched=refunds.unmatched,
        rejected={reason.value: rejected[reason] for reason in Reason if rejected[reason]},
    )


_REASONS = {reason.code: reason for reason in Reason}


def _refunds(con: duckdb.DuckDBPyConnection, facts: FactTables, known: str, as_of: int) -> FoundRefunds:
    """Match all refunds with their purchases (rule 28); where there is no refund, no purchase is read."""
    refunds = f"FROM {facts.table('events')} WHERE kind = 'refund' AND {known}"
    if not con.execute(f"SELECT count(*) {refunds}").fetchall()[0][0]:
        return no_refunds()
    named = f"(kind = 'purchase' AND event_id IN (SELECT refund_of {refunds}))"
    relation = facts.relation("events", f"WHERE {known} AND (kind = 'refund' OR {named})")
    return find_refunds(con, relation, as_of, np.empty(0, np.int64))
