"""Whether the derived rows are what deriving everything again gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from afterword.attribution.gather import Limits
from afterword.model import Definitions
from afterword.workspace.live.refreshing import derive_all
from afterword.workspace.live.staging import place_staged
from afterword.workspace.live.state import TABLES, State, by_number, create_like

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one table and campaign that are not the same."""

    table: str
    campaign: str
    missing: int
    """Rows that are not there and should be."""
    surplus: int
    """Rows that are there and should not be."""
    examples: tuple[dict[str, Any], ...]
    """Some of them, with `user_id`, and `wrong`: "missing" or "surplus"."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and where it is not the same."""

    as_of: int
    """Epoch microseconds."""
    campaigns: int
    rows: int
    """That were derived again, of all tables."""
    differences: tuple[Difference, ...]


def compare(con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, limits: Limits) -> Comparison:
    """Compare row by row, campaign by campaign; `con` is a cursor in a transaction."""
    places = by_number(con, definitions)
    create_like(con, "fresh_")
    derive_all(con, definitions, state, limits)
    place_staged(con, "fresh_")
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE all_users AS SELECT "user", user_id FROM derived.users
        UNION SELECT "user", user_id FROM staged_users"""
    )
    found = []
    for name in TABLES:
        campaigns = con.execute(
            f"SELECT campaign FROM derived.{name} UNION SELECT campaign FROM fresh_{name} ORDER BY campaign"
        ).fetchall()
        for (number,) in campaigns:
            of = places.campaigns[number].id if number < len(places.campaigns) else ""
            found += _differences(con, name, number, of)
    rows = sum(int(con.execute(f"SELECT count(*) FROM fresh_{name}").fetchall()[0][0]) for name in TABLES)
    return Comparison(state.as_of, len(definitions.campaigns), rows, tuple(found))


def _differences(con: duckdb.DuckDBPyConnection, table: str, number: int, campaign: str) -> list[Difference]:
    kept, fresh = (f"SELECT * FROM {place}{table} WHERE campaign = {number}" for place in ("derived.", "fresh_"))
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE different AS
        SELECT 'missing' AS wrong, * FROM ({fresh} EXCEPT ALL {kept})
        UNION ALL SELECT 'surplus' AS wrong, * FROM ({kept} EXCEPT ALL {fresh})"""
    )
    counts = dict(con.execute("SELECT wrong, count(*) FROM different GROUP BY wrong").fetchall())
    if not counts:
        return []
    examples = (
        con.sql(
            f"""
            SELECT wrong, user_id, d.* EXCLUDE (wrong, "user", campaign)
            FROM different d LEFT JOIN all_users USING ("user") ORDER BY ALL LIMIT {EXAMPLES}"""
        )
        .to_arrow_table()
        .to_pylist()
    )
    return [Difference(table, campaign, counts.get("missing", 0), counts.get("surplus", 0), tuple(examples))]
