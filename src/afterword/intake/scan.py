"""The normalised scan: all inputs of one kind as one SQL relation, each record accepted or rejected with a reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from afterword.errors import UserError, nearest
from afterword.intake.columns import Raw, form_of
from afterword.intake.facts import MANDATORY, OWN_IDS, columns_of
from afterword.intake.known import create_known
from afterword.intake.proofs import NOTHING_PROVEN, together
from afterword.intake.relations import RowReader, nothing
from afterword.intake.sources import InputFile, Kind, ReadOptions
from afterword.intake.staging import JSON_TYPE, Stager, Table
from afterword.intake.streams import BROKEN, RECORD
from afterword.model import Definitions
from afterword.store.sql import identifier, literals, one_path

ONLY_CONTENT = ("order_id", "properties", "refund_of")
"""Columns that only tell repetitions from conflicts (rule 33): attribution reads all others anyway, and these come
hashed together as `content`."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Facts of one kind, ready to be read; `relation_sql` has one row per record, the rejected ones too."""

    kind: Kind
    inputs: tuple[str, ...]
    """Names of files (or statements); `file` is an index into it."""
    files: tuple[InputFile, ...]
    columns: frozenset[str]
    """All column names that the inputs have, as the user's files call them."""
    has: frozenset[str]
    """Our names of the columns that at least one input has."""
    notes: tuple[str, ...]
    ids_complete: bool
    """Whether every row is known to have an id of its own."""
    relation_sql: str
    _rejected: str

    def rejected_sql(self) -> str:
        """Return a SELECT of `file` (its name), `row` (1-based record), `reason` and `message` of what is unusable."""
        return self._rejected


def stage(
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    inputs: Sequence[InputFile],
    options: ReadOptions,
    staging_dir: Path,
    definitions: Definitions,
) -> Scan:
    """Make the facts of one kind readable: what is not Parquet is copied to `staging_dir`, nothing else is read."""
    check_rename(options)
    known = columns_of(kind)
    stager = Stager(connection, staging_dir, kind, known, options.rename)
    tables = [stager.table(file) for file in inputs]
    for table in tables:
        require_columns(MANDATORY[kind], table)
    groups = _groups(tables)
    ordered = [table for group in groups for table in group]
    create_known(connection, definitions)
    has = frozenset(name for table in tables for name in table.names)
    present = _hashed(has)
    timezone = definitions.workspace.timezone
    offset = 0
    accepted, rejected = [], []
    for group in groups:
        reader = RowReader(
            kind,
            raw_columns(group[0], *group[1:]),
            raw_relation(group, offset),
            options,
            timezone,
            hashed=present,
            staged=group[0].staged,
        )
        accepted.append(reader.relation())
        rejected.append(reader.rejected())
        offset += len(group)
    names = tuple(table.input.path for table in ordered)
    return Scan(
        kind,
        names,
        tuple(table.input for table in ordered),
        frozenset(name for table in tables for name in table.theirs),
        has,
        _ignored_notes(kind, tables),
        all(_has_own_id(kind, table) for table in tables),
        "\nUNION ALL\n".join(accepted) or nothing(kind),
        f"SELECT {literals(names)}[file + 1] AS file, record AS row, reason, message FROM (\n"
        + ("\nUNION ALL\n".join(rejected) or _NOTHING_REJECTED)
        + "\n)",
    )


def check_rename(options: ReadOptions) -> None:
    """Refuse a renaming to a name that no kind of file has, or of two columns to one."""
    ours = sorted({name for kind in MANDATORY for name in columns_of(kind)})
    for theirs, name in options.rename.items():
        if name not in ours:
            raise UserError(f'--map {theirs}={name}: there is no column "{name}"{nearest(name, ours)}')
    targets = list(options.rename.values())
    for theirs, name in options.rename.items():
        if targets.count(name) > 1:
            raise UserError(f'--map {theirs}={name}: two columns are mapped to "{name}"')


