"""Erasing a person from the store (rule 36): facts lose their identity or go, a tombstone refuses what comes later.

The whole way, which can be gone again from its beginning after a crash as long as the caller keeps the `Erasure`:

1. `Erasure.of` names the person's ids and what stands in their place; the caller stores it.
2. `erase`, in one transaction; results are derived again for `Erasure.replacement`.
3. `log.Writer.seal`, then `log.Writer.rewrite` with `erasing_log.change`: the log then gives the same facts.
4. `finish` forgets that the erasure was asked for, and `database_file.rewrite_database` frees the file of old blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import duckdb
import pyarrow as pa

from afterword.store.people import TOMBSTONE_SQL
from afterword.store.shapes import EVENTS, EXPOSURES, SHAPES, STEP_MESSAGES, Shape
from afterword.store.sql import literal
from afterword.store.statements import run, transaction

ERASED_MESSAGE: Final = "(erased)"
"""Stands for a sentence that named an erased person."""
_PREFIX: Final = "~erased/"


class Policy(StrEnum):
    """What an erasure leaves of a person's facts."""

    KEEP_COUNTS = "keep_counts"
    """The facts of a stranger whom nothing maps back, without device, message and properties."""
    WITHOUT = "without"
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


def erase(con: duckdb.DuckDBPyConnection, erasure: Erasure, *, key: bytes, erased_at: int) -> Counter[str]:
    """Erase a person in one transaction; return how many rows it changed or removed, per table.

    Ids of facts and devices become others that are made from the replacement and the place in the log, and references
    between the person's facts follow: the sender's own systems know the old ones. No loader may run meanwhile, it could
    add what it read before.

    Args:
        con: to a database that `open_facts` opened.
        erasure: who, and what stays.
        key: the secret of the workspace for tombstones; the loader has the same.
        erased_at: now, in epoch microseconds.

    """
    changed: Counter[str] = Counter()
    con.register("erased_users", pa.table({"id": pa.array(erasure.user_ids, pa.string())}))
    try:
        with transaction(con):
            if erasure.replacement is None:
                for shape in SHAPES:
                    changed[shape.table] = run(con, f"DELETE FROM {shape.table} WHERE {_theirs('user_id')}")
            else:
                changed.update(_replace(con, erasure.replacement))
            changed["attributes"] = run(con, f"DELETE FROM attributes WHERE {_theirs('user_id')}")
            merged = f"{_theirs('from_user_id')} OR {_theirs('to_user_id')}"
            changed["merges"] = run(con, f"DELETE FROM merges WHERE {merged}")
            changed["rejected"] = run(
                con,
                "UPDATE rejected SET message = ? WHERE EXISTS (FROM erased_users WHERE contains(message, id))",
                [ERASED_MESSAGE],
            )
            changed["tombstones"] = _bury(con, key, erased_at)
    finally:
        con.unregister("erased_users")
    return +changed


def finish(con: duckdb.DuckDBPyConnection, erasure: Erasure) -> None:
    """Forget that the erasure was asked for: until then the table `deletions` names the person's ids."""
    con.register("erased_users", pa.table({"id": pa.array(erasure.user_ids, pa.string())}))
    try:
        run(con, f"DELETE FROM deletions WHERE {_theirs('user_id')}")
    finally:
        con.unregister("erased_users")


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


def _replace(con: duckdb.DuckDBPyConnection, replacement: str) -> Counter[str]:
    """Make the facts those of the replacement."""
    _map(con, replacement, "new_events", EVENTS, EVENTS.id)
    _map(con, replacement, "new_exposures", EXPOSURES, EXPOSURES.id)
    _map(con, replacement, "new_step_messages", STEP_MESSAGES, STEP_MESSAGES.id)
    _map(con, replacement, "new_devices", EVENTS, "device_id")
    changed = Counter(
        {
            "events": _update(
                con,
                EVENTS,
                replacement,
                {"event_id": "new_events", "exposure_id": "new_exposures", "refund_of": "new_events"}
                | {"device_id": "new_devices"},
                ("order_id", "properties"),
            ),
            "exposures": _update(
                con, EXPOSURES, replacement, {"exposure_id": "new_exposures", "trigger_event_id": "new_events"}
            ),
            "step_messages": _update(
                con, STEP_MESSAGES, replacement, {"message_id": "new_step_messages", "exposure_id": "new_exposures"}
            ),
        }
    )
    for table in ("new_events", "new_exposures", "new_step_messages", "new_devices"):
        run(con, f"DROP TABLE {table}")
    return changed


def _map(con: duckdb.DuckDBPyConnection, replacement: str, name: str, shape: Shape, column: str) -> None:
    """Make a table from old ids of a column to new ones, which are made from where each came first and nothing else."""
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        SELECT {column} AS old, {_new_id(replacement, name, "min((position, item))")} AS new
        FROM {shape.table} WHERE {column} IS NOT NULL AND {_theirs("user_id")} GROUP BY ALL""",
    )


def _new_id(replacement: str, name: str, place: str) -> str:
    salt = literal(f"{replacement}/{name}/")
    return f"concat({literal(_PREFIX)}, md5(concat({salt}, CAST({place} AS VARCHAR))))"


def _update(
    con: duckdb.DuckDBPyConnection,
    shape: Shape,
    replacement: str,
    mapped: dict[str, str],
    removed: tuple[str, ...] = (),
) -> int:
    """Rewrite the person's rows of one table; a reference to what is not there stays one."""
    sets = ["user_id = $replacement", *(f"{column} = NULL" for column in removed)]
    for column, name in mapped.items():
        known = f"(SELECT new FROM {name} WHERE old = {shape.table}.{column})"
        unknown = _new_id(replacement, column, "(position, item)")
        sets.append(f"{column} = CASE WHEN {column} IS NOT NULL THEN coalesce({known}, {unknown}) END")
    rows = run(
        con,
        f"UPDATE {shape.table} SET {', '.join(sets)} WHERE {_theirs('user_id')}",
        {"replacement": replacement},
    )
    digest = f"UPDATE {shape.table} SET digest = hash({', '.join(shape.columns)}) WHERE user_id = $replacement"
    run(con, digest, {"replacement": replacement})
    return rows
