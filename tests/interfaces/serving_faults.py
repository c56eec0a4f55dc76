"""Faults that tests ask a running server for.

Files in a directory ask for them, by a place (`load`, `commit`, `refresh`, `finish`, `report`, `explore`):
`raise-PLACE` fails with the text in it, `slow-PLACE` takes so many seconds, `kill-PLACE` dies as by kill -9 after so
many times. `kill-loading`, `kill-checkpoint`, `kill-refreshing` and `kill-rederiving` (of a campaign whose definition
changed) die so many milliseconds after one began; while one goes on there is a file `now-loading` and so on, which
outlives who is killed. `checkpoint` asks for a checkpoint after every load, `no-start` keeps the process that answers
from starting, `clock` holds seconds that the clock goes wrong by, `full-log` makes every sync of the log find the
disk full, and `gather` holds seconds that the log waits for more before it writes.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afterword.log.disk import sync_data


class Faults:
    """What is to go wrong, looked up in files again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._counts: dict[str, int] = {}

    def text(self, name: str) -> str | None:
        """Return the content of a file that asks for a fault."""
        try:
            return (self.directory / name).read_text()
        except FileNotFoundError:
            return None

    def strike(self, place: str) -> None:
        """Fail, dawdle or die at a place of this name, where that is asked for."""
        if (seconds := self.text(f"slow-{place}")) is not None:
            time.sleep(float(seconds))
        if (message := self.text(f"raise-{place}")) is not None:
            raise RuntimeError(message)
        if (after := self.text(f"kill-{place}")) is not None:
            self._counts[place] = self._counts.get(place, 0) + 1
            if self._counts[place] > int(after):
                os.kill(os.getpid(), signal.SIGKILL)

    def now(self) -> int:
        """Return the time as a clock with a fault tells it."""
        return time.time_ns() // 1000 + int(1_000_000 * float(self.text("clock") or 0))

    def sync(self, fd: int) -> None:
        """Sync a file of the log, or find the disk full."""
        if self.text("full-log") is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync_data(fd)

    def before(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a place for faults before it."""

        def struck(*arguments: Any, **named: Any) -> Any:
            self.strike(place)
            return function(*arguments, **named)

        return struck

    def begin(self, place: str) -> None:
        """Note that something has begun, and let death come while it is at work, if that is asked for."""
        (self.directory / f"now-{place}").touch()
        if (milliseconds := self.text(f"kill-{place}")) is not None:
            threading.Timer(float(milliseconds) / 1000, os.kill, [os.getpid(), signal.SIGKILL]).start()

    def end(self, place: str) -> None:
        """Note that it has ended."""
        (self.directory / f"now-{place}").unlink(missing_ok=True)

    def during(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its beginning and end noted."""

        def struck(*arguments: Any, **named: Any) -> Any:
            self.begin(place)
            try:
                return function(*arguments, **named)
            finally:
                self.end(place)

        return struck
