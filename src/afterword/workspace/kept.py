"""Answers that are given again for a minute: a page asks for the same again while somebody types in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

FRESH_MICROSECONDS: Final = 60 * 1_000_000
T = TypeVar("T")


class KeptAMinute(Generic[T]):
    """The last answers to some questions about facts; whoever is erased is in none of them (rule 36)."""

    def __init__(self, most: int) -> None:
        """Take how many answers are kept."""
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[int, Hashable, T]] = OrderedDict()

    def ask(self, key: Hashable, as_of: int, erased: Hashable, make: Callable[[], T]) -> T:
        """Return an answer of the last minute, or make one.

        Args:
            key: what is asked.
            as_of: now, in epoch microseconds.
            erased: changes when persons are erased.
            make: makes an answer as of now.

        """
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[1] == erased and 0 <= as_of - known[0] <= FRESH_MICROSECONDS:
            return known[2]
        made = make()
        with self._lock:
            self._known = OrderedDict((k, v) for k, v in self._known.items() if v[1] == erased)
            self._known[key] = as_of, erased, made
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made
