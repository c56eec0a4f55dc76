"""The parameters of Braze-compatible reads, and what is said about those that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from afterword.intake.instants import is_date, is_in_range, read_instant
from afterword.interfaces.api.faults import bad_request

Parameters = Mapping[str, str]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LENGTH = 100
MAX_PAGE = 1_000_000
_UNESCAPED_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
_OFFSET = re.compile(r"(?:[Zz]|[+-]\d{1,2}(?::?\d\d)?)$")
_CLOCK = re.compile(r"[Tt ]\d\d:?\d\d")


def required(parameters: Parameters, name: str) -> str:
    """Return a text that has to be there.

    Raises:
        Refused: 400 without it.

    """
    value = parameters.get(name, "")
    if not value:
        raise bad_request(f"{name} is required")
    return value


def whole_number(parameters: Parameters, name: str, least: int, most: int, default: int | None = None) -> int:
    """Return a whole number within bounds; without a default it has to be there.

    Raises:
        Refused: 400 for anything else.

    """
    text = parameters.get(name, "").strip()
    if not text:
        if default is None:
            raise bad_request(f"{name} is required")
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise bad_request(f"{name} is {_shown(text)}, must be a whole number from {least} to {most:,}")
    return int(text)


def page_of(parameters: Parameters) -> int:
    """Return the number of the page, from 0."""
    return whole_number(parameters, "page", 0, MAX_PAGE, 0)


def flag(parameters: Parameters, name: str) -> bool:
    """Return whether something is asked for; it is not if nothing is said."""
    text = parameters.get(name, "").strip().lower()
    if text in ("", "false", "0"):
        return False
    if text in ("true", "1"):
        return True
    raise bad_request(f"{name} is {_shown(text)}, must be true or false")


def choice(parameters: Parameters, name: str, allowed: tuple[str, ...]) -> str:
    """Return one of some words, the first if nothing is said."""
    text = parameters.get(name, "").strip().lower() or allowed[0]
    if text not in allowed:
        raise bad_request(f"{name} is {_shown(text)}, must be {' or '.join(allowed)}")
    return text


def instant(parameters: Parameters, name: str, zone: ZoneInfo, default: int | None = None) -> int | None:
    """Return a time in microseconds since 1970; a date, and a time without offset, are those of the workspace.

    Raises:
        Refused: 400 for what is no time.

    """
    # A plus sign that the client did not escape arrives as a blank.
    text = _UNESCAPED_PLUS.sub(r"\1+\2", parameters.get(name, "").strip())
    if not text:
        return default
    at = _midnight(text, zone) if is_date(text) else _read_time(text, zone)
    if at is None or not is_in_range(at):
        raise bad_request(f"{name} is {_shown(text)}, must be a date or a time such as 2024-12-01T09:30:00Z")
    return at


def _midnight(text: str, zone: ZoneInfo) -> int:
    return _microseconds(datetime.fromisoformat(text).replace(tzinfo=zone))


def _read_time(text: str, zone: ZoneInfo) -> int | None:
    at = read_instant(text)
    clock = _CLOCK.search(text)
    if at is None or clock is None or _OFFSET.search(text[clock.end() :]):
        return at
    if not is_in_range(at):
        return None
    return _microseconds((EPOCH + timedelta(microseconds=at)).replace(tzinfo=zone))


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def day_of(at: int, zone: ZoneInfo) -> date:
    """Return the day of the workspace that a time falls on."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone).date()


def last_day(parameters: Parameters, zone: ZoneInfo, now: int) -> date:
    """Return the day of `ending_at`, which belongs to the series; today if nothing is said."""
    at = instant(parameters, "ending_at", zone, now)
    return day_of(now if at is None else at, zone)


def length_of(parameters: Parameters, most: int = MAX_LENGTH) -> int:
    """Return how many days (or hours) a series has; it must be said."""
    return whole_number(parameters, "length", 1, most)


def _shown(text: str) -> str:
    return f'"{text[:60]}"'
