"""What all contenders share: the files, the definitions as a table, and where the results go.

A contender is run as `python -m benchmarks.NAME DATA_DIR OUT_DIR` in a fresh process. It leaves
`conversions.parquet`, `credited.parquet` and `report.csv`, or nothing if it only reads.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.definitions import goals

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Contest:
    """The files that a contender reads and the directory it writes to."""

    data: Path
    out: Path
    options: argparse.Namespace

    @property
    def events(self) -> Path:
        """The file of events."""
        return self.data / "events.parquet"

    @property
    def exposures(self) -> Path:
        """The file of exposures."""
        return self.data / "exposures.parquet"

    @property
    def definitions(self) -> Path:
        """The file of campaigns."""
        return self.data / "campaigns.yaml"


def contest(text: str, *flags: str) -> Contest:
    """Read the command line of a contender; `flags` are switches of its own, such as `--dense`."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("data", type=Path, help="directory that benchmarks.generate made")
    parser.add_argument("out", type=Path, help="directory for the results")
    parser.add_argument("--memory", default=None, help="limit for the engine, such as 3GB")
    parser.add_argument("--threads", type=int, default=None)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return Contest(options.data, options.out, options)


def goals_table(path: Path) -> pa.Table:
    """Return the conversion events of all campaigns, a row each; empty lists mean any."""
    rows = goals(path)
    return pa.table(
        {
            "campaign_id": [row.campaign_id for row in rows],
            "letter": [row.letter for row in rows],
            "kind": [row.kind for row in rows],
            "name": pa.array([row.name for row in rows], type=pa.string()),
            "apps": pa.array([row.apps for row in rows], type=pa.list_(pa.string())),
            "products": pa.array([row.products for row in rows], type=pa.list_(pa.string())),
            "deadline_us": [row.deadline_us for row in rows],
        }
    )


def duckdb_on(given: Contest) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the files as variables and the definitions as the table `goals`."""
    con = duckdb.connect(config={"preserve_insertion_order": False, "temp_directory": str(given.out / "spill")})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET asof_loop_join_threshold = 0")
    if given.options.memory:
        con.execute("SET memory_limit = $limit", {"limit": given.options.memory})
    if given.options.threads:
        con.execute("SET threads = $threads", {"threads": given.options.threads})
    con.execute("SET VARIABLE events = $path", {"path": str(given.events)})
    con.execute("SET VARIABLE exposures = $path", {"path": str(given.exposures)})
    table = goals_table(given.definitions)
    con.register("given_goals", table)
    con.execute("CREATE TEMP TABLE goals AS FROM given_goals")
    return con


def run_sql(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Run the statements of a file of this directory."""
    con.execute((HERE / name).read_text())


def write_results(con: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Write the views `conversions`, `credited` and `report`."""
    con.sql("FROM conversions").write_parquet(str(out / "conversions.parquet"), compression="zstd")
    con.sql("FROM credited").write_parquet(str(out / "credited.parquet"), compression="zstd")
    con.sql("FROM report ORDER BY campaign_id, variant_id").write_csv(str(out / "report.csv"))
