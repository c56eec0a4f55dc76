"""The last answer to each question: given at once, and made anew in the background when the results have changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from afterword.errors import UserError
from afterword.precedence import Precedence, waiting

PATIENCE_SECONDS = 0.1
"""How long who asks waits for a new one, where there is an older one."""
FIRST = 3
"""So many times as long they wait where there is none: a page without numbers is worth little."""
FRESH_MICROSECONDS = 10 * 1_000_000
"""How long one is good while nothing changes: windows end all the time."""
RESTS = 4
"""After so many times as long as the last one took the next is made: results must come first."""
T = TypeVar("T")


class StillMaking(UserError):
    """There is no answer yet, and who asked would wait no longer."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What is known."""

    data: T
    newer_comes: bool
    """Whether the results have changed since, and a new one is being made."""


@dataclass(frozen=True, slots=True)
class _Made(Generic[T]):
    key: Hashable
    at: int
    rests_until: int
    data: T

    def is_good(self, key: Hashable, now: int) -> bool:
        return self.key == key and abs(now - self.at) <= FRESH_MICROSECONDS

    def rests(self, now: int) -> bool:
        return self.at <= now < self.rests_until


@dataclass
class _Question(Generic[T]):
    made: _Made[T] | None = None
    is_making: bool = False
    began: int = 0
    """When."""
    failure: Exception | None = None
    waiting: int = field(default=0)
    """How many wait for it; while somebody does, it is not forgotten."""


class Latest(Generic[T]):
    """Keeps the last answer to each of some questions; for each, one thread at a time makes the next."""

    def __init__(self, kept: int = 1, makers: int = 1, precedence: Precedence | None = None) -> None:
        """Prepare.

        Args:
            kept: to how many questions the answers are kept, those asked last.
            makers: how many questions are worked on at a time.
            precedence: of pages, which the work gives way to while nobody waits for it.

        """
        self._kept = kept
        self._makers = threading.Semaphore(makers)
        self._precedence = precedence
        self._changed = threading.Condition()
        self._questions: OrderedDict[Hashable, _Question[T]] = OrderedDict()

    def ask(
        self,
        name: Hashable,
        key: Hashable,
        clock: Callable[[], int],
        make: Callable[[], T],
        *,
        patience: float = PATIENCE_SECONDS,
        must: bool = False,
    ) -> Answer[T]:
        """Return the answer, or the last one if a new one takes longer than a moment; it must say as of when it is.

        Args:
            name: what is asked; an older answer to it is right, but for its age.
            key: of the state of the results; whoever asks by another one has a new one made.
            clock: the time, in microseconds since 1970.
            make: makes one; what it raises is raised here where there is no older one.
            patience: how many seconds to wait for a new one, `FIRST` times as many where there is no older one; if not
                more than usual, then since it was begun.
            must: wait for as long as it takes where there is no older one.

        Raises:
            StillMaking: there is none, and patience is at its end.

        """
        with self._changed:
            asked = self._find(name)
            made, now = asked.made, clock()
            if made is not None and made.is_good(key, now):
                return Answer(made.data, newer_comes=False)
            if made is None or not made.rests(now):
                self._begin(asked, key, clock, make)
                asked.waiting += 1
                seconds = _seconds(patience, must=must, first=made is None)
                if seconds is not None and patience <= PATIENCE_SECONDS:
                    # What has taken longer already than anybody would wait will hardly be there now.
                    seconds -= min(seconds, abs(now - asked.began) / 1_000_000)
                with waiting():
                    self._changed.wait_for(lambda: not asked.is_making, seconds)
                asked.waiting -= 1
            if asked.made is None:
                raise asked.failure or StillMaking("the numbers are being counted")
            return Answer(asked.made.data, newer_comes=asked.is_making or asked.made.key != key)

    def _find(self, name: Hashable) -> _Question[T]:
        asked = self._questions.setdefault(name, _Question())
        self._questions.move_to_end(name)
        while len(self._questions) > self._kept:
            oldest = next((n for n, q in self._questions.items() if not q.is_making and not q.waiting), name)
            if oldest == name:
                break
            del self._questions[oldest]
        return asked

    def _begin(self, asked: _Question[T], key: Hashable, clock: Callable[[], int], make: Callable[[], T]) -> None:
        if not asked.is_making:
            asked.is_making, asked.failure, asked.began = True, None, clock()
            threading.Thread(target=self._make, args=(asked, key, clock, make), daemon=True).start()

    def _make(self, asked: _Question[T], key: Hashable, clock: Callable[[], int], make: Callable[[], T]) -> None:
        made, failure = None, None
        try:
            with self._makers, (self._precedence or Precedence(clock)).behind(lambda: asked.waiting > 0) as behind:
                began = clock()
                data = make()
                ended = clock()
            made = _Made(key, began, ended + RESTS * (ended - began - behind.waited), data)
        except Exception as error:  # told to whoever waits
            failure = error
        with self._changed:
            asked.is_making, asked.failure = False, failure
            asked.made = made or asked.made
            self._changed.notify_all()


def _seconds(patience: float, *, must: bool, first: bool) -> float | None:
    if first:
        return None if must else FIRST * patience
    return patience
