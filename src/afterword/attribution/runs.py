"""Rows kept apart by a small integer key, in memory or on disk.

A stream of batches is scattered by key (a counting sort within each batch, no comparison); every
batch becomes a *run* whose rows of one key lie together. Reading a key back is one slice of each
run, in the order in which they came. When the runs outgrow their budget the further ones go to a
temporary file, so memory is bounded by the budget and not by the data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, I64, U8, Int, compiled, inlinable

Column = NDArray[Any]

CHUNK = 16
"""So many bytes of a short string are copied at once."""


class Text(NamedTuple):
    """Strings as Arrow lays them out: `data[offsets[i]:offsets[i + 1]]` is string i, in UTF-8."""

    offsets: I64
    data: U8


@compiled
def _places(key: I32, keys: int) -> tuple[I32, I64]:
    """Counting sort: the place of each row in order of key (-1: left out), and where each key begins."""
    starts = np.zeros(keys + 1, np.int64)
    for k in key:
        if k >= 0:
            starts[k + 1] += 1
    for k in range(keys):
        starts[k + 1] += starts[k]
    following = starts[:-1].copy()
    place = np.empty(key.shape[0], np.int32)
    for row in range(key.shape[0]):
        k = key[row]
        place[row] = -1
        if k >= 0:
            place[row] = following[k]
            following[k] += 1
    return place, starts


@compiled
def _scatter(column: Column, place: I32, out: Column) -> None:
    """Put every value in its place: rows are read in order, and each key is written at one spot only."""
    for row in range(place.shape[0]):
        if place[row] >= 0:
            out[place[row]] = column[row]


@inlinable
def _copy(data: U8, start: Int, length: Int, out: U8, target: Int) -> None:
    """Copy a string; a short one as `CHUNK` bytes, without asking how many: what follows covers the surplus."""
    if length <= CHUNK and start + CHUNK <= data.shape[0]:
        for k in range(CHUNK):
            out[target + k] = data[start + k]
    else:
        for k in range(length):
            out[target + k] = data[start + k]


@compiled
def _scatter_text(offsets: I64, data: U8, key: I32, place: I32, starts: I64) -> tuple[I32, I64, I64, U8]:
    """Put every string in its place; return lengths, where each key's bytes begin and end, and the bytes."""
    keys = starts.shape[0] - 1
    begins = np.zeros(keys, np.int64)
    for row in range(key.shape[0]):
        if key[row] >= 0:
            begins[key[row]] += offsets[row + 1] - offsets[row]
    size = 0
    for k in range(keys):
        begins[k], size = size, size + begins[k] + CHUNK
    ends = begins.copy()
    lengths = np.empty(starts[keys], np.int32)
    out = np.empty(size, np.uint8)
    for row in range(key.shape[0]):
        if key[row] < 0:
            continue
        start, length = offsets[row], offsets[row + 1] - offsets[row]
        target = ends[key[row]]
        lengths[place[row]] = length
        _copy(data, start, length, out, target)  # behind a key's last string there is room for the surplus
        ends[key[row]] = target + length
    return lengths, begins, ends, out


@compiled
def take_text(offsets: I64, data: U8, rows: I32) -> tuple[I64, U8]:
    """Return the strings at `rows`, in that order."""
    size = rows.shape[0]
    begin = np.empty(size, np.int64)
    taken = np.empty(size + 1, np.int64)
    taken[0] = 0
    for i in range(size):
        begin[i] = offsets[rows[i]]
        taken[i + 1] = taken[i] + offsets[rows[i] + 1] - begin[i]
    room = np.empty(taken[size] + CHUNK, np.uint8)
    for i in range(size):
        _copy(data, begin[i], taken[i + 1] - taken[i], room, taken[i])
    return taken, room[: taken[size]]


@dataclass(frozen=True)
class _Run:
    """One batch in order of key: its columns, or their places in the file."""

    starts: I64
    columns: Mapping[str, Column]
    places: Mapping[str, int]
    text_spans: Mapping[str, tuple[I64, I64]]
    """Where the bytes of each key's strings begin and end."""


class Runs:
    """A store of rows by key. Append from one thread; load from any."""

    def __init__(self, keys: int, types: Mapping[str, type[np.generic]], budget: int, directory: Path) -> None:
        """Make an empty store.

        Args:
            keys: keys are 0 to `keys - 1`.
            types: the element type of each column.
            budget: bytes to keep in memory before runs go to disk.
            directory: where the temporary file is made if one is needed.

        """
        self.keys = keys
        self.rows = np.zeros(keys, np.int64)
        self._types = {name: np.dtype(kind) for name, kind in types.items()}
        self._budget = budget
        self._directory = directory
        self._runs: list[_Run] = []
        self._bytes = 0
        self._file: Any = None

    def append(self, key: I32, columns: Mapping[str, Column], texts: Mapping[str, Text]) -> None:
        """Add a batch; rows with a negative key are left out."""
        place, starts = _places(key, self.keys)
        size = int(starts[-1])
        if not size:
            return
        self.rows += np.diff(starts)
        sorted_columns: dict[str, Column] = {}
        for name, column in columns.items():
            out = np.empty(size, self._types[name])
            _scatter(column, place, out)
            sorted_columns[name] = out
        text_spans: dict[str, tuple[I64, I64]] = {}
        for name, text in texts.items():
            lengths, begins, ends, data = _scatter_text(text.offsets, text.data, key, place, starts)
            sorted_columns[name] = data
            sorted_columns[name + ".length"] = lengths
            text_spans[name] = begins, ends
        nbytes = sum(column.nbytes for column in sorted_columns.values())
        if self._bytes + nbytes > self._budget:
            places = self._write(sorted_columns)
            self._runs.append(_Run(starts, {}, places, text_spans))
        else:
            self._bytes += nbytes
            self._runs.append(_Run(starts, sorted_columns, {}, text_spans))

    def _write(self, columns: Mapping[str, Column]) -> dict[str, int]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
        places = {}
        for name, column in columns.items():
            places[name] = self._file.tell()
            view = np.ascontiguousarray(column).view(np.uint8).data
            while view:
                view = view[self._file.write(view) :]
        return places

    def _type(self, name: str) -> np.dtype[Any]:
        if name.endswith(".length"):
            return np.dtype(np.int32)
        return self._types.get(name, np.dtype(np.uint8))

    def _slice(self, run: _Run, name: str, low: int, high: int) -> Column:
        if name in run.columns:
            return run.columns[name][low:high]
        kind = self._type(name)
        wanted = (high - low) * kind.itemsize
        data = os.pread(self._file.fileno(), wanted, run.places[name] + low * kind.itemsize)
        return np.frombuffer(data, kind)

    def column(self, key: int, name: str) -> Column:
        """Return a column of the rows of one key, in the order in which they were appended."""
        parts = [
            self._slice(run, name, int(run.starts[key]), int(run.starts[key + 1]))
            for run in self._runs
            if run.starts[key] < run.starts[key + 1]
        ]
        if not parts:
            return np.empty(0, self._type(name))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def text(self, key: int, name: str) -> Text:
        """Return a text column of the rows of one key."""
        parts = []
        for run in self._runs:
            if run.starts[key] < run.starts[key + 1]:
                begins, ends = run.text_spans[name]
                parts.append(self._slice(run, name, int(begins[key]), int(ends[key])))
        data = np.concatenate(parts) if parts else np.empty(0, np.uint8)
        lengths = self.column(key, name + ".length")
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return Text(offsets, data)

    def close(self) -> None:
        """Forget the rows and remove the temporary file."""
        self._runs.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
