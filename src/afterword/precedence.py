"""Who looks at a page goes first: what is counted behind the pages waits, between two steps, until they are answered.

Two cores that count for some seconds would make every page late. The steps are short: a statement, a campaign.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LEAST_MICROSECONDS: Final = 1_000_000
"""So long anything waits for others in all, however little it has done."""


class _Mine(threading.local):
    """What a thread is about."""

    first: Precedence | None = None
    behind: Behind | None = None


_MINE: Final = _Mine()


class Precedence:
    """Knows whether somebody is being answered; for all threads that share a machine's cores."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """Take the time, in microseconds since 1970."""
        self._clock = clock
        self._changed = threading.Condition()
        self._answering = 0

    @contextmanager
    def first(self) -> Iterator[None]:
        """Answer somebody in this thread: others give way meanwhile."""
        self._begin()
        _MINE.first = self
        try:
            yield
        finally:
            _MINE.first = None
            self._end()

    @contextmanager
    def behind(self, awaited: Callable[[], bool] = lambda: False) -> Iterator[Behind]:
        """Do something in this thread that gives way wherever it calls `give_way`, unless it is `awaited` just then."""
        _MINE.behind = Behind(self, self._clock, awaited)
        try:
            yield _MINE.behind
        finally:
            _MINE.behind = None

    def wait(self, microseconds: int) -> None:
        """Wait until nobody is being answered, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._answering == 0, microseconds / 1_000_000)

    @property
    def is_taken(self) -> bool:
        """Whether somebody is being answered."""
        return self._answering > 0

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Let others go on for a while, in a thread that goes first."""
        self._end()
        try:
            yield
        finally:
            self._begin()

    def _begin(self) -> None:
        with self._changed:
            self._answering += 1

    def _end(self) -> None:
        with self._changed:
            self._answering -= 1
            if not self._answering:
                self._changed.notify_all()


class Behind:
    """Work that gives way, but is never held up for longer than it has worked: it must come to its end."""

    def __init__(self, others: Precedence, clock: Callable[[], int], awaited: Callable[[], bool]) -> None:
        """Begin, see `Precedence.behind`."""
        self._others = others
        self._clock = clock
        self._awaited = awaited
        self._began = clock()
        self.waited = 0
        """For so many microseconds it was held up."""

    def give_way(self) -> None:
        """Wait for those who go first."""
        if not self._others.is_taken or self._awaited():
            return
        now = self._clock()
        worked = now - self._began - self.waited
        if (left := max(LEAST_MICROSECONDS, worked) - self.waited) > 0:
            self._others.wait(left)
            self.waited += max(0, self._clock() - now)


def give_way() -> None:
    """Let those go first who are being answered, if this thread is to give way; to be called between two steps."""
    if _MINE.behind is not None:
        _MINE.behind.give_way()


@contextmanager
def waiting() -> Iterator[None]:
    """Wait in this thread for what another one does: that must not give way to who waits for it."""
    if _MINE.first is None:
        yield
        return
    mine, _MINE.first = _MINE.first, None
    with mine.suspended():
        try:
            yield
        finally:
            _MINE.first = mine
