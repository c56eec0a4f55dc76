"""Who is being answered goes first; what is done behind waits between two steps, but always comes to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from afterword.precedence import LEAST_MICROSECONDS, Behind, Precedence, give_way, waiting

SOON, LONG = 0.05, 30.0


def clock() -> int:
    return time.monotonic_ns() // 1000


class Steps:
    """A thread that takes steps and gives way before each."""

    def __init__(self, within: Callable[[], AbstractContextManager[Behind]]) -> None:
        self.taken = 0
        self.ending = False
        self._within = within
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._within():
            while not self.ending:
                give_way()
                self.taken += 1
                time.sleep(0.001)

    def goes_on(self) -> bool:
        """Whether a step is taken within a moment; the first that is seen may have begun before."""
        seen = self.taken
        time.sleep(SOON)
        return self.taken > seen + 1

    def end(self) -> None:
        self.ending = True
        self._thread.join(LONG)
        assert not self._thread.is_alive()


def test_what_is_done_behind_waits_while_somebody_is_answered() -> None:
    precedence = Precedence(clock)
    steps = Steps(precedence.behind)
    assert steps.goes_on()
    with precedence.first():
        assert not steps.goes_on()
        with waiting():  # for what others do
            assert steps.goes_on()
        assert not steps.goes_on()
    assert steps.goes_on()
    steps.end()


def test_of_several_who_are_answered_the_last_lets_it_go_on() -> None:
    precedence = Precedence(clock)
    steps = Steps(precedence.behind)
    answered = threading.Event()
    other = threading.Thread(target=lambda: _answer(precedence, answered))
    other.start()
    with precedence.first():
        assert not steps.goes_on()
    assert not steps.goes_on()
    answered.set()
    other.join(LONG)
    assert steps.goes_on()
    steps.end()


def _answer(precedence: Precedence, until: threading.Event) -> None:
    with precedence.first():
        assert until.wait(LONG)


def test_it_is_held_up_for_no_longer_than_it_has_worked() -> None:
    now = 0
    precedence = Precedence(lambda: now)
    waited: list[int] = []

    def wait(microseconds: int) -> None:
        nonlocal now
        waited.append(microseconds)
        now += microseconds

    vars(precedence)["wait"] = wait
    with precedence.first(), precedence.behind() as behind:
        give_way()
        assert waited == [LEAST_MICROSECONDS] == [behind.waited]
        give_way()
        assert waited == [LEAST_MICROSECONDS]
        now += 5 * LEAST_MICROSECONDS
        give_way()
        give_way()
        assert waited == [LEAST_MICROSECONDS, 4 * LEAST_MICROSECONDS]


def test_what_somebody_waits_for_gives_way_to_nobody() -> None:
    precedence, is_awaited = Precedence(clock), threading.Event()
    steps = Steps(lambda: precedence.behind(is_awaited.is_set))
    is_awaited.set()
    with precedence.first():
        assert steps.goes_on()
        is_awaited.clear()
        assert not steps.goes_on()
    steps.end()


def test_who_does_nothing_behind_gives_way_to_nobody() -> None:
    precedence = Precedence(clock)
    with precedence.first():
        began = time.monotonic()
        give_way()
        assert time.monotonic() - began < SOON
    with waiting():
        give_way()
