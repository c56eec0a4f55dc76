"""The named queries of assignment: one `.sql` file each in `queries/`, parameters always bound."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources

import duckdb

from afterword.selection.assignment import Split

_DIGITS = bytes((ord("0") + code) % 256 for code in range(256))
"""At most eight variants have a message (rule 31), and none leaves a launched campaign: one digit is enough."""


@cache
def query(name: str) -> str:
    """Return the text of a named query."""
    return (resources.files("afterword.selection") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def assign_in_sql(con: duckdb.DuckDBPyConnection, split: Split) -> duckdb.DuckDBPyRelation:
    """Return user_id and variant_id of all rows of `users_to_assign`, the same as `assign` gives."""
    return con.sql(query("assign"), params=_parameters(split))


def first_variants(con: duckdb.DuckDBPyConnection, campaign_id: str, users: Iterable[str]) -> dict[str, str]:
    """Return to which variant those of the users were first exposed that were exposed, from the loaded facts."""
    parameters = {"campaign": campaign_id, "users": list(users)}
    return dict(con.execute(query("first_variants"), parameters).fetchall())


def _parameters(split: Split) -> dict[str, object]:
    return {
        "salt": split.salt,
        "control": split.control,
        "control_buckets": split.control_buckets,
        "message_buckets": len(split.table.codes),
        "variants": list(split.table.variants),
        "table": split.table.codes.translate(_DIGITS).decode(),
    }
