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
    NO_AMOUNT,
    STEP_MESSAGES,
    FactKind,
    FactTable,
    Source,
    event_columns,
    events_sql,
    exposures_sql,
    step_messages_sql,
)
from afterword.attribution.gather import Batch, Classes, Gatherer, Limits, Picked, Seen, Stored
from afterword.attribution.histories import Stores, Vocabulary
from afterword.attribution.labels import CHANNEL, NONE, STATED, VERSION, WHAT, Labels, label_keys
from afterword.attribution.matching import Matching
from afterword.attribution.ordering import NOT_A_VERSION
from afterword.attribution.people import People
from afterword.attribution.repetitions import RowSet
from afterword.attribution.rereading import compare_content, joined
from afterword.attribution.runs import Column
from afterword.attribution.tokens import IRRELEVANT, find_tokens, find_values, unclear_channels
from afterword.model import Counting, EventKind
from afterword.versions import encode_versions

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
    """What intake made readable, by kind."""

    events: Source
    exposures: Source
    step_messages: Source


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
        labels = [*zip(self.labels.what, self.labels.names, strict=True), (NONE, "")]  # the last one is no label, -1
        pairs = [name.split(chr(31)) if what in (VERSION, STATED) else [] for what, name in labels]
        codes = encode_versions({part for pair in pairs for part in pair})
        version: I32 = np.array([codes[pair[-1]] if pair else NOT_A_VERSION for pair in pairs], np.int32)
        version_from: I32 = np.array([codes[p[0]] if len(p) > 1 else NOT_A_VERSION for p in pairs], np.int32)
        channel: I8 = np.array([int(name) if what == CHANNEL else -1 for what, name in labels], np.int8)
        return Vocabulary(kind, session, version_from, version, channel)


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

    def read(self, people: People, parts: int, as_of: int) -> Read:
        """Read exposures, step messages and events that are not later than `as_of`."""
        scans, matching = self._scans, self._read.matching
        gatherer = Gatherer(self._con, people.index, len(people), parts, as_of, self._limits)
        self._gather(
            gatherer, EXPOSURES, scans.exposures, exposures_sql(scans.exposures), EXPOSURE_TYPES, self._pick_exposures
        )
        self._gather(
            gatherer, STEP_MESSAGES, scans.step_messages, step_messages_sql(scans.step_messages), STEP_TYPES,
            self._pick_steps,
        )  # fmt: skip
        types = dict(EVENT_TYPES)
        if self._read.triggers:
            types["named"] = np.int64
        sql = events_sql(scans.events, matching, named=self._read.triggers)
        picker = EventPicker(self._con, scans.events, self._read)
        self._gather(gatherer, EVENTS, scans.events, sql, types, picker.pick)
        self._read.labels.resolve(self._con, scans.events)
        return self._read

    def _gather(
        self,
        gatherer: Gatherer,
        table: FactTable,
        source: Source,
        sql: str,
        types: dict[str, type[np.generic]],
        pick: Callable[[Batch, Seen], Picked],
    ) -> None:
        name = table.kind
        step = f"reading {name.replace('_', ' ')}"
        stored = gatherer.gather(sql, source.files, SHARES[name], types, pick, lambda: self._step(step, None))
        self._read.stored[name] = stored
        repeated, conflicts = stored.repetitions.resolve(compare_content(self._con, table, source.sql))
        self._read.repetitions[name] = repeated
        self._read.conflicts[name] = conflicts

    def _pick_exposures(self, batch: Batch, seen: Seen) -> Picked:
        columns: dict[str, Column] = {name: batch[name] for name in EXPOSURE_TYPES}
        self._read.triggers = self._read.triggers or bool(columns["trigger"].any())
        content = [columns[name] for name in ("campaign", "variant", "channel", "outcome", "trigger")]
        return Picked(seen.usable, columns, content)

    def _pick_steps(self, batch: Batch, seen: Seen) -> Picked:
        lost = (seen.usable >= 0) & (seen.user < 0)
        if lost.any():
            self._read.unexposed_steps.append(batch["row"][lost])
        columns = {name: batch[name] for name in STEP_TYPES}
        return Picked(seen.usable, columns, list(columns.values()))


class EventPicker:
    """Makes the sweep's columns of events."""

    def __init__(self, con: duckdb.DuckDBPyConnection, source: Source, read: Read) -> None:
        self._read = read
        matching = read.matching
        self._columns = event_columns(source)
        names = matching.keys
        hashes = con.execute("SELECT list_transform(?::VARCHAR[], lambda name: hash(name))", [names]).fetchall()[0][0]
        self._tokens = matching.token_table(dict(zip(names, hashes, strict=True)))
        self._missing = int(con.execute("SELECT hash(NULL::VARCHAR)").fetchall()[0][0])
        campaigns = matching.definitions.campaigns
        self._per_channel = np.array([c.counting is Counting.ONCE_PER_CHANNEL for c in campaigns], bool)
        self._constants: dict[str, Column] = {}

    def _column(self, batch: Batch, name: str, dtype: type[np.generic], missing: int) -> Column:
        """Return a column of the batch, or what stands for one that the files do not have."""
        if name in self._columns:
            column: Column = batch[name]
            return column
        constant = self._constants.get(name)
        if constant is None or len(constant) < batch.size:
            constant = self._constants[name] = np.full(batch.size, missing, dtype)
        return constant[: batch.size]

    def pick(self, batch: Batch, seen: Seen) -> Picked:
        """Return what a batch of events contributes."""
        kind = batch["kind"]
        words = {
            name: self._column(batch, name, np.uint64, self._missing)
            for name in ("product", "name", "app", "version", "stated", "device", "currency")
        }
        amount = self._column(batch, "amount", np.int64, NO_AMOUNT)
        campaign = self._column(batch, "campaign", np.int32, -1)
        channel = self._column(batch, "channel", np.int8, -1)
        machine = self._column(batch, "machine", np.uint8, 0)
        exposure = self._column(batch, "exposure", np.int64, 0)
        token = find_tokens(self._tokens, kind, words["product"], words["name"], words["app"], campaign, machine)
        if self._per_channel.any():
            known = (exposure != 0) & (seen.user >= 0)
            unclear = unclear_channels(kind, campaign, channel, machine, known, self._per_channel)
            unclear &= seen.usable >= 0
            token[unclear] = IRRELEVANT
            self._read.channel_unclear.append(batch["row"][unclear])
        self._read.refunds += int(((kind == EventKind.REFUND) & (seen.usable >= 0)).sum())
        keys = label_keys(
            kind, words["currency"], words["version"], words["stated"], channel, self._missing,
            self._read.matching.versions_matter, WHAT,
        )  # fmt: skip
        bits = [batch[f"bits{index}"] for index in range(self._read.matching.bit_columns)]
        columns: dict[str, Column] = {
            "class": self._read.classes.encode(token, bits),
            "value": find_values(kind, amount, words["app"], words["device"], exposure),
            "label": self._read.labels.encode(keys),
        }
        if self._read.triggers:
            columns["named"] = batch["named"]
        wanted = token - np.int32(1)  # negative for what is irrelevant
        return Picked(wanted, columns, [batch[name] for name in self._columns], kind)
