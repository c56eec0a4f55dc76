"""The feed of changes as it is read: in order, from a position on, and forgotten when it is old."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from afterword.errors import UserError
from afterword.reports.report import iso_time

WIDEST = 1 << 17
"""How many changes one query looks at, so that what comes later in a long feed is not sorted again for every page."""
GROWTH = 16
"""Who wants all finds a page in as many changes as it has; for who wants few, the next query looks at more."""
QUERIES = 64
"""How many of them one page makes before it ends, found or not."""
TIMES = ("changed_at", "exposed_at", "converted_at")
START_AGAIN = "start from an export of the conversions, and go on from a cursor that was taken before it"
_CURSOR = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")


class ChangesGone(UserError):
    """Changes that are asked for are not kept any more, or are those of another database; HTTP answers 410."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a feed: everything up to a sequence number was read."""

    born: int
    """The feed, see `FeedState`."""
    sequence: int

    @property
    def cursor(self) -> str:
        """The position as a text that only `read_cursor` understands."""
        return f"{self.born:x}-{self.sequence:x}"


@dataclass(frozen=True, slots=True)
class FeedState:
    """What there is of a feed."""

    born: int
    """When it began, in epoch microseconds: 0 before the first refresh. A database that was begun again has another."""
    last: int
    """The sequence number of the last change that there ever was."""
    gone: int
    """Changes up to this sequence number are not kept any more."""

    @property
    def beginning(self) -> Position:
        """Before the first change."""
        return Position(self.born, 0)

    @property
    def end(self) -> Position:
        """After the last change."""
        return Position(self.born, self.last)

    def check(self, position: Position) -> None:
        """Raise `ChangesGone` unless all changes after a position are there."""
        if position.born != self.born or position.sequence > self.last:
            raise ChangesGone(
                f"this is no place in the feed, for the database was begun again or restored: {START_AGAIN}"
            )
        if position.sequence < self.gone:
            raise ChangesGone(
                f"changes up to number {self.gone} are no longer kept, and {position.sequence} were read: {START_AGAIN}"
            )


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in their order."""

    changes: list[dict[str, Any]]
    """As they are told: the columns of result files, `sequence`, `changed_at` and `kind`, with times in ISO 8601."""
    reached: Position
    """There is nothing else for the reader up to here."""
    more: bool
    """Whether the feed goes on after that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes a reader wants; None is all."""

    campaigns: Collection[str] | None = None
    conversion_events: Collection[str] | None = None

    def parameters(self) -> dict[str, Any]:
        """Return what the query takes."""
        campaigns = None if self.campaigns is None else sorted(self.campaigns)
        return {"campaigns": campaigns, "letters": None if (of := self.conversion_events) is None else sorted(of)}


_READ = """
SELECT * FROM derived.changes
WHERE sequence > $after AND sequence <= $until
    AND ($campaigns::VARCHAR[] IS NULL OR list_contains($campaigns::VARCHAR[], campaign_id))
    AND ($letters::VARCHAR[] IS NULL OR list_contains($letters::VARCHAR[], conversion_event))
ORDER BY sequence LIMIT $limit"""


class Feed:
    """The feed of a database. Any thread may read; the one that refreshes forgets."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    @property
    def state(self) -> FeedState:
        """What there is now."""
        with self._snapshot() as (_con, state):
            return state

    def read(self, after: Position, limit: int, wanted: Wanted, until: int | None = None) -> Page:
        """Return the changes after a position, as far as they are wanted.

        Args:
            after: what was read before.
            limit: how many changes at most.
            wanted: which.
            until: the last sequence number to look at; None is the end.

        Raises:
            ChangesGone: some of them are not there any more.

        """
        with self._snapshot() as (con, state):
            state.check(after)
            last = state.last if until is None else min(until, state.last)
            found: list[dict[str, Any]] = []
            reached, width = after.sequence, limit
            for _ in range(QUERIES):
                if len(found) == limit or reached >= last:
                    break
                window = {"after": reached, "until": min(last, reached + width), "limit": limit - len(found)}
                rows = con.execute(_READ, {**window, **wanted.parameters()})
                names = [column[0] for column in rows.description or ()]
                part = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
                found += part
                width = min(width * GROWTH, WIDEST)
                reached = part[-1]["sequence"] if len(found) == limit else window["until"]
            return Page([_told(row) for row in found], Position(state.born, reached), reached < state.last)

    def forget(self, before: int, had: int | None) -> int:
        """Remove old changes; return how many.

        Args:
            before: changes from before this time may go, in epoch microseconds.
            had: only up to this sequence number; None is all.

        """
        with self._snapshot() as (con, state):
            until = state.last if had is None else min(had, state.last)
            # Results never go back in time, so what is old comes first.
            old = "SELECT max(sequence) FROM derived.changes WHERE changed_at < $before AND sequence <= $until"
            gone = con.execute(old, {"before": before, "until": until}).fetchall()[0][0] or 0
            if gone <= state.gone:
                return 0
            con.execute("DELETE FROM derived.changes WHERE sequence <= ?", [gone])
            con.execute("UPDATE derived.feed SET gone = ?", [gone])
            con.execute("COMMIT")
            return gone - state.gone

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, FeedState]]:
        """Give a cursor that sees one state of the feed."""
        cursor = self._con.cursor()
        try:
            cursor.execute("BEGIN TRANSACTION")
            rows = cursor.execute("SELECT born, last, gone FROM derived.feed").fetchall()
            yield cursor, FeedState(*rows[0]) if rows else FeedState(0, 0, 0)
        finally:
            cursor.close()


def read_cursor(text: str) -> Position:
    """Read what `Position.cursor` gave; raises `UserError`."""
    form = _CURSOR.fullmatch(text)
    if form is None:
        raise UserError(f'"{text[:40]}" is no cursor: it must be one that an answer gave, or left out')
    return Position(int(form[1], 16), int(form[2], 16))


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: iso_time(value) if name in TIMES else value for name, value in row.items()}
