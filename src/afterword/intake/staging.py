"""Whatever is not Parquet becomes a temporary Parquet file, so that a scan has one kind of file to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from afterword.errors import UserError
from afterword.intake.proofs import Proof, proofs_of
from afterword.intake.sources import InputFile
from afterword.intake.streams import BROKEN, LINE, RECORD, CsvReader, LineReader, csv_header
from afterword.store.sql import identifier, literal, literals, one_path

JSON_TYPE = "__json_type "
"""Prefix of the column that keeps the JSON type of another one: 1 and "1" are not the same."""

_UNSAFE_IN_PARQUET = (
    "HUGEINT",
    "UHUGEINT",
    "BIGNUM",
    "BIT",
    "VARIANT",
    "TIME WITH TIME ZONE",
    "TIME_NS",
    "UNION",
    "GEOMETRY",
)
"""Types that Parquet would round or cannot hold; their text says the same."""


@dataclass(frozen=True, slots=True)
class Table:
    """One input as a Parquet file: its columns under our names, and which of theirs were left aside."""

    input: InputFile
    path: str
    columns: Mapping[str, str]
    """DuckDB's type per column, under the names in the Parquet file."""
    names: Mapping[str, str]
    """Our name to the name in the Parquet file, for those of our columns that it has."""
    theirs: tuple[str, ...]
    """All column names as the user's file has them."""
    ignored: tuple[str, ...]
    staged: bool = False
    """Whether the file has record numbers and broken records of its own."""
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    """What is known of all values, by the names in the Parquet file."""


