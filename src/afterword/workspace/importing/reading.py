"""Reading files of history: staged one after the other, streamed in the order of their rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from afterword.attribution.canonical import add_canonical_json
from afterword.intake.history import (
    History,
    HistoryKind,
    Receipt,
    UserStager,
    columns_of_history,
    history_of,
    mandatory_of,
)
from afterword.intake.history_items import ID, Items
from afterword.intake.scan import require_columns
from afterword.intake.sources import InputFile, ReadOptions
from afterword.intake.staging import Stager, Table
from afterword.settings import memory_bytes, thread_count
from afterword.store.connection import open_memory
from afterword.store.shapes import SHAPES, Shape, unnamed_sql
from afterword.workspace.failures import leave

BATCH_ROWS = 4096
BATCH_BYTES = 2 << 20
"""JSON may write six characters for one, and a frame of the log takes 16 MiB."""
DATABASE_SHARE = 0.5
"""Of the memory allowed."""
FIRST = "-1"
"""Ends the id of a fact without one that has no equal before it in its file."""
_SHAPES = {shape.table: shape for shape in SHAPES}
_MISSING = {"quantity": "1", "machine": "false"}


@dataclass(frozen=True)
class Staged:
    """A file of history that can be read, as long as it is open."""

    kind: HistoryKind
    file: InputFile
    table: Table
    rows: int
    """Its records, the rejected ones too."""
    ignored: tuple[str, ...]
    """Columns that nobody asks for."""


class HistoryReader:
    """Reads files of history in a database of its own; everything temporary is gone when it closes."""

    def __init__(self, options: ReadOptions, *, memory: str | None, threads: int | None) -> None:
        """Open it.

        Args:
            options: column names, and what times mean.
            memory: such as "4GB".
            threads: how many; all cores if None.

        """
        self._options = options
        self._directory = Path(tempfile.mkdtemp(prefix="afterword-"))
        count = thread_count(threads, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        # Kept order makes the record numbers of staged files those of the files, and a second reading the same.
        self._con = open_memory(
            int(memory_bytes(memory) * DATABASE_SHARE), count, self._directory, preserve_insertion_order=True
        )
        add_canonical_json(self._con)
        self._files: list[InputFile] = []

    def __enter__(self) -> HistoryReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._con, self._files, self._directory, error)

    @contextmanager
    def staged(self, kind: HistoryKind, file: InputFile) -> Iterator[Staged]:
        """Make one file readable; what that takes on the disk is given back at the end.

        Raises:
            UserError: the file cannot be read, or lacks a column that it must have.

        """
        self._files = [file]
        place = Path(tempfile.mkdtemp(dir=self._directory))
        make = UserStager if kind == "users" else Stager
        try:
            table = make(self._con, place, kind, columns_of_history(kind), self._options.rename).table(file)
            require_columns(mandatory_of(kind), table)
            rows = pq.ParquetFile(table.path).metadata.num_rows
            yield Staged(kind, file, table, rows, () if kind == "users" else table.ignored)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def items(self, staged: Staged, timezone: str, receipt: Receipt) -> Iterator[Items]:
        """Yield all rows of a file in order, some thousand at a time; a second time the same ones."""
        history = history_of(staged.kind, staged.table, self._options, timezone, receipt)
        if history.ids_complete:
            yield from (Items(staged.kind, history, batch) for batch in self._batches(history.sql))
            return
        sql = _with_ids(_SHAPES[staged.kind], history)
        with closing(self._con.cursor()) as cursor:
            copies = _Copies(cursor.sql(_numbers_sql(sql)).to_arrow_reader(BATCH_ROWS))
            yield from (Items(staged.kind, history, copies.numbered(batch)) for batch in self._batches(sql))

    def _batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        for batch in self._con.sql(sql).to_arrow_reader(BATCH_ROWS):
            yield from _pieces(batch)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in parts, each of which fits in a frame of the log and in a request."""
    if batch.num_rows < 2 or (batch.num_rows <= BATCH_ROWS and batch.nbytes <= BATCH_BYTES):
        if batch.num_rows:
            yield batch
        return
    half = batch.num_rows // 2
    yield from _pieces(batch.slice(0, half))
    yield from _pieces(batch.slice(half))


class _Copies:
    """Gives equal facts without ids one each, by what number of its equals in the file each is."""

    def __init__(self, numbers: Iterable[pa.RecordBatch]) -> None:
        """Take `record` and `number` of those that have an equal before them, in order."""
        self._pairs = (pair for batch in numbers for pair in zip(*(c.to_pylist() for c in batch.columns), strict=True))
        self._next = next(self._pairs, None)

    def numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of the file's next rows with its ids made different."""
        if self._next is None:
            return batch
        places = {record: place for place, record in enumerate(batch.column("record").to_pylist())}
        last = max(places)
        ids: list[str] | None = None
        while self._next is not None and self._next[0] <= last:
            record, number = self._next
            ids = batch.column(ID).to_pylist() if ids is None else ids
            place = places[record]
            ids[place] = f"{ids[place].removesuffix(FIRST)}-{number}"
            self._next = next(self._pairs, None)
        if ids is None:
            return batch
        return batch.set_column(batch.schema.get_field_index(ID), ID, pa.array(ids, pa.string()))


def _with_ids(shape: Shape, history: History) -> str:
    """Return the SELECT with the column `ID`: the file's own ids, or ones derived from the content (rule 33)."""
    given = shape.id if shape.id in history.columns else "NULL::VARCHAR"
    absent = [name for name in shape.columns if name not in history.columns]
    columns = "".join(f", {_MISSING.get(name, 'NULL::VARCHAR')} AS {name}" for name in absent)
    canonical = "NULL::VARCHAR"
    if "properties" in history.columns:
        canonical = "CASE WHEN properties IS NOT NULL THEN canonical_json(properties) END"
    derived = f"CASE WHEN reason IS NULL THEN concat({unnamed_sql(shape.content_sql(), canonical)}, '{FIRST}') END"
    return (
        f"SELECT *, CASE WHEN {given} IS NULL THEN {derived} ELSE {given} END AS {ID}, {given} IS NULL AS unnamed"
        f"\nFROM (SELECT *{columns}, false AS corrected FROM ({history.sql}))"
    )


def _numbers_sql(sql: str) -> str:
    """Return the SELECT of the records that have an equal before them in the file, and which of them they are."""
    return (
        f"SELECT record, number FROM (SELECT record, row_number() OVER (PARTITION BY {ID} ORDER BY record) AS number "
        f"FROM ({sql}) WHERE unnamed AND reason IS NULL) WHERE number > 1 ORDER BY record"
    )
