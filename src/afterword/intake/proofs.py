"""What is known of all values of a Parquet file's columns, so that a scan need not check it row by row.

Every row group may state how many values of a column are missing, and bounds of the others. The bounds may be cut
short, but a lower bound stays below every value: if it is more than the empty text, no value is empty. A proof
needs the statement of every row group of every file; the readers of Parquet skip row groups by the same numbers, so a
file where they are wrong is read wrongly by everyone. Binary floats prove nothing: NaN is in no bounds.

A column of few different words takes few bytes a row, since Parquet writes each word once and then its number. Reading
the different words of such a column costs a tenth of checking every row, and what holds for them holds for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from afterword.store.sql import identifier, one_path

if TYPE_CHECKING:
    import duckdb

BYTES_OF_FEW = 2.0
"""A column of few words takes no more than this in the file, on average over its rows."""
MOST_FEW = 65_536
"""So many words are few."""
BYTES_OF_ANY = 65_536
"""So little is read whatever it holds."""
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
    values: frozenset[str] | None = None
    """All different texts, where they are few."""

    def within(self, low: int, high: int) -> bool:
        """Return whether all numbers are known to be from `low` to `high`."""
        return self.low is not None and self.high is not None and low <= self.low and self.high <= high

    def shorter_than(self, characters: int) -> bool:
        """Return whether all texts are known to have fewer characters."""
        return self.all_values(lambda value: len(value) < characters)

    def all_values(self, condition: Callable[[str], bool]) -> bool:
        """Return whether something is known to hold for all texts."""
        return self.values is not None and all(condition(value) for value in self.values)


NOTHING_PROVEN = Proof()


def proofs_of(
    connection: duckdb.DuckDBPyConnection, path: str, columns: Mapping[str, str], wanted: Collection[str] = ()
) -> dict[str, Proof]:
    """Read what is known of a Parquet file's columns.

    Args:
        connection: where to read.
        path: the file.
        columns: DuckDB's type of each column.
        wanted: the columns whose different words are worth reading, if they are few.

    """
    proofs = _from_statistics(connection, path, columns)
    texts = [name for name in wanted if columns.get(name) == "VARCHAR"]
    for name, values in _few_values(connection, path, texts).items():
        proofs[name] = replace(proofs.get(name, NOTHING_PROVEN), values=values)
    return proofs


def _few_values(connection: duckdb.DuckDBPyConnection, path: str, texts: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the different values of those columns that have few of them, by the room that they take in the file."""
    rows = connection.execute(
        f"""
        SELECT path_in_schema FROM parquet_metadata({one_path(path)})
        GROUP BY path_in_schema
        HAVING sum(total_uncompressed_size) <= {BYTES_OF_FEW} * sum(num_values) + {BYTES_OF_ANY}
            AND bool_and(encodings LIKE '%DICTIONARY%')
        """
    ).fetchall()
    small = {name for (name,) in rows}
    few = [name for name in texts if name in small]
    if not few:
        return {}
    found = {name: _values(connection, path, name) for name in few}
    return {name: values for name, values in found.items() if values is not None}


def _values(connection: duckdb.DuckDBPyConnection, path: str, name: str) -> frozenset[str] | None:
    """Return the different values of a column, None if there are many after all: row groups may differ in them."""
    column = identifier(name)
    rows = connection.execute(
        f"SELECT DISTINCT {column} FROM read_parquet({one_path(path)}, hive_partitioning = false) "
        f"WHERE {column} IS NOT NULL LIMIT {MOST_FEW + 1}"
    ).fetchall()
    return frozenset(word for (word,) in rows) if len(rows) <= MOST_FEW else None


def _from_statistics(connection: duckdb.DuckDBPyConnection, path: str, columns: Mapping[str, str]) -> dict[str, Proof]:
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
    known = [proof.values for proof in proofs if proof.values is not None]
    lows = [proof.low for proof in proofs if proof.low is not None]
    highs = [proof.high for proof in proofs if proof.high is not None]
    return Proof(
        all(proof.never_null for proof in proofs),
        all(proof.never_empty for proof in proofs),
        min(lows) if lows and len(lows) == len(proofs) else None,
        max(highs) if highs and len(highs) == len(proofs) else None,
        frozenset().union(*known) if len(known) == len(proofs) else None,
    )
