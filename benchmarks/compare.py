"""Are the results of contenders the same? `python -m benchmarks.compare DIR DIR...` against the first.

Reads what contenders write and what `afterword run` writes. Compares conversions and credited
purchases as sets of whole rows, both ways, and names the first rows that differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

SHOWN = 5
COLUMNS = {
    "conversions": (
        "campaign_id",
        "letter",
        "user_id",
        "exposure_id",
        "variant_id",
        "epoch_us(converted_at) AS converted_us",
        "event_id",
    ),
    "credited": (
        "campaign_id",
        "variant_id",
        "exposure_id",
        "user_id",
        "event_id",
        "amount::DECIMAL(38, 6) AS amount",
    ),
}


def rows_of(con: duckdb.DuckDBPyConnection, directory: Path, kind: str) -> duckdb.DuckDBPyRelation:
    """Return the rows of one file of results in the form that is compared."""
    path = directory / f"{kind}.parquet"
    if kind == "credited" and not path.exists():
        path = directory / "credited_purchases.parquet"
    rows = con.read_parquet(str(path))
    if "conversion_event" in rows.columns:
        rows = rows.project("* RENAME (conversion_event AS letter)")
    return rows.project(", ".join(COLUMNS[kind]))


def differences(expected: Path, found: Path) -> list[str]:
    """Return a sentence for every way in which `found` is not `expected`; none if they are the same."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    said = []
    for kind in COLUMNS:
        right, other = rows_of(con, expected, kind), rows_of(con, found, kind)
        counts = [_count(rows) for rows in (right, other)]
        if counts[0] != counts[1]:
            said.append(f"{kind}: {counts[1]:,} rows in {found}, {counts[0]:,} in {expected}")
        for place, rows in ((expected, right.except_(other)), (found, other.except_(right))):
            number = _count(rows)
            if number:
                first = "\n".join(f"    {row}" for row in rows.order("ALL").limit(SHOWN).fetchall())
                said.append(f"{kind}: {number:,} rows only in {place}, the first:\n{first}")
    return said


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    (count,) = rows.aggregate("count(*)").fetchall()[0]
    return int(count)


def main() -> int:
    """Compare the directories named on the command line with the first one."""
    expected, *others = (Path(name) for name in sys.argv[1:])
    wrong = 0
    for other in others:
        said = differences(expected, other)
        wrong += bool(said)
        print("\n".join(said) if said else f"{other}: same as {expected}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
