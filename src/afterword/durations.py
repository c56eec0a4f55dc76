"""Lengths of time in the words that people use, read exactly into whole seconds (rule 3)."""

from __future__ import annotations

import re
from fractions import Fraction

from afterword.errors import UserError
from afterword.model import MAX_DEADLINE_SECONDS

_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_WORDS = {
    **dict.fromkeys(("week", "weeks", "w"), "week"),
    **dict.fromkeys(("day", "days", "d"), "day"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), "hour"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "minute"),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), "second"),
    **dict.fromkeys(("month", "months"), "month"),
    **dict.fromkeys(("year", "years"), "year"),
}
_ISO_DATE_LETTERS = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_ISO_TIME_LETTERS = {"H": "hour", "M": "minute", "S": "second"}

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_WORD_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*(?:,\s*|and\s+)?")
_ISO = re.compile(rf"P((?:{_NUMBER}[YMWD])*)(?:T((?:{_NUMBER}[HMS])+))?", re.IGNORECASE)
_ISO_PART = re.compile(rf"({_NUMBER})([A-Z])")
_MAX_TEXT = 100
_FORMS = 'write it like "3 days", "1 hour 30 minutes", "P3D", "PT90M" or as a number of seconds'


def parse_duration(value: str | int) -> int:
    """Return the seconds that `3 days`, `1 hour 30 minutes`, `P1DT2H` or `5400` stand for.

    Nothing is rounded or clamped: what is not a whole number of seconds is refused, and so are
    months and years, which have no fixed length.
    """
    if isinstance(value, bool):
        raise UserError(f"a duration cannot be {str(value).lower()}, {_FORMS}")
    if isinstance(value, int):
        if value < 0:
            raise UserError(f"{describe_duration(value)} is negative, a duration is not")
        return value
    text = value.strip()
    if len(text) > _MAX_TEXT:
        raise UserError(f'"{text[:20]}..." is too long for a duration, {_FORMS}')
    return _whole(_exact_seconds(text), text)


def parse_deadline(value: str | int) -> int:
    """Return the seconds of a deadline, which is from 1 second to 30 days (rule 3)."""
    # A negative number is below the bound, which says more than that it is negative.
    seconds = value if isinstance(value, int) and not isinstance(value, bool) else parse_duration(value)
    if seconds < 1:
        raise UserError(f"deadline is {describe_duration(seconds)}, must be at least {describe_duration(1)}")
    if seconds > MAX_DEADLINE_SECONDS:
        limit = describe_duration(MAX_DEADLINE_SECONDS)
        raise UserError(f"deadline is {describe_duration(seconds)}, must be at most {limit}")
    return seconds


def describe_duration(seconds: int) -> str:
    """Return `3 days` or, of several units, `2 h 5 min`; `parse_duration` reads it back."""
    if seconds < 0:
        return f"-{describe_duration(-seconds)}"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (left, "second")]
    present = [(count, unit) for count, unit in parts if count] or [(0, "second")]
    if len(present) == 1:
        return _spelled(*present[0])
    short = {"hour": "h", "minute": "min", "second": "s"}
    return " ".join(f"{count} {short[unit]}" if unit in short else _spelled(count, unit) for count, unit in present)


def _spelled(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _exact_seconds(text: str) -> Fraction:
    if _PLAIN.fullmatch(text):
        return Fraction(text)
    if iso := _ISO.fullmatch(text):
        return _sum(_iso_parts(iso), text)
    return _sum(_word_parts(text.lower()), text)


def _iso_parts(match: re.Match[str]) -> list[tuple[str, str]]:
    parts = []
    for group, letters in ((match[1], _ISO_DATE_LETTERS), (match[2], _ISO_TIME_LETTERS)):
        for number, letter in _ISO_PART.findall((group or "").upper()):
            parts.append((number.replace(",", "."), letters[letter]))
    return parts


def _word_parts(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _WORD_PART.match(text, position)
        if match is None or match[2] not in _WORDS:
            return []
        parts.append((match[1], _WORDS[match[2]]))
        position = match.end()
    # "3 days and" says that something is missing
    return [] if re.search(r"(,|\band)\s*$", text) else parts


def _sum(parts: list[tuple[str, str]], text: str) -> Fraction:
    units = [unit for _, unit in parts]
    if not parts or len(set(units)) < len(units):
        raise UserError(f'"{text}" is not a duration, {_FORMS}')
    for unit in ("year", "month"):
        if unit in units:
            raise UserError(f'"{text}" names a {unit}, whose length is not fixed: use days')
    return sum((Fraction(number) * _SECONDS[unit] for number, unit in parts), Fraction(0))


def _whole(seconds: Fraction, text: str) -> int:
    if seconds.denominator != 1:
        raise UserError(f'"{text}" is not a whole number of seconds')
    return seconds.numerator
