"""Campaigns and Canvases as they are kept: their definition, their life, their versions (rule 6) and shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import UserError, nearest
from afterword.intake.definitions import check_definitions, definition_version
from afterword.model import Campaign, Definitions, Workspace
from afterword.store import campaign_history as history
from afterword.store.campaign_forms import from_document, to_document
from afterword.store.campaign_rules import Status, noun, refusals
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import campaigns as table
from afterword.store.settings_table import read_workspace

PAGE_SIZE = 100
MAX_DESCRIPTION = 10_000
KEPT_DOCUMENTS = 2000
"""How many definitions that were read are kept."""


class UnknownCampaign(UserError):
    """No campaign and no Canvas has this id."""


class CampaignRefused(UserError):
    """What was asked for is not possible in the campaign's state; an HTTP interface answers 409."""


@dataclass(frozen=True, slots=True)
class StoredCampaign:
    """A campaign or Canvas with what a definition file does not say. Times are epoch microseconds."""

    campaign: Campaign
    description: str
    status: Status
    version: str
    """Of the definition that stands now (rule 6)."""
    created_at: int
    updated_at: int
    launched_at: int | None
    """The first launch; None if there was none."""
    launch_version: str | None
    """The version at the first launch."""
    redefined: bool
    """Whether the version was ever changed after the launch; verdicts then say so for ever."""


