"""The derived tables in DuckDB, and the rows of the result files in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I32, NEVER
from afterword.attribution.derive import LETTERS, Derived, Named, Rows
from afterword.attribution.gather import Limits
from afterword.attribution.runs import Runs, Text

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
CREATE OR REPLACE TEMP TABLE currencies (currency INTEGER, code VARCHAR);
"""
FLUSH_ROWS = 1 << 18

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


class Tables:
    """Receives derived rows, part after part in order of users."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, campaigns: int, users: pa.Array, currencies: list[str], limits: Limits
    ) -> None:
        self._con = con
        con.execute(CREATE)
        # Labels number the versions too; what is no currency is never asked for.
        codes = pa.array(currencies, pa.string())
        con.register("labels", pa.table({"currency": range(len(currencies)), "code": codes}))
        con.execute("INSERT INTO currencies SELECT * FROM labels")
        con.unregister("labels")
        budget = limits.budget // 4
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
        self._waiting.append(derived)
        self._rows += len(derived.exposures["user"]) + len(derived.credited.rows["user"])
        if self._rows >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        parts = self._waiting
        for name in ("recipients", "exposures", "received"):
            self._insert(name, _stacked([getattr(part, name) for part in parts]))
        conversions = _stacked_named([part.conversions for part in parts])
        credited = _stacked_named([part.credited for part in parts])
        self._insert("conversions", conversions.rows)
        self._insert("credited", credited.rows)
        key = conversions.rows["campaign"] * np.int32(LETTERS) + conversions.rows["letter"]
        _keep(self.results.conversions, key.astype(np.int32), conversions, CONVERSION_FILE)
        _keep(self.results.credited, credited.rows["campaign"], credited, CREDITED_FILE)
        self._waiting = []
        self._rows = 0

    def _insert(self, table: str, rows: Rows) -> None:
        if not len(rows["campaign"]):
            return
        self._con.register("derived_rows", pa.table({name: _arrow(name, column) for name, column in rows.items()}))
        self._con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM derived_rows")
        self._con.unregister("derived_rows")


def _arrow(name: str, column: Any) -> pa.Array:
    if name.endswith("_day"):
        return pa.array(column, pa.int32()).view(pa.date32())
    if name == "superseded_at":
        return pa.array(column, mask=column == NEVER)
    return pa.array(column)


def _keep(runs: Runs, key: I32, named: Named, types: dict[str, type[np.generic]]) -> None:
    columns = {name: named.rows[name] for name in types}
    runs.append(key, columns, {"exposure_id": named.exposure_id, "event_id": named.event_id})


def _stacked(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _stacked_named(parts: list[Named]) -> Named:
    return Named(
        _stacked([part.rows for part in parts]),
        stacked_text([part.exposure_id for part in parts]),
        stacked_text([part.event_id for part in parts]),
    )


def stacked_text(parts: list[Text]) -> Text:
    """Return the strings of all parts, one after the other."""
    ends = np.cumsum([0, *(len(part.data) for part in parts)])
    offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Text(np.concatenate([*offsets, ends[-1:]]), np.concatenate([part.data for part in parts]))
