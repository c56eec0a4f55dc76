"""The process that tests serve from: `afterword serve` with limits of the test's own, and faults when it asks for them.

    python -m tests.interfaces.serving_child DIRECTORY PORT POLICY FAULTS

POLICY is JSON: fields of `Policy`, rates as `[requests, seconds]`. FAULTS is a directory: the file `clock` in it holds
seconds that the clock goes wrong by, `raise-load` and `raise-refresh` make every round of loading or attribution fail
with the text in them, `slow-load` and `slow-refresh` make each take so many seconds, and `kill-load`,
`kill-refresh`, `kill-commit` and `kill-checkpoint` hold after how many rounds the process dies there, as by kill -9.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afterword.interfaces import serve as serving
from afterword.interfaces.api.limits import Rate
from afterword.interfaces.api.server import Policy
from afterword.interfaces.faults import fault_of
from afterword.store import loader
from afterword.workspace.live import Live


class Faults:
    """What is to go wrong, looked up in files again and again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._counts: dict[str, int] = {}

    def text(self, name: str) -> str | None:
        """Return the content of a file that asks for a fault."""
        try:
            return (self._directory / name).read_text()
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

    def before(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a place for faults before it."""

        def struck(*arguments: Any, **named: Any) -> Any:
            self.strike(place)
            return function(*arguments, **named)

        return struck

    def during(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a death that comes while it is at work."""

        def struck(*arguments: Any, **named: Any) -> Any:
            if (milliseconds := self.text(f"kill-{place}")) is not None:
                threading.Timer(float(milliseconds) / 1000, os.kill, [os.getpid(), signal.SIGKILL]).start()
            return function(*arguments, **named)

        return struck


def policy_of(given: dict[str, Any]) -> Policy:
    """Read a policy."""
    return Policy(**{name: Rate(*value) if isinstance(value, list) else value for name, value in given.items()})


def main(directory: Path, port: int, policy: Policy, faults: Faults) -> int:
    """Serve; return the exit code as the command line would."""
    serving.now = faults.now
    # Rows are in, the position is not stored yet: a death here must load them again.
    loader.store_position = faults.before("load", loader.store_position)
    loader.transaction = faults.before("transaction", loader.transaction)
    Live.refresh = faults.during("refreshing", faults.before("refresh", Live.refresh))  # type: ignore[method-assign]
    loader.Loader._load = faults.during("loading", loader.Loader._load)  # type: ignore[method-assign]
    try:
        serving.serve(directory, "127.0.0.1", port, "1GB", 2, lambda text: print(text, flush=True), policy)
    except Exception as error:
        fault = fault_of(error)
        print(fault.message, file=sys.stderr)
        return fault.exit_code
    return 0


if __name__ == "__main__":
    place, number, limits, wrong = sys.argv[1:]
    sys.exit(main(Path(place), int(number), policy_of(json.loads(limits)), Faults(Path(wrong))))
