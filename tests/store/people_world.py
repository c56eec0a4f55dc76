"""People in a database, with passwords that cost next to nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from argon2 import Parameters, Type

from afterword.store.accounts import Account, Accounts, Role
from afterword.store.metadata_database import Database, open_database
from afterword.store.passwords import Passwords
from afterword.store.sessions import Sessions

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PASSWORD = "correct horse battery"
CHEAP = Parameters(Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class People:
    """What is asked about people."""

    database: Database
    accounts: Accounts
    sessions: Sessions

    def add(self, email: str = "ann@example.com", role: Role = Role.ADMIN, now: int = 10) -> Account:
        """Add somebody with `PASSWORD`."""
        return self.accounts.create(email, email.partition("@")[0], role, now, PASSWORD)

    def signed_in(self, account: Account, now: int = 20) -> str:
        """Begin a session and return its secret."""
        return self.sessions.begin(account.id, now, os.urandom)


@contextmanager
def people_at(place: str, parameters: Parameters = CHEAP) -> Iterator[People]:
    """Open the people of a database."""
    database = open_database(place, create=True)
    sessions = Sessions(database)
    try:
        yield People(database, Accounts(database, sessions.forget, Passwords(parameters)), sessions)
    finally:
        database.close()
