"""Reads property filters: `property op value` (rule 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from afterword.errors import UserError, nearest
from afterword.intake.definition_fields import (
    Record,
    is_unicode,
    shorten,
    show,
    written_number,
    written_text,
)
from afterword.intake.definition_files import Written
from afterword.model import Op, PropertyFilter
from afterword.money import parse_currency

FILTER_KEYS = ("property", "op", "value")
NUMBER_COLUMNS = ("$price", "$quantity")
TEXT_COLUMNS = ("$currency", "$product_id", "$app_id", "$app_version")
COLUMNS = NUMBER_COLUMNS + TEXT_COLUMNS
INTEGER_DIGITS = 20
DECIMALS = 18

_PART = re.compile(r"[^.\[\]]+(?:\[\])?")
_WITHOUT_VALUE = (Op.EXISTS, Op.NOT_EXISTS)
_ORDER = (Op.GT, Op.GE, Op.LT, Op.LE)


class _Refused(Exception):
    """A value that cannot be compared; the message says what would be right."""


def read_filter(record: Record) -> PropertyFilter | None:
    """Return the filter, or None after noting what is wrong with it."""
    path = _read_path(record)
    op = record.choice("op", Op, required=True)
    if path is None or op is None:
        return None
    if op in _WITHOUT_VALUE:
        if record.has("value"):
            record.problem("value", f"{op} takes no value")
        return PropertyFilter(path, op)
    if not record.has("value"):
        record.problem("value", f"value is missing, {op} needs one" + _absence_hint(op))
        return None
    try:
        return PropertyFilter(path, op, _operand(record.data["value"], op, path))
    except _Refused as error:
        record.problem("value", str(error))
        return None


def _absence_hint(op: Op) -> str:
    return " (to ask for a missing property, use not_exists)" if op is Op.EQ else ""


def _read_path(record: Record) -> str | None:
    path = record.text("property", required=True)
    if path is None:
        return None
    if path.startswith("$"):
        if path in COLUMNS:
            return path
        hint = nearest(path, COLUMNS) or f", known are {', '.join(COLUMNS)}"
        record.problem("property", f'unknown column "{shorten(path)}"{hint}')
        return None
    if all(_PART.fullmatch(part) for part in path.split(".")):
        return path
    message = 'must be names with dots between them, "[]" after a list, like cart.items[].sku'
    record.problem("property", f'property is "{shorten(path)}", {message}')
    return None


def _operand(value: object, op: Op, path: str) -> object:
    if op is not Op.IN:
        return _scalar(value, op, path)
    if not isinstance(value, list | tuple):
        raise _Refused(f"value is {show(value)}, {op} needs a list")
    if not value:
        raise _Refused(f"value is an empty list, {op} needs at least one item")
    return tuple(_scalar(item, op, path) for item in value)


def _scalar(value: object, op: Op, path: str) -> str | int | Decimal | bool:
    if path in TEXT_COLUMNS:
        return _column_text(value, op, path)
    scalar = _typed(value)
    is_number = isinstance(scalar, int | Decimal) and not isinstance(scalar, bool)
    if op is Op.CONTAINS and (path in NUMBER_COLUMNS or not isinstance(scalar, str) or not scalar):
        if path in NUMBER_COLUMNS:
            raise _Refused(f"{path} is a number, {op} asks in texts only")
        raise _Refused(f"value is {show(value)}, {op} needs a text" + ("" if scalar else " of at least one character"))
    if path in NUMBER_COLUMNS and not is_number:
        raise _Refused(f"value is {show(value)}, {path} is compared with a number")
    if op in _ORDER and isinstance(scalar, bool):
        raise _Refused(f"value is {show(value)}, {op} compares numbers or texts")
    return scalar


def _column_text(value: object, op: Op, path: str) -> str:
    text = written_text(value)
    if text is None or not is_unicode(text) or (isinstance(value, Written) and isinstance(value.value, bool)):
        raise _Refused(f"value is {show(value)}, {path} is compared with a text")
    if op is Op.CONTAINS and not text:
        raise _Refused(f'value is "", {op} needs a text of at least one character')
    if path == "$currency" and op in (Op.EQ, Op.NE, Op.IN):
        try:
            return parse_currency(text)  # facts have it in capitals too
        except UserError as error:
            raise _Refused(str(error)) from None
    return text


def _typed(value: object) -> str | int | Decimal | bool:
    if isinstance(value, Written) and isinstance(value.value, bool):
        return value.value
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not is_unicode(value):
            raise _Refused("value is not valid Unicode")
        return str(value)
    if isinstance(value, Mapping):
        return _number(_spelled_number(value), value)
    return _number(value, value)


def _spelled_number(value: Mapping[object, object]) -> Decimal | None:
    """Read `{number: "0.123456789012345678"}`: a number whose digits a reader of JSON would not keep."""
    text = written_text(value.get("number"))
    if set(value) != {"number"} or text is None or not re.fullmatch(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?", text):
        return None
    return Decimal(text)


def _number(value: object, written: object) -> int | Decimal:
    number = written_number(value)
    if number is None:
        raise _Refused(f"value is {show(written)}, must be a text, a number, true or false")
    # By exponent first: 1e999999999 must not be written out.
    if number and number.adjusted() >= INTEGER_DIGITS:
        raise _Refused(f"value is {show(written)}, numbers have at most {INTEGER_DIGITS} digits before the point")
    if number and _decimals(number) > DECIMALS:
        raise _Refused(f"value is {show(written)}, numbers have at most {DECIMALS} digits after the point")
    return int(number) if not number or _decimals(number) <= 0 else number


def _decimals(number: Decimal) -> int:
    """Count the digits after the point without closing zeros."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return 0
    digits = "".join(map(str, number.as_tuple().digits))
    return -exponent - (len(digits) - len(digits.rstrip("0")))
