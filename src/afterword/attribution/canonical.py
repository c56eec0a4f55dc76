"""`canonical_json` for SQL (rule 33)."""

from __future__ import annotations

import duckdb

from afterword.store.canonical import canonical_json


def add_canonical_json(con: duckdb.DuckDBPyConnection) -> None:
    """Make `canonical_json` a function of the connection; it is called for few rows only."""
    con.create_function("canonical_json", canonical_json, ["VARCHAR"], "VARCHAR")
