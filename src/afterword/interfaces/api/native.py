"""Afterword's own paths that take facts."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from afterword.intake.bodies import Policy
from afterword.intake.native import Items, read_events, read_exposures, read_step_messages
from afterword.intake.native_users import read_deletions
from afterword.interfaces.api.answers import JSON
from afterword.interfaces.api.native_types import (
    DeletionsNotTaken,
    DeletionsTaken,
    Events,
    Exposures,
    ItemsNotTaken,
    ItemsTaken,
    StepMessages,
    UsersToDelete,
)
from afterword.interfaces.api.openapi import OURS
from afterword.interfaces.api.operations import Answered, Body, Operation
from afterword.interfaces.api.server import Receiving
from afterword.interfaces.api.writing import Dialect, write_operation
from afterword.store.permissions import Permission

NDJSON = "application/x-ndjson"
ABOUT = (
    "Items with the columns of files, up to 10,000: an object with the list, the list alone, one item, or a line for "
    "each; gzip is read. The answer comes when everything is on the disk. An item with an id that is known is a "
    "repetition and counted once. With `Idempotency-Key` a retry of the request gets the first answer for 24 hours."
)
TAKEN = {
    "message": "success",
    "accepted": 1,
    "rejected": [{"item": 1, "reason": "bad_time", "message": 'occurred_at is "soon", must be a time'}],
    "notes": [],
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "events": {
        "user_id": "ann", "kind": "purchase", "occurred_at": "2026-03-01T09:30:00Z", "event_id": "order-1",
        "price": "9.50", "currency": "EUR",
    },
    "exposures": {
        "user_id": "ann", "campaign_id": "cart-rescue", "variant_id": "a", "exposed_at": "2026-03-01T09:00:00Z",
        "exposure_id": "x-1", "channel": "email",
    },
    "step_messages": {
        "user_id": "ann", "campaign_id": "onboarding", "step_id": "hello", "received_at": "2026-03-01T09:00:00Z",
    },
}  # fmt: skip


class Reader(Protocol):
    """Reads the items of one kind."""

    def __call__(self, body: bytes, content_type: str | None, received_at: int, policy: Policy) -> Items:
        """Read a body."""


def _taking(kind: str, summary: str, body: Any, read: Reader) -> Operation[Receiving]:
    def dialect(policy: Policy) -> Dialect:
        return partial(read, policy=policy)

    return write_operation(
        f"/api/{kind.replace('_', '-')}",
        Permission.API_WRITE,
        summary,
        Body(body, {kind: [EXAMPLES[kind]]}, (JSON, NDJSON), lambda policy: policy.batch_bytes),
        dialect,
        (
            Answered(201, "at least one item was accepted, or none was sent", ItemsTaken, TAKEN),
            Answered(400, "nothing can be used", ItemsNotTaken),
        ),
        OURS,
        about=ABOUT,
    )


def _deletions(_policy: Policy) -> Dialect:
    return lambda body, _content_type, _received_at: read_deletions(body)


OPERATIONS = (
    _taking("events", "Report what people did", Events, read_events),
    _taking("exposures", "Report who was sent what, and who was held out", Exposures, read_exposures),
    _taking("step_messages", "Report the messages of Canvas steps", StepMessages, read_step_messages),
    write_operation(
        "/api/users/delete",
        Permission.USERS_DELETE,
        "Erase people",
        Body(UsersToDelete, {"user_ids": ["ann"], "leave": "counts"}),
        _deletions,
        (
            Answered(
                201,
                "at least one person is named",
                DeletionsTaken,
                {"message": "success", "deleted": 1, "rejected": [], "position": 17},
            ),
            Answered(400, "nobody is named", DeletionsNotTaken),
        ),
        OURS,
        about="Gone from results within seconds, from all files later: `GET /api/users/deletions` says when.",
    ),
)
