"""The audit log: who did what and when. Nothing in it is changed but the ids of erased persons, until it is old."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import audit as table

COMMAND = "command"
"""The actor of what was done at the machine itself."""

ERASED = "(erased)"
PAGE_SIZE = 100
MAX_TEXT = 1_000
"""Longer values are cut: a log is no place for documents."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did."""

    number: int
    """From 1, in the order in which it was done."""
    at: int
    """Epoch microseconds."""
    actor: str
    """The id of an account, `key:` and the id of a key, `command`, or `provider` for what a provider's word did."""
    action: str
    """Such as `campaign.launched`."""
    subject: str
    """What it was done to, by its id."""
    detail: dict[str, Any]
    user_id: str | None
    """Of the person that was looked at, `(erased)` if that one was erased since; None where it was about nobody."""


class Audit:
    """The audit log of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, at: int, actor: str, action: str, subject: str, detail: Mapping[str, Any], *, user_id: str | None = None
    ) -> None:
        """Note that something was done.

        Args:
            at: epoch microseconds.
            actor: the id of an account, `key:` and the id of a key, or `command`.
            action: such as `campaign.launched`.
            subject: the id of what it was done to.
            detail: what else is worth knowing, as JSON: no secret, and no id of an end user.
            user_id: the end user that was looked at, if it was one: here erasing finds it.

        """
        values: dict[str, Any] = {"at": at, "actor": _cut(actor), "action": _cut(action), "subject": _cut(subject)}
        values |= {"detail": json.dumps(_short(detail)), "user_id": None if user_id is None else _cut(user_id)}
        with self._database.writing() as connection:
            last = connection.execute(sa.select(sa.func.max(table.c.number))).scalar()
            connection.execute(sa.insert(table).values(number=(last or 0) + 1, **values))

    def list(
        self,
        limit: int = PAGE_SIZE,
        before: int | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> Sequence[Entry]:
        """Return what was done, the newest first.

        Args:
            limit: how many at most.
            before: only what has a lower number than this; None begins with the newest.
            actor: only what this one did.
            action: only this, or all that begin so: `campaign` finds `campaign.launched`.

        """
        query = sa.select(table).order_by(table.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.number < before)
        if actor is not None:
            query = query.where(table.c.actor == _cut(actor))
        if action is not None:
            begins = table.c.action.startswith(f"{_cut(action)}.", autoescape=True)
            query = query.where(sa.or_(table.c.action == _cut(action), begins))
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def prune(self, before: int) -> int:
        """Remove entries from before a time, but for the newest of all, whose number the next one follows.

        Returns how many. `before` is in epoch microseconds.
        """
        with self._database.reading() as connection:
            oldest = connection.execute(sa.select(table.c.at).order_by(table.c.number).limit(1)).scalar()
        if oldest is None or oldest >= before:  # mostly: no need to hold up who writes
            return 0
        with self._database.writing() as connection:
            newest = connection.execute(sa.select(sa.func.max(table.c.number))).scalar()
            return connection.execute(sa.delete(table).where(table.c.at < before, table.c.number < newest)).rowcount

    def forget_naming(self, names: Callable[[bytes], bool]) -> int:
        """Take the ids of erased persons out; return of how many entries. Who looked, and when, stays.

        Args:
            names: whether a text names one.

        """
        columns = [table.c.number, table.c.user_id]
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(*columns).where(table.c.user_id.is_not(None)))
            found = [row.number for row in rows if names(row.user_id.encode("utf-8", "replace"))]
        if found:
            statement = sa.update(table).where(table.c.number == sa.bindparam("found")).values(user_id=ERASED)
            with self._database.writing() as connection:
                connection.execute(statement, [{"found": number} for number in found])
        return len(found)


def _cut(text: str) -> str:
    """Return a text that any database takes, and that fits."""
    text = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _short(value: Any) -> Any:
    match value:
        case str():
            return _cut(value)
        case Mapping():
            return {_cut(str(name)): _short(one) for name, one in value.items()}
        case list() | tuple():
            return [_short(one) for one in value[:100]]
    return value


def _entry(row: Any) -> Entry:
    return Entry(row.number, row.at, row.actor, row.action, row.subject, json.loads(row.detail), row.user_id)
