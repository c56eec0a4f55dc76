"""Contender: Afterword, by its command line. It writes more than the others: intervals, series, a page."""

from __future__ import annotations

import os
import sys

from benchmarks.contest import contest


def main() -> None:
    """Become `afterword run`, so that what is measured is that process and nothing around it.

    The process is started anew, through the command's own entry: `contest` has loaded NumPy here, and the
    entry has something to set before that.
    """
    given = contest(__doc__ or "")
    command = [sys.executable, "-m", "afterword", "run", str(given.definitions)]
    command += ["--exposures", str(given.exposures), "--events", str(given.events)]
    command += ["--out", str(given.out), "--force"]
    if given.options.memory:
        command += ["--memory", given.options.memory]
    if given.options.threads:
        command += ["--threads", str(given.options.threads)]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
