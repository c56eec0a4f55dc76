"""An import into a data directory that no server has open."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from afterword.errors import UserError
from afterword.log import LogError
from afterword.workspace.answering import Answering, open_answering
from afterword.workspace.data_directory import LOG, Intake, open_intake
from afterword.workspace.importing.importing import Imported, Job, import_files
from afterword.workspace.importing.ledger import Ledger, Standing, Told
from afterword.workspace.session import Progress

WAITING = 8
"""Batches on their way to the disk; the log takes many more before it refuses."""
FREE_BYTES = 256 << 20
"""With less free space than this nothing more is imported: what is in the log must be loaded yet."""
SPACE_EVERY = 64
"""Batches between two looks at the free space."""


LOOK_SECONDS = 0.2


def import_here(
    path: Path,
    job: Job,
    *,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    told_key: Callable[[str], None],
    metadata_url: str | None,
    progress: Progress,
) -> Imported:
    """Import into a directory that no server has open, and bring its results up to that.

    Args:
        path: the data directory, made if it is not there.
        job: what to import.
        clock: the time, in epoch microseconds.
        chance: returns so many unpredictable bytes.
        told_key: told the secret of the admin key of a directory that was made.
        metadata_url: a database instead of the file in the directory.
        progress: told (stage, share done or None).

    Raises:
        UserError: what is to be imported, or the directory, cannot be used; what went in before stays.

    """
    with open_intake(path, clock=clock, chance=chance, metadata_url=metadata_url) as intake:
        if intake.first_key is not None:
            told_key(intake.first_key)
        imported = import_files(job, LocalLog(intake, clock), progress)
        with open_answering(
            path,
            memory=job.memory,
            threads=job.threads,
            clock=clock,
            chance=chance,
            durable=lambda: intake.log.durable,
            tell=lambda _message, _error: None,  # said below
            metadata_url=metadata_url,
        ) as answering:
            _catch_up(answering, intake.log.durable, progress)
    return imported


def _catch_up(answering: Answering, durable: int, progress: Progress) -> None:
    """Wait until all is loaded and the results know it."""
    keeper = answering.keeper
    first = keeper.loaded
    while not keeper.caught_up(LOOK_SECONDS):
        if (problem := keeper.failure or keeper.stale) is not None:
            what = "loading" if keeper.failure is not None else "attribution"
            raise UserError(f"all rows are in the log, but {what} has stopped: {problem}")
        if keeper.loaded < durable:
            progress("loading", (keeper.loaded - first) / max(1, durable - first))
        else:
            progress("bringing results up to date", None)


class LocalLog:
    """Appends to the log of a directory that this process has open."""

    def __init__(self, intake: Intake, clock: Callable[[], int]) -> None:
        """Take what is needed.

        Args:
            intake: the directory.
            clock: the time, in epoch microseconds.

        """
        self._path = intake.path
        self._ledger = Ledger(intake.path, intake.path / LOG, intake.log, clock)
        self._waiting: deque[Future[int]] = deque()
        self._sent = 0
        self._timezone = intake.metadata.campaigns.definitions().workspace.timezone

    @property
    def timezone(self) -> str:
        """Of the workspace."""
        return self._timezone

    def begin(self, file: str, name: str, *, again: bool) -> Standing:
        """Begin the import of a file, or find out how far it is."""
        return self._ledger.begin(file, name, again=again)

    def send(self, file: str, after: int, rows: int, body: bytes) -> None:
        """Hand in rows; waits where too many are on their way to the disk."""
        if self._sent % SPACE_EVERY == 0 and (free := shutil.disk_usage(self._path).free) < FREE_BYTES:
            raise UserError(
                f"only {free / 2**20:.1f} MiB are free where {self._path} is, {FREE_BYTES / 2**20:.1f} must be: "
                "make room and begin again, the import goes on where it was"
            )
        self._sent += 1
        if len(self._waiting) >= WAITING:
            self._settle(self._waiting.popleft())
        try:
            self._waiting.append(self._ledger.append(file, after, rows, body))
        except LogError as error:
            raise UserError(str(error)) from error

    def finish(self, file: str, told: Told) -> None:
        """Wait until all rows are on the disk, and note what became of them."""
        while self._waiting:
            self._settle(self._waiting.popleft())
        self._ledger.finish(file, told)

    def _settle(self, future: Future[int]) -> None:
        try:
            future.result()
        except LogError as error:
            raise UserError(str(error)) from error
