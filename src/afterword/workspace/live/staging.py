"""What a sweep found, from the numbers of one run to the keys that last, and into the derived tables."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.derive import Derived, Named, Rows
from afterword.attribution.stored import as_table
from afterword.attribution.texts import string_array
from afterword.workspace.live.state import TABLES, create_like

EXPOSURE_BITS = 24
"""A user's exposures to one campaign fit into so many bits."""


class Staged:
    """Receives derived rows (attribution's `Receiver`) into temporary tables `staged_*`."""

    def begin(self, con: duckdb.DuckDBPyConnection, as_of: int) -> None:
        """Make the tables."""
        self._con = con
        create_like(con, "staged_")

    def add(self, derived: Derived) -> None:
        """Store the rows of the next part."""
        for name in ("recipients", "exposures", "received", "persons", "person_money"):
            self._insert(name, _table(getattr(derived, name)))
        for name in ("conversions", "credited"):
            self._insert(name, _named(getattr(derived, name)))

    def end(self) -> None:
        """Do nothing: all is stored."""

    def _insert(self, name: str, rows: pa.Table) -> None:
        if rows.num_rows:
            self._con.register("derived_rows", rows)
            self._con.execute(f"INSERT INTO staged_{name} BY NAME FROM derived_rows")
            self._con.unregister("derived_rows")


def _table(rows: Rows) -> pa.Table:
    return as_table(rows)


def _named(named: Named) -> pa.Table:
    rows = {name: column for name, column in named.rows.items() if name != "event"}
    return as_table(rows).append_column("event_id", string_array(named.event_id))


def number_staged(
    con: duckdb.DuckDBPyConnection, users: pa.Array, campaigns: Mapping[int, int], *, remember: bool
) -> None:
    """Give everything in the staged rows its lasting key: tables `staged_users`, `staged_campaigns` and so on.

    Args:
        con: with the staged rows, `gathered_exposures` and the run's `currencies`.
        users: the ids of the run's users, by number.
        campaigns: the lasting number of each of the run's campaigns.
        remember: whether new persons and currencies are kept; a comparison keeps none.

    """
    numbers = pa.array(np.arange(len(users), dtype=np.int32))
    con.register("run_users", pa.table({"number": numbers, "user_id": users}))
    con.register("run_campaigns", pa.table({"number": list(campaigns), "campaign": list(campaigns.values())}))
    con.execute(_NUMBER)
    if remember:
        con.execute(_REMEMBER)
    con.unregister("run_users")
    con.unregister("run_campaigns")


_NUMBER = f"""
CREATE OR REPLACE TEMP TABLE staged_campaigns AS SELECT number::INTEGER AS number, campaign::INTEGER AS campaign
FROM run_campaigns;
CREATE OR REPLACE TEMP TABLE staged_users AS
WITH exposed AS (SELECT number, user_id FROM run_users SEMI JOIN staged_exposures ON "user" = number),
added AS (
    SELECT number, user_id, (SELECT coalesce(max("user"), -1) FROM derived.users)
        + row_number() OVER (ORDER BY user_id) AS "user"
    FROM exposed ANTI JOIN derived.users USING (user_id)
)
SELECT number, user_id, "user"::INTEGER AS "user" FROM added
UNION ALL SELECT number, user_id, "user" FROM exposed JOIN derived.users USING (user_id);
CREATE OR REPLACE TEMP TABLE staged_currencies AS
WITH used AS (
    SELECT currency AS number, code FROM currencies
    WHERE currency IN (SELECT currency FROM staged_credited UNION SELECT currency FROM staged_person_money)
),
added AS (
    SELECT number, code, (SELECT coalesce(max(currency), -1) FROM derived.currencies)
        + row_number() OVER (ORDER BY code) AS currency
    FROM used ANTI JOIN derived.currencies USING (code)
)
SELECT number, code, currency::INTEGER AS currency FROM added
UNION ALL SELECT number, code, currency FROM used JOIN derived.currencies USING (code);
CREATE OR REPLACE TEMP TABLE staged_keys AS
SELECT s.exposure AS record, g.exposure_id, (u."user"::BIGINT << {EXPOSURE_BITS})
    | (row_number() OVER (PARTITION BY s.campaign, s."user" ORDER BY s.exposed_at, g.exposure_id) - 1) AS exposure
FROM staged_exposures s
JOIN staged_users u ON u.number = s."user"
JOIN gathered_exposures g ON g.record = s.exposure;
"""

_REMEMBER = """
INSERT INTO derived.users BY NAME SELECT "user", user_id FROM staged_users ANTI JOIN derived.users USING (user_id);
INSERT INTO derived.currencies BY NAME
SELECT currency, code FROM staged_currencies ANTI JOIN derived.currencies USING (code);
"""


def place_staged(con: duckdb.DuckDBPyConnection, prefix: str) -> None:
    """Insert the staged rows under their lasting keys into the tables whose names begin with `prefix`."""
    for name in TABLES:
        replaced = ["c.campaign AS campaign", 'u."user" AS "user"']
        joins = ""
        if name not in ("persons", "person_money"):
            replaced.append("coalesce(x.exposure, -1) AS exposure")
            joins = "LEFT JOIN staged_keys x ON x.record = s.exposure"
        if name == "exposures":
            replaced.append("x.exposure_id AS exposure_id")
        if name in ("credited", "person_money"):
            replaced.append("m.currency AS currency")
            joins += " LEFT JOIN staged_currencies m ON m.number = s.currency"
        con.execute(
            f"""
            INSERT INTO {prefix}{name} BY NAME SELECT s.* REPLACE ({", ".join(replaced)})
            FROM staged_{name} s
            JOIN staged_campaigns c ON c.number = s.campaign
            JOIN staged_users u ON u.number = s."user"
            {joins}"""
        )
