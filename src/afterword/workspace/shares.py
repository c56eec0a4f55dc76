"""Which share of those who were seen in the last days did what a conversion event asks for; no campaign is asked.

What a conversion event asks of one event is what attribution asks (rule 5), with the same SQL for its filters; merged
ids are one person (rule 37), and facts later than `as_of` are not seen (rule 34).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from afterword.attribution.filters import filter_condition
from afterword.model import ConversionEvent, ConversionKind
from afterword.store.sql import literal
from afterword.versions import NO_VERSION, encode_versions
from afterword.workspace.seen import SPAN

LOOKED_INTO: Final = 300_000
"""Events with versions among which upgrades are looked for: to put so many in order takes a quarter of a second."""
_KINDS: Final = "('session', 'purchase', 'custom', 'upgrade')"
_WITH_VERSION: Final = "kind IN ('session', 'upgrade') AND app_version IS NOT NULL AND occurred_at <= $as_of"
_MESSAGES: Final = (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)


@dataclass(frozen=True, slots=True)
class Shares:
    """How many persons did what.

    Attributes:
        as_of: epoch microseconds.
        seen: persons who did anything in the last 30 days, both ends among them as in windows (rule 8); being sent a
            message is nothing that they did.
        users: of these, how many did what each conversion event asks for; None where only a campaign's message can be
            opened or clicked.
        one_in: upgrades were looked for in the history of one person in so many, and the count is multiplied by it.

    """

    as_of: int
    seen: int
    users: tuple[int | None, ...]
    one_in: int = 1


def shares(con: duckdb.DuckDBPyConnection, events: Sequence[ConversionEvent], as_of: int) -> Shares:
    """Return how many persons were seen in the last 30 days, and how many of them did what is asked for."""
    upgrades = [event for event in events if event.kind is ConversionKind.UPGRADE]
    one_in = _one_in(con, as_of) if upgrades else 1
    seen, looked_into, *found = _count(
        con, [event for event in events if event.kind not in (*_MESSAGES, ConversionKind.UPGRADE)], as_of, one_in
    )
    upgraded = _count_upgrades(con, upgrades, as_of, one_in) if upgrades else []
    others = iter(found)
    of_upgrades = iter([round(users * seen / looked_into) if looked_into else 0 for users in upgraded])
    users = [
        None if event.kind in _MESSAGES else next(of_upgrades if event.kind is ConversionKind.UPGRADE else others)
        for event in events
    ]
    return Shares(as_of, seen, tuple(users), one_in)


def _one_in(con: duckdb.DuckDBPyConnection, as_of: int) -> int:
    """Return in the history of one person in how many upgrades are looked for: an even part where it is long."""
    sql = f"SELECT count(*) FROM main.events WHERE {_WITH_VERSION}"
    ((events,),) = con.execute(sql, {"as_of": as_of}).fetchall()
    return max(1, -(-int(events) // LOOKED_INTO))


def _count_upgrades(
    con: duckdb.DuckDBPyConnection, events: Sequence[ConversionEvent], as_of: int, one_in: int
) -> list[int]:
    """Count the persons of the part that is looked into who did what is asked for of upgrades."""
    _find_upgrades(con, as_of, one_in)
    counted = ", ".join(f"count(DISTINCT person) FILTER ({_condition(event)})" for event in events)
    # Nothing more of an event is read than what is asked about it.
    facts = "JOIN main.events e ON e.rowid = row" if any(event.apps or event.where for event in events) else ""
    return list(con.execute(f"SELECT {counted} FROM found_upgrades {facts}").fetchall()[0])


def _count(con: duckdb.DuckDBPyConnection, events: Sequence[ConversionEvent], as_of: int, one_in: int) -> list[int]:
    """Count the persons who were seen, those of the part of one in so many, and who did each."""
    conditions = [_condition(event) for event in events]
    did = "".join(f", bool_or({condition}) AS did_{i}" for i, condition in enumerate(conditions))
    counted = "".join(f", count(*) FILTER (did_{i})" for i in range(len(conditions)))
    person, aliases = _persons(con)
    sql = f"""
        WITH persons AS (
            SELECT person{did}
            FROM (
                SELECT e.*, {person} AS person FROM main.events e {aliases}
                WHERE kind IN {_KINDS} AND occurred_at >= $since AND occurred_at <= $as_of
            )
            GROUP BY person
        )
        SELECT count(*), count(*) FILTER ({_part("person", one_in)}){counted} FROM persons"""
    return list(con.execute(sql, {"since": as_of - SPAN, "as_of": as_of}).fetchall()[0])


def _persons(con: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """SQL: the person of an event `e`, and what must be joined for it; most workspaces never merge anybody."""
    if not con.execute("SELECT count(*) FROM derived.aliases").fetchall()[0][0]:
        return "e.user_id", ""
    return "coalesce(a.person, e.user_id)", "LEFT JOIN derived.aliases a ON a.user_id = e.user_id"


def _part(person: str, one_in: int) -> str:
    """SQL: a person is of the even part that is looked into."""
    return "true" if one_in == 1 else f"hash({person}) % {one_in} = 0"


def _condition(event: ConversionEvent) -> str:
    """SQL: an event is what the conversion event asks for; of upgrades, one that was found to be one."""
    kind = event.kind
    if kind in _MESSAGES:
        return "false"
    asked = ["true" if kind is ConversionKind.UPGRADE else f"kind = {literal(kind.value)}"]
    if event.name is not None:
        asked.append(f"name = {literal(event.name)}")
    for column, listed in (("app_id", event.apps), ("product_id", event.products)):
        if listed:
            asked.append(f"coalesce({column} IN ({', '.join(map(literal, listed))}), false)")
    filters = " AND ".join(filter_condition(each) for each in event.where) or "true"
    return f"CASE WHEN {' AND '.join(asked)} THEN {filters} ELSE false END"


def _find_upgrades(con: duckdb.DuckDBPyConnection, as_of: int, one_in: int) -> None:
    """Find the events of the last 30 days that show an upgrade (rules 20-25): the temporary table `found_upgrades`."""
    said = f"""
        SELECT DISTINCT app_version FROM main.events WHERE {_WITH_VERSION}
        UNION SELECT DISTINCT from_version FROM main.events WHERE {_WITH_VERSION} AND kind = 'upgrade'"""
    versions = encode_versions(name for (name,) in con.execute(said, {"as_of": as_of}).fetchall() if name is not None)
    table = pa.table({"name": pa.array(versions, pa.string()), "code": pa.array(versions.values(), pa.int32())})
    con.register("version_codes", table)
    person, aliases = _persons(con)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE found_upgrades AS
        WITH shown AS (
            SELECT e.rowid AS row, {person} AS person, e.* FROM main.events e {aliases}
            WHERE {_WITH_VERSION} AND {_part(person, one_in)}
        ), coded AS (
            SELECT row, person, app_id, device_id, occurred_at, event_id, kind, n.code AS now, f.code AS stated
            FROM shown
            JOIN version_codes n ON n.name = app_version
            LEFT JOIN version_codes f ON f.name = from_version
            WHERE n.code <> {NO_VERSION}
        ), changes AS (
            SELECT row, person, occurred_at, now, CASE kind WHEN 'upgrade' THEN stated ELSE
                lag(now) OVER (PARTITION BY person, app_id, device_id ORDER BY occurred_at, event_id) END AS before
            FROM coded
        )
        SELECT row, person FROM changes
        WHERE occurred_at >= $since AND before <> now AND NOT (before >= 0 AND now >= 0 AND now < before)""",
        {"since": as_of - SPAN, "as_of": as_of},
    )
    con.unregister("version_codes")
