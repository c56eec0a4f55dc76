"""Reading bodies: bounded in size before and after decompression, and in time."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Collection
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from afterword.errors import nearest
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.headers import header

GZIP = 16 + zlib.MAX_WBITS
PIECE_BYTES = 16 << 10
"""Compressed bytes looked at in one go: what stands behind the end of a gzip member is copied for each member."""
MAX_MEMBERS = 10_000
"""A gzip body may be several files in a row; this many empty ones are an attack."""
DISCARDED_BYTES, DISCARDED_SECONDS = 64 << 20, 5.0
"""How much of a body that is too large is still taken in, and for how long."""


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return the body, decompressed.

    Raises:
        Refused: 413 over `limit` bytes (sent or decompressed), 408 too slow, 415 an encoding that is not read,
            400 broken compression or a body that ends early.

    """
    declared = header(request.scope, b"content-length") or ""
    encoding = (header(request.scope, b"content-encoding") or "").strip().lower()
    try:
        async with asyncio.timeout(seconds):
            body = None if declared.isdigit() and int(declared) > limit else await _joined(request.receive, limit)
    except TimeoutError:
        raise Refused(408, f"the body did not come within {seconds:g} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(400, "the body ended early") from None
    if body is None:
        # Who waits to be asked for the body must not be.
        if (header(request.scope, b"expect") or "").lower() != "100-continue":
            await _discard(request.receive)
        raise _too_large(limit)
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body, limit)
    raise Refused(415, f'content-encoding "{encoding[:60]}" is not read; gzip is, and no encoding')


async def _joined(receive: Receive, limit: int) -> bytes | None:
    """Return the whole body, or None as soon as it is over the limit."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        part, more = await _part(receive)
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of a body, and whether there are more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def _discard(receive: Receive) -> None:
    """Take in what is left of a body: to close a connection while the client sends takes the answer from it."""
    left, more = DISCARDED_BYTES, True
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DISCARDED_SECONDS):
            while more and left >= 0:
                part, more = await _part(receive)
                left -= len(part)


def _gunzip(body: bytes, limit: int) -> bytes:
    """Decompress at most `limit` bytes, so that a small body cannot become a huge one."""
    out: list[bytes] = []
    size = members = 0
    member = None
    for start in range(0, len(body), PIECE_BYTES):
        rest = body[start : start + PIECE_BYTES]
        while rest:
            if member is None or member.eof:
                member, members = zlib.decompressobj(GZIP), members + 1
            try:
                part = member.decompress(rest, limit - size + 1)
            except zlib.error:
                raise Refused(400, "the body is not valid gzip") from None
            size += len(part)
            if size > limit or members > MAX_MEMBERS:
                raise _too_large(limit)
            out.append(part)
            rest = member.unused_data
    if member is not None and not member.eof:
        raise Refused(400, "the body is not valid gzip: it ends early")
    return b"".join(out)


def _too_large(limit: int) -> Refused:
    # What may be left of the body is not read, so the connection cannot be used again.
    return Refused(413, f"the body is larger than {limit:,} bytes", {"Connection": "close"})


def object_of(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body; None if it is another value. Refused if it is no JSON."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body is no JSON: {error}") from None
    return said if isinstance(said, dict) else None


def fields_of(body: bytes, fields: Collection[str]) -> dict[str, Any]:
    """Return the JSON object in a body. Refused if it is none, or has a field that is not among these."""
    said = object_of(body)
    if said is None:
        raise bad_request(f"the body must be a JSON object of {', '.join(fields)}")
    for name in said:
        if name not in fields:
            raise bad_request(f'unknown field "{name[:60]}"{nearest(name, fields)}, must be of {", ".join(fields)}')
    return said
