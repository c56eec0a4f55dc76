"""The database file of a data directory: opened with care, with the tables of facts in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb

from afterword.errors import UserError
from afterword.store.connection import configuration
from afterword.store.statements import run
from afterword.store.user_hashes import complete_user_hashes

CHECKPOINT_BYTES: Final = 256_000_000
CHECKPOINT_THRESHOLD: Final = f"{CHECKPOINT_BYTES // 1_000_000}MB"
"""Of changes in the write-ahead log. A checkpoint compresses the last rows again: with DuckDB's 16 MB they take as long
as all the rest of loading (decision 0022). The price is some catching up when a killed server starts again."""
NEVER: Final = "1TB"
"""A threshold that no write-ahead log reaches."""
VACUUM_TASKS: Final = 2
"""Per checkpoint, of DuckDB's 100: nobody can load or refresh while rows move together, which took up to 4 s. Two keep
files as small (decision 0070)."""
_DAMAGED: Final = re.compile("Corrupt (database|Encrypted |WAL|file)|Could not read enough bytes")


def open_facts(path: Path, memory_bytes: int, threads: int, temp_dir: Path) -> duckdb.DuckDBPyConnection:
    """Open a database file, made if it is not there, and make the tables of facts where they are missing.

    One connection per thread: others take a `cursor()` of it.

    Args:
        path: the file; DuckDB lets one process have it open at a time, whether it reads or writes.
        memory_bytes: how much memory the database may use before it spills.
        threads: how many threads a query may use.
        temp_dir: where it spills to.

    Raises:
        UserError: another process has the file open, it is no DuckDB file, or it cannot be written or brought up to
            this version.

    """
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{path} cannot be written: loading facts needs write access to it")
    try:
        config = configuration(memory_bytes, threads, temp_dir) | {
            "checkpoint_threshold": CHECKPOINT_THRESHOLD,
            "max_vacuum_tasks": VACUUM_TASKS,
        }
        connection = duckdb.connect(str(path), config=config)
    except duckdb.Error as error:
        raise UserError(_explained(path, str(error))) from error
    run(connection, "SET enable_progress_bar = false")
    run(connection, facts_sql())
    try:
        complete_user_hashes(connection)
    except duckdb.Error as error:
        connection.close()
        raise UserError(_not_brought_up(path, str(error))) from error
    return connection


@contextmanager
def without_checkpoint(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit inside without the checkpoint that may be due; `checkpoint_if_due` makes it up.

    For all connections of the database: what another commits meanwhile waits for its checkpoint, too.
    """
    run(con, f"SET checkpoint_threshold = '{NEVER}'")
    try:
        yield
    finally:
        run(con, f"SET checkpoint_threshold = '{CHECKPOINT_THRESHOLD}'")


def checkpoint_if_due(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Make a checkpoint of the file if its write-ahead log is long enough; return whether one was made.

    While somebody reads an older state there can be none.
    """
    try:
        if path.with_name(f"{path.name}.wal").stat().st_size < CHECKPOINT_BYTES:
            return False
    except FileNotFoundError:
        return False
    try:
        run(con, "CHECKPOINT")
    except duckdb.TransactionException:
        return False
    return True


def facts_sql() -> str:
    """Return the statements that make the tables of facts."""
    return (resources.files("afterword.store") / "facts.sql").read_text(encoding="utf-8")


def _not_brought_up(path: Path, message: str) -> str:
    if _DAMAGED.search(message):
        return _explained(path, message)
    return (
        f"{path} cannot be brought up to this version: {message.splitlines()[0]}; nothing is lost, "
        "make room on the disk or give --memory more, then start again"
    )


def _explained(path: Path, message: str) -> str:
    if "Could not set lock" in message:  # not "lock": a damaged file's message names its block
        return f"{path} is open in another process: stop that one first, or ask it through its API"
    if "not a valid DuckDB" in message:
        return f"{path} is no DuckDB file: name another file, or move this one away"
    if _DAMAGED.search(message):
        return (
            f"{path} is damaged ({message.splitlines()[0]}): put back the last backup, or, if no old part of the log "
            "was ever removed, move this file and its .wal away, and the facts are loaded again from the log"
        )
    return f"{path} cannot be opened: {message.splitlines()[0]}"
