"""The rows of people in the metadata: read, checked, written. Each function is given a connection in a transaction."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError, nearest
from afterword.store.metadata_tables import accounts as table
from afterword.store.metadata_tables import identities, sessions
from afterword.store.sign_ins import forget

INVITED_MICROSECONDS = 7 * 24 * 3600 * 1_000_000
MAX_EMAIL, MAX_NAME = 254, 255
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


def read_role(name: str) -> Role:
    """Read a role; raises `UserError` for what is none."""
    try:
        return Role(name)
    except ValueError:
        raise UserError(f'unknown role "{name[:40]}"{nearest(name, Role)}, must be of {", ".join(Role)}') from None


def account_of(connection: Connection, account_id: str) -> Account | None:
    """Return an account, None if it is not there or disabled."""
    row = connection.execute(sa.select(table).where(table.c.id == account_id)).first()
    return None if row is None or row.disabled_at is not None else account_from(row)


def checked_values(email: str, name: str, role: str) -> dict[str, Any]:
    """Return what a row holds of an address, a name and a role; raises `UserError` for what cannot be."""
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
    return {"email": email, "email_key": email_key(email), "name": name, "role": read_role(role).value}


def email_key(email: str) -> str:
    """Return an address as it is compared."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).casefold())


def email_hash(key: str) -> bytes:
    """Return by what attempts to sign in are counted."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def new_invitation(secret: str, now: int) -> dict[str, Any]:
    """Return what a row holds of an invitation whose link holds this secret."""
    return {"invitation": hashlib.sha256(secret.encode()).digest(), "invited_until": now + INVITED_MICROSECONDS}


def why_taken(row: Any) -> str:
    """Say why nobody else can have this address."""
    if row.disabled_at is not None:
        return f"{row.email} is disabled: enable the account instead"
    invited = row.password is None and row.invited_until is not None
    state = "was invited already" if invited else "is here already"
    return f"{row.email} {state}"


def is_vouched_for(connection: Connection, account_id: str) -> bool:
    """Return whether somebody has signed in by a provider."""
    return connection.execute(sa.select(identities).where(identities.c.account_id == account_id)).first() is not None


def count_rows(connection: Connection) -> int:
    """Return how many people there are."""
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def insert_row(connection: Connection, now: int, **values: Any) -> Account:
    """Add somebody."""
    account_id = f"p{count_rows(connection) + 1}"  # nobody is ever removed
    connection.execute(sa.insert(table).values(id=account_id, created_at=now, **values))
    return account_from(one_by_id(connection, account_id))


def set_values(connection: Connection, account_id: str, **values: Any) -> Account:
    """Change somebody."""
    connection.execute(sa.update(table).where(table.c.id == account_id).values(**values))
    return account_from(one_by_id(connection, account_id))


def set_password(connection: Connection, row: Any, kept: str) -> Account:
    """Let somebody have a password; invitation, sessions and waiting after wrong ones end."""
    forget(connection, email_hash(row.email_key))
    end_sessions(connection, row.id)
    return set_values(connection, row.id, password=kept, invitation=None, invited_until=None)


def end_sessions(connection: Connection, account_id: str) -> None:
    """End all sessions of somebody, here; `Sessions.forget` is to be told."""
    connection.execute(sa.delete(sessions).where(sessions.c.account_id == account_id))


def keep_an_admin(connection: Connection, row: Any) -> None:
    """Refuse to take the last admin away who can sign in."""
    if row.role != Role.ADMIN.value or row.disabled_at is not None:
        return
    others = sa.select(table.c.id).where(
        table.c.role == Role.ADMIN.value,
        table.c.disabled_at.is_(None),
        sa.or_(table.c.password.is_not(None), table.c.id.in_(sa.select(identities.c.account_id))),
        table.c.id != row.id,
    )
    if connection.execute(others.limit(1)).first() is None:
        raise AccountRefused(f"{row.email} is the last admin who can sign in: make another one first")


def by_email(connection: Connection, email: str) -> Any:
    """Return the row of who has an address, None if nobody has."""
    key = email_key(email)
    if not key.isprintable():  # such as what no database takes
        return None
    return connection.execute(sa.select(table).where(table.c.email_key == key)).first()


def by_invitation(connection: Connection, secret: str, now: int) -> Any:
    """Return the row of whose link holds this, None if it does not stand."""
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
    stands = (table.c.invited_until > now, table.c.disabled_at.is_(None))
    # Of 256 random bits only the hash is compared, by which nobody can come nearer.
    return connection.execute(sa.select(table).where(table.c.invitation == digest, *stands)).first()


def one_by_id(connection: Connection, account_id: str) -> Any:
    """Return a row; raises `UnknownAccount`."""
    row = None
    if account_id.isprintable():
        row = connection.execute(sa.select(table).where(table.c.id == account_id)).first()
    if row is None:
        raise UnknownAccount(f'there is nobody with the id "{account_id[:40]}"')
    return row


def account_from(row: Any) -> Account:
    """Return a row as others know it."""
    until = row.invited_until if row.password is None else None
    return Account(
        row.id, row.email, row.name, Role(row.role), row.created_at, row.disabled_at, row.last_seen_at, until
    )
