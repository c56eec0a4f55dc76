"""Opening DuckDB, always with the same care."""

from __future__ import annotations

from pathlib import Path

import duckdb

Setting = str | int | bool | float | list[str]


def configuration(
    memory_bytes: int, threads: int, temp_dir: Path, *, preserve_insertion_order: bool = False
) -> dict[str, Setting]:
    """Return the settings that every database is opened with."""
    return {
        "memory_limit": f"{memory_bytes}B",
        "threads": threads,
        "temp_directory": str(temp_dir),
        "preserve_insertion_order": preserve_insertion_order,
        "TimeZone": "UTC",
        # The loop that an ASOF join of few rows would take looks at all rows of the other side for each of them.
        "asof_loop_join_threshold": 0,
        # Extensions that are on this machine may load when a query needs them (a user's own SQL may);
        # none is ever fetched.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": True,
    }


def open_memory(
    memory_bytes: int, threads: int, temp_dir: Path, *, preserve_insertion_order: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills to `temp_dir` and never reaches out to the network by itself.

    Times are UTC whatever the machine says. Without `preserve_insertion_order` large results are
    written in parallel and need less memory, but come in any order unless the query sorts them.
    """
    config = configuration(memory_bytes, threads, temp_dir, preserve_insertion_order=preserve_insertion_order)
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET enable_progress_bar = false")  # notebooks turn it on; progress is ours to show
    return connection
