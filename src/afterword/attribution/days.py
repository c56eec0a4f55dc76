"""Calendar days of the workspace's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, I64

EPOCH = date(1970, 1, 1)
MICROSECONDS = 1_000_000


class Calendar:
    """Maps times to days of a time zone; days are numbers since 1970-01-01."""

    def __init__(self, timezone: str, earliest: int, latest: int) -> None:
        """Prepare for times between two epoch microseconds."""
        zone = ZoneInfo(timezone)
        begin = _utc_day(min(earliest, latest)) - timedelta(days=2)
        end = _utc_day(latest) + timedelta(days=3)
        self._first = (begin - EPOCH).days
        # In a gap at midnight the earlier offset gives the instant of the change: the day's first moment.
        starts = [
            int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * MICROSECONDS
            for day in (begin + timedelta(days=n) for n in range((end - begin).days))
        ]
        self._starts: I64 = np.array(starts, np.int64)

    def days(self, times: I64) -> NDArray[np.int32]:
        """Return the day of each time."""
        place: I32 = np.searchsorted(self._starts, times, side="right").astype(np.int32)
        return place + np.int32(self._first - 1)


def _utc_day(time: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).date()
