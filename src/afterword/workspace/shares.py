"""Which share of those who were seen in the last days did what a conversion event asks for; no campaign is asked.

What a conversion event asks of one event is what attribution asks (rule 5), with the same SQL for its filters; merged
ids are one person (rule 37), and facts later than `as_of` are not seen (rule 34).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
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

FRESH_MICROSECONDS: Final = 60 * 1_000_000
KEPT: Final = 100
_KINDS: Final = "('session', 'purchase', 'custom', 'upgrade')"
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

    """

    as_of: int
    seen: int
    users: tuple[int | None, ...]


class SharesKept:
    """Answers that are given again for a minute: a page asks for several templates, and again while it is typed in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[tuple[object, ...], Shares]] = OrderedDict()

    def ask(
        self, con: duckdb.DuckDBPyConnection, events: Sequence[ConversionEvent], as_of: int, erased: tuple[object, ...]
    ) -> Shares:
        """Return what `shares` does, or did in the last minute.

        Args:
            con: with the tables of facts and the aliases.
            events: the conversion events.
            as_of: epoch microseconds.
            erased: changes when persons are erased.

        """
        key = repr(events)  # for Python 50 is 50.00 and 1 is True, for a filter they are not
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == erased and 0 <= as_of - known[1].as_of <= FRESH_MICROSECONDS:
            return known[1]
        found = shares(con, events, as_of)
        with self._lock:
            self._known[key] = (erased, found)
            self._known.move_to_end(key)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found


def shares(con: duckdb.DuckDBPyConnection, events: Sequence[ConversionEvent], as_of: int) -> Shares:
    """Return how many persons were seen in the last 30 days, and how many of them did what is asked for."""
    upgrades = any(event.kind is ConversionKind.UPGRADE for event in events)
    if upgrades:
        _find_upgrades(con, as_of)
    conditions = [_condition(event) for event in events]
    did = "".join(f", bool_or({condition}) AS did_{i}" for i, condition in enumerate(conditions))
    counted = "".join(f", count(*) FILTER (did_{i})" for i in range(len(conditions)))
    sql = f"""
        WITH persons AS (
            SELECT coalesce(a.person, e.user_id) AS person{did}
            FROM (
                SELECT *{", rowid IN (SELECT row FROM found_upgrades) AS upgraded" if upgrades else ""} FROM main.events
                WHERE kind IN {_KINDS} AND occurred_at >= $since AND occurred_at <= $as_of
            ) e
            LEFT JOIN derived.aliases a ON a.user_id = e.user_id
            GROUP BY ALL
        )
        SELECT count(*){counted} FROM persons"""
    seen, *users = con.execute(sql, {"since": as_of - SPAN, "as_of": as_of}).fetchall()[0]
    pairs = zip(events, users, strict=True)
    return Shares(as_of, seen, tuple(None if event.kind in _MESSAGES else n for event, n in pairs))


def _condition(event: ConversionEvent) -> str:
    """SQL: an event is what the conversion event asks for."""
    kind = event.kind
    if kind in _MESSAGES:
        return "false"
    asked = ["upgraded" if kind is ConversionKind.UPGRADE else f"kind = {literal(kind.value)}"]
    if event.name is not None:
        asked.append(f"name = {literal(event.name)}")
    for column, listed in (("app_id", event.apps), ("product_id", event.products)):
        if listed:
            asked.append(f"coalesce({column} IN ({', '.join(map(literal, listed))}), false)")
    filters = " AND ".join(filter_condition(each) for each in event.where) or "true"
    return f"CASE WHEN {' AND '.join(asked)} THEN {filters} ELSE false END"


def _find_upgrades(con: duckdb.DuckDBPyConnection, as_of: int) -> None:
    """Find the events of the last 30 days that show an upgrade (rules 20-25): the temporary table `found_upgrades`."""
    said = """
        SELECT DISTINCT unnest([app_version, from_version]) AS name FROM main.events
        WHERE kind IN ('session', 'upgrade') AND app_version IS NOT NULL"""
    versions = encode_versions(name for (name,) in con.execute(said).fetchall() if name is not None)
    table = pa.table({"name": pa.array(versions, pa.string()), "code": pa.array(versions.values(), pa.int32())})
    con.register("version_codes", table)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE found_upgrades AS
        WITH shown AS (
            SELECT e.rowid AS row, coalesce(a.person, e.user_id) AS person, app_id, device_id, occurred_at, event_id,
                kind, n.code AS now, f.code AS stated
            FROM main.events e
            JOIN version_codes n ON n.name = e.app_version
            LEFT JOIN version_codes f ON f.name = e.from_version
            LEFT JOIN derived.aliases a ON a.user_id = e.user_id
            WHERE kind IN ('session', 'upgrade') AND occurred_at <= $as_of AND n.code <> {NO_VERSION}
        ), changes AS (
            SELECT row, occurred_at, now, CASE kind WHEN 'upgrade' THEN stated ELSE
                lag(now) OVER (PARTITION BY person, app_id, device_id ORDER BY occurred_at, event_id) END AS before
            FROM shown
        )
        SELECT row FROM changes
        WHERE occurred_at >= $since AND before <> now AND NOT (before >= 0 AND now >= 0 AND now < before)""",
        {"since": as_of - SPAN, "as_of": as_of},
    )
    con.unregister("version_codes")
