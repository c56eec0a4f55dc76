"""Erasing persons from the store (rule 36): facts lose their identity or go, a tombstone refuses what comes later.

The whole way; after a crash at any moment it goes on from what the tables say:

1. The loader notes in `deletions` who is to be erased, by all ids of the person.
2. `erase_waiting`, in the transaction that derives the results again: facts change or go, `erasures` remembers by what.
3. `log.Writer.seal`, then `log.rewriting` with `erasing_log.change`: the log then gives the same facts.
4. `forget`: who was erased is no longer written down, but that old blocks of the file may name them is.
5. `database_file.rewrite_database` frees the file of old blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import duckdb
import pyarrow as pa

from afterword.store.people import TOMBSTONE_SQL
from afterword.store.shapes import EVENTS, EXPOSURES, SHAPES, STEP_MESSAGES, Shape
from afterword.store.sql import literal
from afterword.store.statements import first_row, is_empty, run, transaction
from afterword.store.user_hashes import user_hash_sql

ERASED_MESSAGE: Final = "(erased)"
"""Stands for a sentence that named an erased person."""
_PREFIX: Final = "~erased/"


class Policy(StrEnum):
    """What an erasure leaves of a person's facts."""

    KEEP_COUNTS = "counts"
    """The facts of a stranger whom nothing maps back, without device, message and properties."""
    WITHOUT = "nothing"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is erased, and what stands in the person's place.

    Attributes:
        user_ids: all ids of one person, merges followed.
        replacement: a random id for the facts that stay; None where none stay.

    """

    user_ids: tuple[str, ...]
    replacement: str | None

    @classmethod
    def of(cls, user_ids: Iterable[str], policy: Policy, random_bytes: Callable[[int], bytes]) -> Erasure:
        """Return the erasure of a person.

        Args:
            user_ids: all ids of the person.
            policy: what stays.
            random_bytes: the source of chance, such as `os.urandom`.

        """
        ids = tuple(sorted(set(user_ids)))
        return cls(ids, _PREFIX + random_bytes(16).hex() if policy is Policy.KEEP_COUNTS else None)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Whom the files may still name.

    Attributes:
        persons: how many deletions wait to be erased from the tables.
        erased: how many are erased from the tables, and not from the log.
        old_blocks: whether only old blocks of the database file are left to be freed, of some deletion.
        position: of the first of all these deletions in the log.
        last: of the last deletion that is erased from the tables and not from the log; None without any.
        since: when the first of all these deletions came, in epoch microseconds.
        refused: how many requests of the log have something about persons who were erased before.
        refused_since: when the first of these came.
        loaded: up to which position the log is loaded.

    """

    persons: int
    erased: int
    old_blocks: bool
    position: int | None
    last: int | None
    since: int | None
    refused: int
    refused_since: int | None
    loaded: int


def unfinished(con: duckdb.DuckDBPyConnection) -> Unfinished:
    """Return what is left to be done about deletions that are loaded."""
    # Asked every second, and nearly always it is nothing. The position first: what is loaded between two of these
    # statements would else be told as done.
    loaded = first_row(con, "SELECT position FROM loaded")
    if all(is_empty(con, name) for name in ("deletions", "erasures", "old_blocks", "refused")):
        return Unfinished(0, 0, False, None, None, None, 0, None, loaded[0] if loaded else 0)
    row = first_row(
        con,
        """
        WITH every AS (
            SELECT 'deletions' AS what, position, item, arrived_at FROM deletions
            UNION ALL SELECT 'erasures', position, item, arrived_at FROM erasures
            UNION ALL SELECT 'old_blocks', position, 0, arrived_at FROM old_blocks
        )
        SELECT count(DISTINCT (position, item)) FILTER (what = 'deletions'),
            count(DISTINCT (position, item)) FILTER (what = 'erasures'), count(*) FILTER (what = 'old_blocks') > 0,
            min(position), max(position) FILTER (what = 'erasures'), min(arrived_at),
            (SELECT count(DISTINCT position) FROM refused), (SELECT min(arrived_at) FROM refused),
            coalesce((SELECT position FROM loaded), 0)
        FROM every""",
    )
    assert row is not None
    return Unfinished(*row)


