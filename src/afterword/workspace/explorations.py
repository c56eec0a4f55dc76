"""Questions about conversion events that a campaign does not have: answered one at a time, in the background."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import duckdb

from afterword.attribution.reading import Step
from afterword.errors import UserError
from afterword.precedence import Precedence, give_way
from afterword.workspace.live import Live, NotDerived
from afterword.workspace.live.crediting import CreditQuestion
from afterword.workspace.live.exploring import COPYING, COUNTING, Question
from afterword.workspace.live.state import State

WAITING = 8
"""Questions that may wait for the one under way."""
KEPT = 100
"""Answers that are kept."""
FRESH_MICROSECONDS = 60 * 1_000_000
"""An answer is given again for so long, whatever has come in since."""
UNCHANGED_MICROSECONDS = 600 * 1_000_000
"""And for so long if nothing has."""
DERIVED_SECONDS, LOOK_SECONDS = 60.0, 0.25
"""How long an answer over all campaigns waits for results of a definition that was just launched or changed."""
LOWEST_PRIORITY = 19
BEGINS = {
    COPYING: 0.0,
    "reading exposures": 0.05,
    "reading step messages": 0.15,
    "reading events": 0.2,
    "sweeping users": 0.6,
    COUNTING: 0.95,
}
"""About how much of the work is done when each part of it begins."""


class Stage(StrEnum):
    """How far a question is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TooMany(UserError):
    """So many questions wait that no more are taken."""


class _Stopped(Exception):
    """The server ends."""


@dataclass
class Exploration:
    """A question and what became of it."""

    id: str
    question: Question | CreditQuestion
    key: str
    """The question's."""
    stage: Stage = Stage.WAITING
    doing: str | None = None
    """What is being done, in words."""
    progress: float = 0.0
    """How much of it is done, about, from 0 to 1."""
    result: dict[str, Any] | None = None
    failure: str | None = None
    at: int = 0
    """When the work began, in epoch microseconds."""
    state: State | None = None
    """The results that the answer belongs to."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.stage in (Stage.DONE, Stage.FAILED)


class Explorations:
    """Takes questions, lets one thread of low priority work on them in turn, and keeps the last answers."""

    def __init__(
        self,
        live: Live,
        clock: Callable[[], int],
        tell: Callable[[str, BaseException | None], None],
        precedence: Precedence | None = None,
    ) -> None:
        """Prepare; the thread begins with the first question.

        Args:
            live: the results.
            clock: the time, in microseconds since 1970.
            tell: told what fails, with the error.
            precedence: of pages, which the work gives way to.

        """
        self._precedence = precedence or Precedence(clock)
        self._live = live
        self._clock = clock
        self._tell = tell
        self._changed = threading.Condition()
        self._waiting: deque[Exploration] = deque()
        self._known: dict[str, Exploration] = {}
        self._taken = 0
        self._stopping = False
        self._con: duckdb.DuckDBPyConnection | None = None
        self._thread: threading.Thread | None = None

    def ask(self, question: Question | CreditQuestion) -> Exploration:
        """Take a question, unless it is under way or was answered just now.

        Raises:
            TooMany: enough others wait.

        """
        now, state, key = self._clock(), self._live.state, question.key
        with self._changed:
            same = [one for one in self._known.values() if one.key == key]
            for one in reversed(same):
                if not one.is_over or (one.stage is Stage.DONE and _is_fresh(one, state, now)):
                    return one
            if len(self._waiting) >= WAITING:
                raise TooMany(f"{len(self._waiting)} questions wait already: come again when one is answered")
            self._taken += 1
            taken = Exploration(f"{key[:16]}-{self._taken}", question, key)
            self._known[taken.id] = taken
            self._waiting.append(taken)
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="afterword-explorer", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return taken

    def find(self, name: str) -> Exploration | None:
        """Return an exploration by its id, None if it is unknown or forgotten."""
        with self._changed:
            return self._known.get(name)

    def wait(self, exploration: Exploration, seconds: float) -> bool:
        """Wait until it is over, at most so long; return whether it is."""
        with self._changed:
            self._changed.wait_for(lambda: exploration.is_over or self._stopping, seconds)
            return exploration.is_over

    def stop(self) -> None:
        """End, and leave undone what is under way."""
        with self._changed:
            self._stopping = True
            con = self._con
            self._changed.notify_all()
        if con is not None:
            with suppress(duckdb.Error):  # it may just have been closed
                con.interrupt()
        if self._thread is not None:
            self._thread.join()

    def _forget(self) -> None:
        """Forget the oldest answers; what is not over is never forgotten."""
        over = [name for name, one in self._known.items() if one.is_over]
        for name in over[: max(0, len(over) - KEPT)]:
            del self._known[name]

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # of this thread alone, where the system knows such a thing
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                one = self._waiting.popleft()
                one.stage = Stage.RUNNING
            self._answer(one)
            with self._changed:
                self._changed.notify_all()

    def _answer(self, one: Exploration) -> None:
        def step(what: str, share: float | None) -> None:
            give_way()
            if self._stopping:
                raise _Stopped
            begin = BEGINS.get(what, one.progress)
            end = min([each for each in BEGINS.values() if each > begin], default=1.0)
            one.doing, one.progress = what, max(one.progress, begin + (end - begin) * (share or 0.0))

        try:
            one.at = self._clock()
            one.result, one.state = self._result(one, step)
            one.doing, one.progress, one.stage = None, 1.0, Stage.DONE
        except Exception as error:  # whatever it is, who asked must hear of it, and the next question be answered
            one.failure, one.stage = (str(error) or type(error).__name__).splitlines()[0], Stage.FAILED
            if not self._stopping:
                self._tell(f"{one.question.name} failed: {one.failure}", error)
        finally:
            self._watch(None)

    def _result(self, one: Exploration, step: Step) -> tuple[dict[str, Any], State]:
        question = one.question
        if isinstance(question, Question):
            with self._precedence.behind():
                return self._live.explore(question, one.at, step, self._watch)
        for _ in range(round(DERIVED_SECONDS / LOOK_SECONDS)):
            try:
                with self._precedence.behind():
                    return self._live.credit(question, one.at, step, self._watch)
            except NotDerived:  # a campaign was just launched or changed: its results are on their way
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, LOOK_SECONDS)
                if self._stopping:
                    raise _Stopped from None
        with self._precedence.behind():
            return self._live.credit(question, one.at, step, self._watch)

    def _watch(self, con: duckdb.DuckDBPyConnection | None) -> None:
        with self._changed:
            self._con = con


def _is_fresh(one: Exploration, state: State, now: int) -> bool:
    """Return whether an answer can be given again: it says as of when it is."""
    then = one.state
    unchanged = then is not None and (then.version, then.position) == (state.version, state.position)
    return abs(now - one.at) <= (UNCHANGED_MICROSECONDS if unchanged else FRESH_MICROSECONDS)
