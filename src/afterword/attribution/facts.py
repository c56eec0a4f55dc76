"""The three kinds of facts as the engine reads them: one SELECT each over intake's scan.

Every SELECT gives the columns `row reason notes time id user_id` and the few numbers from which the
sweep's columns are made. `row` is `file << 40 | record`, with bit 62 set where the id is derived from
the content (rule 33). Texts come as their hashes: DuckDB hashes a column of few words once per word and
not once per row, and what the words are can be asked afterwards (`labels`, `tokens`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from afterword.attribution.matching import Matching
from afterword.intake.known import CAMPAIGN_NAMES, STEP_NAMES, VARIANT_NAMES
from afterword.model import Channel, EventKind, Outcome
from afterword.store import shapes
from afterword.store.sql import literals

FactKind = Literal["events", "exposures", "step_messages"]

FILE_SHIFT = 40
RECORD_MASK = (1 << FILE_SHIFT) - 1
DERIVED_BIT = 62
NO_AMOUNT = -(1 << 62)
"""Stands for a price that is missing: no amount comes near it."""
FILE_MASK = (1 << (DERIVED_BIT - FILE_SHIFT)) - 1

CANONICAL_JSON = "CASE WHEN properties IS NOT NULL THEN canonical_json(CAST(properties AS VARCHAR)) END"
_SENT = {
    "kind": f"{literals(kind.label for kind in EventKind)}[kind]",
    "channel": f"{literals(Channel)}[channel + 1]",
    "outcome": f"{literals(Outcome)}[outcome + 1]",
    "campaign_id": f"getvariable('{CAMPAIGN_NAMES}')[campaign + 1]",
    "variant_id": f"getvariable('{VARIANT_NAMES}')[campaign + 1][variant + 1]",
    "step_id": f"getvariable('{STEP_NAMES}')[campaign + 1][step + 1]",
}
"""What was sent, of the columns that scans give as numbers: an id must not depend on what else is defined."""


@dataclass(frozen=True)
class Source:
    """The facts of one kind as intake made them readable."""

    sql: str
    """A SELECT of normalised rows, the rejected ones too."""
    files: int = 1
    columns: frozenset[str] = frozenset()
    """Our names of the columns that there are; the others are NULL or their defaults in every row."""
    ids_complete: bool = False
    """Whether every row is known to have an id of its own."""


@dataclass(frozen=True)
class FactTable:
    """How one kind of fact identifies itself and what its content is (rule 33)."""

    kind: FactKind
    shape: shapes.Shape

    @property
    def id(self) -> str:
        """The column of the id."""
        return self.shape.id

    def id_sql(self) -> str:
        """SQL for the id, or for one derived from the content where the sender gave none."""
        return f"CASE WHEN {self.id} IS NULL THEN {self.digest_sql()} ELSE {self.id} END"

    def digest_sql(self) -> str:
        """SQL for the md5 of the normalised content: one text, whatever the file's format was, as requests have it."""
        properties = CANONICAL_JSON if "properties" in self.shape.columns else "NULL"
        return shapes.unnamed_sql(shapes.joined_sql(_SENT.get(c, c) for c in self.shape.content), properties)

    def selected_id(self, source: Source) -> str:
        """SQL for the id of a row that can be used."""
        own = self.id if source.ids_complete else self.id_sql()
        return f"CASE WHEN reason = 0 THEN {own} ELSE '' END"

    def row_sql(self, source: Source | None = None) -> str:
        """SQL for the row's number."""
        if source is not None and source.ids_complete:
            return f"(CAST(file AS BIGINT) << {FILE_SHIFT}) | record"
        derived = f"CASE WHEN {self.id} IS NULL THEN {1 << DERIVED_BIT} ELSE 0 END"
        return f"(CAST(file AS BIGINT) << {FILE_SHIFT}) | record | {derived}"


EVENTS = FactTable("events", shapes.EVENTS)
EXPOSURES = FactTable("exposures", shapes.EXPOSURES)
STEP_MESSAGES = FactTable("step_messages", shapes.STEP_MESSAGES)


HASHED = {
    "product_id": "product", "name": "name", "app_id": "app", "app_version": "version", "from_version": "stated",
    "device_id": "device", "currency": "currency",
}  # fmt: skip
"""Columns of events that come as hashes of what may be missing, and the names of these."""
MESSAGE_COLUMNS = ("campaign", "channel", "machine", "exposure")
"""Columns that only events about messages have; such an event must name its campaign."""


def _common(table: FactTable, source: Source, time: str) -> str:
    return (
        f"{table.row_sql(source)} AS row, reason, notes, coalesce({time}, 0) AS time, "
        f"{table.selected_id(source)} AS id, CASE WHEN reason = 0 THEN user_id ELSE '' END AS user_id"
    )


def _hashed(column: str) -> str:
    """SQL: 0 for a missing name, else a positive hash of it."""
    return f"CASE WHEN {column} IS NULL THEN 0 ELSE CAST(hash({column}) >> 1 AS BIGINT) | 1 END"


def event_columns(source: Source) -> tuple[str, ...]:
    """Return the names of the columns besides the common ones that `events_sql` selects for any matching."""
    names = ["kind", *(ours for theirs, ours in HASHED.items() if theirs in source.columns)]
    if "price" in source.columns:
        names += ["amount", "quantity"]
    if "campaign_id" in source.columns:
        names += MESSAGE_COLUMNS
    return (*names, *(("content",) if _rest(source) else ()))


def _rest(source: Source) -> bool:
    """Whether there are columns that only repetitions are compared by."""
    return bool({"order_id", "properties", "refund_of"} & source.columns)


def events_sql(source: Source, matching: Matching, *, named: bool) -> str:
    """Return the SELECT of the events.

    With `named` there is a hash of each event's id, for exposures that name the event that triggered them.
    """
    of = {ours: f"hash({theirs})" for theirs, ours in HASHED.items()} | {
        "kind": "coalesce(kind, 0)",
        "amount": f"coalesce(amount, {NO_AMOUNT})",
        "quantity": "coalesce(quantity, 1)",
        "campaign": "campaign",
        "channel": "channel",
        "machine": "CAST(coalesce(machine, false) AS UTINYINT)",
        "exposure": _hashed("exposure_id"),
        "content": "content",
    }
    columns = [f"{of[name]} AS {name}" for name in event_columns(source)]
    columns += [f"{sql} AS bits{index}" for index, sql in enumerate(matching.bits_sql())]
    columns += [f"{_hashed('event_id')} AS named"] if named else []
    return f"SELECT {_common(EVENTS, source, 'occurred_at')}, {', '.join(columns)} FROM ({source.sql}) s"


def exposures_sql(source: Source) -> str:
    """Return the SELECT of the exposures."""
    return f"""
        SELECT {_common(EXPOSURES, source, "exposed_at")},
            CAST(campaign AS INTEGER) AS campaign, CAST(variant AS INTEGER) AS variant,
            CAST(channel AS TINYINT) AS channel, CAST(outcome AS TINYINT) AS outcome,
            {_hashed("exposure_id")} AS named, {_hashed("trigger_event_id")} AS trigger
        FROM ({source.sql}) s"""


def step_messages_sql(source: Source) -> str:
    """Return the SELECT of the step messages."""
    return f"""
        SELECT {_common(STEP_MESSAGES, source, "received_at")},
            CAST(campaign AS INTEGER) AS campaign, CAST(step AS INTEGER) AS step,
            {_hashed("exposure_id")} AS named
        FROM ({source.sql}) s"""
