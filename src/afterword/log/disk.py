"""What the log asks of the disk: bytes written whole, syncs, names that survive a power cut, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from afterword.log.faults import LogLockedError

LOCK_NAME, UPKEEP_NAME = "lock", "upkeep"
"""Held by who appends, and by who removes or replaces sealed segments, which another process may do."""


def sync_data(fd: int) -> None:
    """Wait until what was written to a file, and its length, is on the disk.

    Raises:
        OSError: it is not, and a second try would lie: the system forgets what it failed to write.

    """
    if sys.platform == "darwin":  # there fsync leaves the data in the disk's own cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def write_whole(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`: a single call may write less without an error.

    Raises:
        OSError: the disk is full or failed.

    """
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written


def sync_directory(directory: Path) -> None:
    """Wait until names that were made, changed or removed in a directory are on the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give a file that was written aside and synced its name, durably."""
    unfinished.replace(path)
    sync_directory(path.parent)


@contextlib.contextmanager
def open_fd(path: Path, flags: int) -> Iterator[int]:
    """Open a file for the time of a block; a new one is for this user alone, since bodies are personal data."""
    fd = os.open(path, flags, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def upkeep(directory: Path) -> Iterator[None]:
    """Hold the right to remove or replace sealed segments for the time of a block.

    Raises:
        LogLockedError: somebody else is at it.

    """
    lock = Lock(directory, UPKEEP_NAME)
    try:
        yield
    finally:
        lock.release()


class Lock:
    """The right to write a log, held until `release` or the end of the process."""

    def __init__(self, directory: Path, name: str = LOCK_NAME) -> None:
        self.path = directory / name
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise LogLockedError(self.path, holder) from None
        except BaseException:
            self.release()
            raise
        # Only for the message above, so a disk too full to take it changes nothing.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others write. The file stays: removing it would let two writers hold two files of one name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
