"""A walk through one segment: every frame is verified before anything of it is believed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from afterword.log.frames import (
    HEADER_BYTES,
    MAGIC,
    BadFrameError,
    Frame,
    Header,
    Kind,
    check_payload,
    decode,
    header_of,
)
from afterword.log.segments import SEGMENT_HEADER_BYTES, Tally, parse_seal, read_header, seal_of


class BadPlaceError(Exception):
    """Where a walk ended because what follows is no frame of this log. Never leaves this room."""

    def __init__(self, position: int, offset: int, reason: str) -> None:
        self.position = position
        self.offset = offset
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Found:
    """A verified frame (or seal) in its file.

    Attributes:
        header: its verified header.
        payload: its verified stored bytes.
        offset: where it begins in the file, in bytes.
        raw_header: the header's bytes.

    """

    header: Header
    payload: bytes
    offset: int
    raw_header: bytes

    @property
    def end(self) -> int:
        """Where the next frame begins in the file."""
        return self.offset + HEADER_BYTES + self.header.stored

    @property
    def raw(self) -> bytes:
        """The bytes on disk."""
        return self.raw_header + self.payload


def walk(file: BinaryIO, position: int, offset: int, end: int | None = None) -> Iterator[Found]:
    """Yield the frames from one that should be `position` at `offset`, the seal last.

    Ends where the file ends between two frames, after a seal, or before position `end`. Holds one frame in memory.

    Raises:
        BadPlaceError: what follows is no frame, or not the right one, or something stands behind the seal.

    """
    file.seek(offset)
    while end is None or position < end:
        raw_header = file.read(HEADER_BYTES)
        if not raw_header:
            return
        try:
            header = _header_at(raw_header, position)
            payload = file.read(header.stored)
            check_payload(header, payload)
        except BadFrameError as error:
            raise BadPlaceError(position, offset, str(error)) from error
        found = Found(header, payload, offset, raw_header)
        yield found
        offset = found.end
        if header.kind == Kind.SEAL:
            if file.read(1):
                raise BadPlaceError(position, offset, "something stands behind the seal")
            return
        position += 1


def offset_of(file: BinaryIO, wanted: int, first: int) -> tuple[int, int]:
    """Return the position reached on the way to `wanted`, and where it begins; goes by verified headers only.

    The position is a smaller one where the segment ends before, between two frames or with its seal.

    Raises:
        BadPlaceError: a header on the way is bad, or the file ends inside a frame.

    """
    size = os.fstat(file.fileno()).st_size
    position, offset = first, SEGMENT_HEADER_BYTES
    while position < wanted:
        file.seek(offset)
        raw = file.read(HEADER_BYTES)
        if not raw:
            break
        try:
            header = _header_at(raw, position)
            if offset + HEADER_BYTES + header.stored > size:
                raise BadFrameError("the file ends inside a frame")
        except BadFrameError as error:
            raise BadPlaceError(position, offset, str(error)) from error
        if header.kind == Kind.SEAL:
            break
        offset += HEADER_BYTES + header.stored
        position += 1
    return position, offset


def walk_segment(file: BinaryIO, path: Path, tally: Tally, end: int | None = None) -> Iterator[Found]:
    """Walk a whole segment from its header on, counting what was found good in `tally`, and hold its seal to that.

    Raises:
        LogDamagedError: its header is bad.
        BadPlaceError: as `walk`, or the seal belongs to other frames.

    """
    header = read_header(file, path)
    tally.add(header.to_bytes())
    for found in walk(file, header.first, tally.size, end):
        if found.header.kind == Kind.SEAL:
            _hold(found, tally)
        yield found
        if found.header.kind != Kind.SEAL:
            tally.add(found.raw)
            tally.count(found.header.received_at)


def open_up(found: Found) -> Frame | None:
    """Return the frame that was found, None for an erased one and a seal.

    Raises:
        BadPlaceError: its checksums are right, and yet it cannot be read.

    """
    if found.header.kind != Kind.BODY:
        return None
    try:
        return decode(found.header, found.payload)
    except BadFrameError as error:
        raise BadPlaceError(found.header.position, found.offset, str(error)) from error


def is_complete(path: Path) -> bool:
    """Whether a segment ends with a good seal, or another follows it: then nothing in it may be bad."""
    later = any(other.name > path.name for other in path.parent.glob("*.seg"))
    return later or seal_of(path) is not None


def was_durable(path: Path, position: int, offset: int) -> bool:
    """Whether a good header behind a bad place says that the frame of the bad place was durable before it was written.

    A crash tears only what was never acknowledged: the last group, whose frames all say that it began at or before
    the bad place. A frame of a later group proves that the disk lost what it had promised.
    """
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read()  # at most a segment and a group
    at = rest.find(MAGIC)
    while at >= 0:
        with contextlib.suppress(BadFrameError):
            if header_of(rest[at : at + HEADER_BYTES]).durable > position:
                return True
        at = rest.find(MAGIC, at + 1)
    return False


def _header_at(raw: bytes, position: int) -> Header:
    header = header_of(raw)
    if header.position != position:
        raise BadFrameError(f"a frame of position {header.position} stands here")
    return header


def _hold(found: Found, tally: Tally) -> None:
    """Compare a seal with what was counted before it."""
    try:
        seal = parse_seal(found.header, found.payload)
    except BadFrameError as error:
        raise BadPlaceError(found.header.position, found.offset, str(error)) from error
    if seal != tally.seal():
        raise BadPlaceError(found.header.position, found.offset, "the seal does not belong to what stands before it")
