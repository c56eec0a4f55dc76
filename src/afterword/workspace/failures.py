"""What the database and the disk say when they fail, as the sentence of a mistake where it is one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb

from afterword.errors import UserError
from afterword.intake.sources import InputFile
from afterword.store.sql import one_path

NO_SPACE, TOO_LARGE = "No space left on device", "File too large"
PAST_THE_LIMIT = (
    "a file, of the output or a temporary one, would be larger than this process may write: "
    "raise the limit on the size of files (ulimit -f)"
)
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NEVER_OF_A_FILE = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
)


def mistake_of(error: BaseException, con: duckdb.DuckDBPyConnection, files: Iterable[InputFile]) -> UserError | None:
    """Return what to tell the user, None if the failure is ours.

    Args:
        error: what escaped from staging or computing.
        con: the connection, still open.
        files: what was read.

    """
    if _is_full(error):
        return UserError(
            f"there is no space left for temporary files in {tempfile.gettempdir()}: "
            "free some, or set TMPDIR to a directory with more"
        )
    if _is_too_large(error):
        return UserError(PAST_THE_LIMIT)
    if not isinstance(error, duckdb.Error) or isinstance(error, _NEVER_OF_A_FILE):
        return None
    for file in files:
        if file.format == "parquet" and (why := _damage(con, file.path)):
            return UserError(f"{file.path} cannot be read as Parquet: {why}")
    return None


def mistake_of_writing(error: BaseException, path: Path) -> UserError | None:
    """Return what to tell the user if the disk of `path` is full, None otherwise.

    Where it is the disk of the temporary files too, `mistake_of` says what is to be said.
    """
    disks = [os.stat(place).st_dev for place in (path.parent, tempfile.gettempdir())]
    if disks[0] == disks[1] or not _is_full(error):
        return None
    return UserError(f"there is no space left in {path.parent}: free some, or name a file on another disk")


def leave(
    con: duckdb.DuckDBPyConnection, files: Iterable[InputFile], directory: str | Path, error: BaseException | None
) -> None:
    """Close the connection and remove the directory of its temporary files; raise what `mistake_of` the error says."""
    try:
        mistake = None if error is None else mistake_of(error, con, files)
    finally:
        con.close()
        shutil.rmtree(directory, ignore_errors=True)
    if mistake is not None:
        raise mistake from error


def _damage(con: duckdb.DuckDBPyConnection, path: str) -> str:
    """Read a file whole: what the database says of a damaged one in the middle of a query does not name it."""
    try:
        con.execute(f"SELECT count(hash(COLUMNS(*))) FROM read_parquet({one_path(path)})").fetchall()
    except duckdb.Error as error:
        return " ".join(str(error).split("\n\n")[0].split())[:300]
    return ""


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return True
    return isinstance(error, duckdb.Error) and NO_SPACE in str(error)


def _is_too_large(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.EFBIG
    return isinstance(error, duckdb.Error) and TOO_LARGE in str(error)
