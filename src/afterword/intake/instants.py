"""Times in requests as epoch microseconds: the usual forms by a few look-ups, all others as files read them."""

from __future__ import annotations

import datetime as dt
import re

from afterword.intake.times import DATE, END, LENIENT

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_SECOND = 1_000_000
_EPOCH = dt.date(1970, 1, 1).toordinal()
_MAX_OFFSET_HOURS = 15
_MAX_DAYS_KEPT = 4096

_LENIENT = re.compile(LENIENT)
_DATE = re.compile(DATE)
_DAY_START = re.compile(f"{DATE}[T ]")

_days: dict[str, int] = {}
"""Microseconds of the days that were seen, by text such as `2024-12-01T`."""
_MINUTES = {f"{h:02}:{m:02}:": h * _HOUR + m * _MINUTE for h in range(24) for m in range(60)}
_SECONDS = {f"{s:02}": s * _SECOND for s in range(60)}
_ENDS = {f"{second}{zone}": us for second, us in _SECONDS.items() for zone in ("Z", "+00:00", ".000Z", "")}


def read_instant(text: str) -> int | None:
    """Return the time that a text stands for, None if it stands for none.

    Without an offset it is UTC, and what is finer than a microsecond is cut. Years outside of 1970 to 2200 are
    returned too; the caller refuses them with a sentence of their own.
    """
    day = _days.get(text[:11])
    if day is None:
        day = _new_day(text[:11])
        if day is None:
            return _read_lenient(text)
    minute = _MINUTES.get(text[11:17])
    if minute is None:
        return _read_lenient(text)
    rest = text[17:]
    end = _ENDS.get(rest)
    if end is None:
        end = _fractional(rest)
        if end is None:
            return _read_lenient(text)
    return day + minute + end


def is_date(text: str) -> bool:
    """Return whether a text is a day of the calendar without a time."""
    return bool(_DATE.fullmatch(text)) and _day_number(text[:4], text[5:7], text[8:10]) is not None


def is_in_range(instant: int) -> bool:
    """Return whether a time is in the years from 1970 to 2200; any other is a mistake of units."""
    return 0 <= instant < END


def _new_day(text: str) -> int | None:
    if not _DAY_START.fullmatch(text):
        return None
    number = _day_number(text[:4], text[5:7], text[8:10])
    if number is None:
        return None
    if len(_days) >= _MAX_DAYS_KEPT:
        _days.clear()
    day = _days[text] = number * _DAY
    return day


def _day_number(year: str, month: str, day: str) -> int | None:
    try:
        return dt.date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None


def _fractional(rest: str) -> int | None:
    """Return the microseconds of `07.123456Z` or `07.123+00:00`."""
    second = _SECONDS.get(rest[:2])
    fraction = rest[3:-1] if rest.endswith("Z") else rest[3:].removesuffix("+00:00")
    if second is None or rest[2:3] != "." or not (fraction.isascii() and fraction.isdigit()):
        return None
    return second + int(fraction[:6].ljust(6, "0"))


def _read_lenient(text: str) -> int | None:
    found = _LENIENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset, offset_minute = found.groups()
    number = _day_number(year, month, day)
    if number is None:
        return None
    clock = int(hour) * _HOUR + int(minute) * _MINUTE + int(second or 0) * _SECOND
    clock += int((fraction or "")[:6].ljust(6, "0"))
    # The day ends with 24:00:00, which is the next one's beginning.
    if clock > _DAY or int(minute) > 59 or int(second or 0) > 59:
        return None
    if offset is not None:
        hours = int(offset[1:])
        if hours > _MAX_OFFSET_HOURS:
            return None
        shift = hours * _HOUR + int(offset_minute or 0) * _MINUTE
        clock += shift if offset[0] == "-" else -shift
    return number * _DAY + clock
