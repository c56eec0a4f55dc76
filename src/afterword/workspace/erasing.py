"""Erasing persons (rule 36): from facts and results at once, from the log and the files' old blocks when it is time.

`Erasing` is what both a server and `erase_persons`, for a directory that no server has open, do step by step; when a
server does it is for `cleaning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from afterword.store.erasing import (
    Unfinished,
    are_waiting,
    erase_waiting,
    forget,
    refunded_by_waiting,
    unfinished,
)
from afterword.store.erasing_log import Known, known, names_one_of
from afterword.store.metadata import Metadata
from afterword.workspace.live.refreshing import Erase, Erased


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a person."""

    user_id: str
    """As it was asked for."""
    ids: int
    """How many ids the person has, merges followed (rule 37)."""
    facts: int
    """Events, exposures and step messages."""


class Erasing:
    """The steps of erasing in an open data directory; each can be done again after a crash."""

    def __init__(
        self, facts: duckdb.DuckDBPyConnection, metadata: Metadata, secret: bytes, chance: Callable[[int], bytes]
    ) -> None:
        """Take what is needed.

        Args:
            facts: the open facts; every piece of work takes a cursor.
            metadata: has answers that may name persons.
            secret: by which the ids of erased persons are hashed.
            chance: returns so many unpredictable bytes.

        """
        self._facts = facts
        self._metadata = metadata
        self._secret = secret
        self._chance = chance

    def erase(self, at: int) -> Erase | None:
        """Return what erases those who wait for it, for `Live.refresh`; None if nobody does."""
        with self._cursor() as con:
            if not are_waiting(con):
                return None

        def erased(con: duckdb.DuckDBPyConnection) -> Erased:
            others = refunded_by_waiting(con)
            persons = erase_waiting(con, key=self._secret, erased_at=at, random_bytes=self._chance)
            return Erased(tuple(persons), tuple(others))

        return erased

    def left(self) -> Unfinished:
        """Return what is left to be done."""
        with self._cursor() as con:
            return unfinished(con)

    def for_the_log(self, up_to: int) -> Known:
        """Return what takes those who were erased by deletions before a position out of the log."""
        with self._cursor() as con:
            return known(con, up_to, self._secret)

    def forget(self, persons: Known, up_to: int) -> None:
        """After the log: take persons out of kept answers, and forget who they were.

        Raises:
            MetadataUnavailable: kept answers cannot be reached; do it again.

        """
        if persons.users:
            self._metadata.forget_naming(names_one_of(persons.users))
        with self._cursor() as con:
            forget(con, up_to)

    def find(self, users: Sequence[str]) -> list[Found]:
        """Return what there is of persons, named by any of their ids."""
        with self._cursor() as con:
            return [_found(con, user) for user in users]

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._facts.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def _found(con: duckdb.DuckDBPyConnection, user: str) -> Found:
    rows = con.execute(
        """
        WITH RECURSIVE pairs AS (
            SELECT from_user_id AS a, to_user_id AS b FROM merges UNION SELECT to_user_id, from_user_id FROM merges
        ), ids AS (
            SELECT $user AS id UNION SELECT b FROM pairs JOIN ids ON a = id
        )
        SELECT (SELECT count(*) FROM ids), count(*) FROM (
            SELECT user_id FROM events UNION ALL SELECT user_id FROM exposures UNION ALL
            SELECT user_id FROM step_messages
        ) WHERE user_id IN (SELECT id FROM ids)""",
        {"user": user},
    ).fetchall()
    return Found(user, *rows[0])
