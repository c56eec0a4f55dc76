"""A data directory: what lies in it, and the part that takes facts in, opened by one process.

The part that answers is opened beside it (`workspace.answering`) and needs much more of the code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from afterword.errors import UserError
from afterword.log import LogError, LogLockedError, begins_at
from afterword.log.writer import SEGMENT_BYTES
from afterword.store.metadata import FILE_NAME as METADATA_FILE
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.permissions import Permission
from afterword.workspace.reopened_log import ReopenedLog

LOG, FACTS, SECRET, TEMPORARY = "log", "facts.duckdb", "secret", "temporary"
"""What lies in a data directory, beside the metadata."""
SECRET_BYTES = 32
DAY = 86_400 * 1_000_000
"""In microseconds; also how long erased persons may stand in log and files unless it is said."""
CHANGES_DAYS = 30
AUDIT_DAYS = 730
"""How long changes of conversions are kept unless it is said."""


class DirectoryHeld(UserError):
    """Another process has the directory open; it may end."""


@dataclass
class Intake:
    """The part of a data directory that takes facts in: what must answer quickly, whatever the results cost."""

    path: Path
    log: ReopenedLog
    metadata: Metadata
    first_key: str | None
    """The secret of the admin key that was made because there was none; shown once."""


@contextmanager
def open_intake(
    path: Path,
    *,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    metadata_url: str | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    with_key: bool = True,
) -> Iterator[Intake]:
    """Open what takes facts in, made if it is not there; one process at a time can.

    Args:
        path: the data directory.
        clock: the time, in microseconds since 1970.
        chance: returns so many unpredictable bytes.
        metadata_url: a database instead of the file in the directory.
        segment_bytes: how large a segment of the log becomes.
        with_key: make a first admin key where there is none; not for who cannot show it.

    Raises:
        UserError: the directory cannot be used, or another process uses it (`DirectoryHeld`).

    """
    _make(path)
    with ExitStack() as stack:
        log = _open_log(path / LOG, segment_bytes)
        stack.callback(log.close)
        metadata = stack.enter_context(open_metadata(metadata_url or path / METADATA_FILE))
        metadata.idempotency.forget_unfinished()
        _make_secret(path / SECRET, chance, is_new=log.durable == 0 and not (path / FACTS).exists())
        yield Intake(path, log, metadata, _first_key(metadata, clock(), chance) if with_key else None)
        with suppress(LogError):  # who was told that it failed knows, and the next start sees to it
            log.seal()  # a planned stop: nothing in the last segment may look like a torn write


def facts_are_missing(path: Path, log: ReopenedLog) -> str | None:
    """Return what to say if the facts are gone that the log's requests were loaded into; None if they are there.

    Raises:
        UserError: the log no longer begins at its beginning, so it cannot bring them back.

    """
    if (path / FACTS).exists() or log.durable == 0:
        return None
    if first := begins_at(path / LOG):
        raise UserError(
            f"{path / FACTS} is not there, and the log begins at {first} only, as older segments were removed: "
            f"put back the last backup of {FACTS}"
        )
    return f"{path / FACTS} is not there: the facts of the log's {log.durable:,} requests are loaded again from it"


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{path} is a file; name a directory with --data") from None
    except OSError as error:
        raise UserError(f"{path} cannot be made: {error.strerror}; name another directory with --data") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{path} cannot be written to; name another directory with --data, or mend its permissions")


def _open_log(path: Path, segment_bytes: int) -> ReopenedLog:
    try:
        return ReopenedLog(path, segment_bytes)
    except LogLockedError as error:
        raise DirectoryHeld(str(error)) from error
    except LogError as error:
        raise UserError(str(error)) from error


def _first_key(metadata: Metadata, now: int, chance: Callable[[int], bytes]) -> str | None:
    if any(key.revoked_at is None for key in metadata.keys.list()):
        return None
    return metadata.keys.create("first admin key", [Permission.ADMIN], now, chance).secret


def _make_secret(path: Path, chance: Callable[[int], bytes], *, is_new: bool) -> None:
    """Make the secret by which erased ids are hashed, in a new directory.

    Raises:
        UserError: it is missing or damaged in one that has facts: nobody would know any more who was erased.

    """
    if path.exists() and path.stat().st_size == SECRET_BYTES:
        return
    if not is_new:
        raise UserError(
            f"{path} is {'damaged' if path.exists() else 'missing'}: without it facts about persons who were erased "
            "would be taken in again; put it back from a backup, or, if nobody was ever erased, make another: "
            f"head -c {SECRET_BYTES} /dev/urandom > {path}"
        )
    aside = path.with_suffix(".new")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(chance(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
