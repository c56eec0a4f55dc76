"""Replacing frames of sealed segments, so that a deleted person's bodies leave the disk (rule 36).

Positions are sequence numbers, so a frame may become shorter, longer or empty without moving any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from afterword.log.disk import open_fd, put_in_place, sync_data, write_whole
from afterword.log.faults import LogDamagedError
from afterword.log.frames import Encoded, Frame, Kind, encode, erased
from afterword.log.scanning import BadPlaceError, Found, open_up, walk_segment
from afterword.log.segments import (
    UNFINISHED,
    SegmentHeader,
    Tally,
    first_position,
    read_header,
    seal_of,
    segment_paths,
)

Change = Callable[[int, Frame], Frame | None]
"""Given a position and its frame: the same frame (equal is enough), another one, or None to erase it."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What rewriting did.

    Attributes:
        segments: how many segments were written again; those without a change are left alone.
        changed: how many frames have another content.
        erased: how many frames are gone.
        before: bytes of the segments that were written again, before.
        after: and after.

    """

    segments: int = 0
    changed: int = 0
    erased: int = 0
    before: int = 0
    after: int = 0

    def __add__(self, other: Rewritten) -> Rewritten:
        return Rewritten(
            self.segments + other.segments,
            self.changed + other.changed,
            self.erased + other.erased,
            self.before + other.before,
            self.after + other.after,
        )


def rewrite_segments(
    directory: Path, change: Change, concerns: Callable[[int, int], bool] = lambda _first, _end: True
) -> Rewritten:
    """Pass every frame of all sealed segments through `change` and replace the segments in which something changed.

    A segment is written aside, synced and renamed over the old one, each by itself: after a failure or a crash some
    are done and some not, and the same call finishes them. Erased frames are not asked about again. A frame may be
    asked about twice, so `change` must answer the same.

    Args:
        directory: the log, locked by the caller, no retention at the same time.
        change: what becomes of a frame.
        concerns: whether any of the frames from one position to before another may change; others are not read.

    Raises:
        LogDamagedError: a sealed segment is bad; it was left alone.
        FrameTooLargeError: a changed frame is over the limits.
        OSError: the disk is full or failed.

    """
    total = Rewritten()
    paths = segment_paths(directory)
    for path in paths:
        if (seal := seal_of(path)) is None:
            if path != paths[-1]:  # else something would silently not be erased
                raise LogDamagedError(path, first_position(path), path.stat().st_size, "its seal is missing")
            continue
        try:
            first = first_position(path)
            if concerns(first, first + seal.frames) and _would_change(path, change):
                total += _rewrite(path, change)
        except BadPlaceError as bad:
            raise LogDamagedError(path, bad.position, bad.offset, bad.reason) from bad
    return total


def _would_change(path: Path, change: Change) -> bool:
    with path.open("rb") as file:
        return any(_changed(found, change) is not None for found in walk_segment(file, path, Tally()))


def _changed(found: Found, change: Change) -> Encoded | None:
    """Return what takes a frame's place, None if it stays as it is."""
    frame = open_up(found)
    if frame is None:
        return None
    wanted = change(found.header.position, frame)
    if wanted is None:
        return erased(found.header.received_at)
    return None if wanted == frame else encode(wanted)


def _rewrite(path: Path, change: Change) -> Rewritten:
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with path.open("rb") as old, open_fd(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as new:
            counts = _copy(old, path, new, change)
            sync_data(new)
        sizes = Rewritten(before=path.stat().st_size, after=unfinished.stat().st_size)
        put_in_place(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return counts + sizes


def _copy(old: BinaryIO, path: Path, new: int, change: Change) -> Rewritten:
    header = read_header(old, path)
    old.seek(0)
    tally, counts = Tally(), Rewritten(segments=1)
    _add(new, tally, SegmentHeader(header.first, header.generation + 1).to_bytes())
    for found in walk_segment(old, path, Tally()):
        if found.header.kind == Kind.SEAL:
            _add(new, tally, tally.seal().encoded().at(found.header.position))
            continue
        wanted = _changed(found, change)
        _add(new, tally, found.raw if wanted is None else wanted.at(found.header.position))
        tally.count(found.header.received_at if wanted is None else wanted.received_at)
        if wanted is not None:
            gone = wanted.kind == Kind.ERASED
            counts += Rewritten(changed=not gone, erased=gone)
    return counts


def _add(new: int, tally: Tally, raw: bytes) -> None:
    write_whole(new, raw, tally.size)
    tally.add(raw)
