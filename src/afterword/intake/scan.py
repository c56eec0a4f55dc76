"""The normalised scan: all inputs of one kind as one SQL relation, each record accepted or rejected with a reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from afterword.errors import Reason, UserError, nearest
from afterword.intake.columns import Check, Raw, form_of, value_name
from afterword.intake.facts import MANDATORY, OWN_IDS, Row, columns_of, row_of
from afterword.intake.proofs import NOTHING_PROVEN, together
from afterword.intake.sources import InputFile, Kind, ReadOptions
from afterword.intake.staging import JSON_TYPE, Stager, Table
from afterword.intake.streams import BROKEN, RECORD
from afterword.model import Channel, Counting, Definitions
from afterword.store.sql import identifier, literal, literals, one_path

_SQL_OF_OUTPUT: Mapping[Kind, tuple[str, ...]] = {
    "events": (
        *("event_id", "user_id", "kind", "occurred_at", "name", "product_id", "order_id", "app_id", "app_version"),
        *("from_version", "device_id", "price", "quantity", "amount", "currency", "campaign", "channel"),
        *("exposure_id", "machine", "properties", "refund_of"),
    ),
    "exposures": (
        *("exposure_id", "user_id", "campaign", "variant", "exposed_at", "channel", "trigger_event_id", "outcome"),
    ),
    "step_messages": ("message_id", "user_id", "campaign", "step", "received_at", "exposure_id"),
}
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
        require_columns(kind, table)
    groups = _groups(tables)
    ordered = [table for group in groups for table in group]
    _create_known(connection, definitions)
    has = frozenset(name for table in tables for name in table.names)
    present = _hashed(has)
    timezone = definitions.workspace.timezone
    offset = 0
    accepted, rejected = [], []
    for group in groups:
        reader = _GroupReader(kind, group, offset, options, timezone, present)
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
        "\nUNION ALL\n".join(accepted) or _nothing(kind),
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


def require_columns(kind: Kind, table: Table) -> None:
    """Refuse a file without a mandatory column."""
    for name in MANDATORY[kind]:
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

_TYPES = {
    "kind": "UTINYINT",
    "occurred_at": "BIGINT",
    "exposed_at": "BIGINT",
    "received_at": "BIGINT",
    "price": "DECIMAL(18, 6)",
    "quantity": "INTEGER",
    "amount": "BIGINT",
    "campaign": "INTEGER",
    "variant": "INTEGER",
    "step": "INTEGER",
    "channel": "TINYINT",
    "outcome": "TINYINT",
    "machine": "BOOLEAN",
}


def _nothing(kind: Kind) -> str:
    """Return a relation of the right columns without rows, for a kind without inputs."""
    outputs = ", ".join(f"NULL::{_TYPES.get(name, 'VARCHAR')} AS {identifier(name)}" for name in _SQL_OF_OUTPUT[kind])
    return (
        "SELECT 0 AS file, 0::BIGINT AS record, 0::UTINYINT AS reason, 0::UTINYINT AS notes, "
        f"{outputs}, 0::UBIGINT AS content WHERE FALSE"
    )


class _GroupReader:
    """Writes the SQL that reads one group of tables with the same columns."""

    def __init__(
        self,
        kind: Kind,
        tables: Sequence[Table],
        offset: int,
        options: ReadOptions,
        timezone: str,
        hashed: Sequence[str],
    ) -> None:
        self._kind = kind
        self._tables = tables
        self._offset = offset
        self._hashed = hashed
        first = tables[0]
        self._raws = raw_columns(first, *tables[1:])
        self._empty = not self._raws
        self._row = Row({}, (), {}, (), "0") if self._empty else row_of(kind, self._raws, options, timezone)

    def _checks(self) -> list[Check]:
        """All checks, first reason first; a record that could not be read at all has no other."""
        possible = [check for check in self._row.checks if check.condition != "FALSE"]
        checks = sorted(possible, key=lambda check: check.reason.code)
        if self._tables[0].staged:
            checks.insert(0, Check(Reason.BAD_TYPE, "broken IS NOT NULL", "broken"))
        return checks

    def _case(self, results: Sequence[str], otherwise: str) -> str:
        cases = zip(self._checks(), results, strict=True)
        return "CASE " + " ".join(f"WHEN {c.condition} THEN {r}" for c, r in cases) + f" ELSE {otherwise} END"

    def relation(self) -> str:
        if self._empty:
            return self._broken_only()
        reason = self._case([str(check.reason.code) for check in self._checks()], "0")
        outputs = ", ".join(f"{self._row.outputs[name]} AS {identifier(name)}" for name in _SQL_OF_OUTPUT[self._kind])
        content = ", ".join(self._row.outputs[name] for name in self._hashed)
        content = f"hash({content})" if content else "0::UBIGINT"
        return (
            f"SELECT file, record, ({reason})::UTINYINT AS reason, ({self._row.notes})::UTINYINT AS notes, "
            f"{outputs}, {content} AS content\n{self._from()}"
        )

    def _broken_only(self) -> str:
        """Lines without a single object: nothing but rejected records."""
        outputs = ", ".join(
            f"NULL::{_TYPES.get(name, 'VARCHAR')} AS {identifier(name)}" for name in _SQL_OF_OUTPUT[self._kind]
        )
        return (
            f"SELECT file, record, {self._broken_reason()}::UTINYINT AS reason, 0::UTINYINT AS notes, {outputs}, "
            f"0::UBIGINT AS content\nFROM ({self._raw()})"
        )

    def _broken_reason(self) -> str:
        return f"CASE WHEN broken IS NULL THEN {Reason.MISSING_FIELD.code} ELSE {Reason.BAD_TYPE.code} END"

    def rejected(self) -> str:
        if self._empty:
            words = f"CASE WHEN broken IS NULL THEN '{Reason.MISSING_FIELD}' ELSE '{Reason.BAD_TYPE}' END"
            message = f"coalesce(broken, {literal(MANDATORY[self._kind][0] + ' is missing')})"
            return f"SELECT file, record, {words} AS reason, {message} AS message FROM ({self._raw()})"
        checks = self._checks()
        # The number of the check first, so that sentences are only made for the rows that need one.
        number = self._case([str(i) for i in range(1, len(checks) + 1)], "0")
        reasons = literals(check.reason.value for check in checks)
        messages = " ".join(f"WHEN {i} THEN {check.message}" for i, check in enumerate(checks, 1))
        return (
            f"SELECT file, record, {reasons}[problem] AS reason, CASE problem {messages} END AS message\n"
            f"FROM (SELECT *, {number} AS problem\n{self._from()}) known WHERE problem <> 0"
        )

    def _raw(self) -> str:
        return raw_relation(self._tables, self._offset)

    def _from(self) -> str:
        values = ", ".join(f"{sql} AS {value_name(name)}" for name, sql in self._row.values.items())
        derived = "".join(f", {sql} AS {name}" for name, sql in self._row.derived.items())
        joins = "\n".join(self._row.joins)
        return f"FROM (SELECT *{derived} FROM (SELECT *, {values}\nFROM ({self._raw()}))) facts\n{joins}"


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


_KNOWN: Mapping[str, Mapping[str, str]] = {
    "intake_campaigns": {
        "campaign_id": "VARCHAR", "campaign": "INTEGER", "only_variant": "INTEGER", "once_per_channel": "BOOLEAN",
        "channels": "INTEGER", "variant_ids": "VARCHAR[]", "step_ids": "VARCHAR[]",
    },
    "intake_variants": {"campaign": "INTEGER", "variant_id": "VARCHAR", "variant": "INTEGER"},
    "intake_steps": {"campaign": "INTEGER", "step_id": "VARCHAR", "step": "INTEGER"},
}  # fmt: skip


def _create_known(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Create the tables that scans look campaigns, variants and steps up in."""
    channels = list(Channel)
    campaigns: list[dict[str, Any]] = []
    variants: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for index, campaign in enumerate(definitions.campaigns):
        campaigns.append(
            {
                "campaign_id": campaign.id,
                "campaign": index,
                "only_variant": 0 if len(campaign.variants) == 1 else None,
                "once_per_channel": campaign.counting is Counting.ONCE_PER_CHANNEL,
                # A bit each; None: any channel will do, and a comparison with NULL rejects nothing
                "channels": sum(1 << channels.index(channel) for channel in set(campaign.channels)) or None,
                "variant_ids": [variant.id for variant in campaign.variants],
                "step_ids": [step.id for step in campaign.steps],
            }
        )
        for position, variant in enumerate(campaign.variants):
            variants.append({"campaign": index, "variant_id": variant.id, "variant": position})
        for position, step in enumerate(campaign.steps):
            steps.append({"campaign": index, "step_id": step.id, "step": position})
    for name, rows in (("intake_campaigns", campaigns), ("intake_variants", variants), ("intake_steps", steps)):
        columns = {column: [row[column] for row in rows] for column in _KNOWN[name]}
        selected = ", ".join(f"unnest(${column}::{kind}[]) AS {column}" for column, kind in _KNOWN[name].items())
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {selected}", columns)
