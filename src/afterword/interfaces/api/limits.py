"""Rate limits per key: a bucket of requests that fills up steadily, and the usual headers about it."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.interfaces.api.faults import Refused


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: float


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimits:
    """Counts the requests of each key."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str, now: float) -> dict[str, str]:
        """Take one request from a key's bucket and return the headers that say what is left.

        Args:
            key_id: whose request it is.
            now: seconds since 1970; a clock that steps back fills nothing.

        Raises:
            Refused: 429, with `Retry-After`.

        """
        rate = self._rate
        bucket = self._buckets.setdefault(key_id, _Bucket(rate.requests, now))
        filled = max(0.0, now - bucket.at) * rate.requests / rate.seconds
        bucket.left, bucket.at = min(rate.requests, bucket.left + filled), now
        empty = bucket.left < 1
        if not empty:
            bucket.left -= 1
        wait = (1 - bucket.left) * rate.seconds / rate.requests if bucket.left < 1 else 0.0
        headers = {
            "x-ratelimit-limit": str(rate.requests),
            "x-ratelimit-remaining": str(int(bucket.left)),
            "x-ratelimit-reset": str(int(now + wait) + 1),
        }
        if empty:
            message = f"more than {rate.requests:,} requests in {rate.seconds:g} s"
            raise Refused(429, message, {**headers, "Retry-After": str(int(wait) + 1)})
        return headers
