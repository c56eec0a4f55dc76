"""What can go wrong with the log; each message is one sentence that names the file, the position and the way out."""

from __future__ import annotations

import errno
from pathlib import Path

from afterword.errors import AfterwordError, UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}


class LogError(AfterwordError):
    """Base of what the log refuses to do. A server answers 5xx: it is never the fault of who sent the body."""


class LogLockedError(LogError):
    """Another process, or another writer of this one, writes this log."""

    exit_code = 2

    def __init__(self, lock: Path, holder: str) -> None:
        who = f"process {holder}" if holder else "another writer"
        super().__init__(f"{lock} is held by {who}, and only one may write a log: stop it first")


class LogFailedError(LogError):
    """A write or a sync failed: what was waiting is not durable, and nothing more is accepted."""

    exit_code = 2

    def __init__(self, path: Path, position: int, cause: BaseException) -> None:
        self.path = path
        self.position = position
        self.full = isinstance(cause, OSError) and cause.errno in _FULL
        strerror = cause.strerror if isinstance(cause, OSError) else None
        why = strerror or f"{type(cause).__name__}: {cause}"
        way_out = "free some space" if self.full else "look at the disk"
        super().__init__(
            f"{path} could not be written from position {position} on ({why}): {way_out}, then open the log again"
        )


class LogClosedError(LogError):
    """The writer was closed; nothing more can be appended through it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"the log in {directory} was closed: open it again to append")


class LogBusyError(LogError):
    """More is waiting for the disk than may be held in memory."""

    def __init__(self, directory: Path, waiting: int, limit: int) -> None:
        self.waiting = waiting
        self.limit = limit
        super().__init__(
            f"{waiting} bytes are waiting to be written to the log in {directory}, at most {limit} may: try again later"
        )


class LogDamagedError(LogError):
    """Bytes that were durable are not what was written, or a segment is missing.

    Attributes:
        path: the segment.
        position: the position of the first frame that cannot be believed.
        offset: where in the file it should begin, in bytes.
        reason: what is wrong there.

    """

    def __init__(self, path: Path, position: int, offset: int, reason: str, way_out: str = "") -> None:
        self.path = path
        self.position = position
        self.offset = offset
        self.reason = reason
        way_out = way_out or "restore this file from a backup"
        super().__init__(f"{path} is damaged at byte {offset}, position {position} ({reason}): {way_out}")


class LogPositionError(LogError):
    """The position asked for is not in the log: retention has removed it, or it was never reached."""

    def __init__(self, directory: Path, asked: int, first: int, end: int) -> None:
        self.asked = asked
        self.first = first
        self.end = end
        if asked < first:
            why = f"was removed by retention: the log begins at {first}"
        else:
            why = f"lies beyond its end at {end}: is this the log that belongs to the data?"
        super().__init__(f"position {asked} of the log in {directory} {why}")


class FrameTooLargeError(LogError, UserError):
    """The body, or what describes it, is larger than a frame may be."""

    exit_code = 2

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} has {size} bytes, must be at most {limit}: send it in parts")
