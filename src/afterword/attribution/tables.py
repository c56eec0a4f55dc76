"""The derived tables in DuckDB, and the rows of the result files in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, NEVER
from afterword.attribution.derive import LETTERS, Derived, Named, Rows
from afterword.attribution.gather import Limits
from afterword.attribution.runs import Runs, Text

INT, SMALL, LONG, MASK, DAY = pa.int32(), pa.int8(), pa.int64(), pa.uint8(), pa.date32()
DERIVED: dict[str, dict[str, pa.DataType]] = {
    "recipients": {
        "campaign": INT, "variant": INT, "user": INT, "channel": SMALL, "exposure": LONG, "first_exposed_at": LONG,
        "first_day": DAY, "last_exposed_at": LONG, "latest": MASK, "converted": MASK, "unit_converted": MASK,
        "variants_seen": MASK,
    },
    "exposures": {
        "exposure": LONG, "campaign": INT, "variant": INT, "user": INT, "channel": SMALL, "exposed_at": LONG,
        "exposed_day": DAY, "superseded_at": LONG, "outcome": SMALL, "at_risk": MASK, "converted": MASK, "first": MASK,
    },
    "conversions": {
        "campaign": INT, "letter": MASK, "user": INT, "exposure": LONG, "variant": INT, "channel": SMALL, "step": INT,
        "exposed_at": LONG, "exposed_day": DAY, "converted_at": LONG, "converted_day": DAY, "event": LONG,
        "after_open": MASK, "after_click": MASK,
    },
    "credited": {
        "campaign": INT, "variant": INT, "channel": SMALL, "step": INT, "user": INT, "exposure": LONG,
        "exposed_day": DAY, "event": LONG, "occurred_at": LONG, "occurred_day": DAY, "amount": LONG, "refunded": LONG,
        "currency": INT,
    },
    "received": {
        "campaign": INT, "variant": INT, "step": INT, "user": INT, "exposure": LONG, "received_at": LONG,
        "received_day": DAY,
    },
}  # fmt: skip
"""The derived tables and how their columns are kept."""
BOOLEANS = ("latest", "first", "after_open", "after_click")
FLUSH_ROWS = 1 << 20

CONVERSION_FILE: dict[str, type[np.generic]] = {
    "user": np.int32, "variant": np.int8, "channel": np.int8, "step": np.int32, "exposed_at": np.int64,
    "converted_at": np.int64, "after_open": np.uint8, "after_click": np.uint8,
}  # fmt: skip
CREDITED_FILE: dict[str, type[np.generic]] = {
    "user": np.int32, "variant": np.int8, "channel": np.int8, "occurred_at": np.int64, "amount": np.int64,
    "refunded": np.int64, "currency": np.int32,
}  # fmt: skip


@dataclass(frozen=True)
class ResultRows:
    """Rows of the result files by key, each key's in order of user, channel, exposure."""

    conversions: Runs
    """Key: campaign * 4 + letter."""
    credited: Runs
    """Key: campaign."""
    users: pa.Array
    """The user ids, by user."""
    currencies: list[str]

    def close(self) -> None:
        """Free the rows and their temporary files."""
        self.conversions.close()
        self.credited.close()


class DerivedRows:
    """The derived rows: in memory while they are few, beyond a budget in tables of the database."""

    def __init__(self, con: duckdb.DuckDBPyConnection, budget: int) -> None:
        self._con = con
        self._budget = budget
        self._bytes = 0
        self._held: dict[str, list[pa.Table]] = {name: [] for name in DERIVED}
        for name, columns in DERIVED.items():
            empty = pa.table({column: pa.nulls(0, kind) for column, kind in columns.items()})
            con.register("derived_rows", empty)
            con.execute(f"CREATE OR REPLACE TEMP TABLE {name}_stored AS SELECT * FROM derived_rows")
            con.unregister("derived_rows")

    def add(self, name: str, rows: Rows) -> None:
        """Add rows to a table."""
        table = pa.table({column: arrow_column(rows[column], kind) for column, kind in DERIVED[name].items()})
        self._held[name].append(table)
        self._bytes += table.nbytes
        if self._bytes > self._budget:
            for each in DERIVED:
                self._store(each)
            self._bytes = 0

    def _store(self, name: str) -> None:
        if self._held[name]:
            self._con.register("derived_rows", pa.concat_tables(self._held[name]))
            self._con.execute(f"INSERT INTO {name}_stored SELECT * FROM derived_rows")
            self._con.unregister("derived_rows")
            self._held[name] = []

    def publish(self) -> None:
        """Make the tables readable under their names."""
        for name, columns in DERIVED.items():
            relation = f"SELECT * FROM {name}_stored"
            if self._held[name]:
                self._con.register(f"{name}_held", pa.concat_tables(self._held[name]))
                relation += f" UNION ALL SELECT * FROM {name}_held"
            selected = ", ".join(_selected(column) for column in columns)
            self._con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {selected} FROM ({relation})")


