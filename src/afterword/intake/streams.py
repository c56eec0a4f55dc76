"""Text files as batches of records: decompressed, checked to be UTF-8, numbered, nothing lost.

CSV is cut into cells by Arrow's reader and not by DuckDB's: it is as fast, keeps to RFC 4180 (a carriage return
inside a quoted cell, a quote inside an unquoted one), and tells the number of every record that it cannot use.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from afterword.errors import UserError
from afterword.intake.sources import InputFile

BROKEN = "__broken"
RECORD = "__record"
LINE = "__line"

_BLOCK = 4 * 1024 * 1024
_LONGEST_RECORD = 64 * 1024 * 1024


class TextStream(io.RawIOBase):
    """A file's decompressed bytes, checked to be UTF-8 on the way, with `tail` after the last one."""

    def __init__(self, file: InputFile, tail: bytes = b"") -> None:
        super().__init__()
        self.problem: UserError | None = None
        self._file = file
        self._tail = tail
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._position = 0
        compression = None if file.compression == "none" else file.compression
        self._source = pa.input_stream(file.path, compression=compression)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes; an empty answer is the end."""
        try:
            data: bytes = self._source.read(_BLOCK if size is None or size < 0 else size)
        except (OSError, pa.ArrowException) as error:
            raise self._fail(f"cannot be read: {_first_line(error)}") from error
        self._check(data)
        if not data:
            data, self._tail = self._tail, b""
        return data

    def _check(self, data: bytes) -> None:
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise self._fail(
                f"is not UTF-8 (byte 0x{byte:02X} near position {self._position + error.start}); save it as UTF-8"
            ) from error
        self._position += len(data)

    def _fail(self, what: str) -> UserError:
        self.problem = UserError(f"{self._file.path} {what}")
        return self.problem

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        super().close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def csv_header(file: InputFile) -> list[str]:
    """Return the column names in a CSV file's first record."""
    with TextStream(file) as stream:
        start = stream.read(1024 * 1024)
    text = start.decode("utf-8-sig", errors="ignore")
    names = next((row for row in csv.reader(io.StringIO(text, newline="")) if row), None)
    if names is None:
        raise UserError(f"{file.path} is empty; a CSV file starts with a line of column names")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f'{file.path} has two columns "{name}"')
        seen.add(name)
    return names


class CsvReader:
    """A CSV file as Arrow batches of text cells, with the records that have too few or too many cells among them."""

    def __init__(self, file: InputFile, names: list[str], wanted: list[str]) -> None:
        self._file = file
        self._names = names
        self._wanted = wanted
        # A record that cannot be one: if it does not arrive by itself, a quote was never closed.
        self._end_mark = hashlib.sha256(b"end of " + file.path.encode(errors="surrogateescape")).hexdigest()
        self._stream = TextStream(file, tail=("\n" + self._end_mark + "," * len(names) + "\n").encode())
        self._broken: list[tuple[int, str]] = []
        self._ended = False
        self._next = 2  # Arrow counts records from 1, and the header is the first
        self.schema = pa.schema(
            [(RECORD, pa.int64()), (BROKEN, pa.string()), *((name, pa.string()) for name in wanted)]
        )

    @property
    def problem(self) -> UserError | None:
        """What went wrong while reading, if anything."""
        return self._stream.problem

    def _on_invalid(self, row: Any) -> str:
        if row.text.startswith(self._end_mark):
            self._ended = True
        else:
            message = f"the record has {row.actual_columns} cells; the header has {row.expected_columns}"
            self._broken.append((row.number, message))
        return "skip"

    def _open(self) -> Any:
        csv_options = pyarrow.csv
        return csv_options.open_csv(
            pa.PythonFile(self._stream, mode="r"),
            # One thread, or Arrow does not tell the numbers of the records that it refuses.
            read_options=csv_options.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=csv_options.ParseOptions(newlines_in_values=True, invalid_row_handler=self._on_invalid),
            convert_options=csv_options.ConvertOptions(
                check_utf8=False,
                include_columns=self._wanted or self._names[:1],
                column_types={name: pa.string() for name in self._names},
                strings_can_be_null=False,
            ),
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the file's records in order."""
        try:
            for batch in self._open():
                yield self._numbered(batch)
        except pa.ArrowInvalid as error:
            if self._stream.problem is None:
                self._stream.problem = UserError(f"{self._file.path} cannot be read as CSV: {_first_line(error)}")
            raise self._stream.problem from error
        if not self._ended:
            self._stream.problem = UserError(f'{self._file.path} has a quoted cell that never ends (a missing ")')
            raise self._stream.problem
        if self._broken:
            yield self._broken_batch(self._broken)

    def _numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Number a batch's records: those that Arrow skipped leave gaps."""
        numbers = np.arange(self._next, self._next + batch.num_rows + len(self._broken), dtype=np.int64)
        gaps = np.array([number for number, _ in self._broken], dtype=np.int64)
        numbers = numbers[~np.isin(numbers, gaps)][: batch.num_rows]
        self._next = int(numbers[-1]) + 1 if batch.num_rows else self._next
        done = [pair for pair in self._broken if pair[0] < self._next]
        self._broken = [pair for pair in self._broken if pair[0] >= self._next]
        cells = [batch.column(name) for name in self._wanted]
        good = pa.record_batch(
            [pa.array(numbers - 1), pa.nulls(batch.num_rows, pa.string()), *cells], schema=self.schema
        )
        if not done:
            return good
        return pa.concat_batches([good, self._broken_batch(done)])

    def _broken_batch(self, broken: list[tuple[int, str]]) -> pa.RecordBatch:
        empty = [pa.nulls(len(broken), pa.string()) for _ in self._wanted]
        numbers = pa.array([number - 1 for number, _ in broken], pa.int64())
        return pa.record_batch([numbers, pa.array([text for _, text in broken]), *empty], schema=self.schema)


class LineReader:
    """An NDJSON file as Arrow batches of lines, numbered; blank lines are left out."""

    schema = pa.schema([(RECORD, pa.int64()), (LINE, pa.string())])

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._stream = TextStream(file)

    @property
    def problem(self) -> UserError | None:
        """What went wrong while reading, if anything."""
        return self._stream.problem

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the file's lines in order."""
        rest, number = b"", 1
        while data := self._stream.read(_BLOCK):
            if number == 1 and not rest and data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
                self._stream.problem = UserError(f"{self._file.path} is one JSON array; expected one object per line")
                raise self._stream.problem
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_RECORD:
                self._stream.problem = UserError(f"{self._file.path}: line {number + len(lines)} is over 64 MB")
                raise self._stream.problem
            yield self._batch(lines, number)
            number += len(lines)
        if rest:
            yield self._batch([rest], number)

    def _batch(self, lines: list[bytes], first: int) -> pa.RecordBatch:
        if first == 1 and lines:
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        kept = [(number, line) for number, line in enumerate(lines, first) if line.strip()]
        numbers = pa.array([number for number, _ in kept], pa.int64())
        # The stream has checked that it is UTF-8.
        text = pa.array([line for _, line in kept], pa.binary()).cast(pa.string(), safe=False)
        return pa.record_batch([numbers, text], schema=self.schema)
