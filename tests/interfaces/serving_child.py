"""What tests serve from: `afterword serve` with limits of the test's own, and faults when it asks for them.

    python -m tests.interfaces.serving_child DIRECTORY PORT POLICY UPKEEP FAULTS
    python -m tests.interfaces.serving_child FAULTS

The second form is the process that answers, started by the first. POLICY is JSON: fields of `Policy`, rates as
`[requests, seconds]`; UPKEEP fields of `Upkeep`. FAULTS is a directory where files ask for faults, by a place
(`load`, `commit`, `refresh`, `finish`, `report`, `explore`): `raise-PLACE` fails with the text in it, `slow-PLACE`
takes so many seconds, `kill-PLACE` dies as by kill -9 after so many times. `kill-loading`, `kill-checkpoint`,
`kill-refreshing` and `kill-rederiving` (of a campaign whose definition changed) die so many milliseconds after one
began; while one goes on there is a file `now-loading` and so on, which outlives who is killed. `checkpoint` asks for
a checkpoint after every load, `no-start` keeps the process that answers from starting, `clock` holds seconds that the
clock goes wrong by, `full-log` makes every sync of the log find the disk full, and `gather` holds seconds that the
log waits for more before it writes.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from afterword.interfaces import answering, companion
from afterword.interfaces import serve as serving
from afterword.interfaces.api.limits import Rate
from afterword.interfaces.api.server import Policy
from afterword.interfaces.faults import fault_of
from afterword.interfaces.upkeep import Upkeep
from afterword.log import Writer
from afterword.log.disk import sync_data
from afterword.log.writer import GATHER_SECONDS
from afterword.store.idempotency import Idempotency
from afterword.workspace import reopened_log


class Faults:
    """What is to go wrong, looked up in files again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._counts: dict[str, int] = {}

    def text(self, name: str) -> str | None:
        """Return the content of a file that asks for a fault."""
        try:
            return (self.directory / name).read_text()
        except FileNotFoundError:
            return None

    def strike(self, place: str) -> None:
        """Fail, dawdle or die at a place of this name, where that is asked for."""
        if (seconds := self.text(f"slow-{place}")) is not None:
            time.sleep(float(seconds))
        if (message := self.text(f"raise-{place}")) is not None:
            raise RuntimeError(message)
        if (after := self.text(f"kill-{place}")) is not None:
            self._counts[place] = self._counts.get(place, 0) + 1
            if self._counts[place] > int(after):
                os.kill(os.getpid(), signal.SIGKILL)

    def now(self) -> int:
        """Return the time as a clock with a fault tells it."""
        return time.time_ns() // 1000 + int(1_000_000 * float(self.text("clock") or 0))

    def sync(self, fd: int) -> None:
        """Sync a file of the log, or find the disk full."""
        if self.text("full-log") is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync_data(fd)

    def before(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a place for faults before it."""

        def struck(*arguments: Any, **named: Any) -> Any:
            self.strike(place)
            return function(*arguments, **named)

        return struck

    def begin(self, place: str) -> None:
        """Note that something has begun, and let death come while it is at work, if that is asked for."""
        (self.directory / f"now-{place}").touch()
        if (milliseconds := self.text(f"kill-{place}")) is not None:
            threading.Timer(float(milliseconds) / 1000, os.kill, [os.getpid(), signal.SIGKILL]).start()

    def end(self, place: str) -> None:
        """Note that it has ended."""
        (self.directory / f"now-{place}").unlink(missing_ok=True)

    def during(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its beginning and end noted."""

        def struck(*arguments: Any, **named: Any) -> Any:
            self.begin(place)
            try:
                return function(*arguments, **named)
            finally:
                self.end(place)

        return struck

    def then_checkpoint(self, load: Callable[..., Any]) -> Callable[..., Any]:
        """Return the loader's function with a checkpoint after it, which is rare with little data."""

        def loaded(loader: Any, *arguments: Any) -> Any:
            done = load(loader, *arguments)
            if self.text("checkpoint") is not None:
                self.begin("checkpoint")
                with suppress(duckdb.TransactionException):  # somebody reads
                    loader._con.execute("CHECKPOINT")
                self.end("checkpoint")
            return done

        return loaded


class Command:
    """The command of the process that answers, which `no-start` puts out of reach."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __iter__(self) -> Iterator[str]:
        python = sys.executable if self._faults.text("no-start") is None else "/nowhere/python"
        yield from (python, "-m", "tests.interfaces.serving_child", str(self._faults.directory))


def policy_of(given: dict[str, Any]) -> Policy:
    """Read a policy."""
    named: dict[str, Any] = {n: Rate(*value) if isinstance(value, list) else value for n, value in given.items()}
    return Policy(**named)


def receive(directory: Path, port: int, policy: Policy, upkeep: Upkeep, faults: Faults) -> int:
    """Serve; return the exit code as the command line would."""
    vars(serving)["now"] = faults.now
    gather = float(faults.text("gather") or GATHER_SECONDS)
    vars(reopened_log)["Writer"] = partial(Writer, sync=faults.sync, gather_seconds=gather)
    vars(companion)["COMMAND"] = Command(faults)
    # The facts are durable, the answer is not kept yet and nobody has it.
    Idempotency.finish = faults.before("finish", Idempotency.finish)  # type: ignore[method-assign]
    try:
        serving.serve(
            directory, "127.0.0.1", port, "1GB", 2, lambda text: print(text, flush=True), policy, upkeep=upkeep
        )
    except Exception as error:
        fault = fault_of(error)
        print(fault.message, file=sys.stderr)
        return fault.exit_code
    return 0


def answer(faults: Faults) -> int:
    """Be the process that answers."""
    from afterword.store import loader
    from afterword.workspace.live import Live, refreshing
    from afterword.workspace.live.gathering import gather_campaigns

    vars(answering)["now"] = faults.now
    # Rows are in, the position is not stored yet: a death here must load them again.
    loader.store_position = faults.before("commit", loader.store_position)
    loading = faults.during("loading", faults.before("load", loader.Loader._load))
    loader.Loader._load = faults.then_checkpoint(loading)  # type: ignore[method-assign]

    def rederive(*arguments: Any) -> Any:
        faults.begin("rederiving")
        return gather_campaigns(*arguments)

    def refresh(*arguments: Any, **named: Any) -> Any:
        try:
            return refreshed(*arguments, **named)
        finally:
            faults.end("rederiving")

    vars(refreshing)["gather_campaigns"] = rederive
    refreshed = faults.during("refreshing", faults.before("refresh", Live.refresh))
    Live.refresh = refresh  # type: ignore[method-assign]
    Live.report = faults.before("report", Live.report)  # type: ignore[method-assign]
    Live.explore = faults.before("explore", Live.explore)  # type: ignore[method-assign]
    return answering.main()


if __name__ == "__main__":
    wrong = Faults(Path(sys.argv[-1]))
    if len(sys.argv) == 2:
        sys.exit(answer(wrong))
    limits, keep = policy_of(json.loads(sys.argv[3])), Upkeep(**json.loads(sys.argv[4]))
    sys.exit(receive(Path(sys.argv[1]), int(sys.argv[2]), limits, keep, wrong))
