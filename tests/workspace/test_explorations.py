"""Questions are answered one at a time, in the background, and equal ones once."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from afterword.workspace.explorations import (
    FRESH_MICROSECONDS,
    KEPT,
    UNCHANGED_MICROSECONDS,
    WAITING,
    Exploration,
    Explorations,
    Stage,
    TooMany,
)
from afterword.workspace.live.exploring import Question
from tests.histories import generate_world
from tests.workspace.explored_world import ExploredWorld
from tests.workspace.live_world import all_of


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> ExploredWorld:
    return ExploredWorld(4000, tmp_path_factory.mktemp("live"))


class Clock:
    """A time that tests move."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


@contextmanager
def explorer(loaded: ExploredWorld) -> Iterator[tuple[Explorations, Clock, list[str]]]:
    clock, failures = Clock(loaded.as_of), list[str]()
    explorations = Explorations(loaded.live.live, clock, lambda message, _error: failures.append(message))
    try:
        yield explorations, clock, failures
    finally:
        explorations.stop()


def finished(explorations: Explorations, question: Question) -> Exploration:
    one = explorations.ask(question)
    assert explorations.wait(one, 60)
    return one


def test_the_same_question_is_answered_once_until_the_answer_is_old(loaded: ExploredWorld) -> None:
    question = loaded.question(loaded.definitions.campaigns[0])
    with explorer(loaded) as (explorations, clock, failures):
        one = finished(explorations, question)
        assert (one.stage, one.progress, one.doing) == (Stage.DONE, 1.0, None)
        assert one.result == loaded.explore(question) or json.loads(json.dumps(one.result)) == loaded.explore(question)
        assert explorations.find(one.id) is one
        assert finished(explorations, replace(question)) is one
        assert finished(explorations, replace(question, first=5)) is not one
        clock.at += UNCHANGED_MICROSECONDS
        assert finished(explorations, question) is one
        clock.at += 1
        again = finished(explorations, question)
        assert again.id != one.id
        assert failures == []


def test_new_facts_make_an_answer_old_after_a_minute(tmp_path: Path) -> None:
    loaded = ExploredWorld(4000, tmp_path)
    question = loaded.question(loaded.definitions.campaigns[0])
    with explorer(loaded) as (explorations, clock, _):
        one = finished(explorations, question)
        loaded.live.load(
            [replace(fact, user_id="new") for fact in all_of(generate_world(random.Random(9), users=1).facts)]
        )
        loaded.live.live.refresh(loaded.definitions, as_of=loaded.as_of)
        clock.at += FRESH_MICROSECONDS
        assert finished(explorations, question) is one
        clock.at += 1
        assert finished(explorations, question) is not one


class Held:
    """Results that are explored when the test says so."""

    def __init__(self, loaded: ExploredWorld) -> None:
        self.live = loaded.live.live
        self.go, self.begun = threading.Event(), threading.Event()

    @property
    def state(self) -> Any:
        return self.live.state

    def explore(self, question: Question, as_of: int, step: Any, watch: Any) -> Any:
        step("reading events", None)
        self.begun.set()
        while not self.go.wait(0.01):
            step("reading events", None)
        if question.first == 2:
            return {}, self.state
        if question.first == 1:
            raise duckdb.OutOfMemoryException("no memory is left\nmore")
        return self.live.explore(question, as_of, step, watch)


def test_so_many_questions_wait_and_no_more(loaded: ExploredWorld) -> None:
    held, failures = Held(loaded), list[str]()
    explorations = Explorations(held, Clock(loaded.as_of), lambda message, _: failures.append(message))  # type: ignore[arg-type]
    question = loaded.question(loaded.definitions.campaigns[0])
    try:
        first = explorations.ask(question)
        assert held.begun.wait(60)
        waiting = [explorations.ask(replace(question, first=number)) for number in range(1, WAITING + 1)]
        assert explorations.ask(replace(question, first=1)) is waiting[0]
        with pytest.raises(TooMany, match=f"{WAITING} questions wait already"):
            explorations.ask(replace(question, first=0))
        assert not explorations.wait(first, 0.01)
        assert (first.stage, first.doing, waiting[0].stage) == (Stage.RUNNING, "reading events", Stage.WAITING)
        assert 0 < first.progress < 1
        held.go.set()
        assert all(explorations.wait(one, 60) for one in waiting)
        assert (waiting[0].stage, waiting[0].failure) == (Stage.FAILED, "no memory is left")
        assert failures == [f"an exploration of {question.campaign.id} failed: no memory is left"]
        assert {one.stage for one in waiting[1:]} == {Stage.DONE}
        assert explorations.ask(replace(question, first=1)) is not waiting[0]
    finally:
        explorations.stop()


def test_what_is_under_way_ends_with_the_server(loaded: ExploredWorld) -> None:
    held, failures = Held(loaded), list[str]()
    explorations = Explorations(held, Clock(loaded.as_of), lambda message, _: failures.append(message))  # type: ignore[arg-type]
    one = explorations.ask(loaded.question(loaded.definitions.campaigns[0]))
    assert held.begun.wait(60)
    explorations.stop()
    assert (one.stage, failures) == (Stage.FAILED, [])


def test_old_answers_are_forgotten(loaded: ExploredWorld) -> None:
    held = Held(loaded)
    held.go.set()
    explorations = Explorations(held, Clock(loaded.as_of), lambda _message, _error: None)  # type: ignore[arg-type]
    question = loaded.question(loaded.definitions.campaigns[0], (2, 2))
    try:
        first = finished(explorations, question)
        for number in range(KEPT + 1):
            assert explorations.find(first.id) is first
            finished(explorations, replace(question, last=3 + number))
        assert explorations.find(first.id) is None
    finally:
        explorations.stop()
