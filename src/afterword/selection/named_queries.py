"""The named queries of assignment: one `.sql` file each in `queries/`, parameters always bound."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def query(name: str) -> str:
    """Return the text of a named query."""
    return (resources.files("afterword.selection") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