def _selected(column: str) -> str:
    if column in BOOLEANS:
        return f"CAST({column} AS BOOLEAN) AS {column}"
    if column == "superseded_at":
        return f"nullif(superseded_at, {NEVER}) AS superseded_at"
    return f'"{column}"'


class Tables:
    """Receives derived rows, part after part in order of users."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, campaigns: int, users: pa.Array, currencies: list[str], limits: Limits
    ) -> None:
        # Labels number the versions too; what is no currency is never asked for.
        con.execute(
            "CREATE OR REPLACE TEMP TABLE currencies AS "
            "SELECT unnest(range(len($codes)))::INTEGER AS currency, unnest($codes::VARCHAR[]) AS code",
            {"codes": currencies},
        )
        budget = limits.budget // 4
        self._derived = DerivedRows(con, budget)
        self.results = ResultRows(
            Runs(max(1, campaigns) * LETTERS, CONVERSION_FILE, budget, limits.directory),
            Runs(max(1, campaigns), CREDITED_FILE, budget, limits.directory),
            users,
            currencies,
        )
        self._waiting: list[Derived] = []
        self._rows = 0

    def add(self, derived: Derived) -> None:
        """Take the rows of the next part."""
        for name, rows in (
            ("recipients", derived.recipients),
            ("exposures", derived.exposures),
            ("received", derived.received),
            ("conversions", derived.conversions.rows),
            ("credited", derived.credited.rows),
        ):
            if len(rows["campaign"]):
                self._derived.add(name, rows)
        self._waiting.append(derived)
        self._rows += len(derived.conversions.rows["user"]) + len(derived.credited.rows["user"])
        if self._rows >= FLUSH_ROWS:
            self._flush()

    def finish(self) -> None:
        """Make everything readable."""
        self._flush()
        self._derived.publish()

    def _flush(self) -> None:
        """Put the rows of the result files that are waiting into their order."""
        if not self._waiting:
            return
        conversions = _stacked_named([part.conversions for part in self._waiting], CONVERSION_FILE)
        credited = _stacked_named([part.credited for part in self._waiting], CREDITED_FILE)
        key = conversions.rows["campaign"] * np.int32(LETTERS) + conversions.rows["letter"]
        _keep(self.results.conversions, key.astype(np.int32), conversions, CONVERSION_FILE)
        _keep(self.results.credited, credited.rows["campaign"], credited, CREDITED_FILE)
        self._waiting = []
        self._rows = 0


def arrow_column(column: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return integers as an Arrow column without copying them, if they are of its width."""
    values = np.ascontiguousarray(column, np.dtype(f"{'u' if kind == MASK else 'i'}{kind.bit_width // 8}"))
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _keep(runs: Runs, key: I32, named: Named, types: dict[str, type[np.generic]]) -> None:
    columns = {name: named.rows[name] for name in types}
    runs.append(key, columns, {"exposure_id": named.exposure_id, "event_id": named.event_id})


def _stacked_named(parts: list[Named], types: Iterable[str]) -> Named:
    names = {"campaign", "letter", *types}
    rows = {name: np.concatenate([part.rows[name] for part in parts]) for name in names if name in parts[0].rows}
    return Named(
        rows,
        stacked_text([part.exposure_id for part in parts]),
        stacked_text([part.event_id for part in parts]),
    )


def stacked_text(parts: list[Text]) -> Text:
    """Return the strings of all parts, one after the other."""
    ends = np.cumsum([0, *(len(part.data) for part in parts)])
    offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Text(np.concatenate([*offsets, ends[-1:]]), np.concatenate([part.data for part in parts]))
