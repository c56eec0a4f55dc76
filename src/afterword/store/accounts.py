"""People who sign in: who they are, what they may, and how they prove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from afterword.errors import nearest
from afterword.store.account_rows import (
    MAX_EMAIL,
    Account,
    AccountRefused,
    Role,
    UnknownAccount,
    account_from,
    account_of,
    by_email,
    by_invitation,
    checked_values,
    count_rows,
    email_hash,
    email_key,
    end_sessions,
    insert_row,
    is_vouched_for,
    keep_an_admin,
    new_invitation,
    one_by_id,
    read_role,
    set_password,
    set_values,
    why_taken,
)
from afterword.store.keys import text_of
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import accounts as table
from afterword.store.passwords import Passwords
from afterword.store.sign_ins import forget, may_try, retry_at

SECRET_BYTES = 32

__all__ = ["Account", "AccountRefused", "Accounts", "Role", "UnknownAccount", "account_of", "read_role"]


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
        values = checked_values(email, name, role)
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            if first and (count := count_rows(connection)):
                raise AccountRefused(f"there are {count} people already: sign in, or have one of them invite you")
            if (taken := by_email(connection, email)) is not None:
                raise AccountRefused(why_taken(taken))
            return insert_row(connection, now, password=kept, **values)

    def invite(
        self, email: str, name: str, role: Role, now: int, chance: Callable[[int], bytes]
    ) -> tuple[Account, str]:
        """Add somebody who is to choose a password within 7 days; return the account and what its link holds.

        Who was invited and has not accepted gets a new link, and the old one ends. `chance(n)` gives n unpredictable
        bytes. Raises as `create`.
        """
        values = checked_values(email, name, role)
        secret = text_of(chance(SECRET_BYTES))
        link = new_invitation(secret, now)
        with self._database.writing() as connection:
            there = by_email(connection, email)
            if there is None:
                return insert_row(connection, now, **values, **link), secret
            if there.password or there.disabled_at is not None or is_vouched_for(connection, there.id):
                raise AccountRefused(why_taken(there))
            return set_values(connection, there.id, **values, **link), secret

    def reset(self, account_id: str, now: int, chance: Callable[[int], bytes]) -> tuple[Account, str]:
        """Return what a link holds by which somebody may choose another password; the one before stands until then.

        Raises `UnknownAccount`, and `AccountRefused` for who is disabled.
        """
        secret = text_of(chance(SECRET_BYTES))
        with self._database.writing() as connection:
            row = one_by_id(connection, account_id)
            if row.disabled_at is not None:
                raise AccountRefused(f"{row.email} is disabled: enable the account first")
            return set_values(connection, account_id, **new_invitation(secret, now)), secret

    def invited(self, secret: str, now: int) -> Account | None:
        """Return whose link holds this, None if there is no such link, or it was used or has expired."""
        with self._database.reading() as connection:
            row = by_invitation(connection, secret, now)
            return None if row is None else account_from(row)

    def accept(self, secret: str, password: str, now: int) -> Account:
        """Let the person whose link holds this have a password; the link ends, and so do sessions from before.

        Raises `AccountRefused` if the link does not stand, `UserError` for a password that cannot be.
        """
        refused = AccountRefused("this link was used, replaced or is older than 7 days: ask for another")
        if self.invited(secret, now) is None:  # nobody else makes us hash
            raise refused
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            row = by_invitation(connection, secret, now)
            if row is None:
                raise refused
            account = set_password(connection, row, kept)
        self._ended(account.id)
        return account

    def authenticate(self, email: str, password: str, now: int) -> Account | None:
        """Return who has this address and password; None if nobody has, or it was tried too often (`retry_at`).

        Takes as long for addresses that nobody has. Raises `MetadataUnavailable`.
        """
        key = email_key(email)
        with self._database.writing() as connection:
            # The attempt counts from before it is judged: of many at once no more are judged than of one by one.
            allowed = may_try(connection, email_hash(key), now)
            row = by_email(connection, email)
        kept = row.password if row is not None and row.disabled_at is None and allowed else None
        if not self._passwords.matches(password, kept) or kept is None:
            return None
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(kept) else kept
        with self._database.writing() as connection:
            row = one_by_id(connection, row.id)
            if row.password != kept or row.disabled_at is not None:  # meanwhile
                return None
            forget(connection, email_hash(key))
            return account_from(row) if renewed == kept else set_values(connection, row.id, password=renewed)

    def retry_at(self, email: str, now: int) -> int | None:
        """Return from when on passwords for an address are judged again; None if they are now.

        The same for addresses that nobody has.
        """
        with self._database.reading() as connection:
            return retry_at(connection, email_hash(email_key(email)), now)

    def set_password(self, account_id: str, password: str, now: int) -> Account:
        """Set a password; all sessions end, and so does an invitation and any waiting after wrong ones.

        Raises `UnknownAccount`, `UserError` for a password that cannot be.
        """
        self.get(account_id)
        kept = self._passwords.hash(password)
        with self._database.writing() as connection:
            account = set_password(connection, one_by_id(connection, account_id), kept)
        self._ended(account_id)
        return account

    def set_role(self, account_id: str, role: Role, now: int) -> Account:
        """Let somebody have another role; all sessions end. With the same role nothing happens.

        Raises `UnknownAccount`, and `AccountRefused` for the last admin.
        """
        role = read_role(role)
        with self._database.writing() as connection:
            row = one_by_id(connection, account_id)
            if row.role == role.value:
                return account_from(row)
            keep_an_admin(connection, row)
            account = set_values(connection, account_id, role=role.value)
            end_sessions(connection, account_id)
        self._ended(account_id)
        return account

    def disable(self, account_id: str, now: int) -> Account:
        """Let somebody in no more; all sessions and an invitation end. Who is disabled stays as they are.

        Raises `UnknownAccount`, and `AccountRefused` for the last admin.
        """
        with self._database.writing() as connection:
            row = one_by_id(connection, account_id)
            if row.disabled_at is not None:
                return account_from(row)
            keep_an_admin(connection, row)
            account = set_values(connection, account_id, disabled_at=now, invitation=None, invited_until=None)
            end_sessions(connection, account_id)
        self._ended(account_id)
        return account

    def enable(self, account_id: str, now: int) -> Account:
        """Let somebody in again, with the password from before. Raises `UnknownAccount`."""
        with self._database.writing() as connection:
            one_by_id(connection, account_id)
            return set_values(connection, account_id, disabled_at=None)

    def list(self) -> Sequence[Account]:
        """Return all people, the disabled among them, in the order in which they came."""
        with self._database.reading() as connection:
            rows = connection.execute(
                sa.select(table).order_by(table.c.created_at, sa.func.length(table.c.id), table.c.id)
            )
            return [account_from(row) for row in rows]

    def get(self, account_id: str) -> Account:
        """Return one of them; raises `UnknownAccount`."""
        with self._database.reading() as connection:
            return account_from(one_by_id(connection, account_id))

    def find(self, email: str) -> Account:
        """Return who has an address; raises `UnknownAccount`."""
        with self._database.reading() as connection:
            row = by_email(connection, email)
            if row is None:
                known = list(connection.execute(sa.select(table.c.email)).scalars())
                raise UnknownAccount(f'nobody has the address "{email[:MAX_EMAIL]}"{nearest(email, known)}')
            return account_from(row)
