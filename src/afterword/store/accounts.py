"""People who sign in: who they are, what they may, and how they prove it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError, nearest
from afterword.store.keys import text_of
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import accounts as table
from afterword.store.metadata_tables import sessions
from afterword.store.passwords import Passwords
from afterword.store.sign_ins import forget, may_try, retry_at

INVITED_MICROSECONDS = 7 * 24 * 3600 * 1_000_000
MAX_EMAIL, MAX_NAME = 254, 255
SECRET_BYTES = 32
_LINE = {"Cc", "Cs", "Zl", "Zp"}


class UnknownAccount(UserError):
    """Nobody has this id."""


class AccountRefused(UserError):
    """What was asked for is not possible as things stand; an HTTP interface answers 409."""


class Role(StrEnum):
    """What somebody may do; each may what those before may."""

    VIEWER = "viewer"
    """Sees numbers."""
    ANALYST = "analyst"
    """Sees the persons behind them."""
    EDITOR = "editor"
    """Defines campaigns."""
    ADMIN = "admin"
    """Everything."""

    def includes(self, other: Role) -> bool:
        """Whether who has this role may do what the other allows."""
        return list(Role).index(self) >= list(Role).index(other)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. Times are epoch microseconds."""

    id: str
    """`p1`, `p2` and so on; is never given to another."""
    email: str
    name: str
    role: Role
    created_at: int
    disabled_at: int | None = None
    last_seen_at: int | None = None
    """To the minute."""
    invited_until: int | None = None
    """Until when the invitation can be accepted; None for who has a password."""


