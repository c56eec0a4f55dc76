"""`afterword demo`: files to open and change, run through the same door as anybody's."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from afterword.errors import UserError
from afterword.interfaces.progress import Meter

if TYPE_CHECKING:
    from afterword.intake.history import HistoryKind
    from afterword.workspace.results import Results

DEFINITIONS = "campaigns.yaml"
RESULTS = "afterword-results"
FACTS: dict[HistoryKind, str] = {
    "exposures": "exposures-*",
    "events": "events-*",
    "step_messages": "step-messages-*",
}
"""Where the facts are."""


def demonstrate(directory: Path, *, force: bool, meter: Meter) -> tuple[Results, bool]:
    """Run the demo in `directory` and say whether its files were written now.

    Files that are there from an earlier demo are taken as they are, since they may have been changed; `force` writes
    them anew. Results are always computed again.
    """
    from afterword.demo import write_demo
    from afterword.workspace.run import run

    written = force or not (directory / DEFINITIONS).exists()
    if written:
        if not force and directory.exists() and any(directory.iterdir()):
            raise UserError(f"{directory} exists and is no demo: name another directory with --out")
        meter("writing the demo's files")
        write_demo(directory)
    results = run(
        directory / DEFINITIONS,
        exposures=str(directory / FACTS["exposures"]),
        events=str(directory / FACTS["events"]),
        step_messages=str(directory / FACTS["step_messages"]),
        out=directory / RESULTS,
        force=True,
        progress=meter,
    )
    return results, written


def next_steps(directory: Path, written: bool) -> str:
    """Say what the demo left behind and what to try with it."""
    afterword = command_name()
    files = "has the files that this was computed from" if written else "was taken as it is (--force writes it anew)"
    return "\n".join(
        [
            f"{directory} {files}; its README.txt says what they are.",
            "Try next:",
            f"  {afterword} explain welcome n-0060 --results {directory / RESULTS}",
            f"  {afterword} users email-test --variant mens --event A --results {directory / RESULTS}",
            f"  open {directory / RESULTS / 'report.html'} in a browser",
            f"  change a deadline in {directory / DEFINITIONS}, then: {afterword} demo --out {directory}",
        ]
    )


def command_name() -> str:
    """The name by which this program can be called again from here."""
    if shutil.which("afterword") is not None:
        return "afterword"
    called = Path(sys.argv[0])
    if called.name != "afterword":
        return "python -m afterword"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)
