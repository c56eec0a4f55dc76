"""The named steps that make a fact of one item of a request, and the reason if it is none (rule 35).

A step reads one field of a `Draft`: it returns the value, and notes on the draft what is wrong with it. Of several
faults the first reason of the list counts. Limits, reasons and sentences are those of files (`facts`, `columns`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from afterword.errors import Reason, nearest
from afterword.intake.accepted import Json, Rejected
from afterword.intake.amounts import EXPONENT, MAX_MILLIONTHS, MAX_QUANTITY, PLAIN, WHOLE
from afterword.intake.bodies import (
    DECODE_ERRORS,
    MAX_DEPTH,
    MICROSECONDS,
    is_too_deep,
    object_of,
)
from afterword.intake.columns import MAX_LENGTH, MAX_PROPERTIES_BYTES, SHOWN
from afterword.intake.instants import is_date, is_in_range, read_instant
from afterword.intake.times import EXPECTED

_TEXT: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_QUOTE = ord('"')
_INTEGER = re.compile("-?[0-9]+")
_SIMPLE_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_PRICE = re.compile(f"{PLAIN}|{EXPONENT}")
_WHOLE = re.compile(WHOLE)
_CURRENCY = re.compile("[A-Z]{3}")
_EXACT = Context(prec=60)
_MILLIONTH = Decimal("0.000001")
_TOO_MUCH = 10**12


class Field(NamedTuple):
    """A value as it was sent: its first character in JSON, and its text (of a text without the quotes)."""

    sign: str
    text: str

    @property
    def is_text(self) -> bool:
        """Whether it is text."""
        return self.sign == '"'

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.sign in "-0123456789"

    @property
    def shown(self) -> str:
        """The value as messages show it: shortened, and text in quotes."""
        short = self.text if len(self.text) <= SHOWN else self.text[:SHOWN] + "…"
        return f'"{short}"' if self.is_text else short


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field."""

    reason: Reason
    field: str
    """Empty if the item has no fields at all."""
    message: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What decides on a time: when the request came, and how far ahead of that a fact may be."""

    latest: int
    skew_seconds: int


class Draft:
    """One item on its way to a fact: its fields as they were sent, and what is wrong with them."""

    def __init__(self, fields: Mapping[str, Raw], faults: Iterable[Fault] = ()) -> None:
        self.fields = fields
        self.faults = list(faults)
        self._read: dict[str, Field | None] = {}

    def __getitem__(self, name: str) -> Field | None:
        """Return a field; None if it is missing, which null and an empty text are too."""
        if name not in self._read:
            raw = self.fields.get(name)
            self._read[name] = None if raw is None else _field(raw)
        return self._read[name]

    def fault(self, reason: Reason, field: str, message: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(reason, field, message))

    def wrong(self, reason: Reason, name: str, value: Field, what: str) -> None:
        """Note the sentence "NAME VALUE `what`"."""
        self.fault(reason, name, f"{name} {value.shown} {what}")

    def need(self, name: str, whose: str = "") -> None:
        """Note that a mandatory field is missing, if it is."""
        if self[name] is None:
            self.fault(Reason.MISSING_FIELD, name, f"{name} is missing{whose and f', which {whose} must have'}")

    @property
    def worst(self) -> Fault | None:
        """The fault that counts: that there are no fields at all, else the first reason of the list and its first."""
        return min(self.faults, key=lambda fault: (fault.field != "", fault.reason.code), default=None)

    def take(self, inner: Draft, field: str, prefix: str) -> None:
        """Take over what is wrong with an object in a field of this one."""
        fault = inner.worst
        if fault is not None:
            self.fault(fault.reason, field, prefix + fault.message)

    def rejected(self, item: int, kind: str) -> Rejected:
        """Return the item as rejected, for what is wrong with it."""
        fault = self.worst
        if fault is None:  # a mandatory field without a step that looks at it: our mistake
            raise RuntimeError(f"an item of {kind} without a fault is no fact")
        return Rejected(item, kind, fault.reason, fault.message)


def _field(raw: Raw) -> Field | None:
    data = bytes(raw)
    if data[0] == _QUOTE:
        text = _TEXT.decode(data)
        return Field('"', text) if text else None
    if data == b"null":
        return None
    text = data.decode()
    return Field(text[0], "0" if text == "-0" else text)


Step = Callable[[Draft, str], Any]
"""Reads the field of the given name."""


def draft_of(raw: Raw) -> Draft:
    """Begin with an item as it was sent; what is no JSON object has no fields and a fault."""
    try:
        return Draft(object_of(raw))
    except msgspec.ValidationError:
        return Draft({}, [Fault(Reason.BAD_TYPE, "", "the item is not a JSON object")])
    except DECODE_ERRORS:
        return Draft({}, [Fault(Reason.BAD_TYPE, "", "the item is not valid JSON")])


def identifier(draft: Draft, name: str) -> str | None:
    """An id or name: text, or an integer as its decimal text."""
    field = draft[name]
    if field is None:
        return None
    if not (field.is_text or (field.is_number and _INTEGER.fullmatch(field.text))):
        draft.wrong(Reason.BAD_TYPE, name, field, "must be text or an integer")
        return None
    check_length(draft, name, field.text)
    return field.text


def check_length(draft: Draft, name: str, text: str) -> None:
    """Refuse a text over the limit."""
    if len(text) > MAX_LENGTH:
        message = f"{name} has {len(text)} characters, must be at most {MAX_LENGTH}"
        draft.fault(Reason.TOO_LONG, name, message)


def choice(choices: tuple[str, ...], reason: Reason) -> Step:
    """One of a closed list of words."""
    known = frozenset(choices)
    expected = f"is not one of {', '.join(choices)}"

    def read(draft: Draft, name: str) -> str | None:
        field = draft[name]
        if field is None:
            return None
        if field.text not in known or not field.is_text:
            draft.wrong(reason, name, field, expected + _nearest(field.text[:SHOWN], choices))
            return None
        return field.text

    return read


@functools.lru_cache(1024)
def _nearest(text: str, choices: tuple[str, ...]) -> str:
    # The same mistake comes again and again, and finding the nearest word takes longer than all other steps together.
    return nearest(text, choices)


def truth(draft: Draft, name: str) -> bool:
    """A truth value: true or false, 1 or 0; missing is false."""
    field = draft[name]
    if field is None:
        return False
    text = field.text.lower()
    if text not in ("true", "false", "1", "0"):
        draft.wrong(Reason.BAD_TYPE, name, field, "must be true or false")
    return text in ("true", "1")


def time(clock: Clock, instant_of: Callable[[str], int | None] = read_instant) -> Step:
    """A mandatory time, as epoch microseconds."""

    def read(draft: Draft, name: str) -> int | None:
        field = draft[name]
        if field is None:
            draft.need(name)
            return None
        instant = instant_of(field.text) if field.is_text else None
        if instant is None:
            if field.is_text and is_date(field.text):
                what = "is a date without a time; write it with one and an offset, for example 2024-12-01T09:30:00Z"
                draft.wrong(Reason.AMBIGUOUS_TIME, name, field, what)
            else:
                draft.wrong(Reason.BAD_TIME, name, field, f"is not a time; {EXPECTED}")
        elif not is_in_range(instant):
            draft.wrong(Reason.BAD_TIME, name, field, "is not between the years 1970 and 2200")
        elif instant > clock.latest:
            ahead = instant - clock.latest + clock.skew_seconds * MICROSECONDS
            what = f"is {-(-ahead // MICROSECONDS)} s after its receipt, must be at most {clock.skew_seconds} s"
            draft.wrong(Reason.IN_FUTURE, name, field, what)
        return instant

    return read


def price(draft: Draft, name: str) -> Decimal | None:
    """A price, exactly as it was written."""
    field = draft[name]
    if field is None:
        return None
    exact = _exact(field)
    if exact is None:
        what = "is not an amount; expected a decimal below 1,000,000,000,000 with at most 6 decimals"
        draft.wrong(Reason.BAD_AMOUNT, name, field, what)
    return exact


def _exact(field: Field) -> Decimal | None:
    if not (field.is_number or (field.is_text and _PRICE.fullmatch(field.text))):
        return None
    try:  # there are numbers that are too much for a decimal, and for its context
        number = Decimal(field.text)
        if abs(number) >= _TOO_MUCH:
            return None
        exact = number.quantize(_MILLIONTH, context=_EXACT)
    except ArithmeticError:
        return None
    return exact if exact == number else None


def price_text(field: Field | None, exact: Decimal | None) -> str | None:
    """Return a price as the facts keep it: as it was written, if that is a plain number."""
    if field is None or exact is None:
        return None
    if _SIMPLE_PRICE.fullmatch(field.text):
        return field.text
    text = f"{exact:f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def quantity(most: int = MAX_QUANTITY) -> Step:
    """A whole number from 1 to `most`; missing is 1."""

    def read(draft: Draft, name: str) -> int:
        field = draft[name]
        if field is None:
            return 1
        number = _whole(field)
        if not 1 <= number <= most:
            draft.wrong(Reason.BAD_AMOUNT, name, field, f"must be a whole number from 1 to {most:,}")
        return number

    return read


def _whole(field: Field) -> int:
    if not (field.is_number or field.is_text):
        return 0
    if field.is_number and "e" in field.text.lower():
        exact = _exact(field)
        return int(exact) if exact is not None and exact == int(exact) else 0
    return int(field.text.partition(".")[0]) if _WHOLE.fullmatch(field.text) else 0


def currency(draft: Draft, name: str) -> str | None:
    """Three letters, in capitals."""
    field = draft[name]
    if field is None:
        return None
    code = field.text.upper()
    # Some other letters have capitals in ASCII.
    if not (field.is_text and field.text.isascii() and _CURRENCY.fullmatch(code)):
        draft.wrong(Reason.BAD_CURRENCY, name, field, "is not a currency code; expected three letters, for example EUR")
    return code


def properties(draft: Draft, name: str) -> Json:
    """A JSON object, or a text that holds one; it stays as it was written."""
    field = draft[name]
    if field is None:
        return None
    data = field.text.encode()
    if field.is_text:
        data = data.strip(b" \t\n\r")
    if not _is_object(field, data):
        draft.wrong(Reason.BAD_PROPERTIES, name, field, "is not a JSON object")
        return None
    check_object(draft, name, data)
    return Raw(data)


def check_object(draft: Draft, name: str, data: bytes) -> None:
    """Refuse an object that is too large or too deep."""
    if is_too_deep(data):
        draft.fault(Reason.BAD_PROPERTIES, name, f"{name} has more than {MAX_DEPTH} levels of objects and lists")
    if len(data) > MAX_PROPERTIES_BYTES:
        message = f"{name} has {len(data)} bytes, must be at most {MAX_PROPERTIES_BYTES}"
        draft.fault(Reason.TOO_LARGE, name, message)


def _is_object(field: Field, data: bytes) -> bool:
    if not field.is_text:
        return field.sign == "{"
    try:
        object_of(data)
    except DECODE_ERRORS:
        return False
    return True


def check_amount(draft: Draft, name: str, kind: str | None, exact: Decimal | None, number: int) -> None:
    """Refuse what a price must not be for a kind of event, and what is too much in all."""
    field = draft[name]
    if exact is None or field is None:
        return
    if kind == "purchase" and exact < 0:
        draft.wrong(Reason.BAD_AMOUNT, name, field, "is negative; money given back is a refund event")
    if kind == "refund" and exact <= 0:
        draft.wrong(Reason.BAD_AMOUNT, name, field, "must be more than 0 for a refund")
    if number >= 1 and abs(exact) * number * MICROSECONDS > MAX_MILLIONTHS:
        what = f"times quantity {number} must be below 1,000,000,000,000"
        draft.wrong(Reason.BAD_AMOUNT, name, field, what)
