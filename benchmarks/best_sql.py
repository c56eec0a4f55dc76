"""Contender: the best SQL that we could write, in DuckDB (best.sql).

With --distinct every repetition is removed before anything else, not only where it would change a result.
"""

from __future__ import annotations

from benchmarks.contest import contest, duckdb_on, run_sql, write_results


def main() -> None:
    """Run it."""
    given = contest(__doc__ or "", "--distinct")
    con = duckdb_on(given)
    run_sql(con, "distinct_rows.sql" if given.options.distinct else "rows.sql")
    run_sql(con, "best.sql")
    write_results(con, given.out)


if __name__ == "__main__":
    main()
