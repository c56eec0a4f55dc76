"""One spelling for equal JSON: keys in order, numbers by value (rule 33)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def canonical_json(text: str) -> str:
    """Return the JSON with sorted keys and numbers in one form: `{"b":1.0,"a":2}` is `{"a":2,"b":1}`."""
    return _write(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def canonical_or_same(text: str | None) -> str | None:
    """Return the canonical form, or the text itself where there is none, such as for a thousand nested arrays."""
    if text is None:
        return None
    try:
        return canonical_json(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text


def _write(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_write(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return "0" if value == 0 else str(value.normalize()) if value.is_finite() else "null"
    return json.dumps(value)
