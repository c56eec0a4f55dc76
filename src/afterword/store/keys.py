"""API keys: shown once, kept as a hash, looked up on every request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import keys as table
from afterword.store.permissions import Permission, read_permissions

SECRET_BYTES = 32
"""256 random bits cannot be guessed, so a quick hash is enough: slow ones are for what people think of."""

MAX_NAME = 255
FRESH_MICROSECONDS = 1_000_000
"""How long a key is believed without asking the database, where another process may have revoked it."""

USE_MICROSECONDS = 60_000_000
"""The last use of a key is written at most so often."""

_ID_BYTES = 5
_FORM = re.compile(r"aw_([a-z2-7]{8})_[a-z2-7]{52}")


class UnknownKey(UserError):
    """No key has this id."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are epoch microseconds."""

    id: str
    """Public: the beginning of the key, after `aw_`."""
    name: str
    permissions: frozenset[Permission]
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None
    """To the minute, not to the request."""

    def allows(self, permission: Permission) -> bool:
        """Whether the key may do this."""
        return permission in self.permissions or Permission.ADMIN in self.permissions


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key with its secret, which is nowhere else and cannot be shown again."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"CreatedKey(key={self.key!r}, secret=...)"  # a log of it is no leak


@dataclass(frozen=True, slots=True)
class _Known:
    key: Key
    hash: bytes
    asked_at: int


class Keys:
    """The keys of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._revocations = 0
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._lent: _Known | None = None

    def lend(self, key: Key, key_hash: bytes) -> None:
        """Let a key in that is in no database, for as long as this object lives; one at a time."""
        self._lent = _Known(key, key_hash, 0)

    def is_lent(self, key: Key) -> bool:
        """Return whether this is the key that was let in by `lend`."""
        return (lent := self._lent) is not None and lent.key == key

    def create(
        self, name: str, permissions: Iterable[str], now: int, random_bytes: Callable[[int], bytes]
    ) -> CreatedKey:
        """Make a key; `random_bytes(n)` gives n unpredictable bytes, such as `os.urandom`.

        Raises `UserError` for an empty or long name, an unknown permission, or none at all.
        """
        name = _checked_name(name)
        allowed = read_permissions(permissions)
        key_id, secret = new_secret(random_bytes)
        values: dict[str, Any] = {"id": key_id, "name": name, "hash": hash_of(secret), "created_at": now}
        with self._database.writing() as connection:
            connection.execute(sa.insert(table).values(**values, permissions=json.dumps(sorted(allowed))))
        return CreatedKey(Key(key_id, name, allowed, now), secret)

    def list(self) -> Sequence[Key]:
        """Return all keys, the revoked among them, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.created_at, table.c.id))
            return [_key(row) for row in rows]

    def revoke(self, key_id: str, now: int) -> Key:
        """End a key for good: here at once, in other processes within a second. A revoked one stays as it is.

        Raises `UnknownKey`.
        """
        with self._database.writing() as connection:
            row = _find(connection, key_id)
            if row is None:
                raise UnknownKey(f'unknown key "{_shown(key_id)}"; afterword key list shows all')
            if row.revoked_at is None:
                connection.execute(sa.update(table).where(table.c.id == key_id).values(revoked_at=now))
            key = _key(_find(connection, key_id))
        with self._lock:
            self._revocations += 1
            self._known.pop(key_id, None)
        return key

    def authenticate(self, secret: str, now: int) -> Key | None:
        """Return the key with this secret, None if there is none or it was revoked.

        Asks the database once a second per key, and writes nothing: `write_last_uses` does, now and then.
        """
        form = _FORM.fullmatch(secret)
        if form is None:
            return None
        if (lent := self._lent) is not None and hmac.compare_digest(hash_of(secret), lent.hash):
            return lent.key
        known = self._look_up(form[1], now)
        if known is None or not hmac.compare_digest(hash_of(secret), known.hash):
            return None
        self._used[known.key.id] = now
        return known.key

    def write_last_uses(self, now: int) -> int:
        """Write when keys were used last, of each at most once a minute; return of how many."""
        with self._lock:
            due = {
                key_id: used
                for key_id, used in list(self._used.items())
                if now - self._written.get(key_id, now - USE_MICROSECONDS) >= USE_MICROSECONDS
            }
        if not due:
            return 0
        newer = sa.or_(table.c.last_used_at.is_(None), table.c.last_used_at < sa.bindparam("used"))
        statement = sa.update(table).where(table.c.id == sa.bindparam("key"), newer)
        with self._database.writing() as connection:
            connection.execute(
                statement.values(last_used_at=sa.bindparam("used")), [{"key": k, "used": u} for k, u in due.items()]
            )
        with self._lock:
            for key_id, used in due.items():
                self._written[key_id] = now
                if self._used.get(key_id) == used:
                    del self._used[key_id]
        return len(due)

    def _look_up(self, key_id: str, now: int) -> _Known | None:
        known = self._known.get(key_id)
        if known is not None and 0 <= now - known.asked_at < FRESH_MICROSECONDS:
            return known
        revocations = self._revocations
        with self._database.reading() as connection:
            row = _find(connection, key_id)
        if row is None or row.revoked_at is not None:
            with self._lock:
                self._known.pop(key_id, None)
            return None
        fresh = _Known(_key(row), bytes(row.hash), now)
        with self._lock:
            if revocations == self._revocations:  # else the row may be older than the revocation
                self._known[key_id] = fresh
        return fresh


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise UserError("the name of the key is empty, must say who will use it")
    if len(name) > MAX_NAME:
        raise UserError(f"the name of the key has {len(name)} characters, at most {MAX_NAME} are allowed")
    if not name.isprintable():
        raise UserError("the name of the key holds characters that cannot be printed")
    return name


def text_of(data: bytes) -> str:
    """Return bytes as letters and digits only, so that a double click selects all of a secret, or a part of a key."""
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def new_secret(random_bytes: Callable[[int], bytes]) -> tuple[str, str]:
    """Return the id of a new key and the key; `random_bytes(n)` gives n unpredictable bytes."""
    key_id, rest = text_of(random_bytes(_ID_BYTES)), text_of(random_bytes(SECRET_BYTES))
    return key_id, f"aw_{key_id}_{rest}"


def hash_of(secret: str) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(secret.encode()).digest()


def _shown(key_id: str) -> str:
    """Who mistakes the key for its id must not find it in an error."""
    return key_id if len(key_id) <= 2 * _ID_BYTES else f"{key_id[: 2 * _ID_BYTES]}..."


def _find(connection: Connection, key_id: str) -> Any:
    return connection.execute(sa.select(table).where(table.c.id == key_id)).first()


def _key(row: Any) -> Key:
    names = {str(permission) for permission in Permission}
    permissions = frozenset(Permission(name) for name in json.loads(row.permissions) if name in names)
    return Key(row.id, row.name, permissions, row.created_at, row.revoked_at, row.last_used_at)
