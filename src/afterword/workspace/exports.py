"""Room for exports that are being made: so many at one time, each with a directory of its own."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from afterword.errors import UserError

AT_ONCE = 2
"""The threads that make exports are those that answer for reports, and there are few."""


class TooManyExports(UserError):
    """Enough exports are being made."""


class Exports:
    """Gives room."""

    def __init__(self, directory: Path) -> None:
        """Take the directory of temporary files."""
        self._directory = directory
        self._free = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """Give a directory that is gone afterwards.

        Raises:
            TooManyExports: enough others are being made.

        """
        if not self._free.acquire(blocking=False):
            raise TooManyExports(f"{AT_ONCE} exports are being made: come again")
        try:
            with tempfile.TemporaryDirectory(prefix="export-", dir=self._directory) as directory:
                yield Path(directory)
        finally:
            self._free.release()
