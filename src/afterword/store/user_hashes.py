"""32 bits of the hash of each fact's user: a person's facts are found without reading everybody's ids (decision 0071).

Several users may have one hash, so who looks by it compares the id besides.
"""

from __future__ import annotations

from typing import Final

import duckdb

from afterword.store.shapes import SHAPES
from afterword.store.statements import first_row, run, transaction

BATCH_ROWS: Final = 4_000_000
"""An update keeps in memory what it changes."""


def user_hash_sql(user_id: str) -> str:
    """Return SQL for the hash of an id, UINTEGER."""
    return f"(hash({user_id}) >> 32)::UINTEGER"


def complete_user_hashes(con: duckdb.DuckDBPyConnection) -> None:
    """Give a hash to facts that have none: those of older versions, and all when this DuckDB hashes in another way.

    After a crash at any moment the rest is done when the file is opened again; nobody may look before the end.
    """
    row = first_row(con, "SELECT hash('afterword'), (SELECT probe FROM hashing)")
    assert row is not None
    now, before = row
    if now != before:
        with transaction(con):
            for shape in SHAPES if before is not None else ():
                run(con, f"ALTER TABLE {shape.table} DROP COLUMN user_hash")
                run(con, f"ALTER TABLE {shape.table} ADD COLUMN user_hash UINTEGER")
            run(con, "DELETE FROM hashing")
            run(con, "INSERT INTO hashing VALUES (?)", [now])
    unsure = con.execute(
        "SELECT table_name FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = 'main' "
        "AND column_name = 'user_hash' AND is_nullable"
    ).fetchall()
    for (table,) in unsure:
        _fill(con, table)


def _fill(con: duckdb.DuckDBPyConnection, table: str) -> None:
    last = first_row(con, f"SELECT max(rowid) FROM {table} WHERE user_hash IS NULL")
    for first in range(0, last[0] + 1 if last and last[0] is not None else 0, BATCH_ROWS):
        some = f"user_hash IS NULL AND rowid BETWEEN {first} AND {first + BATCH_ROWS - 1}"
        run(con, f"UPDATE {table} SET user_hash = {user_hash_sql('user_id')} WHERE {some}")
    run(con, f"ALTER TABLE {table} ALTER user_hash SET NOT NULL")
