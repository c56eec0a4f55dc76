"""Segment's tracking API."""

from __future__ import annotations

from typing import Any

from afterword.intake.bodies import Policy
from afterword.intake.segment import Received, read_batch, read_message
from afterword.interfaces.api.openapi import SEGMENT
from afterword.interfaces.api.operations import BASIC, Answered, Body, Operation
from afterword.interfaces.api.segment_types import Batch, Message, SegmentRefusal, SegmentTaken
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Dialect, write_operation
from afterword.store.permissions import Permission

BATCH_BYTES = 512_000
"""The protocol's 500 KB for a batch; clients fill it, so it is not cut any finer."""
MESSAGE_BYTES = 32 << 10
ANSWERS = (
    Answered(200, "taken; a message that cannot be used is rejected alone", SegmentTaken, {"success": True}),
    Answered(400, "nothing can be used", SegmentRefusal, {"code": "invalid_request", "message": "userId is missing"}),
)
WHO = {"userId": "ann", "messageId": "m-1", "timestamp": "2026-03-01T09:30:00Z"}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "track": ("Report what a user did", {"event": "Signed Up"}),
    "identify": ("Report what a user is", {"traits": {"plan": "pro"}}),
    "page": ("Report a page that was seen", {"name": "Pricing"}),
    "screen": ("Report a screen that was seen", {"name": "Cart"}),
    "group": ("Report whom a user belongs to", {"groupId": "acme"}),
    "alias": ("Say that two ids are one user", {"previousId": "anonymous-1"}),
}


def _batch(_policy: Policy) -> Dialect:
    def read(body: bytes, _content_type: str | None, received_at: int) -> Received:
        return read_batch(body, received_at)

    return read


def _message(kind: str) -> Operation[Receiving]:
    summary, example = KINDS[kind]

    def dialect(_policy: Policy) -> Dialect:
        def read(body: bytes, _content_type: str | None, received_at: int) -> Received:
            return read_message(kind, body, received_at)

        return read

    return _operation(kind, summary, Body(Message, WHO | example, limit=lambda _policy: MESSAGE_BYTES), dialect)


def _operation(name: str, summary: str, body: Body, dialect: Any) -> Operation[Receiving]:
    return write_operation(
        f"/v1/{name}", Permission.SEGMENT_WRITE, summary, body, dialect, ANSWERS, SEGMENT, scheme=BASIC
    )


OPERATIONS = (
    _operation(
        "batch",
        "Report many things at once",
        Body(Batch, {"batch": [WHO | {"type": "track", "event": "Signed Up"}]}, limit=lambda _policy: BATCH_BYTES),
        _batch,
    ),
    *(_message(kind) for kind in KINDS),
)
