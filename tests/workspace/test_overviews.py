"""The last overview is given at once; a new one is made when the results changed, and not all the time."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from afterword.workspace.overviews import FRESH_MICROSECONDS, RESTS, Overviews


class Makes:
    """Makes overviews that take a second each, by a clock that only they and tests move."""

    def __init__(self) -> None:
        self.now = 0
        self.numbers = count(1)

    def clock(self) -> int:
        return self.now

    def make(self) -> dict[str, Any]:
        self.now += 1_000_000
        return {"number": next(self.numbers)}


def test_a_new_one_is_made_when_results_changed_and_the_last_is_not_of_just_now() -> None:
    makes, overviews = Makes(), Overviews()
    assert overviews.ask(1, makes.clock, makes.make) == {"number": 1}
    assert overviews.ask(2, makes.clock, makes.make) == {"number": 1}
    makes.now += RESTS * 1_000_000
    assert overviews.ask(1, makes.clock, makes.make) == {"number": 1}
    assert overviews.ask(2, makes.clock, makes.make) == {"number": 2}
    makes.now += FRESH_MICROSECONDS
    assert overviews.ask(2, makes.clock, makes.make) == {"number": 3}


def test_a_failure_is_told_only_where_there_is_nothing_older() -> None:
    def fails() -> dict[str, Any]:
        raise ValueError("no results")

    makes, overviews = Makes(), Overviews()
    with pytest.raises(ValueError, match="no results"):
        overviews.ask(1, makes.clock, fails)
    assert overviews.ask(1, makes.clock, makes.make) == {"number": 1}
    makes.now += FRESH_MICROSECONDS + 1
    assert overviews.ask(2, makes.clock, fails) == {"number": 1}
