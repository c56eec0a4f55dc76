"""A table of measured numbers, as docs/statistics.md shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of results: what it is of, its columns, and its rows as they are printed."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return it with a line per row."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float, digits: int = 2) -> str:
    """Return a share as it is printed."""
    return f"{100 * share:.{digits}f} %"


def within(shares: Sequence[float]) -> str:
    """Return the smallest and the largest of several shares."""
    return f"{100 * min(shares):.2f} to {100 * max(shares):.2f} %"
