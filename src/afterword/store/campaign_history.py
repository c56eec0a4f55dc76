"""What a launched campaign was: each version that was adopted (rule 6), and the shares from time to time (rule 30)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.intake.definitions import canonical_form, definition_version
from afterword.model import Campaign
from afterword.store.bucket_tables import Buckets, Packed, first_buckets, next_buckets, packed, unpacked
from afterword.store.campaign_forms import versioned_document, with_shares, with_version
from afterword.store.metadata_tables import adoptions as adoptions_table
from afterword.store.metadata_tables import buckets as buckets_table
from afterword.store.metadata_tables import shares as shares_table
from afterword.store.metadata_tables import versions as versions_table


@dataclass(frozen=True, slots=True)
class Adoption:
    """A version and when it became the campaign's definition; a version that came back has several."""

    version: str
    adopted_at: int
    canonical: str
    """What the version is the hash of."""
    campaign: Campaign
    """The campaign of today with the conversion events and counting of the version."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of the variants, in hundredths of a percent, and from when on."""

    shares: dict[str, int]
    changed_at: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """A time during which shares stand, and who has which bucket then."""

    number: int
    """From 1: the launch."""
    changed_at: int
    buckets: Buckets


def note(connection: Connection, campaign: Campaign, now: int) -> None:
    """Add to the histories what is new about a launched campaign: its version, its shares, or nothing."""
    version = definition_version(campaign)
    adopted = adopted_versions(connection, campaign.id).get(campaign.id, [])
    if adopted[-1:] != [version]:
        _keep_version(connection, campaign, version)
        row = {"campaign_id": campaign.id, "number": len(adopted) + 1, "version": version, "adopted_at": now}
        connection.execute(sa.insert(adoptions_table).values(**row))
    current = {variant.id: variant.share_hundredths for variant in campaign.variants}
    past = shares(connection, campaign.id)
    if not past or past[-1].shares != current:
        row = {"campaign_id": campaign.id, "number": len(past) + 1, "shares": json.dumps(current), "changed_at": now}
        connection.execute(sa.insert(shares_table).values(**row))
        _keep_buckets(connection, campaign, len(past) + 1)


def _keep_buckets(connection: Connection, campaign: Campaign, number: int) -> None:
    """Keep who has which bucket from now on: fixed with the shares, so that nobody has to work it out again."""
    messages = {variant.id: variant.share_hundredths for variant in campaign.variants if not variant.control}
    if number == 1:
        found = first_buckets(campaign.id, messages)
    else:
        home, last = _buckets(connection, campaign.id, 1), _buckets(connection, campaign.id, number - 1)
        found = next_buckets(last, messages, home)
    row = {"campaign_id": campaign.id, "number": number, **packed(found)}
    connection.execute(sa.insert(buckets_table).values(**row))


def _buckets(connection: Connection, campaign_id: str, number: int) -> Buckets:
    columns = buckets_table.c
    query = sa.select(columns.salt, columns.variants, columns.codes, columns.moved)
    row = connection.execute(query.where(columns.campaign_id == campaign_id, columns.number == number)).one()
    return unpacked(Packed(salt=row.salt, variants=row.variants, codes=bytes(row.codes), moved=bytes(row.moved)))


def _keep_version(connection: Connection, campaign: Campaign, version: str) -> None:
    columns = versions_table.c
    same = (columns.campaign_id == campaign.id, columns.version == version)
    if connection.execute(sa.select(columns.version).where(*same)).first() is not None:
        return
    row = {"campaign_id": campaign.id, "version": version, "canonical": canonical_form(campaign)}
    connection.execute(sa.insert(versions_table).values(**row, definition=versioned_document(campaign)))


