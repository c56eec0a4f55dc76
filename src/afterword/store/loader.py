"""From the log into the tables of facts, exactly once: the position is stored in the transaction of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from afterword.log import Reader
from afterword.store.fact_keys import Keys, KnownKeys
from afterword.store.frames import Batch, add_refusals, read_ahead
from afterword.store.people import (
    load_attributes,
    load_deletions,
    load_merges,
    load_rejected,
    load_tombstones,
    refuse,
)
from afterword.store.repetitions import imitates, known_keys, take_out_repetitions
from afterword.store.shapes import SHAPES, Shape
from afterword.store.staging import derive_ids, stage
from afterword.store.statements import first_row, is_empty, run, transaction
from afterword.store.user_hashes import user_hash_sql

BATCH_BYTES: Final = 32 * 2**20
REMEMBERED: Final = 2_000
"""Of how many requests a loader knows who sent them: the facts do not say it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded.

    Attributes:
        position: everything before it in the log is in the store.
        rows: new rows per table; of `attributes` and `deletions` the items that came.
        repetitions: items that were there before, with the same content.
        rejected: items that cannot be used, by reason.
        refused: items about erased people.
        oldest: the first time of receipt among the requests, in epoch microseconds; None if there were none.
        newest: the last one.

    """

    position: int
    rows: Counter[str] = field(default_factory=Counter)
    repetitions: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    oldest: int | None = None
    newest: int | None = None


def together(position: int, parts: Sequence[Loaded]) -> Loaded:
    """Return what several steps loaded as one, `position` if there are none."""
    times = [time for one in parts for time in (one.oldest, one.newest) if time is not None]
    return Loaded(
        parts[-1].position if parts else position,
        sum((one.rows for one in parts), Counter[str]()),
        sum(one.repetitions for one in parts),
        sum((one.rejected for one in parts), Counter[str]()),
        sum(one.refused for one in parts),
        min(times, default=None),
        max(times, default=None),
    )


class Loader:
    """Loads the log into the store; for one thread, with a connection (cursor) of its own.

    A second loader of the same store would load twice: there must be one. After an error nothing of the batch is in
    the store, and `load` goes on where it had stopped.

    Attributes:
        senders: ids of the keys of the last requests, by position, as far as this loader loaded them.

    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        log: Reader | Path,
        *,
        tombstone_key: bytes = b"",
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        """Take a place at the stored position; nothing is read yet.

        Args:
            con: to a database that `open_facts` opened.
            log: the directory of the log, or a reader of it.
            tombstone_key: the secret by which `erasing.erase` hashed the ids of erased people.
            batch_bytes: a transaction takes bodies up to this size, and the one that goes beyond.

        """
        self._con = con
        self._reader = log if isinstance(log, Reader) else Reader(log, 0)
        self._key = tombstone_key
        self._batch_bytes = batch_bytes
        self._known: dict[str, KnownKeys] = {}
        self.senders: Mapping[int, str] = {}

    @property
    def position(self) -> int:
        """Everything before it in the log is in the store."""
        return loaded_position(self._con)

    def load(self, up_to: int) -> Loaded:
        """Load all requests before a position, and return what came in; see `batches`, which tells it step by step."""
        return together(self.position, list(self.batches(up_to)))

    def batches(self, up_to: int) -> Generator[Loaded, None, None]:
        """Load the requests before a position, one transaction per batch; each is committed when it is yielded.

        Args:
            up_to: `log.Writer.durable`; nothing happens if it is loaded already.

        Raises:
            LogError: the log cannot be read from the stored position up to this one.
            duckdb.Error: the database failed, such as on a full disk.

        """
        self._learn_keys()
        if self._reader.position != (position := self.position):
            self._reader.position = position
        with closing(read_ahead(self._reader, up_to, self._batch_bytes)) as parts:
            for batch in parts:
                try:
                    loaded = self._load(batch)
                except BaseException:
                    self._known.clear()  # the failure may have come just after the commit
                    raise
                yield loaded

    def _learn_keys(self) -> None:
        if not self._known:
            self._known = {shape.table: known_keys(self._con, shape) for shape in SHAPES}

    def _load(self, batch: Batch) -> Loaded:
        first = self.position
        new_keys: dict[str, Keys] = {}
        with transaction(self._con):
            counts = self._load_lists(batch, new_keys)
            store_position(self._con, batch.end, counts.repetitions)
        for table, keys in new_keys.items():
            self._known[table].add(keys)
        self.senders = dict([*self.senders.items(), *batch.senders][-REMEMBERED:])
        return Loaded(
            batch.end,
            +counts.rows,  # without those that are 0
            counts.repetitions,
            rejected_since(self._con, first, batch.end),
            counts.refused,
            batch.oldest,
            batch.newest,
        )

    def _load_lists(self, batch: Batch, new_keys: dict[str, Keys]) -> _Counts:
        counts = _Counts()
        load_tombstones(self._con, batch)  # first: they refuse what comes after them
        for shape in SHAPES:
            if stage(self._con, batch, shape):
                new_keys[shape.table] = self._load_facts(shape, counts)
        counts.rows["attributes"], refused = load_attributes(self._con, batch, self._key)
        counts.refused += refused
        counts.rows["merges"], repetitions, refused = load_merges(self._con, batch, self._key)
        counts.repetitions += repetitions
        counts.refused += refused
        load_rejected(self._con, batch)
        # Last: the merges before them say who is meant, and nothing comes after them in a batch.
        counts.rows["deletions"] = load_deletions(self._con, batch)
        add_refusals(self._con, batch.refusals)
        run(self._con, "DROP TABLE IF EXISTS staged")  # a deletion must not leave a copy of the person there
        return counts

    def _load_facts(self, shape: Shape, counts: _Counts) -> Keys:
        counts.refused += refuse(self._con, self._key)
        if not is_empty(self._con, f"staged WHERE {shape.id} IS NULL"):
            derive_ids(self._con, shape)
        if not self._known[shape.table].whole and imitates(self._con, shape):
            self._known[shape.table] = known_keys(self._con, shape, whole=True)
        repetitions, keys = take_out_repetitions(self._con, shape, self._known[shape.table])
        counts.repetitions += repetitions
        columns = ", ".join([*shape.own, "digest", "position", "item", "arrived_at"])
        insert = (
            f"INSERT INTO {shape.table} ({columns}, user_hash) SELECT {columns}, {user_hash_sql('user_id')} FROM staged"
        )
        counts.rows[shape.table] = run(self._con, insert)
        return keys


@dataclass(slots=True)
class _Counts:
    rows: Counter[str] = field(default_factory=Counter)
    repetitions: int = 0
    refused: int = 0


def loaded_position(con: duckdb.DuckDBPyConnection) -> int:
    """Return the position up to which the log is in the store."""
    row = first_row(con, "SELECT position FROM loaded")
    return row[0] if row else 0


def store_position(con: duckdb.DuckDBPyConnection, position: int, repetitions: int) -> None:
    """Store how far the log is loaded, and count repetitions that came on the way."""
    if is_empty(con, "loaded"):
        run(con, "INSERT INTO loaded VALUES (0, 0)")
    run(con, "UPDATE loaded SET position = ?, repetitions = repetitions + ?", [position, repetitions])


def rejected_since(con: duckdb.DuckDBPyConnection, first: int, end: int) -> Counter[str]:
    """Return how many items of the requests from one position to before another were rejected, by reason."""
    sql = "SELECT reason, count(*) FROM rejected WHERE position >= ? AND position < ? GROUP BY reason"
    return Counter(dict(con.execute(sql, [first, end]).fetchall()))
