"""Freeing a database file of what was deleted: DuckDB leaves old blocks in it as they are."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from afterword.errors import UserError
from afterword.store.connection import open_memory
from afterword.store.sql import literal
from afterword.store.statements import first_row, run


def rewrite_database(path: Path, memory_bytes: int, threads: int, temp_dir: Path) -> tuple[int, int]:
    """Copy all that a database file holds into a fresh file and put it in its place; return bytes before and after.

    Needs the file to itself: the caller closes its connections before and opens it again after. A crash leaves the old
    file or the new one, and at most a copy aside, which the next call replaces. The disk's old blocks are not
    overwritten: where that matters the file system must be encrypted.

    Raises:
        UserError: somebody has the file open.

    """
    aside = path.with_name(path.name + ".new")
    remove_database(aside)
    before = path.stat().st_size
    try:
        with open_memory(memory_bytes, threads, temp_dir, preserve_insertion_order=True) as con:
            _copy(con, path, aside)
    except BaseException:
        remove_database(aside)  # on a full disk it would be in the way
        raise
    if _wal(path).exists() or _wal(aside).exists():  # it would be applied to the wrong file
        raise UserError(f"{path} has changes in {_wal(path).name} that were not checkpointed: open and close it first")
    put_database_in_place(aside, path)
    return before, path.stat().st_size


def _copy(con: duckdb.DuckDBPyConnection, path: Path, aside: Path) -> None:
    try:
        run(con, f"ATTACH {literal(str(path))} AS old")
    except duckdb.Error as error:
        raise UserError(f"{path} cannot be rewritten while it is open: close it first ({error})") from error
    run(con, f"CHECKPOINT old; ATTACH {literal(str(aside))} AS fresh")
    run(con, "COPY FROM DATABASE old TO fresh")
    _forget_old_blocks(con)
    run(con, "CHECKPOINT fresh; DETACH fresh; DETACH old")


def put_database_in_place(aside: Path, path: Path) -> None:
    """Give a database file that is complete and closed the name of another, which is gone then."""
    _sync(aside)
    # Without its changes the old file is only older, and the log has the rest; the new one must not get them.
    _wal(path).unlink(missing_ok=True)
    _sync(path.parent)
    aside.replace(path)
    _sync(path.parent)


def remove_database(path: Path) -> None:
    """Remove a database file and its changes, if they are there."""
    for each in (path, _wal(path)):
        each.unlink(missing_ok=True)


def _forget_old_blocks(con: duckdb.DuckDBPyConnection) -> None:
    """Note in the fresh file that it has none, so that this is done as soon as it is in place."""
    if first_row(con, "FROM duckdb_tables() WHERE database_name = 'fresh' AND table_name = 'old_blocks'"):
        run(con, "DELETE FROM fresh.main.old_blocks")


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
