"""The last answer is given at once; a new one is made when the results changed, and not all the time."""

from __future__ import annotations

import threading
import time
from itertools import count

import pytest

from afterword.workspace import latest
from afterword.workspace.latest import FRESH_MICROSECONDS, RESTS, Latest, StillMaking

LONG = 30.0


class Makes:
    """Makes answers that take a second each, by a clock that only they and tests move."""

    def __init__(self) -> None:
        self.now = 0
        self.numbers = count(1)
        self.latest = Latest[int](kept=2)

    def clock(self) -> int:
        return self.now

    def make(self) -> int:
        self.now += 1_000_000
        return next(self.numbers)

    def ask(self, key: int, name: str = "all") -> tuple[int, bool]:
        answer = self.latest.ask(name, key, self.clock, self.make, patience=LONG)
        return answer.data, answer.newer_comes


def test_a_new_one_is_made_when_results_changed_and_the_last_is_not_of_just_now() -> None:
    makes = Makes()
    assert makes.ask(1) == (1, False)
    assert makes.ask(2) == (1, True)
    makes.now += RESTS * 1_000_000
    assert makes.ask(1) == (1, False)
    assert makes.ask(2) == (2, False)
    makes.now += FRESH_MICROSECONDS + 1
    assert makes.ask(2) == (3, False)


def test_each_question_has_its_own_answer_and_those_asked_last_are_kept() -> None:
    makes = Makes()
    assert [makes.ask(1, name) for name in "abab"] == [(1, False), (2, False), (1, False), (2, False)]
    assert [makes.ask(1, name) for name in "cbca"] == [(3, False), (2, False), (3, False), (4, False)]


def test_who_would_not_wait_is_told_so_or_gets_the_older_one() -> None:
    makes, goes = Makes(), threading.Event()

    def waits() -> int:
        assert goes.wait(LONG)
        return makes.make()

    with pytest.raises(StillMaking):
        makes.latest.ask("all", 1, makes.clock, waits, patience=0.01)
    with pytest.raises(StillMaking):  # the same one is waited for
        makes.latest.ask("all", 1, makes.clock, makes.make, patience=0.01)
    threading.Timer(0.05, goes.set).start()
    assert makes.latest.ask("all", 1, makes.clock, makes.make, must=True, patience=0).data == 1
    goes.clear()
    makes.now += FRESH_MICROSECONDS + 1
    older = makes.latest.ask("all", 2, makes.clock, waits, patience=0.01)
    assert (older.data, older.newer_comes) == (1, True)
    goes.set()
    assert makes.ask(2) == (2, False)


def test_a_failure_is_told_only_where_there_is_nothing_older() -> None:
    def fails() -> int:
        raise ValueError("no results")

    makes = Makes()
    with pytest.raises(ValueError, match="no results"):
        makes.latest.ask("all", 1, makes.clock, fails, patience=LONG)
    assert makes.ask(1) == (1, False)
    makes.now += FRESH_MICROSECONDS + 1
    assert makes.latest.ask("all", 2, makes.clock, fails, patience=LONG).data == 1


def test_nobody_waits_for_what_has_been_made_for_longer_than_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "PATIENCE_SECONDS", LONG)
    makes, goes = Makes(), threading.Event()
    assert makes.ask(1) == (1, False)
    makes.now += FRESH_MICROSECONDS + 1

    def waits() -> int:
        assert goes.wait(LONG)
        return makes.make()

    older = makes.latest.ask("all", 2, makes.clock, waits, patience=0.01)
    assert (older.data, older.newer_comes) == (1, True)
    makes.now += int(LONG * 1_000_000)
    began = time.monotonic()
    older = makes.latest.ask("all", 2, makes.clock, waits, patience=LONG)
    assert (older.data, older.newer_comes) == (1, True)
    assert time.monotonic() - began < LONG / 2
    threading.Timer(0.05, goes.set).start()  # who said that they would wait longer do
    newer = makes.latest.ask("all", 2, makes.clock, waits, patience=LONG + 1)
    assert (newer.data, newer.newer_comes) == (2, False)
