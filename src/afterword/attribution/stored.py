"""The derived tables in DuckDB: what the report's queries and the lists of users read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afterword.attribution.compiled import NEVER
from afterword.attribution.derive import Derived, Rows

CREATE = """
CREATE OR REPLACE TEMP TABLE recipients (campaign INTEGER, variant INTEGER, "user" INTEGER, channel TINYINT,
    exposure BIGINT, first_exposed_at BIGINT, first_day DATE, last_exposed_at BIGINT, latest BOOLEAN,
    converted UTINYINT, unit_converted UTINYINT, variants_seen UTINYINT);
CREATE OR REPLACE TEMP TABLE exposures (exposure BIGINT, campaign INTEGER, variant INTEGER, "user" INTEGER,
    channel TINYINT, exposed_at BIGINT, exposed_day DATE, superseded_at BIGINT, outcome TINYINT, at_risk UTINYINT,
    converted UTINYINT, first BOOLEAN);
CREATE OR REPLACE TEMP TABLE conversions (campaign INTEGER, letter UTINYINT, "user" INTEGER, exposure BIGINT,
    variant INTEGER, channel TINYINT, step INTEGER, exposed_at BIGINT, exposed_day DATE, converted_at BIGINT,
    converted_day DATE, event BIGINT, after_open BOOLEAN, after_click BOOLEAN);
CREATE OR REPLACE TEMP TABLE credited (campaign INTEGER, variant INTEGER, channel TINYINT, step INTEGER,
    "user" INTEGER, exposure BIGINT, exposed_day DATE, event BIGINT, occurred_at BIGINT, occurred_day DATE,
    amount BIGINT, refunded BIGINT, currency INTEGER);
CREATE OR REPLACE TEMP TABLE received (campaign INTEGER, variant INTEGER, step INTEGER, "user" INTEGER,
    exposure BIGINT, received_at BIGINT, received_day DATE);
CREATE OR REPLACE TEMP TABLE persons (campaign INTEGER, variant INTEGER, "user" INTEGER, first_exposed_at BIGINT,
    first_day DATE, y_a INTEGER, y_b INTEGER, y_c INTEGER, y_d INTEGER, m_a INTEGER, m_b INTEGER, m_c INTEGER,
    m_d INTEGER, x_a INTEGER, x_b INTEGER, x_c INTEGER, x_d INTEGER, earned BIGINT, earned_before BIGINT,
    apart BOOLEAN, guards UTINYINT);
CREATE OR REPLACE TEMP TABLE person_money (campaign INTEGER, "user" INTEGER, currency INTEGER, occurred_day DATE,
    before BOOLEAN, net BIGINT);
"""
STORE_ROWS = 1 << 18


class Receiver(Protocol):
    """Who is told the derived rows, part after part in order of users, besides the result files."""

    def begin(self, con: duckdb.DuckDBPyConnection, as_of: int) -> None:
        """Prepare; `con` holds the table `currencies`, and what is stored goes there."""

    def add(self, derived: Derived) -> None:
        """Take the rows of the next part; the connection is not used elsewhere meanwhile."""

    def end(self) -> None:
        """Finish: there are no more parts."""


class StoredTables:
    """Receives derived rows and stores them as they are."""

    def begin(self, con: duckdb.DuckDBPyConnection, as_of: int) -> None:
        """Make the tables."""
        self._con = con
        self._waiting: list[Derived] = []
        self._rows = 0
        con.execute(CREATE)

    def add(self, derived: Derived) -> None:
        """Take the rows of the next part."""
        self._waiting.append(derived)
        self._rows += len(derived.exposures["user"]) + len(derived.credited.rows["user"])
        if self._rows >= STORE_ROWS:
            self.end()

    def end(self) -> None:
        """Write what is waiting."""
        for name in ("recipients", "exposures", "received", "persons", "person_money") if self._waiting else ():
            self._insert(name, [getattr(part, name) for part in self._waiting])
        for name in ("conversions", "credited") if self._waiting else ():
            self._insert(name, [getattr(part, name).rows for part in self._waiting])
        self._waiting, self._rows = [], 0

    def _insert(self, table: str, parts: Sequence[Rows]) -> None:
        rows = stacked(parts)
        if len(rows["campaign"]):
            self._con.register("derived_rows", as_table(rows))
            self._con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM derived_rows")
            self._con.unregister("derived_rows")


def stacked(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def as_table(rows: Rows) -> pa.Table:
    """Return derived rows with the types that queries expect."""
    return pa.table({name: _arrow(name, column) for name, column in rows.items()})


def _arrow(name: str, column: NDArray[Any]) -> pa.Array:
    # By buffers: `pa.array` loads pandas, if there is one.
    values = np.ascontiguousarray(column)
    kind = pa.date32() if name.endswith("_day") else pa.from_numpy_dtype(values.dtype)
    present = np.packbits(values != NEVER, bitorder="little") if name == "superseded_at" else None
    buffers = [None if present is None else pa.py_buffer(present), pa.py_buffer(values)]
    return pa.Array.from_buffers(kind, len(values), buffers)
