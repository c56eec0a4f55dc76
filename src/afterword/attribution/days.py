"""Calendar days of the workspace's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from afterword.attribution.compiled import I32, I64, compiled

EPOCH = date(1970, 1, 1)
MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS


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

    def days(self, times: I64) -> I32:
        """Return the day of each time."""
        return _days(self._starts, self._first, times)


@compiled
def _days(starts: I64, first: int, times: I64) -> I32:
    """Return the day of each time: days of 24 hours lead close to it, as few days are longer or shorter."""
    days = np.empty(times.shape[0], np.int32)
    for i in range(times.shape[0]):
        place = min(max((times[i] - starts[0]) // DAY, -1), starts.shape[0] - 1)
        while place + 1 < starts.shape[0] and starts[place + 1] <= times[i]:
            place += 1
        while place >= 0 and starts[place] > times[i]:
            place -= 1
        days[i] = first + place
    return days


def _utc_day(time: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).date()
