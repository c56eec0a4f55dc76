"""The three kinds of facts as the engine reads them: one SELECT each over intake's scan.

Every SELECT gives the columns `row reason notes user time idhash content id` and the few integers
that the sweep needs. `row` is `file << 40 | record`, with bit 62 set where the id is derived from
the content (rule 33); hashes stand for names that are only compared within one user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from afterword.attribution.matching import IRRELEVANT, Matching
from afterword.model import Counting, EventKind

FactKind = Literal["events", "exposures", "step_messages"]

FILE_SHIFT = 40
RECORD_MASK = (1 << FILE_SHIFT) - 1
DERIVED_BIT = 62
UNCLEAR = -1
"""The token of an open or click that counts once per channel where nobody says which."""
FILE_MASK = (1 << (DERIVED_BIT - FILE_SHIFT)) - 1

SEPARATOR = "chr(31)"
CANONICAL_JSON = "CASE WHEN properties IS NOT NULL THEN canonical_json(CAST(properties AS VARCHAR)) END"
_SESSION, _PURCHASE, _UPGRADE = int(EventKind.SESSION), int(EventKind.PURCHASE), int(EventKind.UPGRADE)
_OPEN, _CLICK = int(EventKind.MESSAGE_OPEN), int(EventKind.MESSAGE_CLICK)


@dataclass(frozen=True)
class FactTable:
    """How one kind of fact identifies itself and what its content is (rule 33)."""

    kind: FactKind
    id: str
    content: tuple[str, ...]

    def id_sql(self) -> str:
        """SQL for the id, or for one derived from the content where the sender gave none."""
        return f"CASE WHEN {self.id} IS NULL THEN {self.digest_sql()} ELSE {self.id} END"

    def digest_sql(self) -> str:
        """SQL for the md5 of the normalised content: one text, whatever the file's format was."""
        parts = []
        for column in self.content:
            text = CANONICAL_JSON if column == "properties" else f"CAST({column} AS VARCHAR)"
            parts.append(f"coalesce({text}, chr(1))")
        return f"md5(concat_ws({SEPARATOR}, {', '.join(parts)}))"

    def row_sql(self) -> str:
        """SQL for the row's number."""
        derived = f"CASE WHEN {self.id} IS NULL THEN {1 << DERIVED_BIT} ELSE 0 END"
        return f"(CAST(file AS BIGINT) << {FILE_SHIFT}) | record | {derived}"


EVENTS = FactTable(
    "events",
    "event_id",
    (
        "user_id", "kind", "occurred_at", "name", "product_id", "order_id", "app_id", "app_version", "from_version",
        "device_id", "price", "quantity", "currency", "campaign", "channel", "exposure_id", "machine", "properties",
        "refund_of",
    ),
)  # fmt: skip
EXPOSURES = FactTable(
    "exposures",
    "exposure_id",
    ("user_id", "campaign", "variant", "exposed_at", "channel", "trigger_event_id", "outcome"),
)
STEP_MESSAGES = FactTable("step_messages", "message_id", ("user_id", "campaign", "step", "received_at", "exposure_id"))


def _common(table: FactTable, time: str) -> str:
    return (
        f"{table.row_sql()} AS row, notes, coalesce({time}, 0) AS time, hash({table.id_sql()}) AS idhash, content, "
        f"coalesce(CASE WHEN reason = 0 THEN {table.id_sql()} END, '') AS id, user_id, reason"
    )


def _of_users(inner: str, replaced: str = "") -> str:
    """Join the users last: a join passes on what it is given, and narrow columns are cheaper than those of the file."""
    return f"""
        SELECT f.* EXCLUDE (user_id) {replaced}, CAST(coalesce(u.user, -1) AS INTEGER) AS user
        FROM ({inner}) f LEFT JOIN ids u ON u.known_id = f.user_id"""


