"""Everything under a data directory read to its last byte, to find whether a person is named in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb

from afterword.log import read


def found_in(data: Path, names: tuple[str, ...]) -> set[str]:
    """Return where one of the names stands: files byte by byte, frames decompressed, all rows of all tables.

    The directory must not be in use.
    """
    needles = [name.encode() for name in names]
    found = {
        str(file.relative_to(data))
        for file in data.rglob("*")
        if file.is_file() and any(needle in file.read_bytes() for needle in needles)
    }
    if any(needle in entry.frame.body for entry in read(data / "log", 0) for needle in needles):
        found.add("log")
    return found | _in_tables(data, names)


def _in_tables(data: Path, names: tuple[str, ...]) -> set[str]:
    found = set()
    with duckdb.connect(str(data / "facts.duckdb"), read_only=True) as con:
        for schema, table in con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            text = str(con.execute(f"FROM {schema}.{table}").fetchall())
            found |= {f"facts: {schema}.{table}"} if any(name in text for name in names) else set()
    with sqlite3.connect(data / "metadata.sqlite") as metadata:
        for (table,) in metadata.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            text = str(metadata.execute(f"SELECT * FROM {table}").fetchall())
            found |= {f"metadata: {table}"} if any(name in text for name in names) else set()
    metadata.close()
    return found
