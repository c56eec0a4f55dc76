"""Decisions of Intelligent Selection as they are kept, and how one becomes the shares of its campaign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError
from afterword.store.campaign_forms import with_shares
from afterword.store.campaign_rules import Status, refusals
from afterword.store.campaigns import CampaignRefused, StoredCampaign, one, update
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import selection_decisions as table
from afterword.store.metadata_tables import selection_pauses as pauses


class UnknownDecision(UserError):
    """The campaign has no decision with this number."""


class Cause(StrEnum):
    """Why a decision was made."""

    SCHEDULE = "schedule"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision. Times are epoch microseconds, shares hundredths of a percent by variant."""

    campaign_id: str
    number: int
    """From 1, in the order in which they were made."""
    decided_at: int
    cause: Cause
    stage: str
    shares: dict[str, int]
    shares_before: dict[str, int]
    settled_on: str | None
    document: str
    """JSON: the whole decision, with its inputs and its seed."""
    applied_at: int | None
    """When its shares became those of the campaign; None if they did not."""


class Selections:
    """The decisions of all campaigns. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        campaign_id: str,
        *,
        decided_at: int,
        cause: Cause,
        stage: str,
        shares: Mapping[str, int],
        shares_before: Mapping[str, int],
        settled_on: str | None,
        document: str,
        apply: bool = False,
    ) -> StoredDecision:
        """Keep a decision, and with `apply` let its shares be the campaign's: both or, if that is refused, neither.

        Raises `UnknownCampaign`, and as `apply`.
        """
        with self._database.writing() as connection:
            one(connection, campaign_id)
            last = _last(connection, campaign_id)
            number = 1 if last is None else last.number + 1
            values: dict[str, Any] = {"campaign_id": campaign_id, "number": number, "decided_at": decided_at}
            values |= {"cause": cause.value, "stage": stage, "settled_on": settled_on, "document": document}
            values |= {"shares": json.dumps(dict(shares)), "shares_before": json.dumps(dict(shares_before))}
            connection.execute(sa.insert(table).values(**values))
            if apply:
                _apply(connection, campaign_id, number, decided_at)
            return _found(connection, campaign_id, number)

    def list(self, campaign_id: str, limit: int | None = None) -> Sequence[StoredDecision]:
        """Return the decisions of a campaign, the newest first. Raises `UnknownCampaign`."""
        with self._database.reading() as connection:
            one(connection, campaign_id)
            query = sa.select(table).where(table.c.campaign_id == campaign_id).order_by(table.c.number.desc())
            return [_decision(row) for row in connection.execute(query.limit(limit))]

    def get(self, campaign_id: str, number: int) -> StoredDecision:
        """Return one decision. Raises `UnknownCampaign` and `UnknownDecision`."""
        with self._database.reading() as connection:
            one(connection, campaign_id)
            return _found(connection, campaign_id, number)

    def last(self, campaign_id: str) -> StoredDecision | None:
        """Return the newest decision of a campaign, None if there is none."""
        with self._database.reading() as connection:
            return _last(connection, campaign_id)

    def apply(self, campaign_id: str, number: int, now: int) -> tuple[StoredDecision, StoredCampaign]:
        """Let the shares of a decision be those of its campaign, as if they had been changed by hand.

        Only the newest decision can be applied, while the shares that it was made from still stand; once it was
        applied nothing happens. Raises `UnknownCampaign`, `UnknownDecision`, `CampaignRefused`.
        """
        with self._database.writing() as connection:
            _apply(connection, campaign_id, number, now)
            return _found(connection, campaign_id, number), one(connection, campaign_id)

    def pause(self, campaign_id: str, now: int) -> None:
        """Make no decision by schedule until `resume`; a paused one stays as it is. Raises `UnknownCampaign`."""
        with self._database.writing() as connection:
            one(connection, campaign_id)
            if _paused_at(connection, campaign_id) is None:
                connection.execute(sa.insert(pauses).values(campaign_id=campaign_id, paused_at=now))

    def resume(self, campaign_id: str) -> None:
        """Decide by schedule again. Raises `UnknownCampaign`."""
        with self._database.writing() as connection:
            one(connection, campaign_id)
            connection.execute(sa.delete(pauses).where(pauses.c.campaign_id == campaign_id))

    def paused_at(self, campaign_id: str) -> int | None:
        """Return since when a campaign is paused, None if it is not."""
        with self._database.reading() as connection:
            return _paused_at(connection, campaign_id)


def _apply(connection: Connection, campaign_id: str, number: int, now: int) -> None:
    stored, decision = one(connection, campaign_id), _found(connection, campaign_id, number)
    if decision.applied_at is not None:
        return
    _check(connection, stored, decision)
    campaign = with_shares(stored.campaign, decision.shares)
    problems = refusals(stored.campaign, campaign, launched=True)
    if problems:
        raise CampaignRefused(f'"{campaign_id}": {"; ".join(problems)}')
    update(connection, stored, campaign, now)
    this = (table.c.campaign_id == campaign_id, table.c.number == number)
    connection.execute(sa.update(table).where(*this).values(applied_at=now))


def _check(connection: Connection, stored: StoredCampaign, decision: StoredDecision) -> None:
    campaign_id = decision.campaign_id
    last = _last(connection, campaign_id)
    if last is not None and last.number != decision.number:
        raise CampaignRefused(
            f'decision {decision.number} of "{campaign_id}" is not the newest, which is {last.number}: '
            "only that can be applied"
        )
    if stored.status is not Status.RUNNING:
        raise CampaignRefused(f'"{campaign_id}" is {stored.status}, must be running for its shares to be decided on')
    shares = {variant.id: variant.share_hundredths for variant in stored.campaign.variants}
    if shares != decision.shares_before:
        raise CampaignRefused(
            f'decision {decision.number} of "{campaign_id}" was made from other shares than stand now: decide again'
        )


def _last(connection: Connection, campaign_id: str) -> StoredDecision | None:
    query = sa.select(table).where(table.c.campaign_id == campaign_id).order_by(table.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _decision(row)


def _found(connection: Connection, campaign_id: str, number: int) -> StoredDecision:
    query = sa.select(table).where(table.c.campaign_id == campaign_id, table.c.number == number)
    row = connection.execute(query).first()
    if row is None:
        last = _last(connection, campaign_id)
        there = "it has none" if last is None else f"the newest is {last.number}"
        raise UnknownDecision(f'"{campaign_id}" has no decision {number}: {there}')
    return _decision(row)


def _paused_at(connection: Connection, campaign_id: str) -> int | None:
    query = sa.select(pauses.c.paused_at).where(pauses.c.campaign_id == campaign_id)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def _decision(row: Any) -> StoredDecision:
    return StoredDecision(
        campaign_id=row.campaign_id,
        number=row.number,
        decided_at=row.decided_at,
        cause=Cause(row.cause),
        stage=row.stage,
        shares=json.loads(row.shares),
        shares_before=json.loads(row.shares_before),
        settled_on=row.settled_on,
        document=row.document,
        applied_at=row.applied_at,
    )
