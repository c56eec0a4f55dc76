"""Decisions of Intelligent Selection are kept, and become the shares of their campaign as if by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from afterword.model import Selection
from afterword.store.campaigns import CampaignRefused, UnknownCampaign
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.selections import Cause, StoredDecision, UnknownDecision
from tests.store.campaign_world import campaign

SHARES: dict[str, float] = {"a": 45, "b": 45, "control": 10}
BEFORE = {"a": 4500, "b": 4500, "control": 1000}
AFTER = {"a": 1000, "b": 8000, "control": 1000}


def launched(metadata: Metadata) -> None:
    metadata.campaigns.create(campaign(shares=SHARES), 1)
    metadata.campaigns.launch("cart-rescue", 10)


def decided(
    metadata: Metadata, at: int = 100, shares: dict[str, int] = AFTER, *, apply: bool = False
) -> StoredDecision:
    current = {one.id: one.share_hundredths for one in metadata.campaigns.get("cart-rescue").campaign.variants}
    return metadata.selections.add(
        "cart-rescue",
        decided_at=at,
        cause=Cause.SCHEDULE,
        stage="learning",
        shares=shares,
        shares_before=current,
        settled_on=None,
        document='{"seed": 7}',
        apply=apply,
    )


def test_a_decision_that_is_to_be_applied_is_kept_with_its_shares_or_not_at_all(metadata: Metadata) -> None:
    launched(metadata)
    with pytest.raises(CampaignRefused, match="the control's share is 5 %, must stay 10 %"):
        decided(metadata, shares={"a": 1500, "b": 8000, "control": 500}, apply=True)
    assert metadata.selections.last("cart-rescue") is None
    assert decided(metadata, 300, apply=True).applied_at == 300
    assert [one.changed_at for one in metadata.campaigns.shares("cart-rescue")] == [10, 300]


def test_decisions_are_kept_in_their_order(place: str) -> None:
    with open_metadata(place) as metadata:
        launched(metadata)
        first, second = decided(metadata, 100), decided(metadata, 200)
    with open_metadata(place) as metadata:
        assert metadata.selections.list("cart-rescue") == [second, first]
        assert metadata.selections.list("cart-rescue", 1) == [second]
        assert metadata.selections.get("cart-rescue", 1) == first
        assert metadata.selections.last("cart-rescue") == second
        assert (first.number, first.decided_at, first.cause, first.applied_at) == (1, 100, Cause.SCHEDULE, None)
        assert (first.shares, first.shares_before, first.document) == (AFTER, BEFORE, '{"seed": 7}')


def test_an_applied_decision_is_a_share_epoch_with_buckets(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata)
    applied, stored = metadata.selections.apply("cart-rescue", 1, 300)
    assert applied.applied_at == 300
    assert {one.id: one.share_hundredths for one in stored.campaign.variants} == AFTER
    assert [one.changed_at for one in metadata.campaigns.shares("cart-rescue")] == [10, 300]
    _, epoch = metadata.campaigns.epoch("cart-rescue")
    assert epoch is not None
    assert epoch.number == 2
    table = epoch.buckets.table
    assert Counter(table.variants[code] for code in table.codes) == {"a": 1000, "b": 8000}
    assert sum(epoch.buckets.moved) == 3500  # as few as the change of shares needs
    assert not stored.redefined


def test_applying_again_changes_nothing(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata)
    first, _ = metadata.selections.apply("cart-rescue", 1, 300)
    again, _ = metadata.selections.apply("cart-rescue", 1, 400)
    assert again == first
    assert len(metadata.campaigns.shares("cart-rescue")) == 2


def test_a_decision_for_the_shares_that_stand_makes_no_epoch(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata, shares=BEFORE)
    applied, _ = metadata.selections.apply("cart-rescue", 1, 300)
    assert applied.applied_at == 300
    assert len(metadata.campaigns.shares("cart-rescue")) == 1


def test_only_the_newest_decision_can_be_applied(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata, 100)
    decided(metadata, 200)
    with pytest.raises(CampaignRefused, match='decision 1 of "cart-rescue" is not the newest, which is 2'):
        metadata.selections.apply("cart-rescue", 1, 300)


def test_a_decision_from_other_shares_is_refused(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata)
    metadata.campaigns.change(campaign(shares={"a": 60, "b": 30, "control": 10}), 200)
    with pytest.raises(CampaignRefused, match="was made from other shares than stand now: decide again"):
        metadata.selections.apply("cart-rescue", 1, 300)


def test_a_decision_on_a_variant_that_has_joined_since_is_refused(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata)
    metadata.campaigns.change(campaign(shares={"a": 45, "b": 45, "new": 0, "control": 10}), 200)
    with pytest.raises(CampaignRefused, match="was made from other shares"):
        metadata.selections.apply("cart-rescue", 1, 300)


def test_a_stopped_campaign_keeps_its_shares(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata)
    metadata.campaigns.stop("cart-rescue", 200)
    with pytest.raises(CampaignRefused, match='"cart-rescue" is stopped, must be running'):
        metadata.selections.apply("cart-rescue", 1, 300)


def test_no_decision_moves_the_control(metadata: Metadata) -> None:
    launched(metadata)
    decided(metadata, shares={"a": 1500, "b": 8000, "control": 500})
    with pytest.raises(CampaignRefused, match="the control's share is 5 %, must stay 10 %"):
        metadata.selections.apply("cart-rescue", 1, 300)
    kept = metadata.selections.get("cart-rescue", 1)
    assert kept.applied_at is None


def test_a_pause_stays_until_it_ends(place: str) -> None:
    with open_metadata(place) as metadata:
        launched(metadata)
        assert metadata.selections.paused_at("cart-rescue") is None
        metadata.selections.pause("cart-rescue", 50)
        metadata.selections.pause("cart-rescue", 60)
    with open_metadata(place) as metadata:
        assert metadata.selections.paused_at("cart-rescue") == 50
        metadata.selections.resume("cart-rescue")
        metadata.selections.resume("cart-rescue")
        assert metadata.selections.paused_at("cart-rescue") is None


def test_what_is_not_there_is_said(metadata: Metadata) -> None:
    launched(metadata)
    with pytest.raises(UnknownDecision, match='"cart-rescue" has no decision 3: it has none'):
        metadata.selections.get("cart-rescue", 3)
    decided(metadata)
    with pytest.raises(UnknownDecision, match="the newest is 1"):
        metadata.selections.apply("cart-rescue", 3, 300)
    with pytest.raises(UnknownCampaign, match='did you mean "cart-rescue"'):
        metadata.selections.pause("cart-rescu", 1)


def test_a_version_without_conversion_events_stays_readable(metadata: Metadata) -> None:
    blind = replace(campaign(shares=SHARES), conversion_events=())
    metadata.campaigns.create(blind, 1)
    metadata.campaigns.launch("cart-rescue", 10)
    metadata.campaigns.change(replace(campaign(shares=SHARES), selection=Selection()), 20)
    first, second = metadata.campaigns.versions("cart-rescue")
    assert (first.campaign.selection, second.campaign.selection) == (None, Selection())


def test_settings_are_kept_with_the_definition_and_make_no_version(metadata: Metadata) -> None:
    launched(metadata)
    before = metadata.campaigns.get("cart-rescue")
    settings = Selection(every_seconds=7200, floor_hundredths=250, half_life_seconds=None, automatic=False)
    after = metadata.campaigns.change(replace(before.campaign, selection=settings), 200)
    assert after.campaign.selection == settings
    assert metadata.campaigns.get("cart-rescue").campaign.selection == settings
    assert (after.version, after.redefined) == (before.version, False)
