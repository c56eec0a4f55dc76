"""How often somebody tried to sign in as whom, so that guessing takes for ever and nobody is locked out for ever.

Kept by the hash of the address, whether somebody has it or not: who guesses is not told.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.store.metadata_tables import sign_ins as table

FREE_ATTEMPTS = 5
"""So many passwords in a row may be wrong before the next has to wait."""

LONGEST_WAIT = 15 * 60 * 1_000_000
FORGOTTEN_AFTER = 24 * 3600 * 1_000_000
_SHORTEST_WAIT = 2 * 1_000_000


def may_try(connection: Connection, email_hash: bytes, now: int) -> bool:
    """Return whether a password may be judged now, and count it as wrong until `forget` says otherwise.

    What comes too early is not counted: who has the password gets in after the wait, whatever others do within it.
    """
    connection.execute(sa.delete(table).where(table.c.tried_at <= now - FORGOTTEN_AFTER))
    if retry_at(connection, email_hash, now) is not None:
        return False
    this = table.c.email_hash == email_hash
    counted = sa.update(table).where(this).values(failures=table.c.failures + 1, tried_at=now)
    if connection.execute(counted).rowcount == 0:
        connection.execute(sa.insert(table).values(email_hash=email_hash, failures=1, tried_at=now))
    return True


def retry_at(connection: Connection, email_hash: bytes, now: int) -> int | None:
    """Return from when on a password may be judged, None if now."""
    row = connection.execute(sa.select(table).where(table.c.email_hash == email_hash)).first()
    if row is None or now < row.tried_at:  # a clock that was set back makes nobody wait for it
        return None
    at = int(row.tried_at) + wait_after(row.failures)
    return at if now < at else None


def forget(connection: Connection, email_hash: bytes) -> None:
    """Begin anew: the password was right, or is another one."""
    connection.execute(sa.delete(table).where(table.c.email_hash == email_hash))


def wait_after(failures: int) -> int:
    """Return the microseconds to wait after so many failures: 2 s, 4 s and so on up to 15 minutes."""
    beyond = failures - FREE_ATTEMPTS
    return 0 if beyond < 0 else min(_SHORTEST_WAIT << min(beyond, 20), LONGEST_WAIT)
