"""One accepted body and what it looks like on disk: a header that is verified first, then the (compressed) content."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import pyarrow as pa

from afterword.log.faults import FrameTooLargeError

MAGIC: Final = b"AWFR"
MAX_CONTENT_BYTES: Final = 16 * 2**20
"""Body and metadata of one frame, before compression. Reading never holds more than two frames of this size."""

_MAX_STORED: Final = MAX_CONTENT_BYTES  # what does not shrink is stored as it is
_MAX_NAME: Final = 255
_MAX_EXTRA: Final = 64 * 2**10
_WORTH_COMPRESSING: Final = 64
_LEVEL: Final = 1

_HEADER: Final = struct.Struct("<4sIIIIIQqBBH")
_AFTER_CRC: Final = struct.Struct("<IIIIQqBBH")
_EXTRA_LENGTH: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size
_CRC_END: Final = 8

# One codec for all threads: each call makes a context of its own, and leaves the GIL to others meanwhile.
_ZSTD: Final = pa.Codec("zstd", compression_level=_LEVEL)


class Kind(IntEnum):
    """What a frame is."""

    BODY = 1
    ERASED = 2
    SEAL = 3


class Codec(IntEnum):
    """How the content is stored."""

    PLAIN = 0
    ZSTD = 1


_KINDS: Final = frozenset(Kind)
_CODECS: Final = frozenset(Codec)


class BadFrameError(Exception):
    """These bytes are no frame; the text says why. Never leaves this room."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One accepted request.

    Attributes:
        received_at: time of receipt, in microseconds since 1970-01-01 UTC.
        dialect: how to read the body, such as `braze.users_track`; at most 255 bytes of UTF-8.
        key_id: which API key sent it; at most 255 bytes of UTF-8.
        body: the raw body.
        extra: whatever else its dialect needs, such as an idempotency key; the log does not look inside.

    """

    received_at: int
    dialect: str
    key_id: str
    body: bytes
    extra: bytes = b""


class Header(NamedTuple):
    """The verified header of a frame; see docs/log-format.md for the fields."""

    payload_crc: int
    stored: int
    length: int
    in_group: int
    position: int
    received_at: int
    kind: int
    codec: int

    @property
    def durable(self) -> int:
        """Everything before this position was durable when this frame was written."""
        return self.position - self.in_group


@dataclass(frozen=True, slots=True)
class Encoded:
    """A frame made ready by whoever appends it; only its place in the log is open."""

    kind: int
    codec: int
    received_at: int
    length: int
    payload: bytes
    payload_crc: int

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return HEADER_BYTES + len(self.payload)

    def at(self, position: int, in_group: int = 0) -> bytes:
        """Return the bytes on disk for this position, the frame being number `in_group` of what is synced together."""
        covered = _AFTER_CRC.pack(
            self.payload_crc,
            len(self.payload),
            self.length,
            in_group,
            position,
            self.received_at,
            self.kind,
            self.codec,
            0,
        )
        return b"".join((MAGIC, zlib.crc32(covered).to_bytes(4, "little"), covered, self.payload))


def encode(frame: Frame) -> Encoded:
    """Compress a frame and compute its checksum.

    Raises:
        FrameTooLargeError: the content, or a part of it, is over its limit.

    """
    content = _content(frame)
    if len(content) > MAX_CONTENT_BYTES:
        raise FrameTooLargeError("the request's body", len(content), MAX_CONTENT_BYTES)
    codec, payload = Codec.PLAIN, content
    if len(content) >= _WORTH_COMPRESSING:
        smaller: bytes = _ZSTD.compress(content, asbytes=True)
        if len(smaller) < len(content):
            codec, payload = Codec.ZSTD, smaller
    return Encoded(Kind.BODY, codec, frame.received_at, len(content), payload, zlib.crc32(payload))


def erased(received_at: int) -> Encoded:
    """Return the frame that keeps the place of one whose content is gone."""
    return Encoded(Kind.ERASED, Codec.PLAIN, received_at, 0, b"", 0)


def header_of(raw: bytes) -> Header:
    """Verify the bytes of a header.

    Raises:
        BadFrameError: they are none; the text says why.

    """
    if len(raw) < HEADER_BYTES:
        raise BadFrameError(f"the file ends {len(raw)} bytes into a frame's header")
    magic, crc, *fields, reserved = _HEADER.unpack(raw)
    if magic != MAGIC:
        raise BadFrameError("no frame begins here")
    if zlib.crc32(raw[_CRC_END:]) != crc:
        raise BadFrameError("the checksum of a frame's header does not match")
    header = Header(*fields)
    if reserved or header.kind not in _KINDS or header.codec not in _CODECS:
        raise BadFrameError("a frame's header says what this version does not know")
    if header.stored > _MAX_STORED or header.length > MAX_CONTENT_BYTES or header.in_group > header.position:
        raise BadFrameError("a frame's header is beyond the limits")
    return header


def check_payload(header: Header, payload: bytes) -> None:
    """Verify the stored bytes that follow a header.

    Raises:
        BadFrameError: they are too few or changed.

    """
    if len(payload) < header.stored:
        raise BadFrameError("the file ends inside a frame")
    if zlib.crc32(payload) != header.payload_crc:
        raise BadFrameError("the checksum of a frame's content does not match")


def decode(header: Header, payload: bytes) -> Frame:
    """Return the frame of a header and its payload, both verified.

    Raises:
        BadFrameError: the content was badly written; its checksums are right.

    """
    try:
        content = payload
        if header.codec == Codec.ZSTD:
            content = _ZSTD.decompress(payload, decompressed_size=header.length, asbytes=True)
        if len(content) != header.length:
            raise BadFrameError("a frame's content has another length than its header says")
        return _parts(header.received_at, content)
    except (OSError, UnicodeDecodeError, struct.error, IndexError) as error:
        raise BadFrameError(f"a frame's content cannot be read ({error})") from error


def _content(frame: Frame) -> bytes:
    dialect, key_id = frame.dialect.encode(), frame.key_id.encode()
    for what, value, limit in (
        ("the name of the dialect", dialect, _MAX_NAME),
        ("the id of the key", key_id, _MAX_NAME),
        ("what is noted with the body", frame.extra, _MAX_EXTRA),
    ):
        if len(value) > limit:
            raise FrameTooLargeError(what, len(value), limit)
    lengths = bytes((len(dialect), len(key_id))) + _EXTRA_LENGTH.pack(len(frame.extra))
    return b"".join((lengths, dialect, key_id, frame.extra, frame.body))


def _parts(received_at: int, content: bytes) -> Frame:
    dialect_at = 2 + _EXTRA_LENGTH.size
    key_at = dialect_at + content[0]
    extra_at = key_at + content[1]
    body_at = extra_at + _EXTRA_LENGTH.unpack_from(content, 2)[0]
    if body_at > len(content):
        raise BadFrameError("a frame's content is shorter than its parts")
    return Frame(
        received_at=received_at,
        dialect=content[dialect_at:key_at].decode(),
        key_id=content[key_at:extra_at].decode(),
        body=content[body_at:],
        extra=content[extra_at:body_at],
    )
