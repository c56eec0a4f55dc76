"""Drafts: campaigns as the pages have them so far, half-filled and wrong as they may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError
from afterword.store.campaigns import one
from afterword.store.keys import text_of
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import drafts as table

MAX_BYTES = 256 << 10
MAX_DRAFTS = 1_000
_ID_BYTES = 10


class UnknownDraft(UserError):
    """No draft has this id."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft. Times are epoch microseconds."""

    id: str
    document: dict[str, Any]
    revision: int
    """From 1; every change makes the next."""
    of: str | None
    """The campaign that it is to change; None for a new one."""
    created_at: int
    updated_at: int
    updated_by: str
    """As the audit log names who did something."""


class DraftChanged(UserError):
    """Somebody else saved the draft meanwhile; an HTTP interface answers 412."""

    def __init__(self, newer: Draft) -> None:
        self.newer = newer
        super().__init__(
            f'draft "{newer.id}" was saved by {newer.updated_by} meanwhile and is at revision {newer.revision}'
        )


class Drafts:
    """The drafts of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, document: Mapping[str, Any], actor: str, now: int, chance: Callable[[int], bytes], of: str | None = None
    ) -> Draft:
        """Keep a new draft.

        Args:
            document: JSON, up to 256 KiB of it.
            actor: who made it, as in the audit log.
            now: epoch microseconds.
            chance: gives so many unpredictable bytes, such as `os.urandom`.
            of: the campaign that it is to change.

        Raises:
            UnknownCampaign: there is none to change.
            UserError: the document is too large, or there are too many drafts.

        """
        draft_id, text = f"d_{text_of(chance(_ID_BYTES))}", _written(document)
        with self._database.writing() as connection:
            if of is not None:
                one(connection, of)
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            if count >= MAX_DRAFTS:
                raise UserError(f"there are {count:,} drafts, at most {MAX_DRAFTS:,} are allowed: delete some")
            values = {"id": draft_id, "document": text, "revision": 1, "of": of, "created_at": now}
            connection.execute(sa.insert(table).values(**values, updated_at=now, updated_by=actor))
            return _found(connection, draft_id)

    def save(self, draft_id: str, document: Mapping[str, Any], revision: int, actor: str, now: int) -> Draft:
        """Replace the document of the draft at a revision; what is the same already leaves no trace.

        Raises:
            DraftChanged: the draft is at another revision, and says other things than this.
            UnknownDraft: there is none.
            UserError: the document is too large.

        """
        text = _written(document)
        with self._database.writing() as connection:
            stored = _found(connection, draft_id)
            if _written(stored.document) == text:
                return stored
            if stored.revision != revision:
                raise DraftChanged(stored)
            values = {"document": text, "revision": revision + 1, "updated_at": now, "updated_by": actor}
            connection.execute(sa.update(table).where(table.c.id == draft_id).values(**values))
            return _found(connection, draft_id)

    def get(self, draft_id: str) -> Draft:
        """Return a draft; raises `UnknownDraft`."""
        with self._database.reading() as connection:
            return _found(connection, draft_id)

    def list(self) -> Sequence[Draft]:
        """Return all drafts, the last changed first."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.updated_at.desc(), table.c.id))
            return [_draft(row) for row in rows]

    def delete(self, draft_id: str, revision: int | None = None) -> Draft:
        """Forget a draft, at whatever revision if none is said, and return it.

        Raises `UnknownDraft`, and `DraftChanged` if it is at another revision.
        """
        with self._database.writing() as connection:
            stored = _found(connection, draft_id)
            if revision is not None and stored.revision != revision:
                raise DraftChanged(stored)
            connection.execute(sa.delete(table).where(table.c.id == draft_id))
            return stored


def _written(document: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(document), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError):
        raise UserError("the document of the draft is no JSON object that can be kept") from None
    if size > MAX_BYTES:
        raise UserError(f"the document of the draft has {size:,} bytes, at most {MAX_BYTES:,} are allowed")
    return text


def _found(connection: Connection, draft_id: str) -> Draft:
    row = None
    if draft_id.isprintable():
        row = connection.execute(sa.select(table).where(table.c.id == draft_id)).first()
    if row is None:
        raise UnknownDraft(f'there is no draft "{draft_id[:40]}"')
    return _draft(row)


def _draft(row: Any) -> Draft:
    values = dict(row._mapping)
    return Draft(**{**values, "document": json.loads(row.document)})
