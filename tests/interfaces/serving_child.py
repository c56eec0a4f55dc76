"""What tests serve from: `afterword serve` with limits of the test's own, and faults when it asks for them.

    python -m tests.interfaces.serving_child DIRECTORY PORT POLICY UPKEEP FAULTS

POLICY is JSON: fields of `Policy`, rates as `[requests, seconds]`; UPKEEP fields of `Upkeep`; FAULTS a directory, see
`serving_faults`. The process that answers is `answering_child`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from afterword.interfaces import companion
from afterword.interfaces import serve as serving
from afterword.interfaces.api.limits import Rate
from afterword.interfaces.api.server import Policy
from afterword.interfaces.faults import fault_of
from afterword.interfaces.oidc.settings import Oidc
from afterword.interfaces.upkeep import Upkeep
from afterword.log import Writer
from afterword.log.writer import GATHER_SECONDS
from afterword.store.idempotency import Idempotency
from afterword.workspace import reopened_log
from tests.interfaces.serving_faults import Faults


class Command:
    """The command of the process that answers, which `no-start` puts out of reach."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __iter__(self) -> Iterator[str]:
        python = sys.executable if self._faults.text("no-start") is None else "/nowhere/python"
        yield from (python, "-m", "tests.interfaces.answering_child", str(self._faults.directory))


def policy_of(given: dict[str, Any]) -> Policy:
    """Read a policy."""
    named: dict[str, Any] = {n: Rate(*value) if isinstance(value, list) else value for n, value in given.items()}
    if "oidc" in named:
        named["oidc"] = Oidc(**named["oidc"])
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


def main() -> int:
    """Serve as the arguments say; return the exit code."""
    limits, keep = policy_of(json.loads(sys.argv[3])), Upkeep(**json.loads(sys.argv[4]))
    return receive(Path(sys.argv[1]), int(sys.argv[2]), limits, keep, Faults(Path(sys.argv[5])))


if __name__ == "__main__":
    sys.exit(main())
