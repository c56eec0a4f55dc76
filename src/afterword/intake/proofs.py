"""What the statistics of a Parquet file prove about its values, so that a scan need not check it row by row.

Every row group may state how many values of a column are missing, and bounds of the others. The bounds may be cut
short, but a lower bound stays below every value: if it is more than the empty text, no value is empty. A proof
needs the statement of every row group of every file; the readers of Parquet skip row groups by the same numbers, so a
file where they are wrong is read wrongly by everyone. Binary floats prove nothing: NaN is in no bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from afterword.store.sql import one_path

_EXACT_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL")


@dataclass(frozen=True, slots=True)
class Proof:
    """What holds for all values of one column."""

    never_null: bool = False
    never_empty: bool = False
    """No value is the empty text (missing ones there may be)."""
    low: Decimal | None = None
    """No number is below this one."""
    high: Decimal | None = None

    def within(self, low: int, high: int) -> bool:
        """Return whether all numbers are known to be from `low` to `high`."""
        return self.low is not None and self.high is not None and low <= self.low and self.high <= high


NOTHING_PROVEN = Proof()


def proofs_of(connection: duckdb.DuckDBPyConnection, path: str, columns: Mapping[str, str]) -> dict[str, Proof]:
    """Read what the statistics of a Parquet file prove, by column.

    Args:
        connection: where to read.
        path: the file.
        columns: DuckDB's type of each column.

    """
    rows = connection.execute(
        f"""
        WITH chunks AS (
            SELECT path_in_schema AS name, row_group_id, stats_min_value AS low, stats_max_value AS high,
                stats_null_count AS nulls, coalesce(stats_null_count = num_values, FALSE) AS all_null
            FROM parquet_metadata({one_path(path)})
        )
        SELECT name, bool_and(coalesce(nulls = 0, FALSE)), bool_and(all_null OR coalesce(low > '', FALSE)),
            CASE WHEN bool_and(all_null OR TRY_CAST(low AS DECIMAL(38, 6)) IS NOT NULL)
                THEN min(TRY_CAST(low AS DECIMAL(38, 6))) FILTER (NOT all_null) END,
            CASE WHEN bool_and(all_null OR TRY_CAST(high AS DECIMAL(38, 6)) IS NOT NULL)
                THEN max(TRY_CAST(high AS DECIMAL(38, 6))) FILTER (NOT all_null) END
        FROM chunks GROUP BY name
        -- A field inside a struct may be called like another column.
        HAVING count(*) = count(DISTINCT row_group_id) AND count(*) = (SELECT count(DISTINCT row_group_id) FROM chunks)
        """
    ).fetchall()
    proofs = {}
    for name, never_null, never_empty, low, high in rows:
        kind = columns.get(name, "")
        exact = kind.startswith(_EXACT_NUMBERS)
        proofs[name] = Proof(
            bool(never_null), kind == "VARCHAR" and bool(never_empty), low if exact else None, high if exact else None
        )
    return proofs


def together(proofs: Sequence[Proof]) -> Proof:
    """Return what holds for the values of several files."""
    lows = [proof.low for proof in proofs if proof.low is not None]
    highs = [proof.high for proof in proofs if proof.high is not None]
    return Proof(
        all(proof.never_null for proof in proofs),
        all(proof.never_empty for proof in proofs),
        min(lows) if lows and len(lows) == len(proofs) else None,
        max(highs) if highs and len(highs) == len(proofs) else None,
    )
