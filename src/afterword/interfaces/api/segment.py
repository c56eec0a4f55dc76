"""Segment's tracking API."""

from __future__ import annotations

from starlette.routing import Route

from afterword.intake.segment import read_batch, read_message
from afterword.interfaces.api.access import basic
from afterword.interfaces.api.server import Server
from afterword.interfaces.api.writing import write_route
from afterword.store.permissions import Permission

KINDS = ("track", "identify", "page", "screen", "group", "alias")
BATCH_BYTES = 512_000
"""The protocol's 500 KB for a batch; clients fill it, so it is not cut any finer."""
MESSAGE_BYTES = 32 << 10


def routes(server: Server) -> list[Route]:
    """Return the routes."""
    write = Permission.SEGMENT_WRITE
    found = [
        write_route(server, "/v1/batch", write, BATCH_BYTES, lambda body, _, at: read_batch(body, at), basic),
    ]
    for kind in KINDS:
        found.append(
            write_route(
                server,
                f"/v1/{kind}",
                write,
                MESSAGE_BYTES,
                lambda body, _, at, kind=kind: read_message(kind, body, at),
                basic,
            )
        )
    return found
