"""What has really been seen in the last days: names of events, products, apps, versions, properties and their values.

Nothing is kept for it: each answer is a query over the facts of those days, so that nothing of an erased person stays
(rule 36). Where properties are looked into, of many events an even part is, and the counts say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import pyarrow as pa

from afterword.attribution.filters import json_path
from afterword.intake.definition_filters import NUMBER_COLUMNS, TEXT_COLUMNS
from afterword.store.sql import literal

DAYS: Final = 30
SPAN: Final = DAYS * 24 * 3600 * 1_000_000
"""Microseconds."""
LOOKED_INTO: Final = 100_000
"""Events whose properties are looked into; to take each apart costs about a microsecond."""
STRUCTURES: Final = 5_000
"""Forms of properties that are told of, the commonest; a sender that makes keys by chance has any number of them."""
FEW_USERS: Final = 10
"""A value that fewer users have may say who somebody is."""
COLUMNS: Final = {
    "events": ("name", ("custom",)),
    "products": ("product_id", ("purchase",)),
    "apps": ("app_id", ("session", "upgrade")),
    "versions": ("app_version", ("session", "upgrade")),
}
"""Which column of which events has the names."""
KINDS: Final = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "BIGINT": "number",
    "UBIGINT": "number",
    "HUGEINT": "number",
    "DOUBLE": "number",
    "JSON": "mixed",
}
_UNADDRESSED: Final = frozenset(".[]")


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked for.

    Attributes:
        as_of: now, in epoch microseconds: later facts are not seen (rule 34).
        limit: how many items at most.
        text: only names with this in them, in whatever case; those that begin with it come first.
        kind: of the events whose properties are asked for: `custom`, `purchase` or `session`.
        name: only custom events of this name.
        app: only versions of this app.

    """

    as_of: int
    limit: int
    text: str = ""
    kind: str = "custom"
    name: str = ""
    app: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """What queries take."""
        return {"since": self.as_of - SPAN, "as_of": self.as_of}


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen: items by how well they fit and how often they came."""

    items: list[dict[str, Any]]
    matching: int
    """How many there are, also beyond the limit."""
    events: int
    """How many events they are of."""
    one_in: int = 1
    """One event in so many was looked into; counts are multiplied by it."""


def all_names(con: duckdb.DuckDBPyConnection, what: str, as_of: int, app: str = "") -> pa.Table:
    """Return all names of events, products, apps or versions (`what`): `name`, how often (`n`) and `last_at`.

    Args:
        con: with the tables of facts.
        what: of `COLUMNS`.
        as_of: now, in epoch microseconds.
        app: only versions of this app.

    """
    column, kinds = COLUMNS[what]
    of_app = " AND app_id = $app" if what == "versions" and app else ""
    listed = ", ".join(literal(kind) for kind in kinds)
    sql = f"""
        SELECT {column} AS name, count(*) AS n, max(occurred_at) AS last_at FROM main.events
        WHERE kind IN ({listed}) AND {column} IS NOT NULL AND occurred_at BETWEEN $since AND $as_of{of_app}
        GROUP BY 1"""
    asked = {"since": as_of - SPAN, "as_of": as_of}
    return con.sql(sql, params=asked | ({"app": app} if of_app else {})).to_arrow_table()


def names(con: duckdb.DuckDBPyConnection, look: Look, known: pa.Table) -> Found:
    """Return those names of `all_names` that fit, with how often and when they were last seen."""
    con.register("seen_names", known)
    rows = con.execute(
        """
        SELECT name, n, last_at, count(*) OVER (), sum(n) OVER () FROM seen_names
        WHERE contains(lower(name), lower($text))
        ORDER BY NOT starts_with(lower(name), lower($text)), n DESC, name LIMIT $limit""",
        {"text": look.text, "limit": look.limit},
    ).fetchall()
    con.unregister("seen_names")
    items = [{"name": name, "count": n, "last_seen": last} for name, n, last, _, _ in rows]
    return Found(items, rows[0][3] if rows else 0, int(rows[0][4]) if rows else 0)


@dataclass(slots=True)
class _Path:
    count: int = 0
    kinds: set[str] = field(default_factory=set)


def properties(con: duckdb.DuckDBPyConnection, look: Look) -> Found:
    """Return the properties of events as filters name them (`cart.items[].sku`), with the kinds of their values."""
    where, asked = _having(look)
    events, one_in = _density(con, where, asked)
    sql = f"""
        SELECT json_structure(properties) AS form, count(*) AS n FROM main.events
        WHERE {where} AND digest % {one_in} = 0 GROUP BY 1 ORDER BY n DESC, form LIMIT {STRUCTURES}"""
    paths: dict[str, _Path] = {}
    for form, n in con.execute(sql, asked).fetchall():
        there: dict[str, set[str]] = {}
        for path, kind in _leaves(json.loads(form)):
            there.setdefault(path, set()).add(kind)
        for path, kinds in there.items():
            known = paths.setdefault(path, _Path())
            known.count += n
            known.kinds |= kinds
    text = look.text.lower()
    fitting = [(path, known) for path, known in paths.items() if text in path.lower()]
    fitting.sort(key=lambda one: (not one[0].lower().startswith(text), -one[1].count, one[0]))
    items = [
        {"name": path, "count": known.count * one_in, "kinds": sorted(known.kinds)}
        for path, known in fitting[: look.limit]
    ]
    return Found(items, len(fitting), events, one_in)


def _leaves(form: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths under a form of `json_structure` that a filter can name, and what kind of value each has."""
    if isinstance(form, Mapping):
        for name, inner in form.items():
            if name and not _UNADDRESSED & set(name) and (path or not name.startswith("$")):
                yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(form, list):
        if not path.endswith("[]"):
            for inner in form:
                yield from _leaves(inner, f"{path}[]")
    elif form in KINDS and path:
        yield path, KINDS[form]


