"""Usual values of items that are decoded all at once: what is unusual is left to the steps."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw

from afterword.intake.bodies import MAX_DEPTH, is_too_deep
from afterword.intake.columns import MAX_LENGTH, MAX_PROPERTIES_BYTES

Id = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
UserId = Id | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Some clients send a number; what is no number of a database is left to the steps."""
Text = Annotated[str, Meta(max_length=MAX_LENGTH)]
"""An optional text, missing if empty."""

_OBJECT = ord("{")


def user_text(sent: str | int) -> str:
    """Return an id as text."""
    return sent if sent.__class__ is str else str(sent)


def is_plain(properties: Raw) -> bool:
    """Return whether properties are an object of an allowed size with none of the names that need a look."""
    data = bytes(properties)
    size = len(data)
    if data[0] != _OBJECT or size > MAX_PROPERTIES_BYTES or b'"$' in data or b'"\\u' in data:
        return False
    # A level takes two characters, and a name that is too long is as long as itself.
    return size <= MAX_DEPTH * 2 or not (is_too_deep(data) or size > MAX_LENGTH)
