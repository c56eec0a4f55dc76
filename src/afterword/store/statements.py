"""Running statements so that no result stays open: an unfinished one would own the connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import duckdb


def run(con: duckdb.DuckDBPyConnection, statement: str, parameters: object = None) -> int:
    """Run a statement; return how many rows it inserted, updated or deleted, 0 for any other."""
    rows = con.execute(statement, parameters).fetchall()
    return rows[0][0] if rows and isinstance(rows[0][0], int) else 0


def first_row(con: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> tuple[Any, ...] | None:
    """Return the first row of a query that gives few, None if there is none."""
    rows = con.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def is_empty(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether a table, with or without a WHERE behind it, has no rows."""
    return first_row(con, f"SELECT 1 FROM {relation} LIMIT 1") is None


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return how many rows a table has."""
    row = first_row(con, f"SELECT count(*) FROM {table}")
    return row[0] if row else 0


@contextlib.contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what is done inside, or nothing of it."""
    try:
        run(con, "BEGIN")
        yield
        run(con, "COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a failed COMMIT has ended it already
            run(con, "ROLLBACK")
        raise