def values(con: duckdb.DuckDBPyConnection, look: Look, path: str, *, least_users: int = 1) -> Found:
    """Return the values of a property, as JSON texts.

    Args:
        con: with the tables of facts.
        look: what is looked for.
        path: a property as filters name it, or a column such as `$price`.
        least_users: leave out values that fewer users have.

    """
    where, asked = _having(look, with_properties=not path.startswith("$"))
    events, one_in = _density(con, where, asked)
    sql = f"""
        WITH said AS (
            SELECT user_id, occurred_at, {_value(path)} AS value
            FROM main.events WHERE {where} AND digest % {one_in} = 0
        ), seen AS (
            SELECT value, count(*) AS n, max(occurred_at) AS last_at FROM said
            WHERE value IS NOT NULL AND json_type(value) NOT IN ('NULL', 'OBJECT', 'ARRAY')
            GROUP BY value HAVING count(DISTINCT user_id) >= $least
        ), shown AS (SELECT *, lower(value ->> '$') AS text FROM seen)
        SELECT value, n, last_at, count(*) OVER () FROM shown WHERE contains(text, lower($text))
        ORDER BY NOT starts_with(text, lower($text)), n DESC, value LIMIT $limit"""
    rows = con.execute(sql, asked | {"text": look.text, "limit": look.limit, "least": least_users}).fetchall()
    items = [{"value": value, "count": n * one_in, "last_seen": last} for value, n, last, _ in rows]
    return Found(items, rows[0][3] if rows else 0, events, one_in)


def _value(path: str) -> str:
    """SQL: the values of a property as JSON, a row for each element where the path has a list in it."""
    if path in NUMBER_COLUMNS:
        column = path[1:]
        return (
            f"CASE WHEN {column} IS NOT NULL THEN rtrim(rtrim({column}::DECIMAL(18, 6)::VARCHAR, '0'), '.')::JSON END"
        )
    if path in TEXT_COLUMNS:
        return f"CASE WHEN {path[1:]} IS NOT NULL THEN to_json({path[1:]}) END"
    found = f"json_extract(properties, {literal(json_path(path))})"
    return f"unnest({found})" if "[]" in path else found


def _having(look: Look, *, with_properties: bool = True) -> tuple[str, dict[str, Any]]:
    named = look.kind == "custom" and look.name
    parts = ["kind = $kind", "occurred_at >= $since", "occurred_at <= $as_of"]
    parts += ["properties IS NOT NULL"] * with_properties + ["name = $name"] * bool(named)
    return " AND ".join(parts), look.parameters | {"kind": look.kind} | ({"name": look.name} if named else {})


def _density(con: duckdb.DuckDBPyConnection, where: str, asked: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many events there are, and that one in so many is to be looked into."""
    events = con.execute(f"SELECT count(*) FROM main.events WHERE {where}", dict(asked)).fetchall()[0][0]
    return events, max(1, -(-events // LOOKED_INTO))
