"""Sessions of people who signed in: a secret in a cookie, kept as a hash, that ends by itself or is ended."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.store.accounts import Account, UnknownAccount, account_of
from afterword.store.keys import text_of
from afterword.store.metadata_database import Database, MetadataUnavailable
from afterword.store.metadata_tables import accounts
from afterword.store.metadata_tables import sessions as table

SECRET_BYTES = 32
IDLE_MICROSECONDS = 12 * 3600 * 1_000_000
LONGEST_MICROSECONDS = 30 * 24 * 3600 * 1_000_000
FRESH_MICROSECONDS = 1_000_000
"""How long a session is believed without asking the database, where another process may have ended it."""

SEEN_MICROSECONDS = 60_000_000
"""When a session was seen last is written at most so often."""

_ID_BYTES = 10
_FORM = re.compile(r"aws_([a-z2-7]{16})_[a-z2-7]{52}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session it is."""

    account: Account
    session_id: str
    csrf: str = field(repr=False)
    """What a form must bring along: only pages of this session know it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session without its secret. Times are epoch microseconds."""

    id: str
    account_id: str
    created_at: int
    seen_at: int
    """To the minute."""

    def stands(self, now: int) -> bool:
        """Return whether the session has not ended by itself."""
        return now - self.seen_at < IDLE_MICROSECONDS and now - self.created_at < LONGEST_MICROSECONDS


@dataclass(frozen=True, slots=True)
class _Known:
    session: Session
    account: Account
    hash: bytes
    asked_at: int

    def stands(self, now: int) -> bool:
        """Return whether the session has not ended by itself."""
        return self.session.stands(now)


class Sessions:
    """The sessions of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._ends = 0

    def begin(self, account_id: str, now: int, chance: Callable[[int], bytes]) -> str:
        """Begin a session and return its secret, which is kept nowhere; `chance(n)` gives n unpredictable bytes.

        Raises `UnknownAccount` for nobody and for who is disabled.
        """
        session_id = text_of(chance(_ID_BYTES))
        secret = f"aws_{session_id}_{text_of(chance(SECRET_BYTES))}"
        with self._database.writing() as connection:
            if account_of(connection, account_id) is None:
                raise UnknownAccount(f'there is nobody with the id "{account_id[:40]}", or the account is disabled')
            _prune(connection, now)
            values = {"id": session_id, "account_id": account_id, "hash": _hash_of(secret)}
            connection.execute(sa.insert(table).values(**values, created_at=now, seen_at=now))
            connection.execute(sa.update(accounts).where(accounts.c.id == account_id).values(last_seen_at=now))
        return secret

    def find(self, secret: str, now: int) -> SignedIn | None:
        """Return whose session it is; None if there is none, it has ended, or the account is disabled.

        Asks the database once a second per session, and writes at most once a minute when it was seen.
        """
        form = _FORM.fullmatch(secret)
        known = None if form is None else self._look_up(form[1], now)
        if known is None or not hmac.compare_digest(_hash_of(secret), known.hash) or not known.stands(now):
            return None
        if now - known.session.seen_at >= SEEN_MICROSECONDS:
            known = self._seen(known, now)
        return SignedIn(known.account, known.session.id, _csrf(secret))

    def end(self, secret: str, now: int) -> None:
        """End a session: here at once, in other processes within a second. One that is not there needs no end."""
        form = _FORM.fullmatch(secret)
        if form is None:
            return
        with self._database.writing() as connection:
            _prune(connection, now)
            connection.execute(sa.delete(table).where(table.c.id == form[1], table.c.hash == _hash_of(secret)))
        self._forget(lambda known: known.session.id == form[1])

    def end_one(self, account_id: str, session_id: str, now: int) -> bool:
        """End one of somebody's sessions, such as on a device that was lost; return whether there was one."""
        with self._database.writing() as connection:
            _prune(connection, now)
            this = (table.c.id == session_id, table.c.account_id == account_id)
            ended = connection.execute(sa.delete(table).where(*this)).rowcount
        self._forget(lambda known: known.session.id == session_id)
        return ended > 0

    def end_all(self, account_id: str, now: int) -> int:
        """End all sessions of somebody; return how many."""
        with self._database.writing() as connection:
            _prune(connection, now)
            ended = connection.execute(sa.delete(table).where(table.c.account_id == account_id)).rowcount
        self.forget(account_id)
        return ended

    def forget(self, account_id: str) -> None:
        """Ask the database again about the sessions of somebody: they have just been ended there."""
        self._forget(lambda known: known.account.id == account_id)

    def list(self, account_id: str) -> Sequence[Session]:
        """Return the sessions of somebody, the last seen first; some may have ended by themselves."""
        with self._database.reading() as connection:
            query = sa.select(table).where(table.c.account_id == account_id)
            return [_session(row) for row in connection.execute(query.order_by(table.c.seen_at.desc(), table.c.id))]

    def counts(self, now: int) -> Mapping[str, int]:
        """Return how many sessions stand, by account; those without any are left out."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table))
            return Counter(one.account_id for one in map(_session, rows) if one.stands(now))

    def _forget(self, concerned: Callable[[_Known], bool]) -> None:
        with self._lock:
            self._ends += 1
            self._known = {name: known for name, known in self._known.items() if not concerned(known)}

    def _look_up(self, session_id: str, now: int) -> _Known | None:
        known = self._known.get(session_id)
        if known is not None and 0 <= now - known.asked_at < FRESH_MICROSECONDS:
            return known
        ends = self._ends
        with self._database.reading() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == session_id)).first()
            account = None if row is None else account_of(connection, row.account_id)
        if row is None or account is None:
            with self._lock:
                self._known.pop(session_id, None)
            return None
        fresh = _Known(_session(row), account, bytes(row.hash), now)
        with self._lock:
            if ends == self._ends:  # else the row may be older than the end
                self._known = {name: one for name, one in self._known.items() if one.stands(now)}
                self._known[session_id] = fresh
        return fresh

    def _seen(self, known: _Known, now: int) -> _Known:
        """Write that it was seen. A page that only reads does not fail because somebody else writes for too long."""
        with suppress(MetadataUnavailable), self._database.writing() as connection:
            session_id, account_id = known.session.id, known.account.id
            earlier = (table.c.id == session_id, table.c.seen_at < now)
            connection.execute(sa.update(table).where(*earlier).values(seen_at=now))
            connection.execute(sa.update(accounts).where(accounts.c.id == account_id).values(last_seen_at=now))
        seen = replace(known, session=replace(known.session, seen_at=now))
        with self._lock:
            if self._known.get(known.session.id) is known:
                self._known[known.session.id] = seen
        return seen


def _hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _csrf(secret: str) -> str:
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def _prune(connection: Connection, now: int) -> None:
    idle, old = table.c.seen_at <= now - IDLE_MICROSECONDS, table.c.created_at <= now - LONGEST_MICROSECONDS
    connection.execute(sa.delete(table).where(sa.or_(idle, old)))


def _session(row: Any) -> Session:
    return Session(row.id, row.account_id, row.created_at, row.seen_at)
