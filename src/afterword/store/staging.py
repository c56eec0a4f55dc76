"""Items of one kind, shredded by SQL into the temporary table `staged`: each judged by itself, with id and digest."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from afterword.errors import Reason
from afterword.store.canonical import canonical_or_same
from afterword.store.frames import Batch
from afterword.store.shapes import EVENTS, Shape, unnamed_sql
from afterword.store.sql import literal
from afterword.store.statements import run
from afterword.store.usual import usual_selects


def stage(con: duckdb.DuckDBPyConnection, batch: Batch, shape: Shape) -> bool:
    """Fill `staged` with the items that can be used; the others go to `rejected`. Return whether there are any."""
    selects = {shape.table: shape.staging_sql("frames").replace("$form", literal(shape.form()))}
    if shape is EVENTS:
        selects |= usual_selects()
    if not shred(con, batch, selects):
        return False
    run(
        con,
        "INSERT INTO rejected SELECT position, item, ?, ?, fault, arrived_at FROM staged WHERE fault IS NOT NULL",
        [shape.table, Reason.BAD_TYPE.value],
    )
    run(con, "DELETE FROM staged WHERE fault IS NOT NULL")
    return True


def shred(con: duckdb.DuckDBPyConnection, batch: Batch, selects: Mapping[str, str]) -> bool:
    """Make `staged` from lists of a batch; return whether there are any.

    Args:
        con: gets the table.
        batch: has the lists.
        selects: by the name of a list, a SELECT from `frames`; all have the same columns. It must give at least one
            row for every list that can be read, with its `position`.

    """
    present = [name for name in batch.names() if name in selects]
    for number, name in enumerate(present):
        con.register("frames", batch.having(name))
        select = f"SELECT *, {number}::UTINYINT AS origin FROM ({selects[name]})"
        run(con, f"INSERT INTO staged {select}" if number else f"CREATE OR REPLACE TEMP TABLE staged AS {select}")
        batch.refuse_unread(name, _positions(con, number))
        con.unregister("frames")
    return bool(present)


def derive_ids(con: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Give items without an id one from all their content and their number among their equals in the request (rule 33).

    Here equality is by the canonical form of properties, which Python makes: other items never need it.
    """
    run(
        con,
        f"CREATE OR REPLACE TEMP TABLE unnamed AS SELECT rowid AS row, position, item, {shape.content_sql()} AS content"
        f"{', properties' if 'properties' in shape.columns else ', NULL AS properties'} FROM staged"
        f" WHERE {shape.id} IS NULL",
    )
    spelt = con.sql("SELECT row, properties FROM unnamed WHERE properties IS NOT NULL").to_arrow_table()
    canonical = pa.array([canonical_or_same(text) for text in spelt.column("properties").to_pylist()], pa.string())
    con.register("canonical", pa.table({"row": spelt.column("row"), "properties": canonical}))
    run(
        con,
        f"""
        WITH contents AS (
            SELECT row, position, item, {unnamed_sql("content", "c.properties")} AS content
            FROM unnamed LEFT JOIN canonical c USING (row)
        ), numbered AS (
            SELECT row, content, row_number() OVER (PARTITION BY position, content ORDER BY item, row) AS number
            FROM contents
        )
        UPDATE staged SET {shape.id} = concat(n.content, '-', n.number)
        FROM numbered n WHERE staged.rowid = n.row""",
    )
    con.unregister("canonical")
    run(con, "DROP TABLE unnamed")


def _positions(con: duckdb.DuckDBPyConnection, origin: int) -> set[int]:
    sql = "SELECT DISTINCT position FROM staged WHERE origin = ?"
    return {row[0] for row in con.execute(sql, [origin]).fetchall()}
