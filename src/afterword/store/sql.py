"""Putting values and names into SQL text where parameters cannot go: one helper for each."""

from __future__ import annotations

from collections.abc import Iterable

SqlValue = str | int | bool | None


def literal(value: SqlValue) -> str:
    """Return the value as an SQL literal: text is quoted, whatever it holds."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if "\0" in value:  # the parser stops at a NUL character, so it is spliced in
        return "(" + " || chr(0) || ".join(literal(part) for part in value.split("\0")) + ")"
    return "'" + value.replace("'", "''") + "'"


def literals(values: Iterable[SqlValue]) -> str:
    """Return the values as an SQL list, for example `['a', 'b']`."""
    return "[" + ", ".join(literal(value) for value in values) + "]"


def identifier(name: str) -> str:
    """Return the name of a column or table, quoted."""
    return '"' + name.replace('"', '""') + '"'


def one_path(path: str) -> str:
    """Return a path as a literal for DuckDB's readers, which would take some of its characters for a pattern."""
    return literal("".join(f"[{c}]" if c in "*?[" else c for c in path))
