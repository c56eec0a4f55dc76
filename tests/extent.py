"""How much the tests go through of what is alike: a part in `make test`, all of it in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

THOROUGH = os.environ.get("AFTERWORD_LOOKS") == "all"
"""Read once: tests have no settings of the environment."""


def part(values: Sequence[T], one_in: int, first: int = 0) -> Sequence[T]:
    """Return every so many of some values, and all of them in `make test-all`."""
    return values if THOROUGH else values[first % one_in :: one_in]


def slow_but(quick: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    """Return parameters of which the `others` are left to `make test-all`."""
    return [*quick, *(pytest.param(value, marks=pytest.mark.slow) for value in others)]
