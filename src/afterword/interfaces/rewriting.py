"""The process that takes erased persons out of a log's sealed segments, at the lowest priority (rule 36).

    python -m afterword.interfaces.rewriting LOG

reads from standard input who they are (`store.erasing_log.Known`), and says on standard output what is wrong, if
anything is. It ends with the process that started it; what is left is done when that is started again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from afterword.errors import AfterwordError
from afterword.log import Frame, LogLockedError
from afterword.log.disk import upkeep
from afterword.log.rewriting import Change, rewrite_segments
from afterword.store.erasing_log import Known, change, concerns

COMMAND: tuple[str, ...] = (sys.executable, "-m", "afterword.interfaces.rewriting")
NICE = 19
PATIENCE_SECONDS, RETRY_SECONDS = 600.0, 0.2


class RewritingFailed(AfterwordError):
    """The log was not rewritten, or only in part."""


def in_process_of_its_own(log: Path) -> Callable[[Known], None]:
    """Return what rewrites a log in another process and waits for it; raises `RewritingFailed`."""

    def rewrite(known: Known) -> None:
        process = subprocess.Popen([*COMMAND, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        said, _ = process.communicate(msgspec.json.encode(known))
        if process.returncode != 0:
            why = said.decode(errors="replace").strip() or _ended(process.returncode)
            raise RewritingFailed(f"the log could not be rewritten: {why}")

    return rewrite


def _ended(code: int) -> str:
    """Return how a process ended that said nothing: killed by somebody, or for want of memory."""
    return f"exit code {code}" if code > 0 else f"its process was killed by signal {-code}"


def main() -> int:
    """Rewrite; return the exit code."""
    with suppress(OSError):
        os.nice(NICE)
    directory, parent = Path(sys.argv[1]), os.getppid()
    known = msgspec.json.decode(sys.stdin.buffer.read(), type=Known)
    try:
        _rewrite(directory, known, parent)
    except (AfterwordError, OSError) as error:
        print(error)
        return 1
    return 0


def _rewrite(directory: Path, known: Known, parent: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with upkeep(directory):
                rewrite_segments(directory, _while_here(change(known), parent), concerns(known))
                return
        except LogLockedError:  # by retention, a backup, or the one before whose server was killed
            if time.monotonic() > until or os.getppid() != parent:
                raise
            time.sleep(RETRY_SECONDS)


def _while_here(change: Change, parent: int) -> Change:
    """Return the same change, which ends this process as soon as nobody waits for it any more."""

    def changed(position: int, frame: Frame) -> Frame | None:
        if os.getppid() != parent:
            raise RewritingFailed("the process that wanted this has ended")
        return change(position, frame)

    return changed


if __name__ == "__main__":
    sys.exit(main())
