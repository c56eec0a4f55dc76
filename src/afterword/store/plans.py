"""Applying definitions as a whole: first a plan that can be read, then what it says and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.errors import DefinitionError
from afterword.intake.definitions import check_definitions, definition_version
from afterword.model import Campaign, Definitions, Workspace
from afterword.store import campaigns as steps
from afterword.store.campaign_rules import Status, noun, refusals
from afterword.store.campaigns import CampaignRefused, StoredCampaign
from afterword.store.differences import WORKSPACE, Action, Difference, FieldChange, campaign_changes
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import exchange_rates
from afterword.store.settings_table import read_workspace, write_workspace

SETTINGS = ("timezone", "currency")


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying `definitions` does; campaigns that they do not name are left alone."""

    definitions: Definitions
    settings: tuple[str, ...]
    """Which of the workspace's settings are applied."""
    launch: bool
    """Whether drafts are launched."""
    differences: tuple[Difference, ...]
    """The settings first, then by id; what stays as it is, too."""

    @property
    def does_something(self) -> bool:
        """Whether anything is different afterwards."""
        return any(difference.does_something for difference in self.differences)


class PlanOutdated(CampaignRefused):
    """What is kept was changed since the plan was made."""


def make_plan(
    database: Database, definitions: Definitions, *, settings: Collection[str], launch: bool, source: str
) -> Plan:
    """Compare definitions with what is kept (`Metadata.plan` says what the arguments are).

    Raises `DefinitionError` with all that is wrong with the definitions or fixed at launch.
    """
    definitions = check_definitions(definitions)
    for campaign in definitions.campaigns:
        steps.storable(campaign.id, "the id of a campaign")
    plan = Plan(definitions, tuple(name for name in SETTINGS if name in settings), launch, ())
    with database.reading() as connection:
        kept, workspace = _kept(connection, definitions), read_workspace(connection)
        if problems := [*_currency_refusals(connection, plan, workspace), *_refusals(definitions, kept)]:
            raise DefinitionError(source, problems)
        return replace(plan, differences=_differences(plan, kept, workspace))


def apply_plan(database: Database, plan: Plan, now: int) -> None:
    """Do what the plan says, all or nothing. Raises `PlanOutdated` if that is no longer the same."""
    with database.writing() as connection:
        kept, workspace = _kept(connection, plan.definitions), read_workspace(connection)
        refused = [*_currency_refusals(connection, plan, workspace), *_refusals(plan.definitions, kept)]
        if refused or _differences(plan, kept, workspace) != plan.differences:
            raise PlanOutdated("the definitions were changed by someone else since the plan was made; make it again")
        differences = {difference.id: difference for difference in plan.differences if difference.does_something}
        if "" in differences:
            write_workspace(connection, _merged(workspace, plan), now)
        for campaign in plan.definitions.campaigns:
            if campaign.id in differences:
                _apply_one(connection, campaign, kept.get(campaign.id), differences[campaign.id], now)


def _apply_one(
    connection: Connection, campaign: Campaign, stored: StoredCampaign | None, difference: Difference, now: int
) -> None:
    if stored is None:
        steps.insert(connection, campaign, now)
    else:
        steps.update(connection, stored, campaign, now)
    if difference.launches:
        steps.set_status(connection, steps.one(connection, campaign.id), Status.RUNNING, now)


def _merged(workspace: Workspace, plan: Plan) -> Workspace:
    new = plan.definitions.workspace
    return Workspace(
        new.timezone if "timezone" in plan.settings else workspace.timezone,
        new.currency if "currency" in plan.settings else workspace.currency,
    )


def _kept(connection: Connection, definitions: Definitions) -> dict[str, StoredCampaign]:
    return steps.find(connection, [campaign.id for campaign in definitions.campaigns])


def _differences(plan: Plan, kept: dict[str, StoredCampaign], workspace: Workspace) -> tuple[Difference, ...]:
    campaigns = plan.definitions.campaigns
    found = [_difference(campaign, kept.get(campaign.id), launch=plan.launch) for campaign in campaigns]
    if plan.settings:
        found.insert(0, _settings_difference(workspace, plan.definitions.workspace, plan.settings))
    return tuple(found)


def _currency_refusals(connection: Connection, plan: Plan, workspace: Workspace) -> list[str]:
    """Refuse another reporting currency while there are rates in the old one, which would be read as if in the new."""
    new, old = plan.definitions.workspace.currency, workspace.currency
    if "currency" not in plan.settings or new == old:
        return []
    count = connection.execute(sa.select(sa.func.count()).select_from(exchange_rates)).scalar_one()
    if not count:
        return []
    rates, them = ("an exchange rate is", "it") if count == 1 else (f"{count:,} exchange rates are", "them")
    way = "Settings, Exchange rates, or DELETE /api/exchange-rates"
    return [f'currency is "{new}", but {rates} in {old}: remove {them} first ({way})']


def _refusals(definitions: Definitions, kept: dict[str, StoredCampaign]) -> list[str]:
    return [
        f'{noun(campaign)} "{campaign.id}": {refusal}'
        for campaign in definitions.campaigns
        if (stored := kept.get(campaign.id)) is not None
        for refusal in refusals(stored.campaign, campaign, launched=stored.launched_at is not None)
    ]


def _difference(campaign: Campaign, stored: StoredCampaign | None, *, launch: bool) -> Difference:
    version = definition_version(campaign)
    if stored is None:
        return Difference(campaign.kind, campaign.id, Action.CREATED, launches=launch, version=version)
    changes = campaign_changes(stored.campaign, campaign)
    pinned = stored.launched_at is not None and stored.version != version
    return Difference(
        campaign.kind,
        campaign.id,
        Action.CHANGED if changes else Action.UNCHANGED,
        changes,
        launches=launch and stored.status is Status.DRAFT,
        version=version,
        replaces=stored.version if pinned else None,
    )


def _settings_difference(old: Workspace, new: Workspace, settings: tuple[str, ...]) -> Difference:
    changes = tuple(
        FieldChange(name, getattr(old, name), getattr(new, name))
        for name in settings
        if getattr(old, name) != getattr(new, name)
    )
    return Difference(WORKSPACE, "", Action.CHANGED if changes else Action.UNCHANGED, changes)