def _hashed(column: str) -> str:
    """SQL: 0 for a missing name, else a positive hash of it."""
    return f"CASE WHEN {column} IS NULL THEN 0 ELSE CAST(hash({column}) >> 1 AS BIGINT) | 1 END"


def events_sql(scan: str, matching: Matching, *, named: bool) -> str:
    """Return the SELECT of the events; it reads `ids` (known_id, user) and `keys` (of_kind, key, token).

    With `named` there is a hash of each event's id, for exposures that name the event that triggered them.
    """
    per_channel = [
        str(index)
        for index, campaign in enumerate(matching.definitions.campaigns)
        if campaign.counting is Counting.ONCE_PER_CHANNEL
    ]
    token, lost, replaced = matching.token_sql(), "", ""
    if per_channel:
        unclear = (
            f"s.kind IN ({_OPEN}, {_CLICK}) AND channel < 0 AND campaign IN ({', '.join(per_channel)}) "
            "AND NOT coalesce(machine, false)"
        )
        token = f"CASE WHEN {unclear} AND s.exposure_id IS NULL THEN {UNCLEAR} ELSE {token} END"
        # The exposure that such an event names would say the channel, but only exposed users have one.
        lost = f", coalesce(reason = 0 AND {unclear}, false) AS asks_exposure"
        replaced = f"REPLACE (CASE WHEN asks_exposure AND u.user IS NULL THEN {UNCLEAR} ELSE token END AS token)"
    bits = "".join(f", {sql} AS bits{index}" for index, sql in enumerate(matching.bits_sql()))
    version = "app_version" if matching.versions_matter else "NULL"
    stated = f"from_version || {SEPARATOR} || app_version" if matching.versions_matter else "NULL"
    own = f", {_hashed('event_id')} AS named" if named else ""
    return _of_users(
        f"""
        SELECT {_common(EVENTS, "occurred_at")}, coalesce(s.kind, 0) AS kind,
            CAST(CASE WHEN reason = 0 THEN {token} ELSE {IRRELEVANT} END AS INTEGER) AS token{bits},
            CAST(coalesce(CASE
                WHEN s.kind = {_PURCHASE} THEN amount
                WHEN s.kind IN ({_SESSION}, {_UPGRADE}) THEN install
                WHEN s.kind IN ({_OPEN}, {_CLICK}) THEN {_hashed("exposure_id")} END, 0) AS BIGINT) AS value,
            CASE s.kind
                WHEN {_PURCHASE} THEN currency
                WHEN {_SESSION} THEN {version}
                WHEN {_UPGRADE} THEN {stated}
                WHEN {_OPEN} THEN CAST(channel AS VARCHAR)
                WHEN {_CLICK} THEN CAST(channel AS VARCHAR) END AS label{own}{lost}
        FROM (
            SELECT *, CAST(hash(app_id, device_id) >> 1 AS BIGINT) AS install{matching.looked_up_sql()} FROM ({scan})
        ) s {matching.join_sql()}""",
        replaced,
    )


def exposures_sql(scan: str) -> str:
    """Return the SELECT of the exposures; it reads `ids`."""
    return _of_users(
        f"""
        SELECT {_common(EXPOSURES, "exposed_at")},
            CAST(campaign AS INTEGER) AS campaign, CAST(variant AS INTEGER) AS variant,
            CAST(channel AS TINYINT) AS channel, CAST(outcome AS TINYINT) AS outcome,
            {_hashed("exposure_id")} AS named, {_hashed("trigger_event_id")} AS trigger
        FROM ({scan}) s"""
    )


def step_messages_sql(scan: str) -> str:
    """Return the SELECT of the step messages; it reads `ids`."""
    return _of_users(
        f"""
        SELECT {_common(STEP_MESSAGES, "received_at")},
            CAST(campaign AS INTEGER) AS campaign, CAST(step AS INTEGER) AS step,
            {_hashed("exposure_id")} AS named
        FROM ({scan}) s"""
    )
