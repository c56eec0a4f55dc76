"""Contender: what an analyst writes, in DuckDB (analyst.sql)."""

from __future__ import annotations

from benchmarks.contest import contest, duckdb_on, run_sql, write_results


def main() -> None:
    """Run it."""
    given = contest(__doc__ or "")
    con = duckdb_on(given)
    run_sql(con, "analyst.sql")
    write_results(con, given.out)


if __name__ == "__main__":
    main()
