"""When the thread behind the server loads, and when it brings results up to date."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from afterword.workspace import keeper as room
from afterword.workspace.keeper import REST, Keeper
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

    def load(self, up_to: int) -> Generator[int, None, None]:
        self.clock += SECOND
        self.durable += self.flows
        self.done.append("load")
        yield up_to

    def refresh(self, _as_of: int) -> None:
        self.clock += 4 * SECOND
        self.done.append("refresh")

    def look_after(self, as_of: int) -> None:
        pass


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


def test_results_rest_while_more_comes_in_than_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PERIOD", 0.001)
    work = Work(durable=1)
    with kept(work):
        until(lambda: work.done.count("load") > 100)
    loads, refreshes = work.done.count("load"), work.done.count("refresh")
    # Each refresh of 4 s is followed by 12 loads of a second.
    assert loads // (REST * 4) - 1 <= refreshes <= loads // (REST * 4) + 2


def test_who_waits_for_results_is_not_kept_waiting_by_what_comes_in() -> None:
    work = Work(durable=1)
    with kept(work) as keeper:
        until(lambda: "refresh" in work.done)
        loads = work.done.count("load")
        assert keeper.caught_up(30.0)
        assert work.done.count("load") - loads <= REST


def test_results_follow_at_once_when_nothing_more_comes() -> None:
    work = Work(durable=1)
    with kept(work) as keeper:
        until(lambda: work.done.count("load") > 2)
        work.flows = False
        until(lambda: keeper.attributed == work.durable)
        assert work.done.count("refresh") >= 1
