"""A copy of the facts' file, of one moment, by the process that has it open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from afterword.store.loader import loaded_position
from afterword.workspace.answering import Answering
from afterword.workspace.data_directory import FACTS, TEMPORARY

PLACE = "backup"
"""In the directory for temporary files, which every start empties."""
COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"


class CopyFailed(Exception):
    """The copy could not be written."""


def copy_facts(data: Answering, left: Callable[[Path], int], needed: int) -> tuple[Path, int]:
    """Copy facts and results into the data directory; return where the copy is, and the position up to which it knows.

    The keeper pauses meanwhile. After a checkpoint, and with nobody writing, the file is a whole; what a checkpoint had
    to leave in the write-ahead log, since somebody reads an older state, is copied as well. DuckDB's lock on the file
    ends when any descriptor of it is closed in this process (POSIX), so that another one copies.

    Args:
        data: facts and results.
        left: how many bytes are free where a directory lies.
        needed: how many must stay free.

    Raises:
        CopyFailed: the disk has no room for it, or failed.

    """
    place = data.path / TEMPORARY / PLACE
    shutil.rmtree(place, ignore_errors=True)
    with data.keeper.paused():
        with data.facts.cursor() as con:
            position = loaded_position(con)
            _checkpoint(con)
        files = [path for path in (data.path / FACTS, _wal(data.path / FACTS)) if path.exists()]
        size = sum(path.stat().st_size for path in files)
        if (free := left(data.path)) < size + needed:
            raise CopyFailed(
                f"a copy of {FACTS} takes {size / 2**20:.0f} MiB for a moment, and only {free / 2**20:.0f} are free "
                f"where it lies, of which {needed / 2**20:.0f} must stay so"
            )
        place.mkdir(parents=True, mode=0o700)
        for path in files:
            _copy(path, place / path.name)
    return place / FACTS, position


def _checkpoint(con: duckdb.DuckDBPyConnection) -> None:
    try:
        con.execute("CHECKPOINT")
    except duckdb.TransactionException:  # somebody reads: then the write-ahead log has the rest
        return


def _copy(path: Path, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", COPY, path, target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CopyFailed(f"{path} could not be copied: {(done.stderr.splitlines() or ['no reason given'])[-1]}")


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")
