"""Files of history as the log keeps facts: the values and reasons of files, whatever campaigns are defined by now.

A run looks campaigns, variants and steps up; here their names stay, for an exposure may wait for its campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from afterword.errors import Reason
from afterword.intake.accepted import Attributes, Event, Exposure, Merge, StepMessage
from afterword.intake.columns import MAX_LENGTH, Check, Form, Raw, identifier_value, missing, value_name
from afterword.intake.facts import MANDATORY, OWN_IDS, TIMES, columns_of, row_of
from afterword.intake.scan import raw_columns, raw_relation
from afterword.intake.sources import Kind, ReadOptions
from afterword.intake.staging import Stager, Table
from afterword.model import Channel, EventKind, Outcome
from afterword.store.sql import identifier, literal, literals

HistoryKind: TypeAlias = Literal["exposures", "events", "step_messages", "merges", "users"]
HISTORY_KINDS: tuple[HistoryKind, ...] = ("users", "merges", "exposures", "events", "step_messages")
FACTS: Mapping[HistoryKind, type[Event] | type[Exposure] | type[StepMessage]] = {
    "exposures": Exposure,
    "events": Event,
    "step_messages": StepMessage,
}
USER = "user_id"
_MICROSECONDS = 1_000_000
_NOT_SENT = frozenset({"item", "once", "corrected"})
"""Fields of facts in the log that no file has."""
_WORDS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "kind": (tuple(kind.label for kind in EventKind), 1),
    "channel": (tuple(Channel), 0),
    "outcome": (tuple(Outcome), 0),
}
"""What the codes of closed lists stand for, and the first code."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """When an import began, which is when its facts are received, in epoch microseconds (rule 34)."""

    at: int
    skew_seconds: int

    @property
    def latest(self) -> int:
        """The latest time that a fact may have."""
        return self.at + self.skew_seconds * _MICROSECONDS


@dataclass(frozen=True, slots=True)
class History:
    """One file of history, ready to be read."""

    sql: str
    """A SELECT of `record`, `notes` (bits), `reason` and `message` (NULL if the row can be used), and the columns, in
    the order of the file."""
    columns: tuple[str, ...]
    """The names of the log's fields that the file has."""
    attributes: tuple[str, ...] = ()
    """The names of the users' attributes; their columns are `attribute_0` and so on, JSON or NULL."""
    ids_complete: bool = True
    """Whether every fact is known to have an id of its own, or needs none."""


