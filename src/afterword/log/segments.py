"""The files of the log: their names, their headers, and the seal that says that a file is complete."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from afterword.log.faults import LogDamagedError, LogError
from afterword.log.frames import HEADER_BYTES, BadFrameError, Codec, Encoded, Header, Kind, check_payload, header_of

MAGIC: Final = b"AWLOG\r\n\x1a"
"""The line ends reveal a copy that was made as text."""
VERSION: Final = 1
UNFINISHED: Final = ".new"
"""What is written aside ends so; a crash may leave it, and the next writer removes it."""

_HEADER: Final = struct.Struct("<8sHHIQII")
_SEAL: Final = struct.Struct("<QQqqII")
_NAME: Final = re.compile(r"([0-9]{20})\.seg")
SEGMENT_HEADER_BYTES: Final = _HEADER.size
SEAL_BYTES: Final = HEADER_BYTES + _SEAL.size


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The first bytes of a segment.

    Attributes:
        first: position of its first frame.
        generation: how often it was rewritten.

    """

    first: int
    generation: int

    def to_bytes(self) -> bytes:
        """Return the bytes on disk."""
        covered = _HEADER.pack(MAGIC, VERSION, 0, self.generation, self.first, 0, 0)[:-4]
        return covered + zlib.crc32(covered).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Seal:
    """The last frame of a complete segment.

    Attributes:
        frames: how many frames stand before it, erased ones included.
        size: how many bytes stand before it.
        earliest: first time of receipt in the segment, in epoch microseconds; 0 if it has no frame.
        latest: last time of receipt.
        crc: crc32 of all bytes before the seal.

    """

    frames: int
    size: int
    earliest: int
    latest: int
    crc: int

    def encoded(self) -> Encoded:
        """Return the seal as a frame."""
        payload = _SEAL.pack(self.frames, self.size, self.earliest, self.latest, self.crc, 0)
        return Encoded(Kind.SEAL, Codec.PLAIN, self.latest, len(payload), payload, zlib.crc32(payload))


@dataclass(slots=True)
class Tally:
    """What a seal says, counted while frames go by."""

    frames: int = 0
    size: int = 0
    crc: int = 0
    _earliest: int | None = field(default=None, repr=False)
    _latest: int | None = field(default=None, repr=False)

    def add(self, raw: bytes) -> None:
        """Count bytes of the file."""
        self.crc = zlib.crc32(raw, self.crc)
        self.size += len(raw)

    def count(self, received_at: int) -> None:
        """Count one frame, whose bytes are added apart."""
        self.frames += 1
        self._earliest = received_at if self._earliest is None else min(self._earliest, received_at)
        self._latest = received_at if self._latest is None else max(self._latest, received_at)

    def seal(self) -> Seal:
        """Return the seal for what was counted so far."""
        return Seal(self.frames, self.size, self._earliest or 0, self._latest or 0, self.crc)


def segment_path(directory: Path, first: int) -> Path:
    """Return the file of the segment that begins at a position."""
    return directory / f"{first:020d}.seg"


def first_position(path: Path) -> int:
    """Return the position that a segment's name says."""
    return int(path.stem)


def segment_paths(directory: Path) -> list[Path]:
    """Return the segments of a log in order; other files are not looked at."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def begins_at(directory: Path) -> int:
    """Return the first position of a log; retention moves it on."""
    paths = segment_paths(directory) if directory.is_dir() else []
    return first_position(paths[0]) if paths else 0


def unfinished(directory: Path) -> Iterator[Path]:
    """Return what a crash left half written aside."""
    return (path for path in directory.iterdir() if path.name.endswith(f".seg{UNFINISHED}"))


def read_header(file: BinaryIO, path: Path) -> SegmentHeader:
    """Read and verify the first bytes of a segment, which is open at its beginning.

    Raises:
        LogDamagedError: they are not those of the segment of this name.
        LogError: a later version of Afterword wrote it.

    """
    first = first_position(path)
    raw = file.read(SEGMENT_HEADER_BYTES)
    if len(raw) < SEGMENT_HEADER_BYTES or raw[:8] != MAGIC:
        raise LogDamagedError(path, first, 0, "no segment begins here")
    _, version, reserved, generation, named, also_reserved, crc = _HEADER.unpack(raw)
    if zlib.crc32(raw[:-4]) != crc:
        raise LogDamagedError(path, first, 0, "the checksum of its header does not match")
    if version != VERSION or reserved or also_reserved:
        raise LogError(f"{path} has format {version}, this version of Afterword reads {VERSION}: install a later one")
    if named != first:
        raise LogDamagedError(path, first, 0, f"its header says that it begins at {named}")
    return SegmentHeader(named, generation)


def parse_seal(header: Header, payload: bytes) -> Seal:
    """Return the seal of a verified frame.

    Raises:
        BadFrameError: the frame is not a seal of this version.

    """
    if header.kind != Kind.SEAL or len(payload) != _SEAL.size:
        raise BadFrameError("a seal has another size")
    frames, size, earliest, latest, crc, _ = _SEAL.unpack(payload)
    return Seal(frames, size, earliest, latest, crc)


def seal_of(path: Path) -> Seal | None:
    """Return the seal at the end of a segment, None if it has none; what stands before it is not looked at."""
    size = path.stat().st_size
    if size < SEGMENT_HEADER_BYTES + SEAL_BYTES:
        return None
    with path.open("rb") as file:
        file.seek(size - SEAL_BYTES)
        raw = file.read(SEAL_BYTES)
    try:
        header = header_of(raw[:HEADER_BYTES])
        check_payload(header, raw[HEADER_BYTES:])
        seal = parse_seal(header, raw[HEADER_BYTES:])
    except BadFrameError:
        return None
    belongs = seal.size == size - SEAL_BYTES and header.position == first_position(path) + seal.frames
    return seal if belongs else None
