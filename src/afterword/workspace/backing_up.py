"""A backup of a data directory while it is in use: each part of one moment, in an order that lets them fit together.

The metadata come first: facts that know more than they do are derived again, but what metadata say was done with facts
must be among them. The log is copied before the facts and once more after them, so that it holds all that the facts
know, whatever comes in or is removed meanwhile. What fits together is proved before the backup gets its name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afterword.errors import UserError
from afterword.log import LogError, LogLockedError, Writer, verify
from afterword.log.disk import upkeep
from afterword.log.segments import first_position, segment_paths
from afterword.store.metadata import FILE_NAME as METADATA
from afterword.store.metadata_copy import copy_metadata
from afterword.workspace.data_directory import FACTS, LOG, SECRET
from afterword.workspace.importing.ledger import DIRECTORY as IMPORTS

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What was backed up.

    Attributes:
        path: the backup, itself a data directory.
        first: where its log begins.
        position: where its log ends: all requests before it are there.
        loaded: how many of them are among its facts; the others are loaded when it is served.
        size: bytes.

    """

    path: Path
    first: int
    position: int
    loaded: int
    size: int


def back_up(data: Path, out: Path, copied_facts: Callable[[], tuple[Path, int]], *, own_metadata: bool) -> Backup:
    """Make a backup.

    Args:
        data: the data directory.
        out: where the backup is to be; nothing may be there.
        copied_facts: has the facts copied, and returns where the copy is, to be moved, and its position.
        own_metadata: whether the metadata is a file in the directory.

    Raises:
        UserError: something is at `out`, the disk is full, or the parts do not fit together.

    """
    _check_place(data, out)
    try:
        # A log from before persons were erased from it does not fit facts that are through with that.
        with upkeep(data / LOG):
            return _back_up(data, out, copied_facts, own_metadata)
    except LogLockedError:
        raise UserError("old parts of the log are just being rewritten or removed: try again in a while") from None


def _back_up(data: Path, out: Path, copied_facts: Callable[[], tuple[Path, int]], own_metadata: bool) -> Backup:
    aside = out.with_name(out.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True, mode=0o700)
        _copy(data / SECRET, aside / SECRET)
        if own_metadata:
            copy_metadata(data / METADATA, aside / METADATA)
        if (data / IMPORTS).is_dir():  # before the log: what they say was imported must be in it
            shutil.copytree(data / IMPORTS, aside / IMPORTS)
        _copy_log(data / LOG, aside / LOG)
        copy, loaded = copied_facts()
        _move_facts(copy, aside)
        _copy_log(data / LOG, aside / LOG)
        first, position = _completed(aside / LOG)
        if not first <= loaded <= position:
            raise UserError(
                f"the log changed while it was copied: the backup has its requests {first} to {position}, and the "
                f"facts those before {loaded}; nothing was written, try again"
            )
        size = _synced(aside)
        aside.rename(out)
        _sync(out.parent)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"the backup could not be written to {out} ({reason}): nothing was left there") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Backup(out, first, position, loaded, size)


def _check_place(data: Path, out: Path) -> None:
    if out.resolve().is_relative_to(data.resolve()):
        raise UserError(f"{out} is in the data directory: name a place outside of it, best on another disk")
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    if out.exists():
        raise UserError(f"{out} is there already: name a new directory with --out")


def _copy_log(log: Path, target: Path) -> None:
    """Copy segments: of those that are there, only the one that was last before may have grown."""
    target.mkdir(mode=0o700, exist_ok=True)
    there = segment_paths(target)
    for path in segment_paths(log):
        if not there or path.name >= there[-1].name:
            try:
                _copy(path, target / path.name)
            except FileNotFoundError:  # old, and removed just now; whether it matters is seen at the end
                continue


def _copy(path: Path, target: Path) -> None:
    """Copy a file up to the length that it has now: of a segment that grows, what is behind is of a later write."""
    with path.open("rb") as old, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
        left = os.fstat(old.fileno()).st_size
        while left and (piece := old.read(min(CHUNK, left))):
            new.write(piece)
            left -= len(piece)


def _move_facts(copy: Path, target: Path) -> None:
    for path in sorted(copy.parent.glob(f"{FACTS}*")):
        shutil.move(path, target / path.name)
    shutil.rmtree(copy.parent, ignore_errors=True)


def _completed(log: Path) -> tuple[int, int]:
    """Cut what was being written, seal, read all of it, and return where it begins and ends."""
    try:
        writer = Writer(log)
        try:
            writer.seal().result()
            position = writer.durable
        finally:
            writer.close()
        bad = verify(log).bad
    except LogError as error:
        raise UserError(f"the log that was copied is not whole: {error}") from error
    if bad is not None:
        raise UserError(f"the log is damaged at position {bad.position}: afterword log verify says more")
    return first_position(segment_paths(log)[0]), position


def _synced(directory: Path) -> int:
    """Wait until all is on the disk; return how large it is."""
    size = 0
    for path in [*directory.rglob("*"), directory]:
        _sync(path)
        size += path.stat().st_size if path.is_file() else 0
    return size


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
