"""What the process that takes facts in knows of the one that loads them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How a webhook stands."""

    backlog: int
    """How many changes it has not had yet, those that it does not want included."""
    failures: int
    """In a row."""
    paused: bool


class Backlog:
    """How far loading and results are behind the log, as the other process says from time to time.

    Attributes:
        loaded: every request before this position is among the facts.
        attributed: every request before this position is known to the results.
        failure: what stopped loading, in a sentence; None while it goes on.
        heard: whether the other process answers.
        absent: why it does not, where that is known.
        at_the_log: whether segments of the log are being replaced.
        renewing: whether the other process is away to write the facts' file again.
        webhooks: how each webhook stands, by id.

    """

    def __init__(self, loaded: int, clock: Callable[[], int]) -> None:
        """Begin where nothing is known to wait.

        Args:
            loaded: the position of the log.
            clock: the time, in microseconds since 1970.

        """
        self.loaded = loaded
        self.attributed = loaded
        self.failure: str | None = None
        self.heard = False
        self.absent = ""
        self.at_the_log = False
        self.renewing = False
        self.webhooks: Mapping[str, Progress] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._bytes = 0

    def wake(self, position: int, size: int) -> None:
        """Take note that a request of this size is durable at a position."""
        with self._lock:
            self._waiting.append((position, size, self._clock()))
            self._bytes += size

    def told(self, loaded: int, attributed: int, failure: str | None) -> None:
        """Take note of what the other process says."""
        with self._lock:
            self.loaded, self.attributed, self.failure, self.heard = loaded, attributed, failure, True
            self.renewing = False
            # Requests are noted in about the order of their positions.
            while self._waiting and self._waiting[0][0] < loaded:
                self._bytes -= self._waiting.popleft()[1]

    def lost(self, failure: str | None, absent: str, *, renewing: bool = False) -> None:
        """Take note that the other process ended, and what it said; without a failure it will be back."""
        with self._lock:
            self.failure, self.heard, self.absent = failure, False, absent
            self.at_the_log, self.renewing = False, renewing

    @property
    def waiting_bytes(self) -> int:
        """How much is durable and not loaded, about."""
        return self._bytes

    @property
    def oldest_waiting(self) -> int | None:
        """Since when something waits to be loaded, in microseconds since 1970."""
        with self._lock:
            return self._waiting[0][2] if self._waiting else None