def check_renamed_columns(options: ReadOptions, scans: Iterable[Scan]) -> None:
    """Refuse a renaming of a column that no file has (`--map` holds for the files of all kinds together)."""
    have = sorted({name for scan in scans for name in scan.columns})
    for theirs, ours in options.rename.items():
        if theirs not in have:
            raise UserError(f'--map {theirs}={ours}: no file has a column "{theirs}"{nearest(theirs, have)}')


def require_columns(names: Iterable[str], table: Table) -> None:
    """Refuse a file without a mandatory column."""
    for name in names:
        if name in table.names or (table.input.format == "json" and not table.theirs):
            continue
        listed = ", ".join(table.theirs[:40]) or "none"
        guess = difflib.get_close_matches(name, table.theirs, n=1, cutoff=0.5)
        theirs = guess[0] if guess else "THEIRS"
        hint = f', did you mean "{guess[0]}"?' if guess else "."
        raise UserError(
            f'{table.input.path} has no column "{name}" (its columns: {listed}){hint} '
            f"If it has another name, say so with --map {theirs}={name}"
        )


def _groups(tables: Iterable[Table]) -> list[list[Table]]:
    """Put tables of one schema together: each group is one scan."""
    groups: dict[object, list[Table]] = {}
    for table in tables:
        types = tuple((ours, theirs, table.columns[theirs]) for ours, theirs in sorted(table.names.items()))
        groups.setdefault((types, table.staged, table.input.format == "json"), []).append(table)
    return list(groups.values())


def _hashed(has: frozenset[str]) -> tuple[str, ...]:
    """Return the columns of `content` that any input has: all scans of a kind must hash the same ones."""
    return tuple(name for name in ONLY_CONTENT if name in has)


def _has_own_id(kind: Kind, table: Table) -> bool:
    """Return whether every row of a table is known to have an id."""
    proof = table.proofs.get(table.names.get(OWN_IDS[kind], ""), NOTHING_PROVEN)
    return proof.never_null and proof.never_empty


def _ignored_notes(kind: Kind, tables: Iterable[Table]) -> tuple[str, ...]:
    ignored = {name for table in tables for name in table.ignored}
    if not ignored:
        return ()
    names = ", ".join(sorted(ignored))
    return (f"{kind}: ignored columns: {names}",)


_NOTHING_REJECTED = (
    "SELECT 0 AS file, 0::BIGINT AS record, NULL::VARCHAR AS reason, NULL::VARCHAR AS message WHERE FALSE"
)


def raw_relation(tables: Sequence[Table], offset: int) -> str:
    """Return the SELECT of what tables of one schema hold: file, record and their columns by our names."""
    first = tables[0]
    paths = "[" + ", ".join(one_path(table.path) for table in tables) + "]"
    record = identifier(RECORD) if first.staged else "file_row_number + 1"
    broken = f", {identifier(BROKEN)} AS broken" if first.staged else ""
    columns = "".join(f", {_column(first, name)} AS {identifier('r_' + name)}" for name in first.names)
    types = "".join(
        f", {identifier(JSON_TYPE + theirs)} AS {identifier('j_' + name)}"
        for name, theirs in first.names.items()
        if JSON_TYPE + theirs in first.columns
    )
    return (
        f"SELECT (file_index + {offset})::INTEGER AS file, ({record})::BIGINT AS record"
        f"{broken}{columns}{types} FROM read_parquet({paths}, hive_partitioning = false)"
    )


def _column(table: Table, name: str) -> str:
    return identifier(table.names[name])


def raw_columns(table: Table, *others: Table) -> dict[str, Raw]:
    """Return the columns of tables of one schema as they are read, by our names."""
    raws = {}
    for name, theirs in table.names.items():
        type_name = table.columns[theirs]
        json_type = identifier("j_" + name) if JSON_TYPE + theirs in table.columns else None
        form = form_of("JSON VALUE" if json_type else type_name)
        proof = together([each.proofs.get(each.names[name], NOTHING_PROVEN) for each in (table, *others)])
        raws[name] = Raw(name, form, type_name, identifier("r_" + name), json_type, proof)
    return raws
