"""`Idempotency-Key`: a request that comes again gets the answer that it got before, and does nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from afterword.errors import UserError
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import idempotency as table

KEPT_MICROSECONDS = 24 * 3600 * 1_000_000
ABANDONED_MICROSECONDS = 60 * 1_000_000
"""After so long a request without an answer is taken for one that died with its process."""

MAX_LENGTH = 255


class IdempotencyConflict(UserError):
    """The key was used for another body, or its request is still worked on; an HTTP interface answers 409."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered."""

    status: int
    body: bytes


class Idempotency:
    """The answers of the last 24 hours, per API key and idempotency key. Times are epoch microseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key_id: str, idempotency_key: str, body: bytes, now: int) -> Answer | None:
        """Return the answer that this request got before; None if it is new, and now noted as being worked on.

        After None comes `finish` or `abandon`. Raises `IdempotencyConflict`, and `UserError` for a key that is empty,
        too long or not printable.
        """
        _check(idempotency_key)
        digest = hashlib.sha256(body).digest()
        where = (table.c.key_id == key_id, table.c.idempotency_key == idempotency_key)
        with self._database.writing() as connection:
            row = connection.execute(sa.select(table).where(*where)).first()
            if row is not None and not _is_over(row, now):
                return _answer(row, digest, idempotency_key)
            connection.execute(sa.delete(table).where(*where))
            values: dict[str, Any] = {"key_id": key_id, "idempotency_key": idempotency_key}
            connection.execute(sa.insert(table).values(**values, body_hash=digest, begun_at=now))
        return None

    def finish(self, key_id: str, idempotency_key: str, begun_at: int, answer: Answer) -> None:
        """Keep the answer of a request that `begin` called new at `begun_at`."""
        with self._database.writing() as connection:
            statement = sa.update(table).where(*_begun(key_id, idempotency_key, begun_at))
            connection.execute(statement.values(status=answer.status, answer=answer.body))

    def abandon(self, key_id: str, idempotency_key: str, begun_at: int) -> None:
        """Forget a request that `begin` called new at `begun_at` and that failed, so that it can be tried again."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(table).where(*_begun(key_id, idempotency_key, begun_at)))

    def forget_unfinished(self) -> int:
        """Forget requests that are still worked on, when a server starts: they died with the one before.

        Otherwise a client that tries again right after a crash would be told to wait for nothing.
        """
        with self._database.writing() as connection:
            return connection.execute(sa.delete(table).where(table.c.status.is_(None))).rowcount

    def forget_naming(self, names: Callable[[bytes], bool]) -> int:
        """Forget the requests whose key or answer names somebody; return how many.

        Should one come again, what it brings is known by its ids, or refused with the person who was erased.

        Args:
            names: whether a text does.

        """
        judged: dict[bytes, bool] = {}

        def is_named(text: bytes) -> bool:
            if text not in judged:
                judged[text] = names(text)
            return judged[text]

        columns = [table.c.key_id, table.c.idempotency_key, table.c.answer]
        with self._database.reading() as connection:  # nobody who takes facts in may have to wait for this
            rows = connection.execute(sa.select(*columns).where(table.c.status.is_not(None)))
            # Most answers are one of a few.
            found = [row for row in rows if names(row.idempotency_key.encode()) or is_named(bytes(row.answer))]
        with self._database.writing() as connection:
            for row in found:
                same = [table.c.key_id == row.key_id, table.c.idempotency_key == row.idempotency_key]
                connection.execute(sa.delete(table).where(*same))
        return len(found)

    def prune(self, now: int) -> int:
        """Forget what is older than 24 hours; return how many."""
        with self._database.writing() as connection:
            done = connection.execute(sa.delete(table).where(table.c.begun_at <= now - KEPT_MICROSECONDS))
            return done.rowcount


def _begun(key_id: str, idempotency_key: str, begun_at: int) -> list[sa.ColumnElement[bool]]:
    """What is still worked on, and not by someone who took over since."""
    same = [table.c.key_id == key_id, table.c.idempotency_key == idempotency_key]
    return [*same, table.c.begun_at == begun_at, table.c.status.is_(None)]


def _check(idempotency_key: str) -> None:
    if not idempotency_key:
        raise UserError("the Idempotency-Key is empty")
    if len(idempotency_key) > MAX_LENGTH:
        raise UserError(f"the Idempotency-Key has {len(idempotency_key)} characters, at most {MAX_LENGTH} are allowed")
    if not idempotency_key.isprintable():
        raise UserError("the Idempotency-Key holds characters that cannot be printed")


def _is_over(row: Any, now: int) -> bool:
    lasts = ABANDONED_MICROSECONDS if row.status is None else KEPT_MICROSECONDS
    return bool(row.begun_at <= now - lasts)


def _answer(row: Any, digest: bytes, idempotency_key: str) -> Answer:
    if bytes(row.body_hash) != digest:
        raise IdempotencyConflict(f'the Idempotency-Key "{idempotency_key}" was used for another body')
    if row.status is None:
        raise IdempotencyConflict(f'the request with the Idempotency-Key "{idempotency_key}" is still worked on')
    return Answer(row.status, bytes(row.answer))
