"""Reading bodies: bounded in size before and after decompression, and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from afterword.interfaces.api.faults import Refused

SECONDS = 20.0
"""How long a client may take to send its body."""
GZIP = 16 + zlib.MAX_WBITS


async def read_body(request: Request, limit: int, seconds: float = SECONDS) -> bytes:
    """Return the body, decompressed.

    Raises:
        Refused: 413 over `limit` bytes (sent or decompressed), 408 too slow, 415 an encoding that is not read,
            400 broken compression or a body that ends early.

    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    try:
        async with asyncio.timeout(seconds):
            body = await _joined(request.stream(), limit)
    except TimeoutError:
        raise Refused(408, f"the body did not come within {seconds:g} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(400, "the body ended early") from None
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body, limit)
    raise Refused(415, f'content-encoding "{encoding[:60]}" is not read; gzip is, and no encoding')


async def _joined(stream: AsyncIterator[bytes], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gunzip(body: bytes, limit: int) -> bytes:
    """Decompress at most `limit` bytes, so that a small body cannot become a huge one."""
    out: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(GZIP)
        try:
            part = member.decompress(body, limit - size + 1)
        except zlib.error:
            raise Refused(400, "the body is not valid gzip") from None
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not member.eof:
            raise Refused(400, "the body is not valid gzip: it ends early")
        out.append(part)
        body = member.unused_data
    return b"".join(out)


def _too_large(limit: int) -> Refused:
    # What is left of the body is not read, so the connection cannot be used again.
    return Refused(413, f"the body is larger than {limit:,} bytes", {"Connection": "close"})
