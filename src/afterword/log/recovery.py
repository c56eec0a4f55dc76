"""Opening a log to append: what a crash left half written is cut off, what is damaged is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from afterword.log.disk import open_fd, sync_data, sync_directory, write_whole
from afterword.log.faults import LogDamagedError
from afterword.log.frames import Kind
from afterword.log.scanning import BadPlaceError, walk_segment, was_durable
from afterword.log.segments import Tally, first_position, seal_of, segment_path, segment_paths, unfinished
from afterword.log.tail import Sync, Tail

_CHUNK = 2**20
_WAY_OUT = (
    "restore this file from a backup, or keep a copy and open the log with cut_damage=True, "
    "which gives up everything from there on"
)


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut off when the log was opened.

    Attributes:
        path: the segment.
        position: the first position that is gone; the next frame gets it.
        offset: where the cut was made, in bytes.
        size: how many bytes were cut off.
        reason: what was wrong with the first of them.

    """

    path: Path
    position: int
    offset: int
    size: int
    reason: str


def open_tail(directory: Path, start: int, cut_damage: bool, sync: Sync = sync_data) -> tuple[Tail, Cut | None]:
    """Return the segment to append to, made if need be, and what had to be cut off.

    Args:
        directory: the log, locked by the caller.
        start: the first position, if the log has no segment yet.
        cut_damage: cut even where frames that were durable stand behind the bad place.
        sync: how to wait for the disk.

    Raises:
        LogDamagedError: a segment is missing or has no seal, or durable frames of the last one are bad.
        OSError: the disk is full or failed.

    """
    for path in unfinished(directory):
        path.unlink()
    sync_directory(directory)  # of names an earlier process made: its own sync may have failed
    paths = segment_paths(directory)
    if not paths:
        return Tail.begin(directory, start, sync), None
    _check_chain(paths)
    last = paths[-1]
    if (seal := seal_of(last)) is not None:
        _write_again(last, last.stat().st_size, sync)
        return Tail.begin(directory, first_position(last) + seal.frames, sync), None
    tally, cut = _recover(last, cut_damage)
    _write_again(last, tally.size, sync)
    return Tail(last, first_position(last) + tally.frames, tally, sync), cut


def _check_chain(paths: list[Path]) -> None:
    """Refuse a log in which a segment but the last has no good seal, or does not end where the next one begins."""
    for path, following in pairwise(paths):
        seal = seal_of(path)
        if seal is None:
            raise LogDamagedError(path, first_position(path), path.stat().st_size, "its seal is missing")
        end = first_position(path) + seal.frames
        if end != first_position(following):
            missing = segment_path(path.parent, end)
            raise LogDamagedError(missing, end, 0, f"it is missing between {path.name} and {following.name}")


def _recover(path: Path, cut_damage: bool) -> tuple[Tally, Cut | None]:
    tally = Tally()
    with path.open("rb") as file:
        try:
            for found in walk_segment(file, path, tally):
                if found.header.kind == Kind.SEAL:  # not at the end, or `seal_of` would have seen it
                    raise BadPlaceError(found.header.position, found.offset, "a seal stands before the end")
            return tally, None
        except BadPlaceError as bad:
            if not cut_damage and was_durable(path, bad.position, tally.size):
                raise LogDamagedError(path, bad.position, bad.offset, bad.reason, _WAY_OUT) from bad
            size = path.stat().st_size - tally.size
            return tally, Cut(path, bad.position, tally.size, size, bad.reason)


def _write_again(path: Path, size: int, sync: Sync) -> None:
    """Cut a file to its good part and write that part over itself.

    When a sync has failed, the system may hold pages that it takes for written and that are not on the disk; they read
    well until the power goes. Writing the same bytes again makes it write them. A crash meanwhile does no harm, and a
    full disk is no hindrance, since no byte moves.
    """
    with open_fd(path, os.O_RDWR) as fd:
        os.ftruncate(fd, size)
        for offset in range(0, size, _CHUNK):
            write_whole(fd, os.pread(fd, min(_CHUNK, size - offset), offset), offset)
        sync(fd)
        os.fsync(fd)  # the length too, after a cut
