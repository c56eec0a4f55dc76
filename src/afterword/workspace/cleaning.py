"""When a running server takes erased persons out of its log and its files' old blocks: collected, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from afterword.errors import AfterwordError
from afterword.store.erasing import Unfinished
from afterword.store.erasing_log import Known
from afterword.workspace.erasing import Erasing

LOOK_SECONDS = 1.0
AGAIN_FIRST, AGAIN_LAST = 2_000_000, 600 * 1_000_000
"""Microseconds after a pass that failed before it is tried again, unless somebody asks for it."""
AGAIN_GROWS = 4
"""So many times as long each time, up to `AGAIN_LAST`."""
LATE = 3_600 * 1_000_000
"""A pass only for what erased persons' apps go on to send is not worth while more often."""
SEAL_SECONDS = 60.0


class Stage(StrEnum):
    """What is being done."""

    NOTHING = "nothing"
    """Nobody is left to be erased."""
    WAITING = "waiting"
    """Persons are erased from facts and results, or just about to be; the rest waits for its time."""
    LOG = "log"
    FACTS = "facts"


@dataclass(frozen=True, slots=True)
class Status:
    """How far erasing is. Names nobody."""

    stage: Stage
    persons: int
    """Deletions that are not finished."""
    since: int | None
    """When the first of them came, in epoch microseconds."""
    due: int | None
    """When the log and the files will be rid of them."""
    loaded: int
    """Up to this position of the log deletions are known."""
    done: int
    """Deletions before this position of the log are finished."""
    failure: str | None


class Cleaning:
    """Rewrites the log when it is due, then asks for the process to begin again, so that the facts' file can be.

    The process that holds the log must complete the segment first (`seal_to`, `sealed`) and remove none meanwhile.
    """

    def __init__(
        self,
        erasing: Erasing,
        tell: Callable[[str, BaseException | None], None],
        *,
        clock: Callable[[], int],
        within: int,
    ) -> None:
        """Prepare.

        Args:
            erasing: its steps.
            tell: told what goes wrong, with the error, and that it goes well again.
            clock: the time, in microseconds since 1970.
            within: how long persons may stand in log and files after their deletion, in microseconds.

        """
        self._erasing = erasing
        self._tell = tell
        self._clock = clock
        self._within = within
        self._changed = threading.Condition()
        self._asked = False
        self._stopping = False
        self._sealed = 0
        self._seal_to: int | None = None
        self._doing: Stage | None = None
        self._failed_at: int | None = None
        self._failure: str | None = None
        self._again = 0
        self._thread = threading.Thread(target=self._run, name="afterword-erasing", daemon=True)

    @property
    def seal_to(self) -> int | None:
        """All segments with frames before this position must be completed for it to go on; None if none must."""
        return self._seal_to

    @property
    def at_the_log(self) -> bool:
        """Whether segments are being rewritten."""
        return self._doing is Stage.LOG

    @property
    def status(self) -> Status:
        """How far it is."""
        left = self._erasing.left()
        stage = self._doing or (Stage.NOTHING if left.position is None else Stage.WAITING)
        due = None if left.since is None else left.since + self._within
        done = left.loaded if left.position is None else left.position
        persons = left.persons + left.erased
        return Status(stage, persons, left.since, due, left.loaded, done, self._failure)

    def sealed(self, up_to: int) -> None:
        """Take note that the segments before a position are complete."""
        with self._changed:
            self._sealed = max(self._sealed, up_to)
            self._changed.notify_all()

    def ask(self) -> None:
        """Do it now, also if it has just failed."""
        with self._changed:
            self._asked, self._failed_at = True, None
            self._changed.notify_all()

    def start(self, rewrite_log: Callable[[Known], None], begin_again: Callable[[], None]) -> None:
        """Begin to look whether it is due.

        Args:
            rewrite_log: takes persons out of all sealed segments.
            begin_again: ends the process; the next one rewrites the facts' file before it opens it.

        """
        self._rewrite_log = rewrite_log
        self._begin_again = begin_again
        if self._erasing.left().old_blocks:  # this process has just tried, and said why it cannot be
            self._failure, self._failed_at = "the facts' file cannot be rewritten: look at the log", self._clock()
            self._again, self._asked = AGAIN_LAST, True  # each try is a process that begins again
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what is under way is done again after the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._stopping:
            self.look()
            with self._changed:
                if not self._stopping:
                    self._changed.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Do what is due; its own thread does this every second."""
        begun = False
        try:
            left = self._erasing.left()
            nothing = left.position is None and not left.refused
            if nothing:
                self._asked = False
            if nothing or not self._again:  # no pass has failed, only looking for whether one is due
                self._recovered()
            if not nothing and self._is_due(left):
                begun = True
                self._clean(left)
                self._succeeded()
        except Exception as error:  # whatever it is, it is told and tried again
            if not self._ended():
                self._failed(error, begun)

    def _ended(self) -> bool:
        """Whether it was stopped: then what is closed under it is no failure."""
        return self._stopping

    def _is_due(self, left: Unfinished) -> bool:
        if left.persons:
            return False  # first they leave facts and results
        now = self._clock()
        if self._failed_at is not None and abs(now - self._failed_at) < self._again:
            return False
        if self._asked:
            return True
        late = left.refused_since is not None and now - left.refused_since >= max(self._within, LATE)
        return late or (left.since is not None and now - left.since >= self._within)

    def _clean(self, left: Unfinished) -> None:
        if left.erased or left.refused:
            if not self._wait_for_seal(left.loaded):
                if self._stopping:
                    return
                raise AfterwordError("the last segment of the log cannot be completed: look at the disk")
            self._doing = Stage.LOG
            persons = self._erasing.for_the_log(left.loaded)
            self._rewrite_log(persons)
            self._erasing.forget(persons, left.loaded)
        if self._erasing.left().old_blocks and not self._stopping:
            self._doing = Stage.FACTS
            self.stop()
            self._begin_again()

    def _wait_for_seal(self, up_to: int) -> bool:
        with self._changed:
            self._seal_to = up_to
            self._changed.wait_for(lambda: self._stopping or self._sealed >= up_to, SEAL_SECONDS)
            self._seal_to = None
            return self._sealed >= up_to and not self._stopping

    def _succeeded(self) -> None:
        if self._doing is not Stage.FACTS:
            self._doing = None
        self._asked = False
        self._recovered()

    def _recovered(self) -> None:
        if self._failure is not None:
            self._tell("erasing goes on", None)
        self._failure, self._failed_at, self._again = None, None, 0

    def _failed(self, error: Exception, begun: bool) -> None:
        message = (str(error) or type(error).__name__).splitlines()[0]
        if message != self._failure:
            self._tell(f"erasing has stopped and is tried again: {message}", error)
        self._doing, self._failure = None, message
        if begun:  # what somebody asked for is still asked for
            self._failed_at = self._clock()
            self._again = min(max(AGAIN_FIRST, self._again * AGAIN_GROWS), AGAIN_LAST)
