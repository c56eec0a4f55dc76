"""Logs for tests: built through the writer, looked at as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from afterword.log import Entry, Frame, Writer, read

EPOCH = 1_700_000_000_000_000


def frame(number: int, size: int = 20) -> Frame:
    """Return a frame that says which one it is; `size` bytes of its body do not shrink."""
    body = f"<{number}>".encode() + hashlib.shake_128(str(number).encode()).digest(size)
    return Frame(EPOCH + number, "native.events", f"key-{number % 3}", body)


def frames(count: int, start: int = 0, size: int = 20) -> list[Frame]:
    return [frame(number, size) for number in range(start, start + count)]


def append_all(writer: Writer, these: Iterable[Frame]) -> list[int]:
    """Append frames and wait until all of them are durable."""
    return [future.result(30) for future in [writer.append(one) for one in these]]


def append_each(writer: Writer, these: Iterable[Frame]) -> list[int]:
    """Append frames one by one, so that each is a group of its own."""
    return [writer.append(one).result(30) for one in these]


def built(directory: Path, *segments: list[Frame], unsealed: list[Frame] | None = None) -> Path:
    """Build a log of sealed segments and one that is not."""
    with Writer(directory, gather_seconds=0) as writer:
        for these in segments:
            append_each(writer, these)
            writer.seal().result(30)
        append_each(writer, unsealed or [])
    return directory


def entries(directory: Path, from_position: int = 0, up_to: int | None = None) -> list[Entry]:
    return list(read(directory, from_position, up_to))


def bodies(directory: Path, from_position: int = 0) -> list[Frame]:
    return [entry.frame for entry in entries(directory, from_position)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)
