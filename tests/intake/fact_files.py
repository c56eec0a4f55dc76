"""Writes the same rows in every format, and reads a kind of facts through the real door."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from afterword.intake.scan import Scan, stage
from afterword.intake.sources import Kind, ReadOptions, Source
from afterword.model import Campaign, Channel, Counting, Definitions, Step, Variant, Workspace
from afterword.store.connection import open_memory

Row: TypeAlias = "Mapping[str, Any]"

DEFINITIONS = Definitions(
    Workspace("Europe/Berlin", "EUR"),
    (
        Campaign("cart", "campaign", "Cart", (Variant("a", 9000), Variant("control", 1000, control=True))),
        Campaign(
            "multi",
            "campaign",
            "Multi",
            (Variant("only", 10000),),
            counting=Counting.ONCE_PER_CHANNEL,
            channels=(Channel.EMAIL, Channel.PUSH),
        ),
        Campaign("welcome", "canvas", "Welcome", (Variant("v", 10000),), steps=(Step("hello"), Step("tips"))),
    ),
)


def write(path: Path, rows: Sequence[Row]) -> str:
    """Write rows in the format that the file's name says; a missing key is a missing value."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    suffixes = path.suffixes
    if suffixes[0] == ".parquet":
        columns = {name: [row.get(name) for row in rows] for name in names}
        pq.write_table(pa.table(columns), path)
        return str(path)
    if suffixes[0] == ".csv":
        buffer = io.StringIO(newline="")
        writer = csv.DictWriter(buffer, names, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        data = buffer.getvalue().encode()
    else:
        data = "".join(json.dumps(dict(row)) + "\n" for row in rows).encode()
    return write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> str:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zst":
        data = pa.Codec("zstd").compress(data, asbytes=True)
    path.write_bytes(data)
    return str(path)


@dataclass
class Reading:
    """What came out of a scan: all records, and the reasons of the rejected ones."""

    scan: Scan
    records: list[dict[str, Any]]
    rejected: list[tuple[str, int, str, str]] = field(default_factory=list)

    @property
    def reasons(self) -> dict[int, str]:
        return {row: reason for _, row, reason, _ in self.rejected}

    @property
    def messages(self) -> dict[int, str]:
        return {row: message for _, row, _, message in self.rejected}


@contextmanager
def database(directory: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_memory(500 * 1000**2, 2, directory / "spill")
    try:
        yield connection
    finally:
        connection.close()


def read(
    directory: Path,
    kind: Kind,
    *paths: str,
    sql: str | None = None,
    options: ReadOptions | None = None,
    definitions: Definitions = DEFINITIONS,
) -> Reading:
    """Read a kind of facts from files (or a statement), records in the order of file and row."""
    source = Source(kind, paths or None, sql)
    with database(directory) as connection:
        scan = stage(connection, kind, source.inputs(), options or ReadOptions(), directory / "staging", definitions)
        cursor = connection.execute(f"SELECT * FROM ({scan.relation_sql}) ORDER BY file, record")
        names = [column[0] for column in cursor.description]
        records = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        rejected = connection.execute(f"SELECT * FROM ({scan.rejected_sql()}) ORDER BY file, row").fetchall()
    refused = {(scan.inputs[record["file"]], record["record"]) for record in records if record["reason"]}
    assert refused == {(file, row) for file, row, _, _ in rejected}, "both ways of reading must refuse the same records"
    return Reading(scan, records, rejected)
