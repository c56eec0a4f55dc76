"""The thread behind the server: moves what is durable into the facts, and keeps the results up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

PERIOD = 0.5
"""Seconds between two rounds while nothing comes in; also how long requests gather before they are loaded."""


class Work(Protocol):
    """What the keeper has done, round by round."""

    def load(self, up_to: int) -> int:
        """Load a bounded part of the log before a position; return the position reached."""

    def refresh(self, as_of: int) -> None:
        """Bring the results up to what is loaded."""


class Keeper:
    """Runs rounds of work until it is stopped; what fails stops it, and is told.

    Attributes:
        loaded: every request before this position is among the facts.
        attributed: every request before this position is known to the results.
        as_of: of the results, in microseconds since 1970.
        failure: what stopped it, in a sentence.
        heard: whether it is there: always.

    """

    heard = True

    def __init__(
        self,
        work: Work,
        durable: Callable[[], int],
        clock: Callable[[], int],
        loaded: int,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Prepare.

        Args:
            work: what is done in a round.
            durable: up to where the log is durable.
            clock: the time, in microseconds since 1970.
            loaded: where loading goes on.
            failed: told what stopped the rounds.

        """
        self.loaded = loaded
        self.attributed = loaded
        self.as_of = 0
        self.failure: str | None = None
        self._work = work
        self._durable = durable
        self._clock = clock
        self._failed = failed
        self._changed = threading.Condition()
        self._rounds = 0
        self._wanted = 0
        self._stopping = False
        self._waiting_bytes = 0
        self._waiting_since: int | None = None
        self._thread = threading.Thread(target=self._run, name="afterword-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way; what is durable and not loaded is loaded at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self, position: int, size: int) -> None:
        """Take note that something of this size is durable."""
        with self._changed:
            self._waiting_bytes += size
            if self._waiting_since is None:
                self._waiting_since = self._clock()

    def caught_up(self, timeout: float | None = None) -> bool:
        """Wait until the results know all facts and definitions that were there when this was called."""
        with self._changed:
            wanted = self._rounds + 2  # the round under way may have begun before
            self._wanted = max(self._wanted, wanted)
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._rounds >= wanted or self.failure is not None, timeout)
            return done and self.failure is None

    @property
    def waiting_bytes(self) -> int:
        """How much is durable and not loaded, about."""
        return self._waiting_bytes

    @property
    def oldest_waiting(self) -> int | None:
        """Since when something waits to be loaded."""
        return self._waiting_since

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._round()
                with self._changed:
                    self._rounds += 1
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._stopping or self._wanted > self._rounds, PERIOD)
        except BaseException as error:  # whatever it is, the server must say that it no longer loads
            with self._changed:
                self.failure = str(error) or type(error).__name__
                self._changed.notify_all()
            self._failed(error)

    def _round(self) -> None:
        target = self._durable()
        with self._changed:
            size, self._waiting_since = self._waiting_bytes, None
        while self.loaded < target and not self._stopping:
            self.loaded = self._work.load(target)
        if self.loaded >= target:
            with self._changed:
                self._waiting_bytes -= size
        as_of = self._clock()
        self._work.refresh(as_of)
        self.as_of, self.attributed = as_of, self.loaded
