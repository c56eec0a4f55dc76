"""The facts of a running server as files that `afterword run` reads, up to what its results know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from afterword.intake.definitions import definitions_to_data
from afterword.intake.fact_tables import FactTables
from afterword.intake.facts import TIMES
from afterword.intake.sources import Kind
from afterword.model import Definitions
from afterword.reports.report import iso_time
from afterword.store.sql import identifier, literal
from afterword.workspace.live.gathering import KINDS
from afterword.workspace.live.state import PROGRAM, State

DEFINITIONS, TOLD = "campaigns.json", "export.json"
PARQUET = "FORMAT parquet, COMPRESSION zstd"


def write_facts(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    facts: FactTables,
    state: State,
    as_of: int,
    directory: Path,
) -> list[str]:
    """Write all facts that the results know, and the definitions; return the names of the files.

    `export.json` says as of when a run gives the same results. Ids stay, so that repetitions of these facts are known
    for what they are wherever the files are read again.
    """
    known = f"position <= {-1 if state.position is None else state.position}"
    names = []
    for kind in KINDS:
        names.append(f"{kind}.parquet")
        _copy(con, f"{_select(facts, kind)} WHERE {known}", directory / names[-1])
    names.append("merges.parquet")
    merges = f"SELECT from_user_id, to_user_id FROM {facts.table('merges')} WHERE {known}"
    _copy(con, merges, directory / names[-1])
    rates = f"SELECT date, currency, rate FROM {facts.table('rates')}"
    if con.execute(f"SELECT count(*) FROM ({rates})").fetchall()[0][0]:
        names.append("rates.parquet")
        _copy(con, rates, directory / names[-1])
    _write(directory / DEFINITIONS, definitions_to_data(definitions))
    _write(directory / TOLD, {"as_of": iso_time(as_of), "program": PROGRAM, "files": names})
    return [*names, DEFINITIONS, TOLD]


def _select(facts: FactTables, kind: Kind) -> str:
    time = TIMES[kind]
    columns = sorted(facts.columns(kind) - {time})
    selected = ", ".join(identifier(name) for name in columns)
    return f"SELECT {selected}, make_timestamptz({time}) AS {time} FROM {facts.table(kind)}"


def _copy(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    con.execute(f"COPY ({select}) TO {literal(str(path))} ({PARQUET})")


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
