"""What is loaded about people besides facts: attributes, merges, deletions; and whose facts are refused (rule 36)."""

from __future__ import annotations

import json
from typing import Final

import duckdb

from afterword.errors import Reason
from afterword.store.frames import Batch
from afterword.store.sql import literal
from afterword.store.staging import shred
from afterword.store.statements import count, is_empty, run

TOMBSTONE_SQL: Final = "sha256(concat($key, chr(31), sha256(concat($key, chr(31), {id}))))"
"""A keyed hash that SQL can compute by itself; nested, so that none can be continued from another."""


def load_deletions(con: duckdb.DuckDBPyConnection, batch: Batch) -> int:
    """Note who is to be erased, by all ids that the merges so far give the person; return how many were asked for."""
    if not _stage(con, batch, "deletions", "user_id", optional=("leave",)):
        return 0
    run(
        con,
        """
        INSERT INTO deletions
        WITH RECURSIVE pairs AS (
            SELECT from_user_id AS a, to_user_id AS b FROM merges UNION SELECT to_user_id, from_user_id FROM merges
        ), ids AS (
            SELECT user_id AS id, position, item FROM staged
            UNION SELECT b, position, item FROM pairs JOIN ids ON a = id
        )
        SELECT id, position, item, arrived_at, CASE WHEN leave = 'nothing' THEN leave ELSE 'counts' END
        FROM ids JOIN staged USING (position, item)""",
    )
    return count(con, "staged")


def load_tombstones(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Take in what erasing left in the log in the place of deletions: a replay refuses whom the log has forgotten."""
    if _stage(con, batch, "tombstones", "hash", optional=("erased_at",)):
        run(
            con,
            """
            INSERT INTO tombstones SELECT hash, min(coalesce(try_cast(erased_at AS BIGINT), arrived_at)) FROM staged
            WHERE hash NOT IN (SELECT hash FROM tombstones) GROUP BY hash""",
        )


def load_merges(con: duckdb.DuckDBPyConnection, batch: Batch, key: bytes) -> tuple[int, int, int]:
    """Append the merges; return how many are new, repetitions, and refused."""
    if not _stage(con, batch, "merges", "from_user_id", "to_user_id"):
        return 0, 0, 0
    refused = sum(refuse(con, key, column) for column in ("from_user_id", "to_user_id"))
    new = run(
        con,
        """
        INSERT INTO merges
        SELECT from_user_id, to_user_id, position, item, arrived_at FROM staged
        WHERE (from_user_id, to_user_id) NOT IN (SELECT (from_user_id, to_user_id) FROM merges)
        QUALIFY row_number() OVER (PARTITION BY from_user_id, to_user_id ORDER BY position, item) = 1""",
    )
    return new, count(con, "staged") - new, refused


def load_attributes(con: duckdb.DuckDBPyConnection, batch: Batch, key: bytes) -> tuple[int, int]:
    """Keep the latest value of each attribute, forget those set to null; return how many came and were refused."""
    if not _stage(con, batch, "attributes", "user_id", "values"):
        return 0, 0
    refused = refuse(con, key, "user_id")
    run(
        con,
        """
        CREATE OR REPLACE TEMP TABLE latest AS
        SELECT user_id, entry.key AS name, CAST(entry.value AS VARCHAR) AS value, entry.type = 'NULL' AS gone,
            position, item, arrived_at
        FROM staged, json_each(CAST(staged.values AS JSON)) AS entry
        QUALIFY row_number() OVER (
            PARTITION BY user_id, entry.key ORDER BY position DESC, item DESC, entry.id DESC
        ) = 1""",
    )
    run(con, "DELETE FROM attributes USING latest l WHERE attributes.user_id = l.user_id AND attributes.name = l.name")
    run(
        con, "INSERT INTO attributes SELECT user_id, name, value, position, item, arrived_at FROM latest WHERE NOT gone"
    )
    run(con, "DROP TABLE latest")
    return count(con, "staged"), refused


def load_rejected(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Keep the items that the dialect rejected."""
    form = literal(json.dumps([dict.fromkeys(("item", "kind", "reason", "message"), "VARCHAR")]))
    select = f"""
        WITH items AS (
            SELECT position, arrived_at, unnest(TRY(from_json(list, {form}))) AS one FROM frames
        )
        SELECT position, coalesce(try_cast(one.item AS INTEGER), -1) AS item, coalesce(one.kind, 'requests') AS kind,
            coalesce(one.reason, 'bad_type') AS reason, coalesce(one.message, '') AS message, arrived_at
        FROM items"""
    if shred(con, batch, {"rejected": select}):
        run(con, "INSERT INTO rejected SELECT position, item, kind, reason, message, arrived_at FROM staged")


def refuse(con: duckdb.DuckDBPyConnection, key: bytes, column: str = "user_id") -> int:
    """Remove from `staged` what names an erased person, or one whose deletion came before; return how many."""
    if is_empty(con, "deletions") and is_empty(con, "tombstones"):
        return 0
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE refusing AS SELECT rowid AS row, position, arrived_at FROM staged
        WHERE {column} IN (
            SELECT id FROM (SELECT DISTINCT {column} AS id FROM staged)
            WHERE {TOMBSTONE_SQL.format(id="id")} IN (SELECT hash FROM tombstones)
        ) OR EXISTS (FROM deletions d WHERE d.user_id = staged.{column} AND d.position < staged.position)""",
        {"key": key.hex()},
    )
    run(con, "INSERT INTO refused SELECT DISTINCT position, arrived_at FROM refusing")
    refused = run(con, "DELETE FROM staged WHERE rowid IN (SELECT row FROM refusing)")
    run(con, "DROP TABLE refusing")
    return refused


def _stage(
    con: duckdb.DuckDBPyConnection, batch: Batch, name: str, *columns: str, optional: tuple[str, ...] = ()
) -> bool:
    """Fill `staged` with the items of a list whose columns are mandatory texts, `values` a JSON object; or optional."""
    types = {column: "JSON" if column == "values" else "VARCHAR" for column in ("item", *columns, *optional)}
    form = literal(json.dumps([types]))
    select = f"""
        WITH items AS (
            SELECT position, arrived_at, unnest(TRY(from_json(list, {form}))) AS one FROM frames
        )
        SELECT position, coalesce(try_cast(one.item AS INTEGER), -1) AS item, arrived_at,
            {", ".join(f'CAST(one."{column}" AS VARCHAR) AS "{column}"' for column in (*columns, *optional))}
        FROM items"""
    if not shred(con, batch, {name: select}):
        return False
    wrong = " ".join(f"WHEN \"{column}\" IS NULL THEN '{column} is missing'" for column in columns)
    if "values" in columns:
        wrong += " WHEN NOT starts_with(\"values\", '{') THEN 'values are no JSON object'"
    fault = f"CASE WHEN item = -1 THEN 'item is missing or no whole number' {wrong} END"
    run(
        con,
        f"INSERT INTO rejected SELECT position, item, ?, ?, {fault}, arrived_at FROM staged WHERE {fault} IS NOT NULL",
        [name, Reason.BAD_TYPE.value],
    )
    run(con, f"DELETE FROM staged WHERE {fault} IS NOT NULL")
    return True
