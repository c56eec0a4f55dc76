"""When the thread behind the server loads, and when it brings results up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from afterword.workspace import keeper as room
from afterword.workspace.keeper import Keeper, Part
from tests.interfaces.serving import wait_for

SECOND = 1_000_000


@dataclass
class Work:
    """Loading takes a second and a refresh four, by a clock that only they move."""

    clock: int = 0
    durable: int = 0
    flows: bool = True
    """Whether more comes in while something is loaded."""
    done: list[str] = field(default_factory=list)
    parts: int = 1
    """Of a refresh; between two of them, after a second each, more may be loaded."""
    facts: int = 1
    """In each request."""
    loaded: int = 0

    def load(self, up_to: int) -> Generator[Part, None, None]:
        self.clock += SECOND
        self.durable += self.flows
        self.done.append("load")
        part, self.loaded = Part(up_to, self.facts * (up_to - self.loaded)), up_to
        yield part

    def refresh(self, _as_of: int, meanwhile: Callable[[], bool]) -> bool:
        for _ in range(self.parts - 1):
            self.clock += SECOND
            self.durable += self.flows
            self.done.append("part")
            if meanwhile():
                self.done.append("given up")
                return False
        self.clock += 4 * SECOND
        self.done.append("refresh")
        return True

    def look_after(self, as_of: int) -> None:
        pass


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds follow each other at once, and loading may come between any two parts of a refresh."""
    monkeypatch.setattr(room, "PERIOD", 0.001)
    monkeypatch.setattr(room, "PATIENCE", 0.0)


@contextmanager
def kept(work: Work) -> Iterator[Keeper]:
    keeper = Keeper(work, lambda: work.durable, lambda: work.clock, 0, lambda _message, _error: None)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def until(condition: Callable[[], bool]) -> None:
    wait_for(condition, 30.0)


def test_every_load_is_followed_by_a_refresh_however_much_comes_in() -> None:
    work = Work(durable=1)
    with kept(work):
        until(lambda: work.done.count("refresh") > 10)
    loads = [number for number, what in enumerate(work.done[:-1]) if what == "load"]
    assert {work.done[number + 1] for number in loads} == {"refresh"}


def test_who_waits_for_results_is_not_kept_waiting_by_what_comes_in() -> None:
    work = Work(durable=1)
    with kept(work) as keeper:
        until(lambda: "refresh" in work.done)
        assert keeper.caught_up(30.0)


def test_results_follow_at_once_when_nothing_more_comes() -> None:
    work = Work(durable=1)
    with kept(work) as keeper:
        until(lambda: work.done.count("load") > 2)
        work.flows = False
        until(lambda: keeper.attributed == work.durable)
        assert work.done.count("refresh") >= 1


def test_what_comes_in_while_many_users_are_swept_does_not_wait_for_all_of_them() -> None:
    work = Work(durable=1, parts=10)
    with kept(work):
        until(lambda: work.done.count("refresh") > 1)
    first, second = [number for number, what in enumerate(work.done) if what == "refresh"][:2]
    assert work.done[first + 1 : second].count("load") >= 10


def test_results_know_what_was_loaded_when_their_refresh_began() -> None:
    work = Work(durable=1, parts=3)
    began: list[tuple[int, int]] = []
    with kept(work) as keeper:
        refresh = work.refresh

        def seen(as_of: int, meanwhile: Callable[[], bool]) -> bool:
            began.append((keeper.attributed, keeper.loaded))
            return refresh(as_of, meanwhile)

        work.refresh = seen  # type: ignore[method-assign, assignment]
        until(lambda: len(began) > 2)
    assert began[2][0] == began[1][1] < began[2][1]


def test_a_failure_while_loading_in_between_does_not_spoil_the_refresh() -> None:
    work = Work(durable=1, parts=3)
    told: list[str] = []
    keeper = Keeper(work, lambda: work.durable, lambda: work.clock, 0, lambda message, _error: told.append(message))
    load, calls = work.load, 0

    def fails(up_to: int) -> Generator[Part, None, None]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("no space left")
        yield from load(up_to)

    work.load = fails  # type: ignore[method-assign]
    keeper.start()
    try:
        until(lambda: work.done.count("refresh") > 1)
    finally:
        keeper.stop()
    assert told[0] == "loading has stopped and is tried again: no space left"
    assert "loading goes on" in told
    assert keeper.stale is None


def test_quick_refreshes_are_not_held_up_by_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", 6.0)
    work = Work(durable=1, parts=5)
    with kept(work):
        until(lambda: work.done.count("refresh") > 3)
    parts = [number for number, what in enumerate(work.done[:-1]) if what == "part"]
    assert not [number for number in parts if work.done[number + 1] == "load"]


def test_what_waits_has_gathered_while_results_were_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PERIOD", 2.0)  # of the work's clock: a refresh takes twice as long
    work = Work(durable=1)
    began = time.monotonic()
    with kept(work):
        until(lambda: work.done.count("refresh") >= 10)
    assert time.monotonic() - began < 10


def test_many_facts_do_not_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", 60.0)
    work = Work(durable=1, parts=5, facts=room.ENOUGH)
    with kept(work):
        until(lambda: work.done.count("refresh") > 3)
    done = work.done[: work.done.index("refresh")]  # afterwards it may be stopping
    assert {done[number + 1] for number, what in enumerate(done) if what == "part"} == {"load"}


@dataclass
class Burst(Work):
    """Requests stop coming in while the second refresh is under way."""

    def refresh(self, as_of: int, meanwhile: Callable[[], bool]) -> bool:
        def stops() -> bool:
            if self.done.count("part") >= 6:
                self.flows = False
            return meanwhile()

        return super().refresh(as_of, stops)


@pytest.mark.parametrize(("facts", "times"), [(room.ENOUGH, 1), (10, 0)], ids=["many", "few"])
def test_a_refresh_begins_again_when_a_burst_has_ended(facts: int, times: int) -> None:
    work = Burst(durable=1, parts=5, facts=facts)
    with kept(work) as keeper:
        until(lambda: not work.flows and keeper.attributed == work.durable)
        assert keeper.stale is None
    assert work.done.count("given up") == times
    assert work.done[-1] == "refresh"


def test_a_refresh_that_began_again_goes_on_whatever_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "QUIET", 0.0)
    work = Work(durable=1, parts=5, facts=room.ENOUGH)
    load = work.load

    def caught_up(up_to: int) -> Generator[Part, None, None]:
        work.flows = False  # nothing comes in while something is loaded, only between two loads
        yield from load(up_to)
        work.flows = True

    work.load = caught_up  # type: ignore[method-assign]
    with kept(work):
        until(lambda: work.done.count("refresh") > 3)
    ended = [what for what in work.done if what in ("given up", "refresh")]
    assert ended[:6] == ["given up", "refresh"] * 3
