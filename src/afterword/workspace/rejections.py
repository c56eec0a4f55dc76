"""Rejected rows: those that intake refused and those that attribution had to refuse later (rule 35)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from afterword.store.sql import literal
from afterword.workspace.session import FACTS, Session

SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("message", pa.string())])
BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Rejection:
    """One row that cannot be used."""

    file: str
    row: int
    reason: str
    message: str


def rejected_sql(session: Session) -> str:
    """Return a SELECT of all rejected rows: file, row, reason, message."""
    parts = []
    for kind in FACTS:
        scan = session.scans[kind]
        parts.append(f"SELECT file, row, reason, message FROM ({scan.rejected_sql()})")
        if scan.inputs:
            names = "[" + ", ".join(literal(name) for name in scan.inputs) + "]"
            parts.append(
                f"SELECT {names}[file + 1], record, reason, message FROM late_rejections WHERE kind = {literal(kind)}"
            )
    return " UNION ALL ".join(parts)


def write_rejected(session: Session, directory: Path, *, any_rejected: bool) -> None:
    """Write rejected.parquet, ordered by file and row; the files are read again only if there is a need."""
    with pq.ParquetWriter(directory / "rejected.parquet", SCHEMA, compression="zstd") as writer:
        if not any_rejected:
            return
        reader = session.con.sql(rejected_sql(session) + " ORDER BY file, row, reason").to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            writer.write_table(pa.Table.from_batches([batch]).cast(SCHEMA))


def first_rejection(session: Session) -> Rejection | None:
    """Return the first rejected row by file and row."""
    rows = session.con.execute(rejected_sql(session) + " ORDER BY file, row, reason LIMIT 1").fetchall()
    return Rejection(*rows[0]) if rows else None
