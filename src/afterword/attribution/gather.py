"""From scans to stores: facts are read once, surveyed, and scattered by user.

DuckDB reads and validates (`facts`); here each Arrow batch is counted, its users are looked up, hashes of
ids and content go to the search for repetitions, and what the sweep needs goes to `Runs` by range of users.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I32, I64, NEVER, U8, compiled
from afterword.attribution.facts import FILE_MASK, FILE_SHIFT, RECORD_MASK
from afterword.attribution.repetitions import Repetitions, mix
from afterword.attribution.runs import Column, Runs, Text
from afterword.attribution.texts import TextIndex, hash_texts, keys_of, numbers_of, text_of
from afterword.attribution.tokens import mix_into
from afterword.errors import Reason

NOTHING = np.iinfo(np.int64).min
"""The latest time where there is no fact."""

BATCHES_WAITING = 2

Progress = Callable[[], None]


@dataclass(frozen=True)
class Limits:
    """How much memory the stores may take, where they spill, and how large a batch is."""

    budget: int
    directory: Path
    batch_rows: int = 1 << 20
    threads: int = 2


@dataclass
class Survey:
    """What was seen while reading one kind of fact."""

    read: int = 0
    after_as_of: int = 0
    rejected: I64 = field(default_factory=lambda: np.zeros(len(Reason) + 1, np.int64))
    notes: int = 0
    earliest: int = NEVER
    latest: int = NOTHING
    records: I64 = field(default_factory=lambda: np.zeros(1, np.int64))
    """The largest record number of each file."""

    @property
    def accepted(self) -> int:
        """Rows that are facts, repetitions included."""
        return self.read - self.after_as_of - int(self.rejected.sum())


@compiled
def _survey(row: I64, time: I64, reason: U8, notes: U8, as_of: int, records: I64, rejected: I64) -> tuple[I32, I64]:
    """Mark usable rows (0, else -1); return also (after_as_of, latest, notes, earliest)."""
    usable = np.zeros(row.shape[0], np.int32)
    seen = np.zeros(4, np.int64)
    seen[1] = NOTHING
    seen[3] = NEVER
    for i in range(row.shape[0]):
        file = (row[i] >> FILE_SHIFT) & FILE_MASK
        records[file] = max(records[file], row[i] & RECORD_MASK)
        if reason[i]:
            rejected[reason[i]] += 1
            usable[i] = -1
        elif time[i] > as_of:
            seen[0] += 1
            usable[i] = -1
        else:
            seen[1] = max(seen[1], time[i])
            seen[3] = min(seen[3], time[i])
            seen[2] |= notes[i]
    return usable, seen


class Batch:
    """One Arrow batch of a fact SELECT, its columns as NumPy views."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._names = frozenset(batch.schema.names)
        self.size = batch.num_rows

    def __getitem__(self, name: str) -> Any:
        return numbers_of(self._batch.column(name))

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def text(self, name: str) -> Text:
        """Return a string column; a missing value is an empty string."""
        return text_of(self._batch.column(name))


class Classes:
    """Distinct (token, filter bits) seen, as integers: the event classes."""

    def __init__(self, bit_columns: int, tokens: int) -> None:
        self.rows: list[tuple[int, ...]] = [(t, *([0] * bit_columns)) for t in range(tokens + 1)]
        self._index = {row: index for index, row in enumerate(self.rows)}

    def encode(self, token: I32, bits: list[I64]) -> I32:
        """Return the class of each row; the class of a row without bits is its token."""
        out = token.astype(np.int32, copy=True)
        if not bits:
            return out
        some = np.flatnonzero(np.logical_or.reduce([column != 0 for column in bits]))
        if len(some):
            table = np.stack([token[some].astype(np.int64), *(column[some] for column in bits)], axis=1)
            distinct, inverse = np.unique(table, axis=0, return_inverse=True)
            codes = np.array([self._code(tuple(int(x) for x in row)) for row in distinct], np.int32)
            out[some] = codes[inverse.reshape(-1)]
        return out

    def _code(self, row: tuple[int, ...]) -> int:
        if row not in self._index:
            self._index[row] = len(self.rows)
            self.rows.append(row)
        return self._index[row]


@dataclass
class Stored:
    """One kind of fact, read: by user, with what was seen on the way."""

    runs: Runs
    survey: Survey
    repetitions: Repetitions


