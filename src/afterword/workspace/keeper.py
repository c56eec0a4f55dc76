"""The thread behind the server: moves what is durable into the facts, and keeps the results up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from types import MappingProxyType
from typing import NamedTuple, Protocol

from afterword.precedence import waiting
from afterword.workspace.backlog import Progress

PERIOD = 0.5
"""Seconds between two rounds while nothing comes in; also how long requests gather before they are loaded."""
PATIENCE = 2.0
"""Seconds that facts wait to be loaded while results are brought up to date, if no more than ENOUGH come in."""
ENOUGH = 245_760
"""Facts that need wait for no others: two row groups of the tables. What does not fill one is compressed twice."""
QUIET = 1.0
"""Seconds without new requests that end a burst."""
RETRY_PERIOD = 2.0
"""Seconds to the next round after one that failed."""


class Part(NamedTuple):
    """What was loaded at once."""

    position: int
    """Reached."""
    facts: int
    """New ones."""


class Work(Protocol):
    """What the keeper has done, round by round."""

    def load(self, up_to: int) -> Generator[Part, None, None]:
        """Load the log before a position part by part; yield each."""

    def refresh(self, as_of: int, meanwhile: Callable[[], bool]) -> bool:
        """Bring the results up to what is loaded; return whether they are.

        Calls `meanwhile` between parts, which may load more; when it says so, everything is left as it was.
        """

    def look_after(self, as_of: int) -> None:
        """Do what can wait, and whose failing does no harm."""


class Keeper:
    """Runs rounds of work until it is stopped; a round that fails is told of and done again.

    Nothing of a failed round is kept, so it can be repeated until its cause is gone: a full disk, a database that
    somebody else had locked.

    Attributes:
        loaded: every request before this position is among the facts.
        attributed: every request before this position is known to the results.
        as_of: of the results, in microseconds since 1970.
        failure: why loading does not go on, in a sentence; None while it does.
        stale: why results do not follow what is loaded; facts can be taken in all the same.
        heard: whether it is there: always.
        absent: why not.
        webhooks: how each webhook stands; who loads does not know.

    """

    heard, absent = True, ""
    webhooks: Mapping[str, Progress] = MappingProxyType({})

    def __init__(
        self,
        work: Work,
        durable: Callable[[], int],
        clock: Callable[[], int],
        loaded: int,
        tell: Callable[[str, BaseException | None], None],
    ) -> None:
        """Prepare.

        Args:
            work: what is done in a round.
            durable: up to where the log is durable.
            clock: the time, in microseconds since 1970.
            loaded: where loading goes on.
            tell: told what goes wrong, with the error, and that it goes well again.

        """
        self.loaded = loaded
        self.attributed = loaded
        self.as_of = 0
        self.failure: str | None = None
        self.stale: str | None = None
        self._work = work
        self._durable = durable
        self._clock = clock
        self._tell = tell
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._rounds = 0
        self._wanted = 0
        self._stopping = False
        self._waiting_bytes = 0
        self._waiting_since: int | None = None
        self._loading_since: int | None = None
        self._told: dict[str, str] = {}
        self._load_began = 0
        self._load_again = 0
        self._facts = 0
        self._facts_each = 0.0
        self._seen = (0, 0)
        self._thread = threading.Thread(target=self._run, name="afterword-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Begin no other round, and let nobody wait for one."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End after the round that is under way; what is durable and not loaded is loaded at the next start."""
        self.begin_to_stop()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self, position: int, size: int) -> None:
        """Take note that something of this size is durable."""
        with self._changed:
            self._waiting_bytes += size
            if self._waiting_since is None:
                self._waiting_since = self._clock()

    def caught_up(self, timeout: float | None = None) -> bool:
        """Wait until the results know all facts and definitions that were there when this was called."""
        with self._changed:
            wanted = self._rounds + 2  # the round under way may have begun before
            self._wanted = max(self._wanted, wanted)
            self._changed.notify_all()
            with waiting():
                self._changed.wait_for(lambda: self._rounds >= wanted or self._given_up(), timeout)
            return self._rounds >= wanted

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let nothing be written to the facts inside; what comes in meanwhile waits in the log."""
        with self._writing:
            yield

    @property
    def waiting_bytes(self) -> int:
        """How much is durable and not loaded, about."""
        return self._waiting_bytes

    @property
    def oldest_waiting(self) -> int | None:
        """Since when something waits to be loaded."""
        return self._loading_since if self._loading_since is not None else self._waiting_since

    def _given_up(self) -> bool:
        return self._stopping or self.failure is not None or self.stale is not None

    def _run(self) -> None:
        while not self._stopping:
            with self._writing:
                self._round()
            with self._changed:
                if self._given_up():
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._stopping, RETRY_PERIOD)
                    continue
                self._rounds += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopping or self._wanted > self._rounds, self._pause())

    def _pause(self) -> float:
        """Return the seconds to the next round; what waits has gathered since the last load began."""
        if self._durable() <= self.loaded:
            return PERIOD
        gathered = (self._clock() - self._load_began) / 1_000_000
        return max(0.0, PERIOD - max(0.0, gathered))

    def _round(self) -> None:
        self.failure = self._tried("loading", self._load)
        if self.failure is None:
            as_of = self._clock()
            self.stale = self._tried("attribution", lambda: self._refresh(as_of))
            self._tried("upkeep", lambda: self._work.look_after(as_of))

    def _tried(self, what: str, work: Callable[[], None]) -> str | None:
        """Do a part of a round; return in a sentence why it failed. The same failure again is not told again."""
        try:
            work()
        except Exception as error:  # whatever it is, the server must know that this does not go on, and try again
            message = (str(error) or type(error).__name__).splitlines()[0]
            if self._told.get(what) != message:
                self._told[what] = message
                self._tell(f"{what} has stopped and is tried again: {message}", error)
            return message
        if self._told.pop(what, None) is not None:
            self._tell(f"{what} goes on", None)
        return None

    def _load(self) -> None:
        self._load_began, target = self._clock(), self._durable()
        with self._changed:
            size = self._waiting_bytes
            if self._loading_since is None:
                self._loading_since, self._waiting_since = self._waiting_since, None
        if self.loaded < target:
            with closing(self._work.load(target)) as parts:
                for part in parts:
                    self._facts += part.facts
                    self._facts_each = part.facts / max(1, part.position - self.loaded)
                    self.loaded = part.position
                    if self._stopping:
                        return
        with self._changed:
            self._waiting_bytes -= size
            self._loading_since = None
        self._load_again = self._clock() + int(PATIENCE * 1_000_000)

    def _refresh(self, as_of: int) -> None:
        loaded, facts = self.loaded, self._facts
        self._load_again = self._clock() + int(PATIENCE * 1_000_000)
        if not self._work.refresh(as_of, lambda: self._load_meanwhile(facts)):
            as_of, loaded = self._clock(), self.loaded
            self._work.refresh(as_of, lambda: self._load_meanwhile(None))  # the next burst waits
        self.as_of, self.attributed = as_of, loaded

    def _load_meanwhile(self, facts: int | None) -> bool:
        """Load what has come in since; the refresh under way goes on with what it knew when it began.

        Otherwise what came in while many users are swept would wait for all of them.

        Args:
            facts: how many had been loaded when the refresh began; None if it is to go on in any case.

        Returns:
            Whether the refresh had better begin again: a burst has ended, and all of it is in the results sooner if
            they are not brought up to a part of it first.

        """
        if self._stopping or self.failure is not None:
            return False
        self._notice()  # before loading, which may take long
        waiting = (self._durable() - self.loaded) * self._facts_each
        if waiting >= ENOUGH or self._clock() >= self._load_again:
            self.failure = self._tried("loading", self._load)
        is_much = facts is not None and self._facts - facts >= ENOUGH
        self._notice()
        durable, since = self._seen
        return is_much and self.loaded == durable and self._clock() - since >= QUIET * 1_000_000

    def _notice(self) -> None:
        """Note since when nothing has come in."""
        if (durable := self._durable()) != self._seen[0]:
            self._seen = durable, self._clock()
