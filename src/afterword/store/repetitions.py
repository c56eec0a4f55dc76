"""Items whose id came before: repetitions and conflicts (rule 33; decision 0022)."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from afterword.errors import Reason
from afterword.store.canonical import canonical_or_same
from afterword.store.fact_keys import Keys, KnownKeys, suspicious
from afterword.store.shapes import GENERATED, Shape
from afterword.store.statements import count, first_row, is_empty, run


def known_keys(con: duckdb.DuckDBPyConnection, shape: Shape, *, whole: bool = False) -> KnownKeys:
    """Return the hashes of the ids that a table holds.

    Ids that the loader generated are no sender's, and none comes twice: where they are most, to look for each among
    millions would cost a tenth of all loading. So they are left out, until somebody sends an id that looks like one.

    Args:
        con: with the tables of facts.
        shape: of the table.
        whole: take them in all the same.

    """
    if shape.generates and not whole:
        others = f"{shape.table} WHERE NOT ({shape.id} ^@ '~' AND {shape.id} = {GENERATED})"
        whole = imitates(con, shape, others)
        if not whole:
            return KnownKeys(_keys(con, shape, others), whole=False)
    return KnownKeys(_keys(con, shape, shape.table))


def imitates(con: duckdb.DuckDBPyConnection, shape: Shape, others: str = "staged WHERE NOT generated") -> bool:
    """Return whether a sender's id looks as if the loader had generated it, such as one that was exported.

    Args:
        con: has the items.
        shape: of the items.
        others: SQL after FROM, of those whose id is not generated.

    """
    alike = f"{shape.id} ^@ '~' AND regexp_full_match({shape.id}, '~[0-9]+-[0-9]+')"
    return shape.generates and not is_empty(con, f"{others} AND {alike}")


def take_out_repetitions(con: duckdb.DuckDBPyConnection, shape: Shape, known: KnownKeys) -> tuple[int, Keys]:
    """Remove from `staged` what is in the store, or stands before in the batch; conflicts go to `rejected`.

    The first logged stays: what is stored, or else the first by position and item.

    Returns:
        How many items were repetitions, and the sorted keys that are new, for `known.add` after the commit.

    """
    look = suspicious(_keys(con, shape, "staged" if known.whole else "staged WHERE NOT generated"), known)
    if not (look.known.size or look.double.size):
        return 0, look.new
    _gather_suspects(con, shape, look.known, look.double)
    _gather_stored(con, shape)
    _judge(con, shape)
    run(
        con,
        """
        INSERT INTO rejected
        SELECT position, item, $kind, $reason,
            concat('id ', left(id, 100), ' was logged before with other content'), arrived_at
        FROM verdicts WHERE conflict""",
        {"kind": shape.table, "reason": Reason.ID_CONFLICT.value},
    )
    run(con, "DELETE FROM staged WHERE rowid IN (SELECT row FROM verdicts)")
    repetitions = count(con, "verdicts WHERE NOT conflict")
    run(con, "DROP TABLE verdicts; DROP TABLE stored; DROP TABLE suspects")
    return repetitions, look.new


def _keys(con: duckdb.DuckDBPyConnection, shape: Shape, table: str) -> Keys:
    keys: Keys = con.execute(f"SELECT {shape.key_sql()} AS key FROM {table}").fetchnumpy()["key"]
    return keys


def _gather_suspects(con: duckdb.DuckDBPyConnection, shape: Shape, known: Keys, double: Keys) -> None:
    """Make `suspects`, the items of the batch whose key is known or comes twice."""
    con.register("known_keys", pa.table({"key": known}))
    con.register("double_keys", pa.table({"key": double}))
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE suspects AS
        SELECT * EXCLUDE (key, fault), key IN (SELECT key FROM known_keys) AS known
        FROM (SELECT rowid AS row, *, {shape.key_sql()} AS key FROM staged)
        WHERE key IN (SELECT key FROM known_keys) OR key IN (SELECT key FROM double_keys)""",
    )
    con.unregister("known_keys")
    con.unregister("double_keys")


def _gather_stored(con: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Make `stored`, what the store has under the suspects' ids.

    Nearly all repetitions have the time of what they repeat, so the store is first searched within the times of the
    suspects, which spares DuckDB most row groups. Only what is not found there, because it was sent with another time,
    is searched everywhere.
    """
    ids = ", ".join([shape.id, *shape.identity])
    columns = ", ".join([*shape.own, "digest"])
    select = f"SELECT {columns} FROM {shape.table} WHERE ({ids}) IN (SELECT ({ids}) FROM sought)"
    run(con, "CREATE OR REPLACE TEMP VIEW sought AS SELECT * FROM suspects WHERE known")
    times = first_row(con, f"SELECT min({shape.time}), max({shape.time}) FROM sought")
    bounds = list(times) if times and times[0] is not None else [0, -1]
    run(con, f"CREATE OR REPLACE TEMP TABLE stored AS {select} AND {shape.time} BETWEEN ? AND ?", bounds)
    run(
        con,
        f"CREATE OR REPLACE TEMP VIEW sought AS SELECT * FROM suspects s WHERE known AND NOT EXISTS "
        f"(FROM stored t WHERE {shape.same_id('s', 't')})",
    )
    if not is_empty(con, "sought"):
        run(con, f"INSERT INTO stored {select}")
    run(con, "DROP VIEW sought")


def _judge(con: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Make `verdicts`: the suspects that are not the first of their id, and whether they conflict with it."""
    ids = ", ".join([shape.id, *shape.identity])
    columns = ", ".join([*shape.own, "digest"])
    properties = ("s.properties", "f.properties") if "properties" in shape.columns else ("NULL", "NULL")
    run(
        con,
        f"""
        CREATE OR REPLACE TEMP TABLE verdicts AS
        WITH firsts AS (
            SELECT {columns}, NULL AS row FROM stored
            UNION ALL
            SELECT {columns}, row FROM suspects s
            WHERE NOT EXISTS (FROM stored t WHERE {shape.same_id("s", "t")})
            QUALIFY row_number() OVER (PARTITION BY {ids} ORDER BY position, item, row) = 1
        )
        SELECT s.row, s.position, s.item, s.arrived_at, s.{shape.id} AS id, s.digest <> f.digest AS conflict,
            s.digest <> f.digest AND {shape.same_content_sql("s", "f")} AS alike,
            {properties[0]} AS ours, {properties[1]} AS theirs
        FROM suspects s JOIN firsts f ON {shape.same_id("s", "f")}
        WHERE f.row IS NULL OR s.row <> f.row""",
    )
    alike = con.execute("SELECT row, ours, theirs FROM verdicts WHERE alike").fetchall()
    equal = [row for row, ours, theirs in alike if canonical_or_same(ours) == canonical_or_same(theirs)]
    if equal:
        con.register("equal_rows", pa.table({"row": pa.array(equal, pa.int64())}))
        run(con, "UPDATE verdicts SET conflict = false WHERE row IN (SELECT row FROM equal_rows)")
        con.unregister("equal_rows")
