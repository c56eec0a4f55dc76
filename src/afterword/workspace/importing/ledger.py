"""How far each file of history is in the log: known after every kill, so that no row goes in twice.

The frames themselves say it: each names its file and how many of the file's rows are in the log with it. A note beside
the log says from where on to look for them, and which files are done.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

import msgspec

from afterword.errors import UserError
from afterword.intake.accepted import DIALECT
from afterword.log import Frame, LogPositionError, Reader

DIRECTORY = "imports"
KEY = "import"
"""Who sent the frames of an import, in the place of a key's id."""
_FILE = re.compile(r"[0-9a-f]{64}")


class Told(msgspec.Struct, omit_defaults=True):
    """What became of the rows of a file."""

    rows: int
    accepted: int = 0
    rejected: dict[str, int] = {}
    """By reason."""
    notes: int = 0
    """What was assumed of some row (bits of `intake.times`)."""


class Standing(msgspec.Struct, omit_defaults=True):
    """How far the import of one file is."""

    name: str
    """What the file is called, for people."""
    began_at: int
    """When it began, in epoch microseconds: the time of receipt that the file's facts are judged by."""
    rows: int = 0
    """How many of its rows are in the log."""
    position: int = 0
    """From where on the log may know of more."""
    finished: Told | None = None


class OutOfStep(UserError):
    """Rows that do not follow on those that are in the log."""


class _Mark(msgspec.Struct):
    """What the frame of an import says beside its body."""

    file: str
    rows: int


class AppendsFrames(Protocol):
    """A log."""

    @property
    def durable(self) -> int:
        """Every frame before this position is on the disk."""

    def append(self, frame: Frame) -> Future[int]:
        """Hand in a frame; the future has its position as soon as it is on the disk."""


class Ledger:
    """The imports of a data directory, for the process that appends to its log; safe to use from all its threads."""

    def __init__(self, data: Path, log_directory: Path, log: AppendsFrames, clock: Callable[[], int]) -> None:
        """Take what is needed; nothing is read yet.

        Args:
            data: the data directory.
            log_directory: where the log is.
            log: the log, open.
            clock: the time, in epoch microseconds.

        """
        self._directory = data / DIRECTORY
        self._log_directory = log_directory
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Standing] = {}

    def begin(self, file: str, name: str, *, again: bool = False) -> Standing:
        """Begin the import of a file, or find out how far it is.

        Args:
            file: 64 hexadecimal digits that stand for its content and how it is read.
            name: what it is called.
            again: begin once more where it was finished.

        Raises:
            UserError: that is no name of a file.
            OSError: it cannot be noted.

        """
        if not _FILE.fullmatch(file):
            raise UserError(f'"{file[:70]}" stands for no file, must be 64 hexadecimal digits')
        with self._lock:
            if file not in self._open:
                self._open[file] = self._found(file, name, again)
            standing = self._open[file]
            if standing.finished is not None:
                del self._open[file]
            return msgspec.structs.replace(standing)

    def append(self, file: str, after: int, rows: int, body: bytes) -> Future[int]:
        """Append rows of a file that was begun; the future is done as soon as they are on the disk.

        Args:
            file: as in `begin`.
            after: how many of its rows were handed in before.
            rows: how many these are.
            body: the JSON of `Accepted`.

        Raises:
            OutOfStep: other rows are awaited; `begin` says which.
            LogError: see `Writer.append`; also from the future. The file must be begun again.

        """
        with self._lock:
            standing = self._open.get(file)
            if standing is None or after != standing.rows:
                raise OutOfStep(f"row {after + 1} is not the next of this import: begin it again")
            mark = msgspec.json.encode(_Mark(file, after + rows))
            future = self._log.append(Frame(self._clock(), DIALECT, KEY, body, mark))
            standing.rows = after + rows
        future.add_done_callback(lambda done: self._look(file, done))
        return future

    def finish(self, file: str, told: Told) -> None:
        """Note that all rows of a file are on the disk, and what became of them: it is not imported again.

        Raises:
            OutOfStep: they are not.
            OSError: it cannot be noted.

        """
        with self._lock:
            standing = self._open.get(file)
            if standing is None or standing.rows != told.rows:
                raise OutOfStep("the log has not all rows of this import: begin it again")
            standing.finished = told
            self._write(file, standing)
            del self._open[file]

    def _look(self, file: str, done: Future[int]) -> None:
        if done.exception() is not None:
            with self._lock:
                self._open.pop(file, None)

    def _found(self, file: str, name: str, again: bool) -> Standing:
        standing = self._read(file)
        if standing is not None and standing.finished is not None and not again:
            return standing
        if standing is not None and standing.finished is None:
            self._search(file, standing)
        if standing is None or not standing.rows or standing.finished is not None:
            standing = Standing(name, self._clock(), position=self._log.durable)
        self._write(file, standing)
        return standing

    def _search(self, file: str, standing: Standing) -> None:
        """Look for frames of the file that were written after the note."""
        up_to = self._log.durable
        if standing.position > up_to:  # the log was put back; ids see to the rest
            standing.rows, standing.position = 0, up_to
        reader = Reader(self._log_directory, standing.position)
        while reader.position < up_to:
            try:
                for entry in reader.read(up_to):
                    mark = _mark(entry.frame)
                    if mark is not None and mark.file == file:
                        standing.rows = mark.rows
            except LogPositionError as error:
                if error.first <= reader.position:
                    raise
                reader.position = error.first  # what was before is loaded and was removed
        standing.position = up_to

    def _read(self, file: str) -> Standing | None:
        try:
            return msgspec.json.decode((self._directory / f"{file}.json").read_bytes(), type=Standing)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _write(self, file: str, standing: Standing) -> None:
        self._directory.mkdir(exist_ok=True)
        path = self._directory / f"{file}.json"
        aside = path.with_suffix(".new")
        with aside.open("wb") as stream:
            stream.write(msgspec.json.encode(standing))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)


def _mark(frame: Frame) -> _Mark | None:
    if frame.key_id != KEY or not frame.extra:
        return None
    return msgspec.json.decode(frame.extra, type=_Mark)