def adopted_versions(connection: Connection, campaign_id: str | None = None) -> dict[str, list[str]]:
    """Return the versions per launched campaign, in the order in which they were adopted."""
    columns = adoptions_table.c
    query = sa.select(columns.campaign_id, columns.version).order_by(columns.campaign_id, columns.number)
    if campaign_id is not None:
        query = query.where(columns.campaign_id == campaign_id)
    found: dict[str, list[str]] = defaultdict(list)
    for owner, version in connection.execute(query):
        found[owner].append(version)
    return found


def adoptions(connection: Connection, campaign: Campaign) -> list[Adoption]:
    """Return the versions of a campaign, in the order in which they were adopted."""
    kept, adopted = versions_table.c, adoptions_table.c
    query = (
        sa.select(adopted.version, adopted.adopted_at, kept.canonical, kept.definition)
        .join(versions_table, sa.and_(kept.campaign_id == adopted.campaign_id, kept.version == adopted.version))
        .where(adopted.campaign_id == campaign.id)
        .order_by(adopted.number)
    )
    return [
        Adoption(row.version, row.adopted_at, row.canonical, with_version(campaign, row.definition))
        for row in connection.execute(query)
    ]


def shares(connection: Connection, campaign_id: str) -> list[Shares]:
    """Return the shares of a campaign from its launch on, oldest first."""
    columns = shares_table.c
    query = sa.select(columns.shares, columns.changed_at).where(columns.campaign_id == campaign_id)
    rows = connection.execute(query.order_by(columns.number))
    return [Shares(json.loads(row.shares), row.changed_at) for row in rows]


def all_shares(connection: Connection) -> dict[str, Sequence[Shares]]:
    """Return the shares of every launched campaign, oldest first."""
    columns = shares_table.c
    query = sa.select(columns.campaign_id, columns.shares, columns.changed_at)
    found: dict[str, list[Shares]] = defaultdict(list)
    for row in connection.execute(query.order_by(columns.campaign_id, columns.number)):
        found[row.campaign_id].append(Shares(json.loads(row.shares), row.changed_at))
    return {**found}


def changes(connection: Connection) -> dict[str, Sequence[int]]:
    """Return when each launched campaign got another version than that of its launch; none if it never did."""
    columns = adoptions_table.c
    query = sa.select(columns.campaign_id, columns.adopted_at).where(columns.number > 1)
    found: dict[str, list[int]] = defaultdict(list)
    for row in connection.execute(query.order_by(columns.campaign_id, columns.number)):
        found[row.campaign_id].append(row.adopted_at)
    return {**found}


def epoch(connection: Connection, campaign_id: str) -> Epoch | None:
    """Return the share epoch that stands, None before the launch."""
    columns = shares_table.c
    query = sa.select(columns.number, columns.changed_at).where(columns.campaign_id == campaign_id)
    row = connection.execute(query.order_by(columns.number.desc()).limit(1)).first()
    if row is None:
        return None
    return Epoch(row.number, row.changed_at, _buckets(connection, campaign_id, row.number))


def campaigns_at(connection: Connection, campaigns: Iterable[Campaign], at: int) -> list[Campaign]:
    """Return campaigns launched by `at` with the versions and the shares that they had then."""
    kept, adopted, past = versions_table.c, adoptions_table.c, shares_table.c
    by_version = sa.select(adopted.campaign_id, kept.version, kept.definition).join(
        versions_table, sa.and_(kept.campaign_id == adopted.campaign_id, kept.version == adopted.version)
    )
    by_share = sa.select(past.campaign_id, past.shares)
    # In the order of their numbers, so that of each campaign the last row stands.
    versions = connection.execute(by_version.where(adopted.adopted_at <= at).order_by(adopted.number))
    version = {row.campaign_id: row for row in versions}
    splits = connection.execute(by_share.where(past.changed_at <= at).order_by(past.number))
    shares_then = {row.campaign_id: row.shares for row in splits}
    found = []
    for campaign in campaigns:
        then = version[campaign.id]
        if then.version != definition_version(campaign):
            campaign = with_version(campaign, then.definition)
        found.append(with_shares(campaign, json.loads(shares_then[campaign.id])))
    return found
