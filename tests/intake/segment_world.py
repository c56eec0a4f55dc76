"""Messages of Segment's protocol, and what they are read as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from afterword.intake.accepted import Accepted, Event
from afterword.intake.segment import Policy, Received, read_batch

SECOND = 1_000_000


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return int(moment.timestamp()) * SECOND + moment.microsecond


NOW = micros("2024-12-01T12:00:00Z")
"""When requests are received."""
SENT = "2024-12-01T09:30:00Z"
"""When messages say that they happened."""


def message(call: str = "track", **fields: Any) -> dict[str, Any]:
    """A message that is right; a field that is None is left out."""
    right = {"type": call, "messageId": "m-1", "userId": "ann", "timestamp": SENT} | fields
    return {name: value for name, value in right.items() if value is not None}


def track(event: str, properties: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return message("track", event=event, properties=properties or {}, **fields)


def batch(*messages: Any, **fields: Any) -> bytes:
    return msgspec.json.encode({"batch": messages, **fields})


def read(*messages: Any, received_at: int = NOW, policy: Policy | None = None, **fields: Any) -> Received:
    """Read a batch, and hold it to the promise that the log can keep it and gives it back."""
    received = read_batch(batch(*messages, **fields), received_at, policy)
    kept = msgspec.json.decode(msgspec.json.encode(received.accepted), type=Accepted)
    assert len(kept.events) == len(received.accepted.events)
    return received


def facts(*messages: Any, **more: Any) -> Accepted:
    received = read(*messages, **more)
    assert (received.status, received.answer) == (200, {"success": True})
    return received.accepted


def event(*messages: Any, **more: Any) -> Event:
    """The only event that the messages become."""
    accepted = facts(*messages, **more)
    assert accepted.rejected == []
    (only,) = accepted.events
    return only


def rejection(*messages: Any, **more: Any) -> tuple[str, str]:
    """Reason and sentence of the only rejection; nothing else is accepted."""
    accepted = facts(*messages, **more)
    assert (accepted.events, accepted.attributes, accepted.merges) == ([], [], [])
    (only,) = accepted.rejected
    return only.reason.value, only.message


def plain(value: Any) -> Any:
    """A fact's JSON as Python sees it."""
    return None if value is None else msgspec.json.decode(bytes(value))


def content(accepted: Accepted) -> list[dict[str, Any]]:
    """What the events say, without what is derived from the time of receipt (rule 33)."""
    rows: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(accepted.events))
    return [
        {name: value for name, value in row.items() if name != "occurred_at" or not row.get("corrected")}
        for row in rows
    ]
