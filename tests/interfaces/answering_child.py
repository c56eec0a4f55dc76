"""The process that answers, started by `serving_child`, with faults when a test asks for them.

python -m tests.interfaces.answering_child FAULTS
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from afterword.interfaces import answering
from afterword.store import loader
from afterword.workspace.live import Live, refreshing
from afterword.workspace.live.gathering import gather_campaigns
from tests.interfaces.serving_faults import Faults


def main() -> int:
    """Be the process that answers."""
    faults = Faults(Path(sys.argv[1]))
    vars(answering)["now"] = faults.now
    # Rows are in, the position is not stored yet: a death here must load them again.
    loader.store_position = faults.before("commit", loader.store_position)
    loading = faults.during("loading", faults.before("load", loader.Loader._load))
    loader.Loader._load = then_checkpoint(faults, loading)  # type: ignore[method-assign]

    def rederive(*arguments: Any, **named: Any) -> Any:
        faults.begin("rederiving")
        return gather_campaigns(*arguments, **named)

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


def then_checkpoint(faults: Faults, load: Callable[..., Any]) -> Callable[..., Any]:
    """Return the loader's function with a checkpoint after it, which is rare with little data."""

    def loaded(loader: Any, *arguments: Any) -> Any:
        done = load(loader, *arguments)
        if faults.text("checkpoint") is not None:
            faults.begin("checkpoint")
            with suppress(duckdb.TransactionException):  # somebody reads
                loader._con.execute("CHECKPOINT")
            faults.end("checkpoint")
        return done

    return loaded


if __name__ == "__main__":
    sys.exit(main())
