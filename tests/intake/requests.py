"""Bodies of requests, and what is expected of every dialect's answer to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from afterword.intake.accepted import Accepted

RECEIVED_AT = 1_735_689_600_000_000
"""2025-01-01T00:00:00Z"""
TIME = "2024-12-01T09:30:00Z"
AT = 1_733_045_400_000_000

EVENT: dict[str, Any] = {"user_id": "u", "kind": "session", "occurred_at": TIME}
PURCHASE: dict[str, Any] = {**EVENT, "kind": "purchase", "price": "10", "currency": "EUR"}
OPEN: dict[str, Any] = {**EVENT, "kind": "message_open", "campaign_id": "cart"}
EXPOSURE: dict[str, Any] = {"user_id": "u", "campaign_id": "cart", "variant_id": "a", "exposed_at": TIME}
STEP: dict[str, Any] = {"user_id": "u", "campaign_id": "welcome", "step_id": "tips", "received_at": TIME}

TRACK_EVENT: dict[str, Any] = {"external_id": "u", "name": "seen", "time": TIME}
TRACK_PURCHASE: dict[str, Any] = {
    "external_id": "u",
    "product_id": "p",
    "currency": "EUR",
    "price": 19.99,
    "time": TIME,
}
TRACK_SESSION: dict[str, Any] = {"external_id": "u", "time": TIME, "app_id": "ios", "app_version": "1.2"}


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def facts(accepted: Accepted) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return what the log would keep, decoded again: defaults left out."""
    decoded: dict[str, list[dict[str, Any]]] = json.loads(msgspec.json.encode(accepted))
    return decoded
