"""People whom an OpenID Connect provider vouches for: who they are here, and whether they are let in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError
from afterword.store.account_rows import (
    Account,
    AccountRefused,
    Role,
    account_from,
    by_email,
    checked_values,
    count_rows,
    email_hash,
    end_sessions,
    insert_row,
    keep_an_admin,
    one_by_id,
    set_values,
)
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import identities as table
from afterword.store.sign_ins import forget


class NotAdmitted(UserError):
    """The provider says who it is, and that one is not let in here; an HTTP interface answers 403."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for."""

    issuer: str
    subject: str
    """By which the provider knows the person for ever."""
    email: str
    """Empty where the provider does not vouch that the address is the person's."""
    name: str
    role: Role | None
    """What the settings make of what the provider says; None for nothing."""
    decides: bool
    """Whether the provider decides about the role of people who are here already, too."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in, and what that changed."""

    account: Account
    made: bool = False
    linked: bool = False
    role_before: Role | None = None


class Identities:
    """The people of a workspace as providers know them. May be used by several threads."""

    def __init__(self, database: Database, ended: Callable[[str], None]) -> None:
        """Take the database, and who is told of an account whose sessions have just been ended."""
        self._database = database
        self._ended = ended

    def admit(self, vouched: Vouched, now: int) -> Admitted:
        """Return whose account it is: who signed in so before, else who has the address, else a new one if that may be.

        Raises:
            NotAdmitted: disabled, not invited, the address is somebody else's or not vouched for.
            UserError: a name or address that cannot be.

        """
        with self._database.writing() as connection:
            admitted = _admit(connection, vouched, now)
        if admitted.role_before is not None:
            self._ended(admitted.account.id)
        return admitted


def _admit(connection: Connection, vouched: Vouched, now: int) -> Admitted:
    if not count_rows(connection):
        raise NotAdmitted("nobody has set this server up yet: the first account is made with the admin key")
    if (known := _by_subject(connection, vouched)) is not None:
        return _with_role(connection, vouched, known)
    if not vouched.email:
        raise NotAdmitted("the provider does not vouch for your e-mail address (email_verified), so nobody knows you")
    row = by_email(connection, vouched.email)
    if row is None:
        if vouched.role is None:
            raise NotAdmitted(f"nobody has invited {vouched.email}: ask an admin of this workspace")
        account = insert_row(connection, now, **checked_values(vouched.email, vouched.name, vouched.role))
        _link(connection, vouched, account.id, now)
        return Admitted(account, made=True, linked=True)
    admitted = _with_role(connection, vouched, row)
    other = sa.select(table).where(table.c.account_id == row.id, table.c.issuer == vouched.issuer)
    if connection.execute(other).first() is not None:
        raise NotAdmitted(f"{vouched.email} was somebody else at the provider before: ask an admin of this workspace")
    _link(connection, vouched, row.id, now)
    account = set_values(connection, row.id, invitation=None, invited_until=None)
    return Admitted(account, linked=True, role_before=admitted.role_before)


def _by_subject(connection: Connection, vouched: Vouched) -> Any:
    this = (table.c.issuer == vouched.issuer, table.c.subject == vouched.subject)
    found = connection.execute(sa.select(table.c.account_id).where(*this)).scalar()
    return None if found is None else one_by_id(connection, found)


def _with_role(connection: Connection, vouched: Vouched, row: Any) -> Admitted:
    if row.disabled_at is not None:
        raise NotAdmitted(f"the account of {row.email} is disabled: ask an admin of this workspace")
    if not vouched.decides:
        return Admitted(account_from(row))
    if vouched.role is None:
        raise NotAdmitted(f"the provider gives {row.email} no role here: ask who administers it")
    if row.role == vouched.role.value:
        return Admitted(account_from(row))
    try:
        keep_an_admin(connection, row)
    except AccountRefused:  # a mistake at the provider must not lock everybody out
        return Admitted(account_from(row))
    account = set_values(connection, row.id, role=vouched.role.value)
    end_sessions(connection, row.id)
    return Admitted(account, role_before=Role(row.role))


def _link(connection: Connection, vouched: Vouched, account_id: str, now: int) -> None:
    values = {"issuer": vouched.issuer, "subject": vouched.subject}
    connection.execute(sa.insert(table).values(**values, account_id=account_id, linked_at=now))
    forget(connection, email_hash(one_by_id(connection, account_id).email_key))