class Campaigns:
    """All campaigns and Canvases of a workspace. Times are arguments, in epoch microseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, campaign: Campaign, now: int, description: str = "") -> StoredCampaign:
        """Keep a new campaign as a draft.

        Raises `DefinitionError` for what is wrong with it, `CampaignRefused` if its id is taken.
        """
        campaign = checked(campaign)
        with self._database.writing() as connection:
            insert(connection, campaign, now, description)
            return one(connection, campaign.id)

    def change(self, campaign: Campaign, now: int, description: str | None = None) -> StoredCampaign:
        """Replace the definition of the campaign with this id; with None the description stays.

        A launched campaign whose conversion events or counting change gets a new version (rule 6), one whose shares
        change a new entry in their history. What stays as it is leaves no trace, not even `updated_at`. Raises
        `DefinitionError`, `UnknownCampaign`, and `CampaignRefused` for what is fixed at launch (rule 30).
        """
        campaign = checked(campaign)
        with self._database.writing() as connection:
            stored = one(connection, campaign.id)
            problems = refusals(stored.campaign, campaign, launched=stored.launched_at is not None)
            if problems:
                raise CampaignRefused(f"{_called(stored)}: {'; '.join(problems)}")
            update(connection, stored, campaign, now, description)
            return one(connection, campaign.id)

    def launch(self, campaign_id: str, now: int) -> StoredCampaign:
        """Let a draft or a stopped campaign run; the first launch pins its version.

        A running one stays as it is. Raises `UnknownCampaign`, and `CampaignRefused` for an archived one.
        """
        return self._move(campaign_id, Status.RUNNING, (Status.DRAFT, Status.STOPPED), now)

    def stop(self, campaign_id: str, now: int) -> StoredCampaign:
        """Stop a running campaign; its results stay and go on counting what the windows still hold.

        A stopped one stays as it is. Raises `UnknownCampaign`, and `CampaignRefused` for a draft or an archived one.
        """
        return self._move(campaign_id, Status.STOPPED, (Status.RUNNING,), now)

    def archive(self, campaign_id: str, now: int) -> StoredCampaign:
        """Put a campaign away that does not run; its results stay.

        An archived one stays as it is. Raises `UnknownCampaign`, and `CampaignRefused` for a running one.
        """
        return self._move(campaign_id, Status.ARCHIVED, (Status.DRAFT, Status.STOPPED), now)

    def unarchive(self, campaign_id: str, now: int) -> StoredCampaign:
        """Bring an archived campaign back, as stopped or, if it never ran, as a draft. Raises `UnknownCampaign`."""
        with self._database.writing() as connection:
            stored = one(connection, campaign_id)
            if stored.status is Status.ARCHIVED:
                set_status(connection, stored, Status.DRAFT if stored.launched_at is None else Status.STOPPED, now)
            return one(connection, campaign_id)

    def get(self, campaign_id: str) -> StoredCampaign:
        """Return one campaign or Canvas. Raises `UnknownCampaign`, naming the nearest id."""
        with self._database.reading() as connection:
            return one(connection, campaign_id)

    def list(
        self,
        *,
        kind: str | None = None,
        page: int = 0,
        page_size: int = PAGE_SIZE,
        include_archived: bool = False,
        newest_first: bool = False,
        edited_after: int | None = None,
    ) -> Sequence[StoredCampaign]:
        """Return one page, in the order of creation; a page past the end is empty.

        `kind` is `campaign`, `canvas` or None for both; `edited_after` leaves out what was edited at or before it.
        """
        order = [column.desc() if newest_first else column.asc() for column in (table.c.created_at, table.c.id)]
        query = sa.select(table).order_by(*order).limit(page_size).offset(page * page_size)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        if not include_archived:
            query = query.where(table.c.status != Status.ARCHIVED.value)
        if edited_after is not None:
            query = query.where(table.c.updated_at > edited_after)
        with self._database.reading() as connection:
            return _stored(connection, query)

    def versions(self, campaign_id: str) -> Sequence[history.Adoption]:
        """Return all versions in the order in which they were adopted, the launch first. Raises `UnknownCampaign`."""
        with self._database.reading() as connection:
            stored = one(connection, campaign_id)
            return history.adoptions(connection, stored.campaign)

    def shares(self, campaign_id: str) -> Sequence[history.Shares]:
        """Return the shares of the variants from the launch on, oldest first. Raises `UnknownCampaign`."""
        with self._database.reading() as connection:
            one(connection, campaign_id)
            return history.shares(connection, campaign_id)

    def histories(self) -> tuple[dict[str, Sequence[int]], dict[str, Sequence[history.Shares]]]:
        """Return, by launched campaign, when its version was changed, and its shares from the launch on."""
        with self._database.reading() as connection:
            return history.changes(connection), history.all_shares(connection)

    def epoch(self, campaign_id: str) -> tuple[StoredCampaign, history.Epoch | None]:
        """Return a campaign and the share epoch that stands, None before the launch. Raises `UnknownCampaign`."""
        with self._database.reading() as connection:
            return one(connection, campaign_id), history.epoch(connection, campaign_id)

    def definitions(self, at: int | None = None) -> Definitions:
        """Return the definitions of all campaigns launched by `at` (None: all) as they stood then.

        Stopped and archived ones are among them: their results stay. Conversion events, counting and shares are those
        of that time; names, tags and the rest are today's.
        """
        query = sa.select(table).where(table.c.launched_at.is_not(None))
        if at is not None:
            query = query.where(table.c.launched_at <= at)
        with self._database.reading() as connection:
            workspace = read_workspace(connection)
            found = [stored.campaign for stored in _stored(connection, query)]
            if at is not None:
                found = history.campaigns_at(connection, found, at)
        return Definitions(workspace, tuple(sorted(found, key=lambda campaign: campaign.id.encode())))

    def _move(self, campaign_id: str, to: Status, sources: tuple[Status, ...], now: int) -> StoredCampaign:
        with self._database.writing() as connection:
            stored = one(connection, campaign_id)
            if stored.status is not to:
                if stored.status not in sources:
                    raise CampaignRefused(
                        f"{_called(stored)} is {stored.status}, must be {' or '.join(sources)} to become {to}"
                    )
                set_status(connection, stored, to, now)
            return one(connection, campaign_id)


# --- the steps, for a transaction that takes several of them ------------------------------------------


def checked(campaign: Campaign) -> Campaign:
    """Return the campaign as a definition file would give it. Raises `DefinitionError`, `UserError` for a NUL."""
    [campaign] = check_definitions(Definitions(Workspace(), (campaign,))).campaigns
    storable(campaign.id, "the id")
    return campaign


def insert(connection: Connection, campaign: Campaign, now: int, description: str = "") -> None:
    """Add a draft. Raises `CampaignRefused` if its id is taken."""
    row = connection.execute(sa.select(table).where(table.c.id == campaign.id)).first()
    if row is not None:
        raise CampaignRefused(taken(_from_row(row, []).campaign))
    values: dict[str, Any] = {"id": campaign.id, "kind": campaign.kind, "created_at": now}
    values |= {"definition": to_document(campaign), "description": _description(description)}
    connection.execute(sa.insert(table).values(**values, status=Status.DRAFT.value, updated_at=now))


def taken(campaign: Campaign) -> str:
    """Return why another campaign cannot have the id of this one."""
    return f'the id "{campaign.id}" is taken by a {noun(campaign)}'


def update(
    connection: Connection, stored: StoredCampaign, campaign: Campaign, now: int, description: str | None = None
) -> None:
    """Replace the definition of a campaign, which `refusals` had nothing against."""
    old = {"definition": to_document(stored.campaign), "description": stored.description}
    values = {"definition": to_document(campaign), "description": stored.description}
    if description is not None:
        values["description"] = _description(description)
    if values == old:  # as texts: a filter on 1 is not one on true, which Python takes for equal
        return
    connection.execute(sa.update(table).where(table.c.id == campaign.id).values(**values, updated_at=now))
    if stored.launched_at is not None:
        history.note(connection, campaign, now)


def set_status(connection: Connection, stored: StoredCampaign, status: Status, now: int) -> None:
    """Move a campaign to another status; its first launch begins the histories of its version and shares."""
    values: dict[str, Any] = {"status": status.value, "updated_at": now}
    first = status is Status.RUNNING and stored.launched_at is None
    if first:
        values["launched_at"] = now
    connection.execute(sa.update(table).where(table.c.id == stored.campaign.id).values(**values))
    if first:
        history.note(connection, stored.campaign, now)


def one(connection: Connection, campaign_id: str) -> StoredCampaign:
    """Return one campaign. Raises `UnknownCampaign`."""
    query = sa.select(table).where(table.c.id == campaign_id)
    row = connection.execute(query).first() if "\0" not in campaign_id else None
    if row is None:
        known = connection.execute(sa.select(table.c.id)).scalars()
        raise UnknownCampaign(f'unknown campaign "{campaign_id}"{nearest(campaign_id, known)}')
    return _from_row(row, history.adopted_versions(connection, campaign_id).get(campaign_id, []))


def find(connection: Connection, ids: Iterable[str]) -> dict[str, StoredCampaign]:
    """Return those of the ids that there are."""
    # All rows rather than an IN: a file may name more campaigns than a query may have parameters.
    wanted = set(ids)
    adopted = history.adopted_versions(connection)
    rows = connection.execute(sa.select(table))
    return {row.id: _from_row(row, adopted.get(row.id, [])) for row in rows if row.id in wanted}


def storable(text: str, what: str) -> str:
    """Return the text. Raises `UserError` for a NUL character, which PostgreSQL cannot hold."""
    if "\0" in text:
        raise UserError(f"{what} holds a NUL character")
    return text


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION:
        raise UserError(f"the description has {len(text):,} characters, at most {MAX_DESCRIPTION:,} are allowed")
    return storable(text, "the description")


def _stored(connection: Connection, query: sa.Select[Any]) -> list[StoredCampaign]:
    rows = connection.execute(query).all()
    adopted = history.adopted_versions(connection)
    return [_from_row(row, adopted.get(row.id, [])) for row in rows]


@lru_cache(KEPT_DOCUMENTS)
def _read(kind: str, document: str) -> tuple[Campaign, str]:
    """Return a campaign and its version; reading hundreds takes far longer than fetching them."""
    campaign = from_document(kind, json.loads(document))
    return campaign, definition_version(campaign)


def _from_row(row: Any, adopted: list[str]) -> StoredCampaign:
    launch_version = adopted[0] if adopted else None
    return _made(
        row.kind,
        row.definition,
        row.description,
        row.status,
        row.created_at,
        row.updated_at,
        row.launched_at,
        launch_version,
        len(adopted) > 1,
    )


@lru_cache(KEPT_DOCUMENTS)  # every page of the dashboard asks for all of them
def _made(
    kind: str,
    document: str,
    description: str,
    status: str,
    created_at: int,
    updated_at: int,
    launched_at: int | None,
    launch_version: str | None,
    redefined: bool,
) -> StoredCampaign:
    campaign, version = _read(kind, document)
    return StoredCampaign(
        campaign=campaign,
        description=description,
        status=Status(status),
        version=version,
        created_at=created_at,
        updated_at=updated_at,
        launched_at=launched_at,
        launch_version=launch_version,
        redefined=redefined,
    )


def _called(stored: StoredCampaign) -> str:
    return f'{noun(stored.campaign)} "{stored.campaign.id}"'
