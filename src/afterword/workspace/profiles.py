"""What is known of single persons: their ids, attributes, and a summary of what they did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import duckdb

from afterword.reports.exchange import exact


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a person did one thing, and when first and last (epoch microseconds)."""

    name: str
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A person."""

    person: str
    """The id that stands for all others."""
    ids: tuple[str, ...]
    """All ids that were merged into one person, sorted (rule 37)."""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[Habit, ...] = ()
    purchases: tuple[Habit, ...] = ()
    sessions: tuple[Habit, ...] = ()
    """By app; "" where none was named."""
    spent: dict[str, str] = field(default_factory=dict)
    """What all purchases cost, as decimal text by currency, refunds not taken off."""


def find_persons(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, str]:
    """Return the person of each of the ids that anything is known of; those that are to be erased are not."""
    return dict(con.execute(_query("find_persons"), {"ids": list(ids)}).fetchall())


def ids_with_attribute(con: duckdb.DuckDBPyConnection, name: str, value: str) -> list[str]:
    """Return the users whose attribute is this text, whatever its case."""
    rows = con.execute(
        """
        SELECT user_id FROM main.attributes
        WHERE name = $name AND lower(value ->> '$') = lower($value) ORDER BY user_id""",
        {"name": name, "value": value},
    ).fetchall()
    return [user for (user,) in rows]


def read_profiles(con: duckdb.DuckDBPyConnection, persons: Sequence[str], as_of: int) -> list[Profile]:
    """Return what is known of some persons as of a time, in their order."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE wanted AS
        SELECT person, person AS user_id FROM (SELECT DISTINCT unnest($persons::VARCHAR[]) AS person)
        UNION SELECT person, user_id FROM derived.aliases WHERE list_contains($persons::VARCHAR[], person)""",
        {"persons": list(persons)},
    )
    ids = _grouped(con.execute("SELECT person, user_id FROM wanted ORDER BY user_id").fetchall())
    attributes = _grouped(con.execute(_query("profile_attributes")).fetchall())
    habits = _grouped(con.execute(_query("profile_habits"), {"as_of": as_of}).fetchall())
    spent = _grouped(con.execute(_query("profile_spending"), {"as_of": as_of}).fetchall())
    con.execute("DROP TABLE wanted")
    return [
        Profile(
            person,
            ids=tuple(user for (user,) in ids.get(person, ())),
            attributes={name: json.loads(value) for name, value in attributes.get(person, ())},
            events=_habits(habits, person, "custom"),
            purchases=_habits(habits, person, "purchase"),
            sessions=_habits(habits, person, "session"),
            spent={code: exact(int(millionths), code) for code, millionths in spent.get(person, ())},
        )
        for person in persons
    ]


def _habits(rows: dict[str, list[tuple[Any, ...]]], person: str, kind: str) -> tuple[Habit, ...]:
    return tuple(Habit(*rest) for of, *rest in rows.get(person, ()) if of == kind)


def _grouped(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for person, *rest in rows:
        found.setdefault(person, []).append(tuple(rest))
    return found


def _query(name: str) -> str:
    return (resources.files("afterword.workspace") / "usage_queries" / f"{name}.sql").read_text(encoding="utf-8")
