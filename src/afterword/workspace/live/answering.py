"""The report and the lists of users, from the derived rows."""

from __future__ import annotations

from typing import Any

import duckdb

from afterword.errors import Reason
from afterword.intake.definitions import definition_version
from afterword.intake.fact_tables import FactTables
from afterword.intake.facts import TIMES
from afterword.intake.sources import Kind
from afterword.model import Definitions
from afterword.reports.facts import FactCounts
from afterword.reports.report import build_report
from afterword.workspace.listing import Asked, list_units
from afterword.workspace.live.gathering import KINDS, next_due
from afterword.workspace.live.state import State, by_number


def seen_until(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State, as_of: int) -> int:
    """Return the time nearest to `as_of` as of which the derived rows are right: no fact has come due since."""
    due = next_due(con, facts, state)
    return max(state.as_of, as_of if due is None else min(as_of, due - 1))


def report(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, facts: FactTables, as_of: int
) -> dict[str, Any]:
    """Return the content of report.json; `con` is a cursor whose search path begins with `derived`."""
    places = by_number(con, definitions)
    versions = [definition_version(campaign) for campaign in places.campaigns]
    built = build_report(con, places, count_facts(con, facts, state, as_of), as_of, versions)
    campaigns = {campaign["id"]: campaign for campaign in built["campaigns"]}
    built["campaigns"] = [campaigns[campaign.id] for campaign in definitions.campaigns]
    return built


def users(con: duckdb.DuckDBPyConnection, definitions: Definitions, wanted: Asked, as_of: int) -> list[dict[str, Any]]:
    """List the units behind a number; `con` is a cursor whose search path begins with `derived`."""
    number = by_number(con, definitions).index_of(wanted.campaign.id)

    def names() -> dict[int, str]:
        sql = "SELECT exposure, exposure_id FROM derived.exposures WHERE campaign = ?"
        return dict(con.execute(sql, [number]).fetchall())

    return list_units(con, number, wanted, as_of, names)


def count_facts(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State, as_of: int) -> FactCounts:
    """Count the facts that were seen, and what is known to be unusable."""
    position = -1 if state.position is None else state.position
    rejected: dict[str, int] = {}
    seen: dict[Kind, int] = {}
    later = 0
    for kind in KINDS:
        relation = facts.relation(kind, f"WHERE position <= {position}")
        rows = con.execute(
            f"SELECT reason, {TIMES[kind]} > ? AS later, count(*) FROM ({relation}) GROUP BY ALL", [as_of]
        ).fetchall()
        seen[kind] = sum(n for reason, is_later, n in rows if not reason and not is_later)
        later += sum(n for reason, is_later, n in rows if not reason and is_later)
        for code, _, n in rows:
            if code:
                name = next(reason.value for reason in Reason if reason.code == code)
                rejected[name] = rejected.get(name, 0) + n
    for name, n in con.execute(
        f"SELECT reason, count(*) FROM {facts.table('rejected')} WHERE position <= ? GROUP BY reason", [position]
    ).fetchall():
        rejected[name] = rejected.get(name, 0) + n
    repetitions = con.execute(f"SELECT coalesce(sum(repetitions), 0)::BIGINT FROM {facts.table('loaded')}").fetchall()
    return FactCounts(
        events=seen["events"],
        exposures=seen["exposures"],
        step_messages=seen["step_messages"],
        repetitions=int(repetitions[0][0]),
        after_as_of=later,
        refunds_unmatched=0,
        rejected={reason.value: rejected[reason.value] for reason in Reason if reason.value in rejected},
    )
