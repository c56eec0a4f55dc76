"""An import of history: files in, facts in the log, each row once however often it is begun again."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from afterword import __version__
from afterword.errors import UserError, nearest
from afterword.intake.bodies import Policy
from afterword.intake.history import HISTORY_KINDS, HistoryKind, Receipt
from afterword.intake.history_items import Items
from afterword.intake.scan import check_rename
from afterword.intake.sources import InputFile, ReadOptions
from afterword.intake.times import FROM_DATE, READ_AS_UTC
from afterword.workspace.importing.ledger import Standing, Told
from afterword.workspace.importing.reading import HistoryReader, Staged
from afterword.workspace.inputs import hash_file
from afterword.workspace.rejections import SCHEMA
from afterword.workspace.run import DATES_READ, UTC_ASSUMED
from afterword.workspace.session import Progress

SKEW_SECONDS = Policy().skew_seconds


class Destination(Protocol):
    """Where rows go: the log of a directory that is open here, or a server."""

    @property
    def timezone(self) -> str:
        """Of the workspace."""

    def begin(self, file: str, name: str, *, again: bool) -> Standing:
        """Begin the import of a file, or find out how far it is; see `Ledger.begin`."""

    def send(self, file: str, after: int, rows: int, body: bytes) -> None:
        """Hand in rows; returns when the next can come, and raises for any that failed."""

    def finish(self, file: str, told: Told) -> None:
        """Wait until all rows are on the disk, and note what became of them."""


@dataclass
class Imported:
    """What an import did."""

    accepted: Counter[str] = field(default_factory=Counter)
    """Rows that can be used, by kind; repetitions are among them."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Rows that cannot, by reason."""
    again: list[str] = field(default_factory=list)
    """Files that were imported before, and left alone."""
    notes: list[str] = field(default_factory=list)
    """What was assumed while reading, a sentence each."""

    def add(self, kind: HistoryKind, told: Told) -> None:
        """Count a file."""
        self.accepted[kind] += told.accepted
        self.rejected.update(told.rejected)
        for bit, note in ((READ_AS_UTC, UTC_ASSUMED), (FROM_DATE, DATES_READ)):
            if told.notes & bit:
                self.note(note)

    def note(self, note: str) -> None:
        """Note something once."""
        if note not in self.notes:
            self.notes.append(note)


class Rejections:
    """Lists rejected rows in a file as they are found; without any there is none."""

    def __init__(self, path: Path) -> None:
        """Take the place of the file, which is written aside and replaced when complete."""
        self.path = path
        self._aside = path.with_name(path.name + ".new")
        self._writer: pq.ParquetWriter | None = None

    def add(self, file: str, items: Items) -> None:
        """List what cannot be used of some rows."""
        if not items.refused:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._aside, SCHEMA, compression="zstd")
        ordered = sorted(items.refused, key=lambda each: each.record)
        rows = [{"file": file, "row": r.record, "reason": r.reason.value, "message": r.message} for r in ordered]
        self._writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

    def close(self) -> bool:
        """Complete the file; return whether there is one."""
        if self._writer is None:
            return False
        self._writer.close()
        self._writer = None
        os.replace(self._aside, self.path)
        return True


@dataclass(frozen=True)
class Job:
    """What is to be imported."""

    files: Mapping[HistoryKind, Sequence[InputFile]]
    options: ReadOptions
    """Column names, and what times mean."""
    rejections: Rejections
    """Where rejected rows are listed."""
    strict: bool = False
    """Look at all rows first, and import nothing if one is rejected."""
    again: bool = False
    """Import files again that were imported before; facts that are known add nothing."""
    memory: str | None = None
    """Such as "4GB"."""
    threads: int | None = None
    """All cores if None."""


def import_files(job: Job, destination: Destination, progress: Progress) -> Imported:
    """Import files; those that were imported before are left alone, and one that was begun goes on.

    Raises:
        UserError: a file cannot be read, or the destination refuses; what went in before stays.

    """
    check_rename(job.options)
    with HistoryReader(job.options, memory=job.memory, threads=job.threads) as reader, ExitStack() as stack:
        work = _Import(reader, job, destination, progress)
        found = (work.prepared(stack, kind, file) for kind in HISTORY_KINDS for file in job.files.get(kind, ()))
        parts = [part for part in found if part is not None]
        if not work.imported.again:  # a column may be in a file that is not read again
            _check_renamed(job.options, [part.staged for part in parts])
        if job.strict:
            work.check(parts)
        for part in parts:
            work.take(part)
    return work.imported


