"""Logs and stores for tests: requests are dictionaries in the form of `intake.accepted.Accepted`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from afterword.log import Frame, Writer
from afterword.store.facts import open_facts
from afterword.store.loader import Loader

Request = dict[str, list[dict[str, Any]]]
Row = tuple[Any, ...]
RECEIVED = 1_790_000_000_000_000
KEY = b"a secret of this workspace"
TABLES = ("events", "exposures", "step_messages", "merges", "attributes", "deletions", "rejected")


def bought(item: int = 0, user: str = "ann", at: int = 5, **more: Any) -> dict[str, Any]:
    """A purchase."""
    return {"item": item, "user_id": user, "kind": "purchase", "occurred_at": at, **more}


def write(log: Path, bodies: Iterable[Request | bytes], dialect: str = "facts") -> int:
    """Append requests to the log; return the position behind them."""
    with Writer(log, gather_seconds=0) as writer:
        for body in bodies:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            position = writer.append(Frame(RECEIVED + writer.durable, dialect, "k", raw)).result()
            assert position == writer.durable - 1
        return writer.durable


def opened(directory: Path) -> duckdb.DuckDBPyConnection:
    """The store of a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return open_facts(directory / "facts.duckdb", 500_000_000, 1, directory / "spill")


def loaded(directory: Path, bodies: Sequence[Request | bytes], batch_bytes: int = 1 << 20) -> duckdb.DuckDBPyConnection:
    """A store into which the requests were loaded."""
    end = write(directory / "log", bodies)
    con = opened(directory)
    Loader(con, directory / "log", tombstone_key=KEY, batch_bytes=batch_bytes).load(end)
    return con


def rows(con: duckdb.DuckDBPyConnection, table: str, columns: str = "*") -> list[Row]:
    """All rows, in an order of no meaning."""
    return sorted(con.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)


def everything(con: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """All rows of all tables but the digests, which another process may compute otherwise."""
    content = {table: rows(con, table, "* EXCLUDE (digest)" if table in TABLES[:3] else "*") for table in TABLES}
    return {**content, "loaded": con.execute("FROM loaded").fetchall()}
