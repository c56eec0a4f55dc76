"""The values in Segment's messages: text, objects, times, money; what is none of them is `Unusable`, with a sentence.

Bounds, reasons and wording are those of files (`columns`, `amounts`, `times`). Numbers are decoded as `Decimal`,
never as binary floats (rule 27).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TypeAlias

import msgspec

from afterword.errors import Reason
from afterword.intake.accepted import Json
from afterword.intake.amounts import DECIMALS, MAX_MILLIONTHS, MAX_QUANTITY
from afterword.intake.columns import MAX_LENGTH

Fields: TypeAlias = "dict[str, Json]"
"""A JSON object."""

MAX_DEPTH = 100
"""Objects and lists in each other; recursion over what is accepted never ends in an error."""

_SHOWN = 60
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2201, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")
_TIME = re.compile(
    "([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    "(?: ?([Zz]|([+-])([0-9]{1,2})(?::?([0-5][0-9]))?))?"
)
_MAX_OFFSET_HOURS = 15
_EXPECTED_TIME = "expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z"

_AMOUNT = re.compile(r"[+-]?([0-9]{1,12}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?(0?[0-9]|1[0-2]))?")
_WHOLE = re.compile(r"\+?[0-9]{1,7}(\.0*)?")
_CURRENCY = re.compile("[A-Za-z]{3}")
_INTEGER_DIGITS = 12
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


class Unusable(Exception):
    """A message, or a part of one, that cannot be used (rule 35)."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def shown(value: Json) -> str:
    """Return a value as sentences show it: shortened, and text in quotes."""
    if isinstance(value, str):
        return f'"{value[:_SHOWN]}…"' if len(value) > _SHOWN else f'"{value}"'
    text = "true" if value is True else "false" if value is False else _json_text(value)
    return f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text


def _json_text(value: Json) -> str:
    return _ENCODER.encode(value).decode()


def json_of(fields: Fields) -> msgspec.Raw | None:
    """Return an object as JSON with its keys in order and its numbers as they were sent, None for an empty one."""
    return msgspec.Raw(_ENCODER.encode(fields)) if fields else None


def text_of(value: Json, name: str) -> str | None:
    """Return an id or a name: text, or an integer as its decimal text; None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Unusable(Reason.BAD_TYPE, f"{name} {shown(value)} must be text or an integer")
    if len(value) > MAX_LENGTH:
        raise Unusable(Reason.TOO_LONG, f"{name} has {len(value)} characters, must be at most {MAX_LENGTH}")
    if "\0" in value:
        raise Unusable(Reason.BAD_TYPE, f"{name} holds the character NUL, which no text here may hold")
    return value


def version_of(value: Json, name: str) -> str | None:
    """Return the name of an app's version; a number is the text that it was sent as (1.10 is not 1.1)."""
    return text_of(format(value, "f") if _is_plain(value) else value, name)


def _is_plain(value: Json) -> bool:
    return isinstance(value, Decimal) and -_SHOWN < int(value.as_tuple().exponent) <= 0


def needed(value: str | None, name: str, who: str) -> str:
    """Return a value that must be there."""
    if value is None:
        raise Unusable(Reason.MISSING_FIELD, f"{name} is missing, which {who} must have")
    return value


def fields_of(value: Json, name: str, reason: Reason = Reason.BAD_PROPERTIES) -> Fields:
    """Return an object; a missing one is empty, and so is an empty list (PHP writes an empty object as one)."""
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise Unusable(reason, f"{name} {shown(value)} is not a JSON object")
    return value


def check_depth(value: Json) -> None:
    """Refuse what is nested too deeply."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise Unusable(Reason.BAD_PROPERTIES, f"the message is nested more than {MAX_DEPTH} levels deep")


def time_of(value: Json, name: str) -> int | None:
    """Return a time in microseconds since 1970 (what is finer is cut), None where there is none."""
    if value is None or value == "":
        return None
    bad = Unusable(Reason.BAD_TIME, f"{name} {shown(value)} is not a time; {_EXPECTED_TIME}")
    if not isinstance(value, str):
        raise bad
    match = _TIME.fullmatch(value)
    if match is None:
        if _DATE.fullmatch(value):
            what = f"{name} {shown(value)} is a date without a time; {_EXPECTED_TIME}"
            raise Unusable(Reason.AMBIGUOUS_TIME, what)
        raise bad
    if match[8] is None:
        raise Unusable(Reason.BAD_TIME, f"{name} {shown(value)} has no offset; {_EXPECTED_TIME}")
    offset = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0))
    if offset >= timedelta(hours=_MAX_OFFSET_HOURS + 1):
        raise bad
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    try:
        local = datetime(year, month, day, hour, minute, int(match[6] or 0), _micros(match[7]), tzinfo=UTC)
        moment = local + offset if match[9] == "-" else local - offset
    except (ValueError, OverflowError):
        raise bad from None
    if not _EPOCH <= moment < _END:
        raise Unusable(Reason.BAD_TIME, f"{name} {shown(value)} is not between the years 1970 and 2200")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _micros(fraction: str | None) -> int:
    return int((fraction or "0")[:6].ljust(6, "0"))


def amount_of(value: Json, name: str) -> Decimal | None:
    """Return an exact amount of money, None where there is none."""
    if value is None or value == "":
        return None
    amount = _decimal(value)
    if amount is None:
        what = f"is not an amount; expected a decimal below 1,000,000,000,000 with at most {DECIMALS} decimals"
        raise Unusable(Reason.BAD_AMOUNT, f"{name} {shown(value)} {what}")
    return amount


def _decimal(value: Json) -> Decimal | None:
    if isinstance(value, str):
        if not _AMOUNT.fullmatch(value):
            return None
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    if number.is_zero():
        return Decimal(0)
    # Looked at before it is normalised: 1E+999999 written out would be long.
    if not -DECIMALS <= number.adjusted() < _INTEGER_DIGITS:
        return None
    try:
        exact = number.normalize(_EXACT)
    except Inexact:
        return None
    return exact if int(exact.as_tuple().exponent) >= -DECIMALS else None


def price_text(amount: Decimal) -> str:
    """Return an amount as facts have it: plain, without zeros at its end."""
    return format(amount.normalize(_EXACT), "f") if amount else "0"


def quantity_of(value: Json, name: str) -> int:
    """Return a whole number from 1 to a million; a missing one is 1."""
    if value is None or value == "":
        return 1
    number = int(Decimal(value)) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
    if isinstance(number, Decimal) and -DECIMALS <= number.adjusted() < _INTEGER_DIGITS and number == int(number):
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_QUANTITY:
        raise Unusable(Reason.BAD_AMOUNT, f"{name} {shown(value)} must be a whole number from 1 to {MAX_QUANTITY:,}")
    return number


def check_product(price: Decimal, quantity: int, name: str) -> None:
    """Refuse a price that with its quantity is more than facts hold."""
    if abs(_EXACT.multiply(price, Decimal(quantity * 10**DECIMALS))) > MAX_MILLIONTHS:
        what = f"{name} {price_text(price)} times quantity {quantity} must be below 1,000,000,000,000"
        raise Unusable(Reason.BAD_AMOUNT, what)


def currency_of(value: Json, name: str) -> str | None:
    """Return the code of a currency in capitals, None where there is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        what = f"{name} {shown(value)} is not a currency code; expected three letters, for example EUR"
        raise Unusable(Reason.BAD_CURRENCY, what)
    return value.upper()
