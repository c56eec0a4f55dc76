"""A data directory: the log, the facts, the metadata and the results of one workspace, opened by one process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from afterword.attribution.gather import Limits
from afterword.errors import UserError
from afterword.log import LogError
from afterword.model import Definitions
from afterword.settings import memory_bytes, thread_count
from afterword.store.facts import open_facts
from afterword.store.loader import Loader, loaded_position
from afterword.store.metadata import FILE_NAME as METADATA_FILE
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.permissions import Permission
from afterword.workspace.keeper import Keeper
from afterword.workspace.live import Live
from afterword.workspace.reopened_log import ReopenedLog

LOG, FACTS, SECRET, TEMPORARY = "log", "facts.duckdb", "secret", "temporary"
"""What lies in a data directory, beside the metadata."""
SECRET_BYTES = 32
DATABASE_SHARE = 0.5
"""Of the memory allowed; attribution takes most of the rest."""
STORE_SHARE = 0.3
BATCH_ROWS = 1 << 18
UPKEEP_MICROSECONDS = 60 * 1_000_000


@dataclass
class DataDirectory:
    """An open data directory."""

    path: Path
    log: ReopenedLog
    facts: duckdb.DuckDBPyConnection
    metadata: Metadata
    live: Live
    keeper: Keeper
    first_key: str | None
    """The secret of the admin key that was made because there was none; shown once."""

    def definitions(self) -> Definitions:
        """Return the campaigns that have results: all but drafts."""
        return self.metadata.campaigns.definitions()


class _Work:
    """One round: load, then bring the results up to it."""

    def __init__(self, loader: Loader, live: Live, metadata: Metadata) -> None:
        self._loader = loader
        self._live = live
        self._metadata = metadata
        self._kept_up_at = 0

    def load(self, up_to: int) -> int:
        for loaded in self._loader.batches(up_to):
            return loaded.position
        return up_to

    def refresh(self, as_of: int) -> None:
        # A clock that was set back must not make results that know less than those before.
        as_of = max(as_of, self._live.state.as_of)
        self._live.refresh(self._metadata.campaigns.definitions(), as_of=as_of)

    def look_after(self, as_of: int) -> None:
        if abs(as_of - self._kept_up_at) > UPKEEP_MICROSECONDS:
            self._kept_up_at = as_of
            self._metadata.keys.write_last_uses(as_of)
            self._metadata.idempotency.prune(as_of)


@contextmanager
def open_data_directory(
    path: Path,
    *,
    memory: str | None,
    threads: int | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    tell: Callable[[str, BaseException | None], None],
    metadata_url: str | None = None,
) -> Iterator[DataDirectory]:
    """Open a data directory, made if it is not there, and keep its results up to date until it is closed.

    Args:
        path: the directory.
        memory: such as "4GB".
        threads: all cores if None.
        clock: the time, in microseconds since 1970.
        chance: returns so many unpredictable bytes.
        tell: told what goes wrong meanwhile, with the error, and that it goes well again.
        metadata_url: a database instead of the file in the directory.

    Raises:
        UserError: the directory cannot be used, or another process uses it.

    """
    _make(path)
    total = memory_bytes(memory)
    count = thread_count(threads, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    temporary = path / TEMPORARY
    with ExitStack() as stack:
        log = _open_log(path / LOG)
        stack.callback(log.close)
        # From here on this process is the only one: the log is locked.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        facts = open_facts(path / FACTS, int(total * DATABASE_SHARE), count, temporary)
        stack.callback(facts.close)
        loaded = _checked_position(facts, log, path)
        metadata = stack.enter_context(open_metadata(metadata_url or path / METADATA_FILE))
        metadata.idempotency.forget_unfinished()
        first_key = _first_key(metadata, clock(), chance)
        live = Live(facts, Limits(int(total * STORE_SHARE), temporary, BATCH_ROWS, count))
        loader = Loader(facts.cursor(), path / LOG, tombstone_key=_secret(path / SECRET, chance))
        work = _Work(loader, live, metadata)

        def durable() -> int:
            if log.mend():
                tell("the log was opened again after it had failed", None)
            return log.durable

        keeper = Keeper(work, durable, clock, loaded, tell)
        keeper.start()
        stack.callback(keeper.stop)
        yield DataDirectory(path, log, facts, metadata, live, keeper, first_key)
        with suppress(LogError):  # who was told that it failed knows, and the next start sees to it
            log.seal()  # a planned stop: nothing in the last segment may look like a torn write


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{path} is a file; name a directory with --data") from None
    except OSError as error:
        raise UserError(f"{path} cannot be made: {error.strerror}; name another directory with --data") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{path} cannot be written to; name another directory with --data, or mend its permissions")


def _open_log(path: Path) -> ReopenedLog:
    try:
        return ReopenedLog(path)
    except LogError as error:
        raise UserError(str(error)) from error


def _checked_position(facts: duckdb.DuckDBPyConnection, log: ReopenedLog, path: Path) -> int:
    """Return up to where the log is loaded; a log that ends before that is not the one that was loaded."""
    loaded = loaded_position(facts)
    if loaded > log.durable:
        raise UserError(
            f"{path / FACTS} has the log's first {loaded} requests, but {path / LOG} has only {log.durable}: new ones "
            f"would be taken for old; put the log back that belongs to the facts, or move {FACTS} away"
        )
    return loaded


def _first_key(metadata: Metadata, now: int, chance: Callable[[int], bytes]) -> str | None:
    if any(key.revoked_at is None for key in metadata.keys.list()):
        return None
    return metadata.keys.create("first admin key", [Permission.ADMIN], now, chance).secret


def _secret(path: Path, chance: Callable[[int], bytes]) -> bytes:
    """Return the secret by which erased ids are hashed; made at first."""
    if not path.exists():
        aside = path.with_suffix(".new")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(chance(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    return path.read_bytes()
