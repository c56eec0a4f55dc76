"""When erasing is done, and how soon again after it failed: with a clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from afterword.store.erasing import Unfinished
from afterword.store.erasing_log import Known
from afterword.workspace.cleaning import Cleaning
from afterword.workspace.erasing import Erasing

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOTHING = Unfinished(0, 0, False, None, None, None, 0, None, 10)
ERASED = replace(NOTHING, erased=1, position=5, last=5, since=0)
OLD_BLOCKS = replace(NOTHING, old_blocks=True, position=5, since=0)


class Steps:
    """What is left to do, and the steps of erasing, which fail as long as they are told to."""

    def __init__(self) -> None:
        self.unfinished = ERASED
        self.cannot_look = False
        self.fails = False
        self.now = 0
        self.tries: list[int] = []
        self.said: list[str] = []
        self.cleaning = Cleaning(
            cast(Erasing, self), lambda text, _: self.said.append(text), clock=lambda: self.now, within=DAY
        )
        self.cleaning.sealed(10)

    def left(self) -> Unfinished:
        if self.cannot_look:
            raise OSError("no look")
        return self.unfinished

    def for_the_log(self, up_to: int) -> Known:
        self.tries.append(self.now // SECOND)
        if self.fails:
            raise OSError("no room")
        return Known([], {}, {}, [], [], "")

    def forget(self, known: Known, up_to: int) -> None:
        self.unfinished = NOTHING

    def failure(self) -> str | None:
        return self.cleaning.status.failure

    def begin(self, begin_again: Callable[[], None] = lambda: None) -> None:
        """Start and stop the thread: the test looks by itself."""
        self.cleaning.stop()
        self.cleaning.start(lambda _: None, begin_again)
        self.cleaning._thread.join()
        self.cleaning._stopping = False

    def until(self, second: int) -> None:
        """Look once a second."""
        while self.now < second * SECOND:
            self.now += SECOND
            self.cleaning.look()


def test_what_somebody_asked_for_is_tried_again_later_each_time() -> None:
    steps = Steps()
    steps.begin()
    steps.until(9)
    assert steps.tries == []  # it has a day
    steps.fails = True
    steps.cleaning.ask()
    steps.until(2_500)
    assert steps.tries == [10, 12, 20, 52, 180, 692, 1292, 1892, 2492]
    assert steps.failure() == "no room"
    assert steps.said == ["erasing has stopped and is tried again: no room"]
    steps.cleaning.ask()
    steps.until(2_501)
    assert steps.tries[-1] == 2_501  # who asks does not wait
    steps.fails = False
    steps.until(3_101)
    assert steps.tries[-1] == 3_101
    assert (steps.failure(), steps.said[1:]) == (None, ["erasing goes on"])


def test_after_success_it_begins_with_two_seconds_again() -> None:
    steps = Steps()
    steps.begin()
    for _ in range(2):
        steps.unfinished, steps.fails, steps.tries = ERASED, True, []
        steps.cleaning.ask()
        began = steps.now // SECOND
        steps.until(began + 3)
        assert steps.tries == [began + 1, began + 3]
        steps.fails = False
        steps.until(began + 20)
        assert steps.tries == [began + 1, began + 3, began + 11]


def test_what_cannot_be_looked_at_is_looked_at_again_and_holds_nothing_up() -> None:
    steps = Steps()
    steps.begin()
    steps.cannot_look = True
    steps.cleaning.ask()
    steps.until(60)
    assert steps.said == ["erasing has stopped and is tried again: no look"]
    steps.cannot_look = False
    steps.until(61)
    assert (steps.tries, steps.said[1:]) == ([61], ["erasing goes on"])


def test_a_failure_is_forgotten_when_nothing_is_left() -> None:
    steps = Steps()
    steps.begin()
    steps.fails = True
    steps.cleaning.ask()
    steps.until(1)
    steps.unfinished = NOTHING
    steps.until(2)
    assert (steps.failure(), steps.said[1:]) == (None, ["erasing goes on"])


def test_a_file_that_could_not_be_rewritten_is_left_for_ten_minutes() -> None:
    steps = Steps()
    steps.unfinished = OLD_BLOCKS
    begun: list[int] = []
    steps.begin(lambda: begun.append(steps.now // SECOND))
    steps.until(700)
    assert begun == [600]
