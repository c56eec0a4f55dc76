"""Parameters of URLs: how each is read, and what is said about it, in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from afterword.intake.instants import is_date, is_in_range, read_instant
from afterword.interfaces.api.faults import bad_request

Parameters = Mapping[str, str]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IN_PATH = "path"
IN_QUERY = "query"
_UNESCAPED_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
_OFFSET = re.compile(r"(?:[Zz]|[+-]\d{1,2}(?::?\d\d)?)$")
_CLOCK = re.compile(r"[Tt ]\d\d:?\d\d")


class Parameter(Protocol):
    """What is said about a parameter; each kind adds a `read` of its own, which raises `Refused` 400."""

    @property
    def name(self) -> str:
        """Its name in the URL."""

    @property
    def about(self) -> str:
        """What it is, in a phrase."""

    @property
    def required(self) -> bool:
        """Whether it has to be there."""

    @property
    def place(self) -> str:
        """Where in the URL it stands."""

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; an empty one is as good as none."""

    name: str
    about: str
    required: bool = False
    example: str | None = None
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        found: dict[str, Any] = {"type": "string"}
        if self.required:
            found["minLength"] = 1
        return found if self.example is None else found | {"examples": [self.example]}

    def read(self, parameters: Parameters) -> str:
        """Return the text, an empty one if it is not there."""
        value = parameters.get(self.name, "")
        if self.required and not value:
            raise bad_request(f"{self.name} is required")
        return value


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number within bounds; without a default it has to be there."""

    name: str
    about: str
    least: int
    most: int
    default: int | None = None
    unless: str | None = None
    """Another parameter that does instead."""
    place: str = IN_QUERY

    @property
    def required(self) -> bool:
        """Whether it has to be there."""
        return self.default is None and self.unless is None

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        found = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return found if self.default is None else found | {"default": self.default}

    def read(self, parameters: Parameters) -> int:
        """Return the number."""
        text = parameters.get(self.name, "").strip()
        if not text:
            if self.default is None:
                raise bad_request(f"{self.name} is required")
            return self.default
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text) or not self.least <= int(text) <= self.most:
            raise bad_request(
                f"{self.name} is {_shown(text)}, must be a whole number from {self.least} to {self.most:,}"
            )
        return int(text)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false; false if nothing is said."""

    name: str
    about: str
    required: bool = False
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        return {"type": "boolean", "default": False}

    def read(self, parameters: Parameters) -> bool:
        """Return whether it is asked for."""
        text = parameters.get(self.name, "").strip().lower()
        if text in ("", "false", "0"):
            return False
        if text in ("true", "1"):
            return True
        raise bad_request(f"{self.name} is {_shown(text)}, must be true or false")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words; the first if nothing is said."""

    name: str
    about: str
    words: tuple[str, ...]
    required: bool = False
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        return {"type": "string", "enum": list(self.words), "default": self.words[0]}

    def read(self, parameters: Parameters) -> str:
        """Return the word."""
        text = parameters.get(self.name, "").strip().lower() or self.words[0]
        if text not in self.words:
            raise bad_request(f"{self.name} is {_shown(text)}, must be {' or '.join(self.words)}")
        return text


@dataclass(frozen=True, slots=True)
class Instant:
    """A date or a time; a date, and a time without offset, are those of the workspace."""

    name: str
    about: str
    required: bool = False
    place: str = IN_QUERY

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema."""
        return {"type": "string", "examples": ["2026-03-01", "2026-03-01T09:30:00Z"]}

    def read(self, parameters: Parameters, zone: ZoneInfo) -> int | None:
        """Return the time in microseconds since 1970; None if nothing is said."""
        # A plus sign that the client did not escape arrives as a blank.
        text = _UNESCAPED_PLUS.sub(r"\1+\2", parameters.get(self.name, "").strip())
        if not text:
            return None
        at = _midnight(text, zone) if is_date(text) else _read_time(text, zone)
        if at is None or not is_in_range(at):
            raise bad_request(f"{self.name} is {_shown(text)}, must be a date or a time such as 2024-12-01T09:30:00Z")
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


def _shown(text: str) -> str:
    return f'"{text[:60]}"'


ID = Text("id", "the id of a campaign or Canvas", required=True, example="cart-rescue", place=IN_PATH)
