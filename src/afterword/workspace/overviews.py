"""The last overview: given at once, and made anew in the background when the results have changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 0.1
"""How long who asks waits for a new one, where there is an older one."""
FRESH_MICROSECONDS = 10 * 1_000_000
"""How long one is good while nothing changes: windows end all the time."""
RESTS = 4
"""After so many times as long as the last one took the next is made: results must come first."""


@dataclass(frozen=True, slots=True)
class _Made:
    key: Hashable
    at: int
    rests_until: int
    data: dict[str, Any]


class Overviews:
    """Keeps the last one; one thread at a time makes the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._made: _Made | None = None
        self._is_making = False
        self._failure: Exception | None = None

    def ask(self, key: Hashable, clock: Callable[[], int], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the overview, or the last one if a new one takes longer than a moment; it says as of when it is.

        Args:
            key: of the state of the results; whoever asks by another one has a new one made.
            clock: the time, in microseconds since 1970.
            make: makes one; what it raises is raised here where there is no older one.

        """
        with self._changed:
            if self._is_good(key, clock()):
                assert self._made is not None
                return self._made.data
            if not self._is_making:
                self._is_making, self._failure = True, None
                threading.Thread(target=self._make, args=(key, clock, make), daemon=True).start()
            waits = None if self._made is None else PATIENCE_SECONDS
            self._changed.wait_for(lambda: not self._is_making, waits)
            if self._made is None:
                assert self._failure is not None
                raise self._failure
            return self._made.data

    def _is_good(self, key: Hashable, now: int) -> bool:
        made = self._made
        if made is None:
            return False
        return made.at <= now < made.rests_until or (made.key == key and abs(now - made.at) <= FRESH_MICROSECONDS)

    def _make(self, key: Hashable, clock: Callable[[], int], make: Callable[[], dict[str, Any]]) -> None:
        made, failure, began = None, None, clock()
        try:
            data = make()
            ended = clock()
            made = _Made(key, began, ended + RESTS * (ended - began), data)
        except Exception as error:  # told to whoever waits
            failure = error
        with self._changed:
            self._is_making, self._failure = False, failure
            self._made = made or self._made
            self._changed.notify_all()