@dataclass
class _Part:
    """One file on its way."""

    staged: Staged
    file: str
    """What stands for it in the ledger."""
    standing: Standing

    @property
    def receipt(self) -> Receipt:
        """When its facts are received."""
        return Receipt(self.standing.began_at, SKEW_SECONDS)


class _Import:
    """Takes file after file to the destination."""

    def __init__(self, reader: HistoryReader, job: Job, destination: Destination, progress: Progress) -> None:
        self.imported = Imported()
        self._reader = reader
        self._job = job
        self._destination = destination
        self._progress = progress
        self._begun: set[str] = set()
        self._rows = 0
        self._done = 0

    def prepared(self, stack: ExitStack, kind: HistoryKind, file: InputFile) -> _Part | None:
        """Begin a file and make it readable; None if it was imported before."""
        self._progress(f"reading {Path(file.path).name}", None)
        before = _state(file)
        name = self._fingerprint(kind, file)
        # A copy of a file that is on its way says nothing new either.
        standing = None if name in self._begun else self._begin(name, file)
        if standing is None or standing.finished is not None:
            self.imported.again.append(file.path)
            return None
        staged = stack.enter_context(self._reader.staged(kind, file))
        if _state(file) != before:
            raise UserError(f"{file.path} changed while it was read: import it again when it is complete")
        if staged.ignored:
            self.imported.note(f"{kind}: ignored columns: {', '.join(sorted(staged.ignored))}")
        self._rows += staged.rows
        return _Part(staged, name, standing)

    def _begin(self, name: str, file: InputFile) -> Standing:
        self._begun.add(name)
        return self._destination.begin(name, Path(file.path).name, again=self._job.again)

    def check(self, parts: Iterable[_Part]) -> None:
        """Refuse to import anything if a row is rejected."""
        rejected = Counter[str]()
        first = ""
        for part in parts:
            self._progress(f"checking {Path(part.staged.file.path).name}", None)
            for items in self._reader.items(part.staged, self._destination.timezone, part.receipt):
                self._job.rejections.add(part.staged.file.path, items)
                rejected.update(each.reason.value for each in items.refused)
                if items.refused and not first:
                    one = min(items.refused, key=lambda each: each.record)
                    first = f"{part.staged.file.path}, row {one.record}: {one.message}"
        if rejected:
            counts = ", ".join(f"{n:,} {reason}" for reason, n in rejected.items())
            rows = "row" if rejected.total() == 1 else "rows"
            raise UserError(
                f"--strict: {rejected.total():,} {rows} would be rejected ({counts}), so nothing was imported; "
                f"the first: {first}"
            )

    def take(self, part: _Part) -> None:
        """Import one file from where it stands."""
        told = Told(0)
        path, kind = part.staged.file.path, part.staged.kind
        for items in self._reader.items(part.staged, self._destination.timezone, part.receipt):
            self._job.rejections.add(path, items)
            there = part.standing.rows - told.rows
            if there < items.size:
                rest = items.after(there) if there > 0 else items
                body = msgspec.json.encode(rest.accepted())
                self._destination.send(part.file, max(part.standing.rows, told.rows), rest.size, body)
            _count(told, items)
            self._done += items.size
            self._progress(f"importing {Path(path).name}", self._done / max(1, self._rows))
        self._destination.finish(part.file, told)
        self.imported.add(kind, told)

    def _fingerprint(self, kind: HistoryKind, file: InputFile) -> str:
        """Return what stands for the file's content and for all that decides on how it is read."""
        options = self._job.options
        told = {
            "program": __version__,
            "kind": kind,
            "format": [file.format, file.compression],
            "sha256": hash_file(file.path),
            "rename": dict(options.rename),
            "time_unit": options.time_unit,
            "dates": options.dates and [options.dates, self._destination.timezone],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _state(file: InputFile) -> tuple[int, int]:
    found = os.stat(file.path)
    return found.st_size, found.st_mtime_ns


def _count(told: Told, items: Items) -> None:
    told.rows += items.size
    told.accepted += items.size - len(items.refused)
    told.notes |= items.notes
    for each in items.refused:
        told.rejected[each.reason.value] = told.rejected.get(each.reason.value, 0) + 1


def _check_renamed(options: ReadOptions, staged: Iterable[Staged]) -> None:
    """Refuse a renaming of a column that no file has."""
    have = sorted({name for each in staged for name in each.table.theirs})
    for theirs, ours in options.rename.items():
        if theirs not in have:
            raise UserError(f'--map {theirs}={ours}: no file has a column "{theirs}"{nearest(theirs, have)}')
