"""Global holdouts: people who get no message of any campaign for a while, so that all messaging can be measured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from afterword.errors import UserError, nearest
from afterword.store.bucket_tables import SALT_LENGTH
from afterword.store.campaign_rules import percent
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import holdouts as table

LEAST, MOST = 10, 1500
"""The share in hundredths of a percent."""
MAX_NAME, SHOWN = 255, 30


class HoldoutRefused(UserError):
    """The name is taken; an HTTP interface answers 409."""


class UnknownHoldout(UserError):
    """No holdout has this name."""


@dataclass(frozen=True, slots=True)
class Holdout:
    """A named part of all people, and when it gets no message. Times are epoch microseconds."""

    name: str
    share: int
    """Hundredths of a percent."""
    from_at: int
    until_at: int
    """The first moment that is no longer held out."""
    salt: str
    created_at: int

    def holds(self, at: int) -> bool:
        """Whether it is in force."""
        return self.from_at <= at < self.until_at


class Holdouts:
    """All holdouts of a workspace, which stay for ever: what was held out once is part of the results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, share: int, from_at: int | None, until_at: int, now: int) -> Holdout:
        """Keep a new holdout; its share is in hundredths of a percent, and it begins now if nothing is said.

        Raises `HoldoutRefused` if the name is taken, `UserError` for a name, share or period that cannot be.
        """
        from_at = now if from_at is None else from_at
        _check(name, share, from_at, until_at, now)
        salt = hashlib.sha256(b"afterword holdout\n" + name.encode()).hexdigest()[:SALT_LENGTH]
        holdout = Holdout(name, share, from_at, until_at, salt, now)
        with self._database.writing() as connection:
            if connection.execute(sa.select(table.c.name).where(table.c.name == name)).first() is not None:
                raise HoldoutRefused(f'there is a holdout "{name}" already, and it stays as it is; use another name')
            connection.execute(sa.insert(table).values(**asdict(holdout)))
        return holdout

    def list(self) -> Sequence[Holdout]:
        """Return all, in the order in which they begin."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.from_at, table.c.created_at, table.c.name))
            return [Holdout(**row._mapping) for row in rows]

    def get(self, name: str) -> Holdout:
        """Return one. Raises `UnknownHoldout`, naming the nearest."""
        if why := _length_problem(name):
            raise UnknownHoldout(f"unknown holdout: {why}")
        found = {holdout.name: holdout for holdout in self.list()}
        if name not in found:
            raise UnknownHoldout(f'unknown holdout "{name}"{nearest(name, found)}')
        return found[name]


def _check(name: str, share: int, from_at: int, until_at: int, now: int) -> None:
    if not name.strip() or not name.isprintable() or "/" in name:
        raise UserError("the name of a holdout must be text that can be printed, without a slash")
    if why := _length_problem(name):
        raise UserError(why)
    if not LEAST <= share <= MOST:
        raise UserError(f"share is {percent(share)} %, must be from {percent(LEAST)} % to {percent(MOST)} %")
    if from_at < now:
        raise UserError(
            f"from is in the past ({_moment(from_at)}), must be now or later: who was messaged since would count as "
            "held out"
        )
    if until_at <= from_at:
        raise UserError(
            f"until is not after from: a holdout from {_moment(from_at)} until {_moment(until_at)} never begins"
        )


def _length_problem(name: str) -> str:
    if len(name) <= MAX_NAME:
        return ""
    return f'the name "{name[:SHOWN]}…" has {len(name)} characters, must have at most {MAX_NAME}'


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
