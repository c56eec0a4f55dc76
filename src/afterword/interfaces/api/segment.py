"""Segment's tracking API."""

from __future__ import annotations

from starlette.routing import Route

from afterword.intake.segment import Received, read_batch, read_message
from afterword.interfaces.api.access import basic
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Dialect, write_route
from afterword.store.permissions import Permission

KINDS = ("track", "identify", "page", "screen", "group", "alias")
BATCH_BYTES = 512_000
"""The protocol's 500 KB for a batch; clients fill it, so it is not cut any finer."""
MESSAGE_BYTES = 32 << 10


def routes(server: Receiving) -> list[Route]:
    """Return the routes."""
    write = Permission.SEGMENT_WRITE
    found = [write_route(server, "/v1/batch", write, BATCH_BYTES, _batch, basic)]
    found += [write_route(server, f"/v1/{kind}", write, MESSAGE_BYTES, _message(kind), basic) for kind in KINDS]
    return found


def _batch(body: bytes, _content_type: str | None, received_at: int) -> Received:
    return read_batch(body, received_at)


def _message(kind: str) -> Dialect:
    def read(body: bytes, _content_type: str | None, received_at: int) -> Received:
        return read_message(kind, body, received_at)

    return read
