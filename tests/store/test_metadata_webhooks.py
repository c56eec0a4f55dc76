from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from afterword.errors import UserError
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.metadata_database import open_database
from afterword.store.webhooks import MAX_WEBHOOKS, UnknownWebhook, Webhook
from tests.store.campaign_world import campaign

URL = "https://example.com/hooks"
FEED = 1_700_000_000_000_000


def made(metadata: Metadata, position: int = 0, now: int = 10) -> Webhook:
    return metadata.webhooks.create(URL, None, None, (FEED, position), now, os.urandom)


def test_a_webhook_is_kept(place: str) -> None:
    with open_metadata(place) as metadata:
        metadata.campaigns.create(campaign(), 1)
        webhook = metadata.webhooks.create(URL, ["cart-rescue"], ["B", "A"], (FEED, 7), 10, os.urandom)
    with open_metadata(place) as metadata:
        assert metadata.webhooks.list() == [webhook]
        assert metadata.webhooks.get(webhook.id) == webhook
        assert (webhook.campaigns, webhook.conversion_events, webhook.position) == (("cart-rescue",), ("A", "B"), 7)
        assert len(webhook.key) == 32
        assert webhook.secret not in repr(webhook)


def test_progress_is_kept_batch_by_batch(metadata: Metadata) -> None:
    store, webhook = metadata.webhooks, made(metadata)
    sending = store.begin(webhook, 5)
    assert sending is not None
    assert (sending.position, sending.sending_to) == (0, 5)
    failing = store.failed(sending, "it was so", 20, 30)
    assert failing is not None
    assert (failing.failures, failing.failing_since, failing.next_attempt, failing.sending_to) == (1, 20, 30, 5)
    delivered = store.delivered(failing, 5, 40, 9)
    assert delivered is not None
    assert (delivered.position, delivered.sending_to, delivered.failures, delivered.last_error) == (5, 9, 0, None)
    passed = store.passed(delivered, 12)
    assert passed is not None
    assert (passed.position, passed.sending_to) == (12, None)


def test_who_was_changed_meanwhile_gets_no_progress_of_before(metadata: Metadata) -> None:
    store, webhook = metadata.webhooks, made(metadata)
    before = store.begin(webhook, 5)
    assert before is not None
    changed = store.change(webhook.id, f"{URL}/2", None, ["A"], 10)
    assert (changed.sending_to, changed.updated_at) == (None, 11)
    assert store.delivered(before, 5, 40) is None
    assert store.failed(before, "it was so", 20, 30) is None
    store.pause(webhook.id, 50)
    assert store.begin(store.get(webhook.id), 5) is None
    moved = store.resume(webhook.id, 60, (FEED, 3))
    assert (moved.position, moved.paused_at) == (3, None)
    store.delete(webhook.id)
    assert store.begin(moved, 5) is None
    with pytest.raises(UnknownWebhook, match="there is no webhook"):
        store.get(webhook.id)


def test_a_feed_is_kept_for_those_that_are_active(metadata: Metadata) -> None:
    store = metadata.webhooks
    assert store.had_by_all(FEED) is None
    slow, quick = made(metadata, 3), made(metadata, 8)
    assert store.had_by_all(FEED) == 3
    assert store.had_by_all(FEED + 1) is None
    store.pause(slow.id, 20)
    assert store.had_by_all(FEED) == 8
    store.gave_up(quick, "no more", 20)
    assert store.had_by_all(FEED) is None
    assert store.get(quick.id).last_error == "no more"


def test_there_are_not_too_many(tmp_path: Path) -> None:
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        for _ in range(MAX_WEBHOOKS):
            made(metadata)
        with pytest.raises(UserError, match="there are 100 webhooks, at most 100 are allowed: delete one"):
            made(metadata)


def test_a_database_of_the_version_before_gets_the_table(place: str) -> None:
    with open_metadata(place) as metadata:
        metadata.campaigns.create(campaign(), 1)
    database = open_database(place, create=False)
    with database.writing() as connection:
        later = ("selection_decisions", "selection_pauses", "buckets", "holdouts", "webhooks")
        for table in (*later, "exchange_rates", "identities", "drafts", "audit", "sessions", "sign_ins", "accounts"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("UPDATE afterword_schema SET version_num = '0001'"))
    database.close()
    with open_metadata(place) as metadata:
        assert metadata.webhooks.list() == []
        assert [one.campaign.id for one in metadata.campaigns.list()] == ["cart-rescue"]