def refunded_by_waiting(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the users whose purchases are refunded by those who wait to be erased: their results may change."""
    rows = con.execute(
        """
        SELECT DISTINCT p.user_id FROM events r JOIN events p ON p.event_id = r.refund_of
        WHERE r.kind = 'refund' AND p.kind = 'purchase' AND r.user_id IN (SELECT user_id FROM deletions)"""
    ).fetchall()
    return [user for (user,) in rows]


def are_waiting(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether somebody is to be erased from the tables."""
    return not is_empty(con, "deletions")


def erase_waiting(
    con: duckdb.DuckDBPyConnection, *, key: bytes, erased_at: int, random_bytes: Callable[[int], bytes]
) -> list[Erasure]:
    """Erase all who wait for it, in the caller's transaction; return whom, and what stands in their place."""
    erasures = [Erasure.of(ids, policy, random_bytes) for ids, policy in _persons(con)]
    erase(con, erasures, key=key, erased_at=erased_at)
    con.register("replaced_users", _table(erasures))
    run(
        con,
        """
        INSERT INTO erasures
        SELECT user_id, position, item, arrived_at, replacement, ?
        FROM deletions JOIN replaced_users ON id = user_id""",
        [erased_at],
    )
    con.unregister("replaced_users")
    run(con, "DELETE FROM deletions")
    return erasures


def erase(con: duckdb.DuckDBPyConnection, erasures: Sequence[Erasure], *, key: bytes, erased_at: int) -> Counter[str]:
    """Erase persons in the caller's transaction; return how many rows it changed or removed, per table.

    Ids of facts and devices become others that are made from the replacement and the place in the log, and references
    between the person's facts follow: the sender's own systems know the old ones. No loader may run meanwhile, it could
    add what it read before.

    Args:
        con: to a database that `open_facts` opened.
        erasures: who, and what stays; nobody twice.
        key: the secret of the workspace for tombstones; the loader has the same.
        erased_at: now, in epoch microseconds.

    """
    changed: Counter[str] = Counter()
    con.register("erased_rows", _table(erasures))
    run(con, "CREATE OR REPLACE TEMP TABLE erased_users AS FROM erased_rows")
    con.unregister("erased_rows")
    for shape in SHAPES:
        gone = f"DELETE FROM {shape.table} WHERE user_id IN (SELECT id FROM erased_users WHERE replacement IS NULL)"
        changed[shape.table] = run(con, gone)
    changed.update(_replace(con))
    changed["attributes"] = run(con, f"DELETE FROM attributes WHERE {_theirs('user_id')}")
    merged = f"{_theirs('from_user_id')} OR {_theirs('to_user_id')}"
    changed["merges"] = run(con, f"DELETE FROM merges WHERE {merged}")
    changed["rejected"] = run(
        con,
        "UPDATE rejected SET message = ? WHERE EXISTS (FROM erased_users WHERE contains(message, id))",
        [ERASED_MESSAGE],
    )
    changed["tombstones"] = _bury(con, key, erased_at)
    run(con, "DROP TABLE erased_users")
    return +changed


def forget(con: duckdb.DuckDBPyConnection, up_to: int) -> None:
    """Forget who was erased by deletions before a position: until then `erasures` names the persons.

    The file's old blocks may still do; `rewrite_database` forgets that, too.
    """
    with transaction(con):
        run(
            con,
            """
            CREATE OR REPLACE TEMP TABLE first_left AS SELECT min(position) AS position, min(arrived_at) AS arrived_at
            FROM (SELECT position, arrived_at FROM erasures WHERE position < $up_to UNION ALL FROM old_blocks)""",
            {"up_to": up_to},
        )
        run(con, "DELETE FROM old_blocks")
        run(con, "INSERT INTO old_blocks FROM first_left WHERE position IS NOT NULL")
        run(con, "DELETE FROM erasures WHERE position < ?", [up_to])
        run(con, "DELETE FROM refused WHERE position < ?", [up_to])
        run(con, "DROP TABLE first_left")


def read_tombstones(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Return the keyed hashes of all erased ids, and when each was erased."""
    return [(digest, at) for digest, at in con.execute("SELECT hash, erased_at FROM tombstones").fetchall()]


def add_tombstones(con: duckdb.DuckDBPyConnection, tombstones: Sequence[tuple[str, int]]) -> None:
    """Add those of another database file that are not there."""
    hashes, times = [digest for digest, _ in tombstones], [at for _, at in tombstones]
    con.register("added", pa.table({"hash": pa.array(hashes, pa.string()), "erased_at": pa.array(times, pa.int64())}))
    run(con, "INSERT INTO tombstones SELECT hash, erased_at FROM added WHERE hash NOT IN (SELECT hash FROM tombstones)")
    con.unregister("added")


def _persons(con: duckdb.DuckDBPyConnection) -> list[tuple[set[str], Policy]]:
    """Return the persons who wait to be erased, each once: several deletions may name one, and the stricter counts."""
    rows = con.execute(
        """
        SELECT list(user_id), bool_or(leave = 'nothing') FROM deletions
        GROUP BY position, item ORDER BY position, item"""
    ).fetchall()
    persons: list[tuple[set[str], bool]] = []
    of: dict[str, int] = {}
    for ids, nothing in rows:
        known = sorted({of[user] for user in ids if user in of})
        together, strict = set(ids), bool(nothing)
        for number in known:
            together |= persons[number][0]
            strict = strict or persons[number][1]
            persons[number] = (set(), False)
        persons.append((together, strict))
        of.update(dict.fromkeys(together, len(persons) - 1))
    return [(ids, Policy.WITHOUT if nothing else Policy.KEEP_COUNTS) for ids, nothing in persons if ids]


def _table(erasures: Sequence[Erasure]) -> pa.Table:
    pairs = [(user, erasure.replacement) for erasure in erasures for user in erasure.user_ids]
    ids, replacements = [user for user, _ in pairs], [replacement for _, replacement in pairs]
    return pa.table({"id": pa.array(ids, pa.string()), "replacement": pa.array(replacements, pa.string())})


def _theirs(column: str) -> str:
    return f"{column} IN (SELECT id FROM erased_users)"


def _bury(con: duckdb.DuckDBPyConnection, key: bytes, erased_at: int) -> int:
    return run(
        con,
        f"""
        INSERT INTO tombstones
        SELECT hash, $at FROM (SELECT {TOMBSTONE_SQL.format(id="id")} AS hash FROM erased_users)
        WHERE hash NOT IN (SELECT hash FROM tombstones)""",
        {"key": key.hex(), "at": erased_at},
    )


def _replace(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Make the facts those of the replacements."""
    run(con, "CREATE OR REPLACE TEMP TABLE kept_users AS FROM erased_users WHERE replacement IS NOT NULL")
    _map(con, "new_events", EVENTS, EVENTS.id)
    _map(con, "new_exposures", EXPOSURES, EXPOSURES.id)
    _map(con, "new_step_messages", STEP_MESSAGES, STEP_MESSAGES.id)
    _map(con, "new_devices", EVENTS, "device_id")
    # A refund of another's purchase goes on to refund it (rule 28): that person's numbers must not change.
    run(
        con,
        """
        CREATE OR REPLACE TEMP TABLE new_refunds AS FROM new_events UNION ALL
        SELECT DISTINCT k.replacement, r.refund_of, r.refund_of
        FROM events r JOIN kept_users k ON k.id = r.user_id JOIN events p ON p.event_id = r.refund_of
        ANTI JOIN new_events n ON n.replacement = k.replacement AND n.old = r.refund_of
        WHERE r.kind = 'refund' AND p.kind = 'purchase'""",
    )
    changed = Counter(
        {
            "events": _update(
                con,
                EVENTS,
                {"event_id": "new_events", "exposure_id": "new_exposures", "refund_of": "new_refunds"}
                | {"device_id": "new_devices"},
                ("order_id", "properties"),
            ),
            "exposures": _update(con, EXPOSURES, {"exposure_id": "new_exposures", "trigger_event_id": "new_events"}),
            "step_messages": _update(
                con, STEP_MESSAGES, {"message_id": "new_step_messages", "exposure_id": "new_exposures"}
            ),
        }
    )
    for table in ("new_events", "new_exposures", "new_step_messages", "new_devices", "new_refunds", "kept_users"):
        run(con, f"DROP TABLE {table}")
    return changed


def _map(con: duckdb.DuckDBPyConnection, name: str, shape: Shape, column: str) -> None:
    """Make a table from old ids of a column to new ones, which are made from where each came first and nothing else."""
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        SELECT replacement, {column} AS old, {_new_id(name, "min((position, item))")} AS new
        FROM {shape.table} JOIN kept_users ON id = user_id WHERE {column} IS NOT NULL GROUP BY replacement, {column}""",
    )


def _new_id(name: str, place: str) -> str:
    return f"concat({literal(_PREFIX)}, md5(concat(replacement, {literal(f'/{name}/')}, CAST({place} AS VARCHAR))))"


def _update(con: duckdb.DuckDBPyConnection, shape: Shape, mapped: dict[str, str], removed: tuple[str, ...] = ()) -> int:
    """Rewrite the persons' rows of one table; a reference to what is not there stays one."""
    columns, joins = [], []
    for number, (column, name) in enumerate(mapped.items()):
        known, unknown = (
            f"m{number}.new",
            _new_id(column, "(t.position, t.item)").replace("replacement", "k.replacement"),
        )
        columns.append(f"CASE WHEN t.{column} IS NOT NULL THEN coalesce({known}, {unknown}) END AS {column}")
        joins.append(
            f"LEFT JOIN {name} m{number} ON m{number}.old = t.{column} AND m{number}.replacement = k.replacement"
        )
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE replaced AS SELECT t.rowid AS row, k.replacement AS user_id, {", ".join(columns)}
        FROM {shape.table} t JOIN kept_users k ON k.id = t.user_id {" ".join(joins)}""",
    )
    sets = ["user_id = r.user_id", f"user_hash = {user_hash_sql('r.user_id')}"]
    sets += [f"{column} = r.{column}" for column in mapped]
    sets += [f"{column} = NULL" for column in removed]
    rows = run(con, f"UPDATE {shape.table} SET {', '.join(sets)} FROM replaced r WHERE {shape.table}.rowid = r.row")
    run(
        con,
        f"UPDATE {shape.table} SET digest = hash({', '.join(shape.columns)}) "
        "WHERE user_id IN (SELECT replacement FROM kept_users)",
    )
    run(con, "DROP TABLE replaced")
    return rows