class Stager:
    """Turns inputs of one kind into tables; what it writes goes to `directory`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        directory: Path,
        prefix: str,
        known: Iterable[str],
        rename: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._prefix = prefix
        self._known = tuple(known)
        self._rename = rename
        self._count = 0

    def table(self, file: InputFile) -> Table:
        """Make one input a table."""
        if file.format == "parquet":
            return self._parquet(file)
        if file.format == "csv":
            return self._csv(file)
        if file.format == "json":
            return self._json(file)
        return self._statement(file)

    def _new_path(self) -> str:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._count += 1
        return str(self._directory / f"{self._prefix}-{self._count}.parquet")

    def _theirs(self, present: Iterable[str]) -> dict[str, str]:
        """Map our names to theirs, for the columns that are there; a renamed column wins over one of our name."""
        have = set(present)
        ours = {name: name for name in self._known if name in have and self._rename.get(name, name) == name}
        ours.update(
            {ours_: theirs for theirs, ours_ in self._rename.items() if theirs in have and ours_ in self._known}
        )
        return ours

    def _parquet(self, file: InputFile) -> Table:
        source = f"read_parquet({one_path(file.path)}, hive_partitioning = false)"
        columns = self._describe(file, f"FROM {source}")
        if not columns:
            raise UserError(f"{file.path} has no columns")
        names = self._theirs(columns)
        proofs = proofs_of(self._connection, file.path, columns, names.values())
        return _table(file, file.path, columns, names, columns, proofs=proofs)

    def _describe(self, file: InputFile, select: str) -> dict[str, str]:
        try:
            rows = self._connection.execute(f"DESCRIBE {select}").fetchall()
        except duckdb.Error as error:
            raise UserError(f"{file.path} cannot be read{_as_parquet(file)}: {_one_line(error)}") from error
        return {str(row[0]): str(row[1]) for row in rows}

    def _csv(self, file: InputFile) -> Table:
        header = csv_header(file)
        names = self._theirs(header)
        wanted = list(names.values())
        reader = CsvReader(file, header, wanted)
        path = self._new_path()
        columns = [RECORD, BROKEN, *wanted]
        select = ", ".join(identifier(name) for name in columns)
        self._copy(reader, f"SELECT {select} FROM intake_batches", path)
        return _table(file, path, dict.fromkeys(wanted, "VARCHAR"), names, header, staged=True)

    def _json(self, file: InputFile) -> Table:
        keys = self._json_keys(file)
        names = self._theirs(keys)
        wanted = list(names.values())
        reader = LineReader(file)
        path = self._new_path()
        self._copy(reader, _extract(wanted), path)
        columns = dict.fromkeys(wanted, "VARCHAR") | {JSON_TYPE + name: "VARCHAR" for name in wanted}
        return _table(file, path, columns, names, keys, staged=True)

    def _json_keys(self, file: InputFile) -> list[str]:
        """Return the names in the objects: of all lines, since an optional one may come late."""
        reader = LineReader(file)
        query = f"""
            SELECT DISTINCT unnest(json_keys({LINE})) AS key FROM intake_batches
            WHERE json_valid({LINE}) AND json_type({LINE}) = 'OBJECT' ORDER BY key
        """
        return [str(row[0]) for row in self._stream(reader, query)]

    def _copy(self, reader: CsvReader | LineReader, select: str, path: str) -> None:
        query = f"COPY ({select}) TO {literal(path)} (FORMAT parquet, COMPRESSION snappy)"
        self._stream(reader, query)

    def _stream(self, reader: CsvReader | LineReader, query: str) -> list[tuple[object, ...]]:
        """Run a query over the batches as `intake_batches`."""
        source = pa.RecordBatchReader.from_batches(reader.schema, reader.batches())
        self._connection.register("intake_batches", source)
        try:
            rows: list[tuple[object, ...]] = self._connection.execute(query).fetchall()
        except (duckdb.Error, pa.ArrowException, UserError, OSError) as error:
            if reader.problem is not None:
                raise reader.problem from error
            raise
        finally:
            self._connection.unregister("intake_batches")
        return rows

    def _statement(self, file: InputFile) -> Table:
        statement = single_select(self._connection, file)
        try:
            # A view, because a statement may end in a semicolon and a comment, and so fits in no brackets.
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW intake_statement AS {statement}")
            theirs = self._describe(file, "FROM intake_statement")
            names = self._theirs(theirs)
            path = self._new_path()
            wanted = ", ".join(_kept(name, theirs[name]) for name in names.values()) or "NULL AS nothing"
            self._connection.execute(
                f"COPY (SELECT {wanted} FROM intake_statement) TO {literal(path)} (FORMAT parquet, COMPRESSION snappy)"
            )
        except duckdb.Error as error:
            raise UserError(f"{file.path} failed: {_one_line(error)}") from error
        finally:
            self._connection.execute("DROP VIEW IF EXISTS intake_statement")
        columns = self._describe(file, f"FROM read_parquet({one_path(path)})")
        return _table(
            file, path, columns, names, theirs, proofs=proofs_of(self._connection, path, columns, names.values())
        )


def _table(
    file: InputFile,
    path: str,
    columns: Mapping[str, str],
    names: Mapping[str, str],
    theirs: Iterable[str],
    *,
    staged: bool = False,
    proofs: Mapping[str, Proof] | None = None,
) -> Table:
    used = set(names.values())
    everything = tuple(theirs)
    ignored = tuple(name for name in everything if name not in used)
    return Table(file, path, columns, names, everything, ignored, staged, proofs or {})


def single_select(connection: duckdb.DuckDBPyConnection, file: InputFile) -> str:
    """Return the one SELECT that a statement must be."""
    try:
        statements = connection.extract_statements(file.statement or "")
    except duckdb.Error as error:
        raise UserError(f"{file.path} is not SQL: {_one_line(error)}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UserError(f"{file.path} must be one SELECT statement, found {len(statements)} statements or another kind")
    query: str = statements[0].query
    return query


def _kept(name: str, kind: str) -> str:
    column = identifier(name)
    if kind.startswith(("STRUCT", "MAP")):
        return f"to_json({column})::VARCHAR AS {column}"
    if kind.startswith(_UNSAFE_IN_PARQUET):
        return f"{column}::VARCHAR AS {column}"
    return column


def _extract(wanted: list[str]) -> str:
    """Select the wanted keys of each line as text, their JSON types beside them, in one walk over the object each."""
    broken = f"""CASE WHEN NOT json_valid({LINE}) THEN 'the line is not valid JSON'
        WHEN json_type({LINE}) <> 'OBJECT' THEN 'the line is not a JSON object' END"""
    marked = f"(SELECT *, {broken} AS {BROKEN} FROM intake_batches)"
    if not wanted:
        return f"SELECT {RECORD}, {BROKEN} FROM {marked}"
    paths = literals("/" + name.replace("~", "~0").replace("/", "~1") for name in wanted)
    texts = ", ".join(f"texts[{i}] AS {identifier(name)}" for i, name in enumerate(wanted, 1))
    types = ", ".join(f"types[{i}] AS {identifier(JSON_TYPE + name)}" for i, name in enumerate(wanted, 1))
    return f"""
        SELECT {RECORD}, {BROKEN}, {texts}, {types}
        FROM (SELECT {RECORD}, {BROKEN},
                CASE WHEN {BROKEN} IS NULL THEN json_extract_string({LINE}, {paths}) END AS texts,
                CASE WHEN {BROKEN} IS NULL THEN json_type({LINE}, {paths}) END AS types
              FROM {marked})"""


def _as_parquet(file: InputFile) -> str:
    return " as Parquet" if file.format == "parquet" else ""


def _one_line(error: duckdb.Error) -> str:
    """Return what DuckDB says without its pointer into the statement."""
    return " ".join(str(error).split("\n\n")[0].split())[:300]
