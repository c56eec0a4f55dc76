"""Reading the three kinds of facts into stores by user (what the sweep needs, and nothing else)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import numpy as np

from afterword.attribution.compiled import I8, I32, I64, U8
from afterword.attribution.facts import (
    EVENTS,
    EXPOSURES,
    STEP_MESSAGES,
    UNCLEAR,
    FactKind,
    FactTable,
    events_sql,
    exposures_sql,
    step_messages_sql,
)
from afterword.attribution.gather import Batch, Classes, Gatherer, Labels, Limits, Stored
from afterword.attribution.histories import Stores, Vocabulary
from afterword.attribution.matching import IRRELEVANT, Matching
from afterword.attribution.ordering import NOT_A_VERSION
from afterword.attribution.repetitions import RowSet
from afterword.attribution.rereading import compare_content, joined
from afterword.attribution.runs import Column
from afterword.model import Channel, EventKind
from afterword.versions import encode_versions

Picked = tuple[I32, dict[str, Column]]
Step = Callable[[str, float | None], None]

EVENT_TYPES: dict[str, type[np.generic]] = {"class": np.int32, "value": np.int64, "label": np.int32}
EXPOSURE_TYPES: dict[str, type[np.generic]] = {
    "campaign": np.int32, "variant": np.int32, "channel": np.int8, "outcome": np.int8, "named": np.int64,
    "trigger": np.int64,
}  # fmt: skip
STEP_TYPES: dict[str, type[np.generic]] = {"campaign": np.int32, "step": np.int32, "named": np.int64}
SHARES: dict[FactKind, float] = {"events": 0.55, "exposures": 0.3, "step_messages": 0.15}


@dataclass(frozen=True)
class Scans:
    """The SELECTs that intake made, and how many files each reads."""

    events: str
    exposures: str
    step_messages: str
    event_files: int = 1
    exposure_files: int = 1
    step_files: int = 1


@dataclass
class Read:
    """The facts, read: stores by user, what was seen, and the rows that are no facts after all."""

    matching: Matching
    stored: dict[FactKind, Stored] = field(default_factory=dict)
    repetitions: dict[FactKind, I64] = field(default_factory=dict)
    conflicts: dict[FactKind, I64] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    classes: Classes = field(default_factory=lambda: Classes(0, 0))
    triggers: bool = False
    refunds: int = 0
    unexposed_steps: list[I64] = field(default_factory=list)
    channel_unclear: list[I64] = field(default_factory=list)

    def dropped(self, kind: FactKind) -> I64:
        """Return the rows that are repetitions or conflicts."""
        return joined([self.repetitions[kind], self.conflicts[kind]])

    def kept(self, kind: FactKind, rows: list[I64]) -> I64:
        """Return the rows that are neither repetitions nor conflicts."""
        found = joined(rows)
        return found[~np.isin(found, self.dropped(kind))] if len(found) else found

    def stores(self) -> Stores:
        """Return what histories are loaded from."""
        sets = [
            RowSet(self.dropped(kind), self.stored[kind].survey.records)
            for kind in ("events", "exposures", "step_messages")
        ]
        runs = [self.stored[kind].runs for kind in ("events", "exposures", "step_messages")]
        return Stores(runs[0], runs[1], runs[2], sets[0], sets[1], sets[2], self.triggers)

    def vocabulary(self) -> Vocabulary:
        """Return what the integers of the event stream stand for."""
        tokens = [None, *self.matching.tokens]
        kinds = [0 if (token := tokens[row[0]]) is None else int(token.kind) for row in self.classes.rows]
        kind: U8 = np.array(kinds, np.uint8)
        session = np.where(kind == EventKind.SESSION, 1, np.where(kind == EventKind.UPGRADE, 2, 0)).astype(np.uint8)
        pairs = [name.split(chr(31)) for name in self.labels.names]
        codes = encode_versions({part for pair in pairs for part in pair})
        version: I32 = np.array([codes[pair[-1]] for pair in pairs], np.int32)
        version_from: I32 = np.array([codes[p[0]] if len(p) > 1 else NOT_A_VERSION for p in pairs], np.int32)
        channel: I8 = np.array([_channel(name) for name in self.labels.names], np.int8)
        return Vocabulary(kind, session, version_from, version, channel)


def _channel(label: str) -> int:
    return int(label) if label.isascii() and label.isdigit() and int(label) < len(Channel) else -1


class Reader:
    """Reads all facts of a run."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, scans: Scans, matching: Matching, limits: Limits, step: Step
    ) -> None:
        self._con = con
        self._scans = scans
        self._limits = limits
        self._step = step
        self._read = Read(matching)
        self._read.classes = Classes(matching.bit_columns, len(matching.tokens))

    def read(self, users: int, parts: int, as_of: int) -> Read:
        """Read exposures, step messages and events that are not later than `as_of`."""
        con, scans, matching = self._con, self._scans, self._read.matching
        con.execute("CREATE OR REPLACE TEMP TABLE keys (of_kind UTINYINT, key VARCHAR, token INTEGER)")
        if matching.keys:
            con.executemany("INSERT INTO keys VALUES (?, ?, ?)", matching.keys)
        gatherer = Gatherer(con, users, parts, as_of, self._limits)
        plan: list[tuple[FactTable, str, str, int, dict[str, type[np.generic]], Callable[[Batch, I32], Picked]]] = [
            (EXPOSURES, scans.exposures, exposures_sql(scans.exposures), scans.exposure_files, EXPOSURE_TYPES,
             self._pick_exposures),
            (STEP_MESSAGES, scans.step_messages, step_messages_sql(scans.step_messages), scans.step_files, STEP_TYPES,
             self._pick_steps),
        ]  # fmt: skip
        for each in plan:
            self._gather(gatherer, *each)
        types = dict(EVENT_TYPES)
        if self._read.triggers:
            types["named"] = np.int64
        sql = events_sql(scans.events, matching, named=self._read.triggers)
        self._gather(gatherer, EVENTS, scans.events, sql, scans.event_files, types, self._pick_events)
        return self._read

    def _gather(
        self,
        gatherer: Gatherer,
        table: FactTable,
        scan: str,
        sql: str,
        files: int,
        types: dict[str, type[np.generic]],
        pick: Callable[[Batch, I32], Picked],
    ) -> None:
        name = table.kind
        step = f"reading {name.replace('_', ' ')}"
        stored = gatherer.gather(sql, files, SHARES[name], types, pick, lambda: self._step(step, None))
        self._read.stored[name] = stored
        repeated, conflicts = stored.repetitions.resolve(compare_content(self._con, table, scan))
        self._read.repetitions[name] = repeated
        self._read.conflicts[name] = conflicts

    def _pick_exposures(self, batch: Batch, usable: I32) -> Picked:
        columns: dict[str, Column] = {name: batch[name] for name in EXPOSURE_TYPES}
        self._read.triggers = self._read.triggers or bool(columns["trigger"].any())
        return usable, columns

    def _pick_steps(self, batch: Batch, usable: I32) -> Picked:
        lost = (usable >= 0) & (batch["user"] < 0)
        if lost.any():
            self._read.unexposed_steps.append(batch["row"][lost])
        return usable, {name: batch[name] for name in STEP_TYPES}

    def _pick_events(self, batch: Batch, usable: I32) -> Picked:
        token, kind = batch["token"], batch["kind"]
        unclear = (token == UNCLEAR) & (usable >= 0)
        if unclear.any():
            self._read.channel_unclear.append(batch["row"][unclear])
            token = np.maximum(token, IRRELEVANT)
        self._read.refunds += int(((kind == EventKind.REFUND) & (usable >= 0)).sum())
        bits = [batch[f"bits{index}"] for index in range(self._read.matching.bit_columns)]
        columns: dict[str, Column] = {
            "class": self._read.classes.encode(token, bits),
            "value": batch["value"],
            "label": self._read.labels.encode(batch.arrow("label")),
            "fact_kind": kind,
        }
        if self._read.triggers:
            columns["named"] = batch["named"]
        return np.where(token == IRRELEVANT, np.int32(-1), np.int32(0)), columns
