"""Bodies of requests: read as JSON in one piece where that is possible, item by item where it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import Raw

from afterword.errors import UserError

MICROSECONDS = 1_000_000
MAX_DEPTH = 100
"""Levels of objects and lists inside one another in the properties of a fact."""

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
"""What decoding with msgspec can raise, whatever the bytes are."""

NOTHING = Raw(b"")
"""Stands for a field that is not there (`Optional[Raw]` does not work)."""

_T = TypeVar("_T")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPOILED = Raw(b"!")
"""Stands for an item with half a surrogate pair, or a line that is not UTF-8: no JSON either."""
_LISTS: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])
_OBJECTS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
# A pair of surrogates, one without the other, any other escape: in this order, so that each escape is read once.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


class RequestError(UserError):
    """A request that cannot be used as a whole; the message is one sentence."""

    status = 400


@dataclass(frozen=True, slots=True)
class Policy:
    """What a workspace allows its senders."""

    skew_seconds: int = 300
    """How long after its receipt a fact may claim to have happened (rule 34)."""
    max_items: int = 10_000
    """Items in one request of Afterword's own dialect."""
    track_each: int | None = 75
    """Objects in each array of `/users/track`; None: no limit of its own."""
    track_in_all: int | None = None
    """Objects in all arrays of `/users/track` together; None: no limit of its own."""

    def latest(self, received_at: int) -> int:
        """Return the latest time that a fact received at `received_at` may have (epoch microseconds)."""
        return received_at + self.skew_seconds * MICROSECONDS


def check_text(body: bytes) -> bytes:
    """Return a body without a byte order mark; it must be UTF-8."""
    try:
        if not body.isascii():
            body.decode()
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise RequestError(f"the body is not UTF-8 (byte 0x{byte:02X} at position {error.start})") from error
    return body.removeprefix(BYTE_ORDER_MARK)


def object_of(body: bytes | Raw) -> dict[str, Raw]:
    """Return the fields of a JSON object as they were sent; one of `DECODE_ERRORS` if it is none."""
    return _OBJECTS.decode(body)


def list_of(body: bytes | Raw) -> list[Raw]:
    """Return the items of a JSON list as they were sent; one of `DECODE_ERRORS` if it is none."""
    return _LISTS.decode(body)


class Body:
    """A body that is taken apart: its items one by one, so that a bad one does not spoil the others."""

    def __init__(self, body: bytes, expected: str = "a JSON object") -> None:
        self._expected = expected
        self._data = body
        self._mark: bytes | None = None

    def fields(self) -> dict[str, Raw]:
        """Return the fields of the object that the body must be."""
        return self._decoded(object_of)

    def items(self) -> list[Raw]:
        """Return the items of the list that the body must be."""
        return self._items(self._decoded(list_of))

    def array(self, fields: Mapping[str, Raw], name: str) -> list[Raw] | None:
        """Return the items of a field that must be a list; None where there is no such field."""
        raw = fields.get(name)
        if raw is None or bytes(raw) == b"null":
            return None
        try:
            return self._items(list_of(raw))
        except DECODE_ERRORS as error:
            raise RequestError(f"{name} must be a list") from error

    def whole(self) -> Raw:
        """Return the body as an item."""
        return self._items([Raw(self._data.strip())])[0]

    def _decoded(self, decode: Callable[[bytes], _T]) -> _T:
        try:
            return decode(self._data)
        except DECODE_ERRORS as error:
            if self._mark is None and has_lone_surrogate(self._data) and self._mend():
                return self._decoded(decode)
            raise self._error(error) from error

    def _mend(self) -> bool:
        """Put a mark in the place of each half of a surrogate pair: no decoder goes past one."""
        marks = (rf"\ufd{n:02x}".encode() for n in range(0xD0, 0xF0))  # characters that are for nobody to send
        self._mark = next((mark for mark in marks if mark not in self._data), None)
        if self._mark is None:
            return False
        mark = self._mark
        self._data = _ESCAPES.sub(lambda found: mark if found.group(1) else found.group(), self._data)
        return True

    def _items(self, items: list[Raw]) -> list[Raw]:
        mark = self._mark
        if mark is None:
            return items
        return [SPOILED if mark in bytes(item) else item for item in items]

    def _error(self, error: Exception) -> RequestError:
        if isinstance(error, RecursionError):
            return RequestError("the body is nested too deeply")
        if not self._data.strip():
            return RequestError(f"the body is empty, must be {self._expected}")
        if isinstance(error, msgspec.ValidationError):
            return RequestError(f"the body must be {self._expected}")
        return RequestError(f"the body is not valid JSON, must be {self._expected}")


def is_too_deep(data: bytes) -> bool:
    """Return whether valid JSON has more than `MAX_DEPTH` levels."""
    if len(data) <= 2 * MAX_DEPTH or data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKETS.finditer(data):
        if found.group(1):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif found.group(2):
            depth -= 1
    return False


def has_lone_surrogate(data: bytes) -> bool:
    """Return whether JSON has an escape that stands for no character: no database takes its text."""
    return b"\\u" in data and any(found.group(1) for found in _ESCAPES.finditer(data))
