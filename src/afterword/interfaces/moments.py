"""Times at the border: the clock is read here, and times are written for people and machines."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


def now() -> int:
    """Return the time in epoch microseconds."""
    return time.time_ns() // 1000


def iso(microseconds: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second."""
    if microseconds is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
