"""Columns of facts, collected part by part and written as Parquet or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Texts: TypeAlias = npt.NDArray[np.str_]
Column: TypeAlias = Ints | Bools | Texts | Sequence[Decimal] | str | bool

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_TIME_COLUMNS = ("exposed_at", "occurred_at", "received_at")


def at(text: str) -> int:
    """Return an ISO time in UTC as microseconds since 1970."""
    return int(np.datetime64(text, "us").astype(np.int64))


def names(prefix: str, numbers: Iterable[int], width: int) -> Texts:
    """Return ids such as `c-00017`."""
    return np.array([f"{prefix}-{number:0{width}d}" for number in numbers], dtype=np.str_)


def money(cents: Ints) -> list[Decimal]:
    """Return exact amounts."""
    return [Decimal(cent).scaleb(-2) for cent in cents.tolist()]


class Facts:
    """A table that grows by parts; a column that a part does not have is missing in its rows."""

    def __init__(self, columns: str, prefix: str = "e") -> None:
        """`columns` are names with spaces between them, in the order of the file; ids begin with `prefix`."""
        self.columns = columns.split()
        self._prefix = prefix
        self._parts: list[pa.Table] = []
        self._ids = 0

    def new_ids(self, count: int) -> Texts:
        """Return ids that no other row of this table has."""
        first = self._ids + 1
        self._ids += count
        return names(self._prefix, range(first, first + count), 6)

    def add(self, count: int, **columns: Column) -> None:
        """Append `count` rows; a single value stands in all of them."""
        self._parts.append(pa.table({name: _array(name, value, count) for name, value in columns.items()}))

    def table(self) -> pa.Table:
        """Return all rows in order of time (ties: in order of the first column)."""
        whole = pa.concat_tables(self._parts, promote_options="default")
        present = [name for name in self.columns if name in whole.column_names]
        whole = whole.select(present)
        time = next(name for name in _TIME_COLUMNS if name in present)
        return whole.sort_by([(time, "ascending"), (present[0], "ascending")])


def _array(name: str, value: Column, count: int) -> pa.Array:
    if isinstance(value, str | bool):
        return pa.repeat(pa.scalar(value), count)
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} values for {count} rows")
    if name in _TIME_COLUMNS:
        return pa.array(value, type=pa.timestamp("us", tz="UTC"))
    if name == "price":
        return pa.array(value, type=pa.decimal128(12, 2))
    return pa.array(value)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table for machines."""
    pq.write_table(table, path, compression="zstd")


def write_csv(table: pa.Table, path: Path, extra: Sequence[Sequence[str]] = ()) -> None:
    """Write a table for people: ISO times with offset, no quotes where none are needed.

    `extra` are rows of text to put at the end, as they are.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*(_texts(table[name]) for name in table.column_names), strict=True))
        writer.writerows(extra)


def _texts(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        times = np.asarray(column.cast(pa.int64()), dtype=np.int64)
        # Whole seconds read better, and the small files have no others.
        shown = np.datetime_as_string(times.astype("datetime64[us]").astype("datetime64[s]"))
        return [f"{text}Z" for text in shown.tolist()]
    if pa.types.is_boolean(column.type):
        return ["" if value is None else str(value).lower() for value in column.to_pylist()]
    return ["" if value is None else value for value in column.to_pylist()]