@dataclass(frozen=True)
class Seen:
    """What is known of each row of a batch before its columns are picked."""

    usable: I32
    """0 for facts, else -1."""
    user: I32
    """-1 for users without exposures."""


@dataclass(frozen=True)
class Picked:
    """What a batch contributes."""

    wanted: I32
    """Negative for rows that the sweep does not need."""
    columns: dict[str, Column]
    content: Sequence[Column]
    """What tells repetitions from conflicts, besides the user and the time."""
    kind: U8 | None = None
    """Ids are unique per kind (rule 33); None where there is one."""


def batches(con: duckdb.DuckDBPyConnection, sql: str, rows: int) -> Iterator[Batch]:
    """Stream the result of a query."""
    reader = con.sql(sql).to_arrow_reader(rows)
    for batch in reader:
        if batch.num_rows:
            yield Batch(batch)


def users_per_part(users: int, parts: int) -> int:
    """Return the size of the range of users that one part holds."""
    return max(1, -(-users // parts))


class Gatherer:
    """Reads fact SELECTs into stores by range of users."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, people: TextIndex, users: int, parts: int, as_of: int, limits: Limits
    ) -> None:
        self._con = con
        self._people = people
        self._per_part = users_per_part(users, parts)
        self._parts = parts
        self._as_of = as_of
        self._limits = limits

    def gather(
        self,
        sql: str,
        files: int,
        share: float,
        types: Mapping[str, type[np.generic]],
        pick: Callable[[Batch, Seen], Picked],
        progress: Progress,
    ) -> Stored:
        """Read one kind of fact.

        Args:
            sql: a SELECT of `facts`.
            files: how many files it reads.
            share: the part of the memory budget that this kind may take.
            types: the columns to keep and their types (`row`, `user` and `time` are always kept).
            pick: given a batch and what is known of its rows, returns what it contributes.
            progress: called after each batch.

        """
        limits = self._limits
        kept: dict[str, type[np.generic]] = {"row": np.int64, "user": np.int32, "time": np.int64, **types}
        runs = Runs(self._parts, kept, int(limits.budget * share * 0.6), limits.directory)
        repetitions = Repetitions(int(limits.budget * share * 0.4), limits.directory)
        survey = Survey(records=np.zeros(max(1, files), np.int64))
        stored = Stored(runs, survey, repetitions)
        # The database goes on while a batch is taken in, one after the other: their order is that of the files.
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[Future[None]] = deque()
            for batch in batches(self._con, sql, limits.batch_rows):
                waiting.append(pool.submit(self._take, batch, pick, stored))
                if len(waiting) > BATCHES_WAITING:
                    waiting.popleft().result()
                progress()
            for each in waiting:
                each.result()
        return stored

    def _take(self, batch: Batch, pick: Callable[[Batch, Seen], Picked], into: Stored) -> None:
        row, time = batch["row"], batch["time"]
        usable = self._look(batch, row, time, into.survey)
        user_id = batch.text("user_id")
        keys = keys_of(user_id)
        user = self._people.find(user_id, keys)
        picked = pick(batch, Seen(usable, user))
        id_ = batch.text("id")
        own = hash_texts(id_.offsets, id_.data)
        content = keys.hash  # of the user, from here on also of the rest
        for column in (time, *picked.content):
            mix_into(content, column)
        into.repetitions.add(own if picked.kind is None else mix(own, picked.kind), content, row, usable)
        part = parts_of(user, usable, picked.wanted, self._per_part)
        into.runs.append(part, {**picked.columns, "row": row, "user": user, "time": time}, {"id": id_})

    def _look(self, batch: Batch, row: I64, time: I64, survey: Survey) -> I32:
        usable, seen = _survey(row, time, batch["reason"], batch["notes"], self._as_of, survey.records, survey.rejected)
        survey.read += batch.size
        survey.after_as_of += int(seen[0])
        survey.latest = max(survey.latest, int(seen[1]))
        survey.earliest = min(survey.earliest, int(seen[3]))
        survey.notes |= int(seen[2])
        return usable


@compiled
def parts_of(user: I32, usable: I32, wanted: I32, per_part: int) -> I32:
    """Return the part that each row belongs to, -1 for rows that are left out."""
    part = np.empty(user.shape[0], np.int32)
    for i in range(user.shape[0]):
        out = usable[i] < 0 or wanted[i] < 0 or user[i] < 0
        part[i] = -1 if out else user[i] // per_part
    return part
