"""One delivery to a webhook: its id, its body, its signature, and when it is tried again after a failure.

Headers and signature follow the convention of Standard Webhooks 1.0, so receivers have libraries that check them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import msgspec

from afterword import __version__
from afterword.reports.report import iso_time
from afterword.store.webhooks import Webhook

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 3600.0
LONGEST_WAIT_SECONDS = 24 * 3600.0
"""What a receiver may ask for with `Retry-After`."""
GIVE_UP_MICROSECONDS = 3 * 24 * 3600 * 1_000_000
"""A webhook that has failed for so long is paused."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Answered:
    """What a receiver answered."""

    status: int
    retry_after: str | None = None
    """The header of this name, as it came."""

    @property
    def received(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300


class NotSent(Exception):
    """There was no answer; the message says why in a few words and names no address."""


class Post(Protocol):
    """Sends a request, follows no redirect, and gives up after some seconds."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Return what was answered; raises `NotSent`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is sent."""

    id: str
    headers: dict[str, str]
    body: bytes


def delivery_id(webhook: Webhook) -> str:
    """Return the id of the batch that is being sent: the same as long as it is the same batch."""
    place = (webhook.id, webhook.feed, webhook.position, webhook.sending_to, webhook.updated_at)
    return f"dlv_{hashlib.sha256(repr(place).encode()).hexdigest()[:32]}"


def make_delivery(webhook: Webhook, name: str, changes: Sequence[Mapping[str, Any]], now: int) -> Delivery:
    """Return a signed delivery.

    Args:
        webhook: to whom.
        name: the id of the delivery.
        changes: as they are told.
        now: epoch microseconds.

    """
    content = {"webhook_id": webhook.id, "delivery_id": name, "sent_at": iso_time(now), "changes": changes}
    body = msgspec.json.encode(content)
    timestamp = str(now // 1_000_000)
    headers = {
        "content-type": "application/json",
        "user-agent": f"Afterword/{__version__}",
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign(webhook.key, name, timestamp, body),
    }
    return Delivery(name, headers, body)


def sign(key: bytes, name: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a delivery."""
    digest = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def wait_seconds(failures: int, retry_after: str | None, now: int, chance: Callable[[int], bytes]) -> float:
    """Return how long to wait after a failure.

    Args:
        failures: how many there were in a row, this one included.
        retry_after: what the receiver said, as it came.
        now: epoch microseconds.
        chance: gives so many unpredictable bytes; webhooks that failed together should not come back together.

    """
    longest = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 30))
    share = int.from_bytes(chance(4)) / 2**32
    return max(longest * (0.5 + share / 2), _asked_for(retry_after, now))


def _asked_for(retry_after: str | None, now: int) -> float:
    """Read a number of seconds or a date; what is neither asks for nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now / 1e6
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
