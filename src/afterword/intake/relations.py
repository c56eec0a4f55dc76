"""The SQL of a scan: raw columns in, normalised rows out, each accepted or rejected with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afterword.errors import Reason
from afterword.intake.columns import Check, Raw, value_name
from afterword.intake.facts import MANDATORY, Row, row_of
from afterword.intake.sources import Kind, ReadOptions
from afterword.store.sql import identifier, literal, literals

OUTPUTS: Mapping[Kind, tuple[str, ...]] = {
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


def nothing(kind: Kind) -> str:
    """Return a relation of the right columns without rows, for a kind without inputs."""
    outputs = ", ".join(f"NULL::{_TYPES.get(name, 'VARCHAR')} AS {identifier(name)}" for name in OUTPUTS[kind])
    return (
        "SELECT 0 AS file, 0::BIGINT AS record, 0::UTINYINT AS reason, 0::UTINYINT AS notes, "
        f"{outputs}, 0::UBIGINT AS content WHERE FALSE"
    )


class RowReader:
    """Writes the SQL that reads rows from one relation of raw columns."""

    def __init__(
        self,
        kind: Kind,
        raws: Mapping[str, Raw],
        raw_sql: str,
        options: ReadOptions,
        timezone: str,
        *,
        hashed: Sequence[str] = (),
        staged: bool = False,
        accepted: bool = False,
    ) -> None:
        """Prepare to read.

        Args:
            kind: of fact.
            raws: the columns; without any, all rows are broken.
            raw_sql: a SELECT of `file`, `record` and what `raws` name; staged rows also have `broken`.
            options: what times mean.
            timezone: of the workspace.
            hashed: the columns that `content` is the hash of.
            staged: whether rows may be broken.
            accepted: whether all was checked when the rows were stored, but what depends on the definitions.

        """
        self._kind = kind
        self._raw_sql = raw_sql
        self._hashed = hashed
        self._staged = staged
        self._accepted = accepted
        self._empty = not raws
        self._row = Row({}, (), {}, (), "0") if self._empty else row_of(kind, raws, options, timezone)

    def _checks(self) -> list[Check]:
        """All checks, first reason first; a record that could not be read at all has no other."""
        possible = [check for check in self._row.checks if check.condition != "FALSE"]
        if self._accepted:
            possible = [check for check in possible if check.of_definitions]
        checks = sorted(possible, key=lambda check: check.reason.code)
        if self._staged:
            checks.insert(0, Check(Reason.BAD_TYPE, "broken IS NOT NULL", "broken"))
        return checks

    def _case(self, results: Sequence[str], otherwise: str) -> str:
        cases = list(zip(self._checks(), results, strict=True))
        if not cases:
            return otherwise
        return "CASE " + " ".join(f"WHEN {c.condition} THEN {r}" for c, r in cases) + f" ELSE {otherwise} END"

    def relation(self) -> str:
        """Return the SELECT of the normalised rows, the rejected ones too."""
        if self._empty:
            return self._broken_only()
        reason = self._case([str(check.reason.code) for check in self._checks()], "0")
        outputs = ", ".join(f"{self._row.outputs[name]} AS {identifier(name)}" for name in OUTPUTS[self._kind])
        content = ", ".join(self._row.outputs[name] for name in self._hashed)
        content = f"hash({content})" if content else "0::UBIGINT"
        return (
            f"SELECT file, record, ({reason})::UTINYINT AS reason, ({self._row.notes})::UTINYINT AS notes, "
            f"{outputs}, {content} AS content\n{self._from()}"
        )

    def _broken_only(self) -> str:
        """Lines without a single object: nothing but rejected records."""
        outputs = ", ".join(
            f"NULL::{_TYPES.get(name, 'VARCHAR')} AS {identifier(name)}" for name in OUTPUTS[self._kind]
        )
        return (
            f"SELECT file, record, {self._broken_reason()}::UTINYINT AS reason, 0::UTINYINT AS notes, {outputs}, "
            f"0::UBIGINT AS content\nFROM ({self._raw_sql})"
        )

    def _broken_reason(self) -> str:
        return f"CASE WHEN broken IS NULL THEN {Reason.MISSING_FIELD.code} ELSE {Reason.BAD_TYPE.code} END"

    def rejected(self) -> str:
        """Return the SELECT of `file`, `record`, `reason` and `message` of what is unusable."""
        if self._empty:
            words = f"CASE WHEN broken IS NULL THEN '{Reason.MISSING_FIELD}' ELSE '{Reason.BAD_TYPE}' END"
            message = f"coalesce(broken, {literal(MANDATORY[self._kind][0] + ' is missing')})"
            return f"SELECT file, record, {words} AS reason, {message} AS message FROM ({self._raw_sql})"
        checks = self._checks()
        # The number of the check first, so that sentences are only made for the rows that need one.
        number = self._case([str(i) for i in range(1, len(checks) + 1)], "0")
        reasons = literals(check.reason.value for check in checks)
        messages = " ".join(f"WHEN {i} THEN {check.message}" for i, check in enumerate(checks, 1))
        return (
            f"SELECT file, record, {reasons}[problem] AS reason, CASE problem {messages} END AS message\n"
            f"FROM (SELECT *, {number} AS problem\n{self._from()}) known WHERE problem <> 0"
        )

    def _from(self) -> str:
        values = ", ".join(f"{sql} AS {value_name(name)}" for name, sql in self._row.values.items())
        derived = "".join(f", {sql} AS {name}" for name, sql in self._row.derived.items())
        joins = "\n".join(self._row.joins)
        return f"FROM (SELECT *{derived} FROM (SELECT *, {values}\nFROM ({self._raw_sql}))) facts\n{joins}"