@dataclass
class _Rows:
    """How rows are read: values of the raw columns, what is wrong with them, and the fields that they make."""

    values: dict[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    notes: str = "0"
    outputs: dict[str, str] = field(default_factory=dict)


class UserStager(Stager):
    """Stages files of users: every column is an attribute."""

    def _theirs(self, present: Iterable[str]) -> dict[str, str]:
        have = list(present)
        renamed = super()._theirs(have)
        return {**{name: name for name in have if name not in renamed.values() and name != USER}, **renamed}


def history_of(kind: HistoryKind, table: Table, options: ReadOptions, timezone: str, receipt: Receipt) -> History:
    """Return how a staged file of history is read.

    Args:
        kind: what the file holds.
        table: the file.
        options: what times mean.
        timezone: of the workspace, for dates without a time.
        receipt: when it is received.

    """
    raws = raw_columns(table)
    if not raws:  # lines without a single object
        rows = _Rows(checks=[Check(Reason.MISSING_FIELD, "TRUE", literal(f"{_first(kind)} is missing"))])
    elif kind == "users":
        rows = _users(raws)
    elif kind == "merges":
        rows = _merges(raws)
    else:
        rows = _facts(kind, raws, options, timezone, receipt)
    attributes = tuple(name for name in raws if name != USER) if kind == "users" else ()
    complete = True
    if kind in FACTS and raws:
        own = raws.get(OWN_IDS[_fact_kind(kind)])
        complete = own is not None and own.absent == "FALSE"
    return History(_select(rows, table), tuple(rows.outputs), attributes, complete)


def columns_of_history(kind: HistoryKind) -> tuple[str, ...]:
    """Return our names of the columns of a kind of file; other columns of users are attributes."""
    return (USER,) if kind == "users" else columns_of(kind)


def mandatory_of(kind: HistoryKind) -> tuple[str, ...]:
    """Return the columns that a file must have."""
    return (USER,) if kind == "users" else MANDATORY[kind]


def fields_of(kind: HistoryKind) -> tuple[str, ...]:
    """Return the fields of a kind in the log, in order, without those that say where it stands."""
    structs = {**FACTS, "merges": Merge, "users": Attributes}
    return tuple(name for name in structs[kind].__struct_fields__ if name != "item")


def _first(kind: HistoryKind) -> str:
    return mandatory_of(kind)[0]


def _fact_kind(kind: HistoryKind) -> Kind:
    assert kind != "users"
    return kind


def _facts(kind: HistoryKind, raws: Mapping[str, Raw], options: ReadOptions, timezone: str, receipt: Receipt) -> _Rows:
    fact = _fact_kind(kind)
    row = row_of(fact, raws, options, timezone)
    checks = [check for check in row.checks if not check.of_definitions]
    checks.append(_in_future(raws[TIMES[fact]], receipt))
    rows = _Rows(dict(row.values), row.derived, checks, row.notes)
    for name in fields_of(kind):
        if name in row.values and name not in _NOT_SENT:
            rows.outputs[name] = _output(name)
    return rows


def _output(name: str) -> str:
    value = value_name(name)
    if name in _WORDS:
        words, first = _WORDS[name]
        return f"{literals(words)}[{value}::INTEGER + {1 - first}]"
    return f"{value}::VARCHAR" if name == "price" else value


def _in_future(raw: Raw, receipt: Receipt) -> Check:
    """Files have no time of receipt of their own; what is imported has."""
    value = value_name(raw.name)
    seconds = f"(({value} - {receipt.at} + {_MICROSECONDS - 1}) // {_MICROSECONDS})::VARCHAR"
    ending = literal(f" s after its receipt, must be at most {receipt.skew_seconds} s")
    return Check(Reason.IN_FUTURE, f"{value} > {receipt.latest}", f"{raw.says('is ')} || {seconds} || {ending}")


def _merges(raws: Mapping[str, Raw]) -> _Rows:
    rows = _Rows()
    for name in MANDATORY["merges"]:
        _add_id(rows, raws[name])
    return rows


def _users(raws: Mapping[str, Raw]) -> _Rows:
    rows = _Rows()
    _add_id(rows, raws[USER])
    for place, raw in enumerate(raw for name, raw in raws.items() if name != USER):
        name = f"attribute_{place}"
        rows.values[name] = _json(raw)
        rows.outputs[name] = value_name(name)
        if len(raw.name) > MAX_LENGTH:
            message = f"an attribute's name has {len(raw.name)} characters, must be at most {MAX_LENGTH}"
            rows.checks.append(Check(Reason.TOO_LONG, raw.present, literal(message)))
    return rows


def _add_id(rows: _Rows, raw: Raw) -> None:
    value = identifier_value(raw)
    rows.values[raw.name] = value.sql
    rows.outputs[raw.name] = value_name(raw.name)
    rows.checks += [Check(Reason.MISSING_FIELD, raw.absent, missing(raw.name).message), *value.checks]


def _json(raw: Raw) -> str:
    """Return the SQL of a value as JSON with the type that the file gives it; NULL where it is missing."""
    text = f"to_json({raw.sql}::VARCHAR)::VARCHAR"
    if raw.form is Form.JSON:
        return f"CASE WHEN {raw.absent} THEN NULL WHEN {raw.json_type} = 'VARCHAR' THEN {text} ELSE {raw.sql} END"
    if raw.form is Form.TEXT:
        return f"CASE WHEN {raw.present} THEN {text} END"
    if raw.form in (Form.INTEGER, Form.DECIMAL):
        return f"{raw.sql}::VARCHAR"
    if raw.form is Form.FLOAT:  # what is no number has no JSON
        return f"CASE WHEN isfinite({raw.sql}) THEN to_json({raw.sql})::VARCHAR END"
    if raw.form in (Form.BOOLEAN, Form.OBJECT) or raw.type_name.endswith("]"):
        return f"CASE WHEN {raw.present} THEN to_json({raw.sql})::VARCHAR END"
    return f"CASE WHEN {raw.present} THEN {text} END"


def _select(rows: _Rows, table: Table) -> str:
    checks = sorted((c for c in rows.checks if c.condition != "FALSE"), key=lambda check: check.reason.code)
    if table.staged:
        checks.insert(0, Check(Reason.BAD_TYPE, "broken IS NOT NULL", "broken"))
    values = "".join(f", {sql} AS {value_name(name)}" for name, sql in rows.values.items())
    derived = "".join(f", {sql} AS {name}" for name, sql in rows.derived.items())
    outputs = "".join(f", {sql} AS {identifier(name)}" for name, sql in rows.outputs.items())
    # The number of the check first, so that sentences are only made for the rows that need one.
    cases = " ".join(f"WHEN {check.condition} THEN {n}" for n, check in enumerate(checks, 1))
    problem = f"CASE {cases} END" if checks else "NULL::INTEGER"
    messages = " ".join(f"WHEN {n} THEN {check.message}" for n, check in enumerate(checks, 1))
    message = f"CASE problem {messages} END" if checks else "NULL::VARCHAR"
    reason = f"{literals(check.reason.value for check in checks)}[problem]" if checks else "NULL::VARCHAR"
    return (
        f"SELECT record, ({rows.notes})::UTINYINT AS notes, {reason} AS reason, {message} AS message{outputs}"
        f"\nFROM (SELECT *, {problem} AS problem FROM (SELECT *{derived} FROM (SELECT *{values}\n"
        f"FROM ({raw_relation([table], 0)}))))"
    )
