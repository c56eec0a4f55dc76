"""A copy of the metadata's file, of one moment, while others read and write it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from afterword.errors import UserError

PATIENCE_SECONDS = 30.0


def copy_metadata(path: Path, target: Path) -> None:
    """Copy a SQLite file with all that is committed; the copy is for this user alone.

    Raises:
        UserError: it cannot be read, or the copy not written.

    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=PATIENCE_SECONDS)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            # A file that is handed on must not need another one beside it.
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be copied to {target}: {error}") from error
