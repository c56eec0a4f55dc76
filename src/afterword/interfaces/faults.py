"""What escaped from a command, as one sentence and an exit code: 2 is the user's mistake, 1 is ours."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from afterword.errors import AfterwordError

INTERRUPTED = 130
"""What a shell expects of a program that was stopped by Ctrl-C (128 + SIGINT)."""

_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Fault:
    """What to say on stderr, what to return, and whether it is worth a report."""

    message: str
    exit_code: int


def fault_of(error: BaseException) -> Fault:
    """Say what an escaped error means to the person at the terminal."""
    if isinstance(error, AfterwordError):
        return Fault(str(error), error.exit_code)
    if isinstance(error, KeyboardInterrupt) or _interrupted_query(error):
        return Fault("Interrupted.", INTERRUPTED)
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        where = f"{error.filename}: " if error.filename else ""
        return Fault(f"{where}{error.strerror}", 2)
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        where = f"{error.filename}: " if error.filename else ""
        return Fault(f"{where}larger than this process may write: raise the limit on the size of files (ulimit -f)", 2)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        return Fault(f"Not enough memory: allow more with --memory. ({_first_line(error)})", 2)
    return Fault(
        f"Afterword failed: {type(error).__name__}: {_first_line(error)}. This is a fault of ours; "
        "run the same command with --debug and report what it prints.",
        1,
    )


def _interrupted_query(error: BaseException) -> bool:
    """DuckDB turns Ctrl-C during a query into errors of its own; it is not imported here to ask for them."""
    return type(error).__name__ == "InterruptException" or str(error) == "Query interrupted"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"
