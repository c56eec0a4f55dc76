"""What assignment stands on is kept: the buckets of every share epoch, and global holdouts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import sqlalchemy as sa

from afterword.errors import UserError
from afterword.model import Campaign, Definitions
from afterword.store.bucket_tables import salt_of
from afterword.store.campaign_history import Epoch
from afterword.store.campaigns import UnknownCampaign
from afterword.store.holdouts import Holdout, HoldoutRefused, UnknownHoldout
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.metadata_database import open_database
from afterword.store.metadata_tables import SCHEMA_TABLE
from tests.store.campaign_world import campaign, variants

DAY = 86_400_000_000


def launched(metadata: Metadata, one: Campaign, at: int = 10) -> Campaign:
    metadata.campaigns.create(one, at)
    return metadata.campaigns.launch(one.id, at).campaign


def epoch(metadata: Metadata, campaign_id: str = "cart-rescue") -> Epoch:
    found = metadata.campaigns.epoch(campaign_id)[1]
    assert found is not None
    return found


def counts(of: Epoch) -> dict[str, int]:
    table = of.buckets.table
    return {table.variants[code]: count for code, count in Counter(table.codes).items()}


# --- share epochs -----------------------------------------------------------------------------------


def test_a_draft_has_no_buckets(metadata: Metadata) -> None:
    metadata.campaigns.create(campaign(), 1)
    assert metadata.campaigns.epoch("cart-rescue")[1] is None


def test_a_launch_fixes_the_buckets(metadata: Metadata) -> None:
    launched(metadata, campaign(shares={"a": 45, "b": 45, "control": 10}), 10)
    found = epoch(metadata)
    assert (found.number, found.changed_at, found.buckets.salt) == (1, 10, salt_of("cart-rescue"))
    assert counts(found) == {"a": 4500, "b": 4500}
    assert not any(found.buckets.moved)


def test_applied_definitions_have_buckets_too(metadata: Metadata) -> None:
    one = campaign(shares={"a": 45, "b": 45, "control": 10})
    metadata.apply(metadata.plan(Definitions(campaigns=(one,))), 5)
    assert counts(epoch(metadata)) == {"a": 4500, "b": 4500}
    metadata.apply(metadata.plan(Definitions(campaigns=(replace(one, variants=variants(a=60, b=30, control=10)),))), 6)
    assert (epoch(metadata).number, counts(epoch(metadata))) == (2, {"a": 6000, "b": 3000})


def test_a_change_of_shares_begins_an_epoch_that_moves_the_fewest_buckets(metadata: Metadata) -> None:
    one = launched(metadata, campaign(shares={"a": 45, "b": 45, "control": 10}), 10)
    before = epoch(metadata)
    metadata.campaigns.change(replace(one, name="Another name"), 15)
    assert epoch(metadata) == before
    metadata.campaigns.change(replace(one, variants=variants(a=45, b=25, control=10, c=20)), 20)
    after = epoch(metadata)
    assert (after.number, after.changed_at) == (2, 20)
    assert counts(after) == {"a": 4500, "b": 2500, "c": 2000}
    assert sum(after.buckets.moved) == 2000
    assert (
        sum(old != new for old, new in zip(before.buckets.table.codes, after.buckets.table.codes, strict=True)) == 2000
    )


def test_stopping_and_launching_again_changes_no_bucket(metadata: Metadata) -> None:
    launched(metadata, campaign(shares={"a": 90, "control": 10}), 10)
    before = epoch(metadata)
    metadata.campaigns.stop("cart-rescue", 11)
    metadata.campaigns.launch("cart-rescue", 12)
    assert epoch(metadata) == before


def test_an_unknown_campaign_has_no_epoch(metadata: Metadata) -> None:
    metadata.campaigns.create(campaign(), 1)
    with pytest.raises(UnknownCampaign, match='did you mean "cart-rescue"'):
        metadata.campaigns.epoch("cart-rescu")


def test_metadata_of_an_older_version_get_the_buckets_of_what_was_launched(place: str) -> None:
    with open_metadata(place) as metadata:
        one = launched(metadata, campaign(shares={"a": 45, "b": 45, "control": 10}), 10)
        metadata.campaigns.change(replace(one, variants=variants(b=70, control=10, a=20)), 20)
        launched(metadata, campaign("welcome", shares={"x": 100}), 30)
        metadata.campaigns.create(campaign("draft"), 40)
        expected = epoch(metadata), epoch(metadata, "welcome")
    database = open_database(place, create=False)
    with database.writing() as connection:
        later = ("selection_decisions", "selection_pauses", "buckets", "holdouts")
        for table in (*later, "exchange_rates", "identities", "drafts", "audit", "sessions", "sign_ins", "accounts"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text(f"UPDATE {SCHEMA_TABLE} SET version_num = '0002'"))
    database.close()
    with open_metadata(place) as metadata:
        assert (epoch(metadata), epoch(metadata, "welcome")) == expected
        assert metadata.campaigns.epoch("draft")[1] is None


# --- holdouts ---------------------------------------------------------------------------------------


def test_a_holdout_is_kept(metadata: Metadata) -> None:
    created = metadata.holdouts.create("2026 Q1", 500, 2 * DAY, 92 * DAY, DAY)
    assert metadata.holdouts.get("2026 Q1") == created
    assert (created.share, created.from_at, created.until_at, len(created.salt)) == (500, 2 * DAY, 92 * DAY, 32)
    assert [created.holds(at) for at in (2 * DAY - 1, 2 * DAY, 92 * DAY - 1, 92 * DAY)] == [False, True, True, False]


def test_holdouts_come_in_the_order_in_which_they_begin_each_with_a_salt_of_its_own(metadata: Metadata) -> None:
    for name, begins in (("b", 3), ("a", 2), ("c", None)):
        metadata.holdouts.create(name, 100, begins, DAY, 1)
    found = metadata.holdouts.list()
    assert [(one.name, one.from_at) for one in found] == [("c", 1), ("a", 2), ("b", 3)]
    assert len({one.salt for one in found}) == 3


def test_a_name_is_taken_once(metadata: Metadata) -> None:
    metadata.holdouts.create("spring", 100, None, DAY, 1)
    with pytest.raises(HoldoutRefused, match='there is a holdout "spring" already'):
        metadata.holdouts.create("spring", 200, None, DAY, 1)
    with pytest.raises(UnknownHoldout, match='unknown holdout "sprin", did you mean "spring"'):
        metadata.holdouts.get("sprin")


@pytest.mark.parametrize(
    ("name", "share", "begins", "until", "sentence"),
    [
        pytest.param("q", 9, 10, 20, "share is 0.09 %, must be from 0.1 % to 15 %", id="too-small"),
        pytest.param("q", 1501, 10, 20, "share is 15.01 %, must be from 0.1 % to 15 %", id="too-large"),
        pytest.param("q", 100, 4, 20, r"from is in the past \(1970-01-01.*\), must be now or later", id="past"),
        pytest.param("q", 100, 10, 10, "until is not after from", id="no-time"),
        pytest.param(" ", 100, 10, 20, "must be text that can be printed", id="no-name"),
        pytest.param("a\0", 100, 10, 20, "must be text that can be printed", id="nul"),
        pytest.param("a/b", 100, 10, 20, "without a slash", id="slash"),
        pytest.param("q" * 256, 100, 10, 20, "has 256 characters, must have at most 255", id="long-name"),
    ],
)
def test_a_holdout_that_cannot_be(
    metadata: Metadata, name: str, share: int, begins: int, until: int, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        metadata.holdouts.create(name, share, begins, until, 5)
    assert metadata.holdouts.list() == []


def test_bounds_of_the_share_are_allowed(metadata: Metadata) -> None:
    found: list[Holdout] = [metadata.holdouts.create(f"q{share}", share, None, DAY, 1) for share in (10, 1500)]
    assert [one.share for one in found] == [10, 1500]
