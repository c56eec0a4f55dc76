"""The named queries of the reports: one `.sql` file each in `queries/`, parameters always bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, Self, TypeAlias, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from afterword.precedence import give_way

Ints: TypeAlias = NDArray[np.int64]


@cache
def query(name: str) -> str:
    """The text of a named query."""
    return (resources.files("afterword.reports") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def names() -> list[str]:
    """The names of all queries, sorted."""
    folder = resources.files("afterword.reports") / "queries"
    return sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))


@dataclass(frozen=True, slots=True)
class Columns:
    """A query's result as integer columns, sorted by campaign; subclasses name the columns."""

    campaign: Ints

    def of(self, campaign: int) -> Self:
        """The rows of one campaign."""
        low, high = np.searchsorted(self.campaign, [campaign, campaign + 1])
        return type(self)(*(getattr(self, field.name)[low:high] for field in fields(self)))


C = TypeVar("C", bound=Columns)


def fetch(con: duckdb.DuckDBPyConnection, kind: type[C], name: str, **parameters: object) -> C:
    """Run a named query whose columns are all integers (or booleans) and never NULL."""
    give_way()
    result: dict[str, NDArray[Any]] = con.execute(query(name), parameters or None).fetchnumpy()
    return sorted_columns(kind, *(np.asarray(result[field.name]).astype(np.int64) for field in fields(kind)))


def sorted_columns(kind: type[C], campaign: Ints, *others: Ints) -> C:
    """Put columns in order of campaign."""
    order = np.argsort(campaign, kind="stable")
    return kind(campaign[order], *(column[order] for column in others))


def joined(kind: type[C], parts: Sequence[C]) -> C:
    """The rows of all parts, in order of campaign."""
    if not parts:
        return empty(kind)
    return sorted_columns(kind, *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)))


def empty(kind: type[C]) -> C:
    """No rows."""
    return kind(*(np.zeros(0, dtype=np.int64) for _ in fields(kind)))


def among(members: Sequence[int]) -> NDArray[np.bool_]:
    """Return a table to look variants up in: whether each of 0..15 is one of `members`."""
    table = np.zeros(16, dtype=np.bool_)
    table[list(members)] = True
    return table


def summed(keys: Ints, weights: Ints, size: int) -> Ints:
    """Sum `weights` by key 0..size-1; exact, because counts stay far below 2^53."""
    return np.bincount(keys, weights=weights, minlength=size)[:size].astype(np.int64)