class Accounts:
    """The people of a workspace. May be used by several threads; what hashes takes a tenth of a second."""

    def __init__(self, database: Database, ended: Callable[[str], None], passwords: Passwords | None = None) -> None:
        """Take what is needed.

        Args:
            database: where they are.
            ended: is told of an account whose sessions have just been ended.
            passwords: how passwords are hashed.

        """
        self._database = database
        self._ended = ended
        self._passwords = passwords or Passwords()

    def any(self) -> bool:
        """Return whether there is anybody, also somebody who was invited or disabled."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(table.c.id).limit(1)).first() is not None

    def create(self, email: str, name: str, role: Role, now: int, password: str, *, first: bool = False) -> Account:
        """Add somebody with a password.

        Args:
            email: compared without case.
            name: as pages show it.
            role: what the person may.
            now: epoch microseconds.
            password: at least 12 characters.
            first: refuse if there is anybody yet, so that of two who set a server up one is refused.

        Raises:
            AccountRefused: the address is taken, or there is somebody already.
            UserError: an address, name or password that cannot be.

        """
        values = _checked(email, name, role)
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            if first and (count := _count(connection)):
                raise AccountRefused(f"there are {count} people already: sign in, or have one of them invite you")
            if (taken := _by_email(connection, email)) is not None:
                raise AccountRefused(_taken(taken))
            return _insert(connection, now, password=kept, **values)

    def invite(
        self, email: str, name: str, role: Role, now: int, chance: Callable[[int], bytes]
    ) -> tuple[Account, str]:
        """Add somebody who is to choose a password within 7 days; return the account and what its link holds.

        Who was invited and has not accepted gets a new link, and the old one ends. `chance(n)` gives n unpredictable
        bytes. Raises as `create`.
        """
        values = _checked(email, name, role)
        secret = text_of(chance(SECRET_BYTES))
        link = _invitation(secret, now)
        with self._database.writing() as connection:
            there = _by_email(connection, email)
            if there is None:
                return _insert(connection, now, **values, **link), secret
            if there.password is not None or there.disabled_at is not None:
                raise AccountRefused(_taken(there))
            return _set(connection, there.id, **values, **link), secret

    def reset(self, account_id: str, now: int, chance: Callable[[int], bytes]) -> tuple[Account, str]:
        """Return what a link holds by which somebody may choose another password; the one before stands until then.

        Raises `UnknownAccount`, and `AccountRefused` for who is disabled.
        """
        secret = text_of(chance(SECRET_BYTES))
        with self._database.writing() as connection:
            row = _one(connection, account_id)
            if row.disabled_at is not None:
                raise AccountRefused(f"{row.email} is disabled: enable the account first")
            return _set(connection, account_id, **_invitation(secret, now)), secret

    def invited(self, secret: str, now: int) -> Account | None:
        """Return whose link holds this, None if there is no such link, or it was used or has expired."""
        with self._database.reading() as connection:
            row = _by_invitation(connection, secret, now)
            return None if row is None else _account(row)

    def accept(self, secret: str, password: str, now: int) -> Account:
        """Let the person whose link holds this have a password; the link ends, and so do sessions from before.

        Raises `AccountRefused` if the link does not stand, `UserError` for a password that cannot be.
        """
        refused = AccountRefused("this link was used, replaced or is older than 7 days: ask for another")
        if self.invited(secret, now) is None:  # nobody else makes us hash
            raise refused
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            row = _by_invitation(connection, secret, now)
            if row is None:
                raise refused
            account = _set_password(connection, row, kept)
        self._ended(account.id)
        return account

    def authenticate(self, email: str, password: str, now: int) -> Account | None:
        """Return who has this address and password; None if nobody has, or it was tried too often (`retry_at`).

        Takes as long for addresses that nobody has. Raises `MetadataUnavailable`.
        """
        key = _email_key(email)
        with self._database.writing() as connection:
            # The attempt counts from before it is judged: of many at once no more are judged than of one by one.
            allowed = may_try(connection, _email_hash(key), now)
            row = _by_email(connection, email)
        kept = row.password if row is not None and row.disabled_at is None and allowed else None
        if not self._passwords.matches(password, kept) or kept is None:
            return None
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(kept) else kept
        with self._database.writing() as connection:
            row = _one(connection, row.id)
            if row.password != kept or row.disabled_at is not None:  # meanwhile
                return None
            forget(connection, _email_hash(key))
            return _account(row) if renewed == kept else _set(connection, row.id, password=renewed)

    def retry_at(self, email: str, now: int) -> int | None:
        """Return from when on passwords for an address are judged again; None if they are now.

        The same for addresses that nobody has.
        """
        with self._database.reading() as connection:
            return retry_at(connection, _email_hash(_email_key(email)), now)

    def set_password(self, account_id: str, password: str, now: int) -> Account:
        """Set a password; all sessions end, and so does an invitation and any waiting after wrong ones.

        Raises `UnknownAccount`, `UserError` for a password that cannot be.
        """
        self.get(account_id)
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            account = _set_password(connection, _one(connection, account_id), kept)
        self._ended(account_id)
        return account

    def set_role(self, account_id: str, role: Role, now: int) -> Account:
        """Let somebody have another role; all sessions end. With the same role nothing happens.

        Raises `UnknownAccount`, and `AccountRefused` for the last admin.
        """
        role = read_role(role)
        with self._database.writing() as connection:
            row = _one(connection, account_id)
            if row.role == role.value:
                return _account(row)
            _keep_an_admin(connection, row)
            account = _set(connection, account_id, role=role.value)
            _end_sessions(connection, account_id)
        self._ended(account_id)
        return account

    def disable(self, account_id: str, now: int) -> Account:
        """Let somebody in no more; all sessions and an invitation end. Who is disabled stays as they are.

        Raises `UnknownAccount`, and `AccountRefused` for the last admin.
        """
        with self._database.writing() as connection:
            row = _one(connection, account_id)
            if row.disabled_at is not None:
                return _account(row)
            _keep_an_admin(connection, row)
            account = _set(connection, account_id, disabled_at=now, invitation=None, invited_until=None)
            _end_sessions(connection, account_id)
        self._ended(account_id)
        return account

    def enable(self, account_id: str, now: int) -> Account:
        """Let somebody in again, with the password from before. Raises `UnknownAccount`."""
        with self._database.writing() as connection:
            _one(connection, account_id)
            return _set(connection, account_id, disabled_at=None)

    def list(self) -> Sequence[Account]:
        """Return all people, the disabled among them, in the order in which they came."""
        with self._database.reading() as connection:
            rows = connection.execute(
                sa.select(table).order_by(table.c.created_at, sa.func.length(table.c.id), table.c.id)
            )
            return [_account(row) for row in rows]

    def get(self, account_id: str) -> Account:
        """Return one of them; raises `UnknownAccount`."""
        with self._database.reading() as connection:
            return _account(_one(connection, account_id))

    def find(self, email: str) -> Account:
        """Return who has an address; raises `UnknownAccount`."""
        with self._database.reading() as connection:
            row = _by_email(connection, email)
            if row is None:
                known = list(connection.execute(sa.select(table.c.email)).scalars())
                raise UnknownAccount(f'nobody has the address "{email[:MAX_EMAIL]}"{nearest(email, known)}')
            return _account(row)


def read_role(name: str) -> Role:
    """Read a role; raises `UserError` for what is none."""
    try:
        return Role(name)
    except ValueError:
        raise UserError(f'unknown role "{name[:40]}"{nearest(name, Role)}, must be of {", ".join(Role)}') from None


def account_of(connection: Connection, account_id: str) -> Account | None:
    """Return an account, None if it is not there or disabled."""
    row = connection.execute(sa.select(table).where(table.c.id == account_id)).first()
    return None if row is None or row.disabled_at is not None else _account(row)


def _checked(email: str, name: str, role: str) -> dict[str, Any]:
    email, name = unicodedata.normalize("NFC", email.strip()), name.strip()
    if len(email) > MAX_EMAIL:
        raise UserError(f"the address has {len(email)} characters, at most {MAX_EMAIL} are allowed")
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", email) or not email.isprintable():
        raise UserError(f'"{email}" is no e-mail address, must be like ann@example.com')
    if not name:
        raise UserError("the name is empty, must say who it is")
    if len(name) > MAX_NAME:
        raise UserError(f"the name has {len(name)} characters, at most {MAX_NAME} are allowed")
    if any(unicodedata.category(character) in _LINE for character in name):
        raise UserError("the name holds control characters, must be one line of text")
    return {"email": email, "email_key": _email_key(email), "name": name, "role": read_role(role).value}


def _email_key(email: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).casefold())


def _email_hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def _invitation(secret: str, now: int) -> dict[str, Any]:
    return {"invitation": hashlib.sha256(secret.encode()).digest(), "invited_until": now + INVITED_MICROSECONDS}


def _taken(row: Any) -> str:
    if row.disabled_at is not None:
        return f"{row.email} is disabled: enable the account instead"
    state = "is here already" if row.password is not None else "was invited already"
    return f"{row.email} {state}"


def _count(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _insert(connection: Connection, now: int, **values: Any) -> Account:
    account_id = f"p{_count(connection) + 1}"  # nobody is ever removed
    connection.execute(sa.insert(table).values(id=account_id, created_at=now, **values))
    return _account(_one(connection, account_id))


def _set(connection: Connection, account_id: str, **values: Any) -> Account:
    connection.execute(sa.update(table).where(table.c.id == account_id).values(**values))
    return _account(_one(connection, account_id))


def _set_password(connection: Connection, row: Any, kept: str) -> Account:
    forget(connection, _email_hash(row.email_key))
    _end_sessions(connection, row.id)
    return _set(connection, row.id, password=kept, invitation=None, invited_until=None)


def _end_sessions(connection: Connection, account_id: str) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.account_id == account_id))


def _keep_an_admin(connection: Connection, row: Any) -> None:
    """Refuse to take the last admin away who can sign in."""
    if row.role != Role.ADMIN.value or row.disabled_at is not None:
        return
    others = sa.select(table.c.id).where(
        table.c.role == Role.ADMIN.value,
        table.c.disabled_at.is_(None),
        table.c.password.is_not(None),
        table.c.id != row.id,
    )
    if connection.execute(others.limit(1)).first() is None:
        raise AccountRefused(f"{row.email} is the last admin who can sign in: make another one first")


def _by_email(connection: Connection, email: str) -> Any:
    key = _email_key(email)
    if not key.isprintable():  # such as what no database takes
        return None
    return connection.execute(sa.select(table).where(table.c.email_key == key)).first()


def _by_invitation(connection: Connection, secret: str, now: int) -> Any:
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
    stands = (table.c.invited_until > now, table.c.disabled_at.is_(None))
    # Of 256 random bits only the hash is compared, by which nobody can come nearer.
    return connection.execute(sa.select(table).where(table.c.invitation == digest, *stands)).first()


def _one(connection: Connection, account_id: str) -> Any:
    row = None
    if account_id.isprintable():
        row = connection.execute(sa.select(table).where(table.c.id == account_id)).first()
    if row is None:
        raise UnknownAccount(f'there is nobody with the id "{account_id[:40]}"')
    return row


def _account(row: Any) -> Account:
    until = row.invited_until if row.password is None else None
    return Account(
        row.id, row.email, row.name, Role(row.role), row.created_at, row.disabled_at, row.last_seen_at, until
    )
