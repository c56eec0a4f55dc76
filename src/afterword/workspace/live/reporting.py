"""What reports say of campaigns, counted once for everybody who asks at about the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import duckdb

from afterword.intake.fact_tables import fact_tables
from afterword.model import Definitions
from afterword.precedence import waiting
from afterword.reports.facts import FactCounts
from afterword.workspace.live import answering
from afterword.workspace.live.state import State
from afterword.workspace.verdicts import History

T = TypeVar("T")
_Time = tuple[int, int]
_Key = tuple[int, int, str, str | None]


@dataclass(frozen=True, slots=True)
class Counted:
    """Campaigns as report.json tells them; the objects may be given again, so they must not be changed."""

    as_of: int
    """Epoch microseconds."""
    campaigns: Sequence[dict[str, Any]]


class Reports:
    """Keeps what was counted last; while one counts, others who ask for the same wait for it."""

    def __init__(self, bucket: int) -> None:
        """Take for how long something that was counted is good while nothing changes, in microseconds."""
        self._bucket = bucket
        self._counted = _Kept[_Key, Counted]()
        self._facts = _Kept[_Time, FactCounts]()

    def campaigns(
        self,
        con: duckdb.DuckDBPyConnection,
        definitions: Definitions,
        state: State,
        as_of: int,
        histories: Mapping[str, History],
        only: str | None,
    ) -> Counted:
        """Return all campaigns, or the one of this id; `con` is a cursor of a snapshot in this state.

        Raises:
            NotDerived: the definitions are not those of the last refresh.

        """
        # Not the definitions themselves: for Python 50 is 50.00 and 1 is True, for a report they are not.
        key = (state.version, as_of // self._bucket, repr((definitions, histories)), only)

        def count() -> Counted:
            if (whole := self._counted.get((*key[:3], None))) is not None:
                return Counted(whole.as_of, [one for one in whole.campaigns if one["id"] == only])
            return Counted(as_of, answering.campaigns(con, definitions, as_of, histories, only))

        return self._counted.of(key, count)

    def facts(self, con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, as_of: int) -> FactCounts:
        """Return how many facts were seen."""

        def count() -> FactCounts:
            return answering.count_facts(con, fact_tables(con, definitions), state, as_of)

        return self._facts.of((state.version, as_of // self._bucket), count)


K = TypeVar("K", _Time, _Key)


class _Kept(Generic[K, T]):
    """Values of the newest state and time; both only grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[K, T] = {}
        self._turns: dict[K, tuple[threading.Lock, int]] = {}

    def get(self, key: K) -> T | None:
        with self._lock:
            return self._values.get(key)

    def of(self, key: K, make: Callable[[], T]) -> T:
        with self._turn(key):
            if (known := self.get(key)) is not None:
                return known
            made = make()
            with self._lock:
                self._values = {k: v for k, v in self._values.items() if k[:2] >= key[:2]} | {key: made}
            return made

    @contextmanager
    def _turn(self, key: K) -> Iterator[None]:
        with self._lock:
            turn, others = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = turn, others + 1
        try:
            with waiting():
                turn.acquire()
            try:
                yield
            finally:
                turn.release()
        finally:
            with self._lock:
                turn, others = self._turns.pop(key)
                if others > 1:
                    self._turns[key] = turn, others - 1
