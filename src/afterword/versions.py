"""App versions: which change is an upgrade (rules 20-23)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]

NO_VERSION = -1
"""The code of a blank name: the fact says nothing about the version (rule 25)."""

_NUMERIC = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def parse_version(text: str) -> Version | None:
    """Return the parts of a purely numeric version, or None if its order is not known (rule 23).

    Trailing zero parts are dropped, so equal versions (`1.2`, `1.2.0`) have equal tuples and tuples
    compare as rule 21 says.
    """
    trimmed = text.strip()
    if not _NUMERIC.fullmatch(trimmed):
        return None
    parts = [_integer(part) for part in trimmed.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def is_change(before: str, after: str) -> bool:
    """Return whether the two names are of different versions (rules 20 and 21); a blank name is of none."""
    if not before.strip() or not after.strip():
        return False
    old, new = parse_version(before), parse_version(after)
    if old is None or new is None:
        return before.strip() != after.strip()
    return old != new


def is_upgrade(before: str, after: str) -> bool:
    """Return whether going from one version to the other counts as an upgrade (rules 21-23)."""
    if not is_change(before, after):
        return False
    old, new = parse_version(before), parse_version(after)
    return old is None or new is None or new > old


def encode_versions(names: Iterable[str]) -> dict[str, int]:
    """Give every name a code, so that integers can be compared in place of names.

    Numeric versions get 0, 1, 2, ... in their order, equal ones the same; every other trimmed name
    one of its own from -2 downwards; a blank name gets `NO_VERSION`. So the change from code `a` to
    code `b` is an upgrade if `b > a` where both are at least 0, and if `a != b` otherwise.
    """
    parsed = {name: parse_version(name) for name in names}
    ranks = {version: rank for rank, version in enumerate(sorted({v for v in parsed.values() if v is not None}))}
    others = sorted({name.strip() for name, version in parsed.items() if version is None and name.strip()})
    codes = {other: -2 - position for position, other in enumerate(others)}
    return {
        name: ranks[version] if version is not None else codes.get(name.strip(), NO_VERSION)
        for name, version in parsed.items()
    }


def _integer(digits: str) -> int:
    # Python refuses to read integers of more than 4,300 digits from text, decimals have no such limit.
    return int(digits) if len(digits) <= 4_000 else int(Decimal(digits))
