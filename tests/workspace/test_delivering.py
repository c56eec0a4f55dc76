"""Deliveries where the feed itself is another than it was: begun again, without a person, or of no interest."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from afterword.store.erasing import Erasure, Policy
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.webhooks import Webhook
from afterword.workspace.deliveries import Answered, NotSent
from afterword.workspace.delivering import AT_ONCE, Deliverer
from tests.interfaces.serving import wait_for
from tests.workspace.live_world import LiveWorld
from tests.workspace.test_live_feed import HOUR, ONLY, START, did, exposed, refresh

NOW = START + 300 * HOUR
SECONDS = 30.0


@dataclass
class Line:
    """What goes out, and whether it arrives."""

    broken: set[str] = field(default_factory=set)
    arrived: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Take a delivery."""
        if url in self.broken:
            raise NotSent("the line is broken")
        self.arrived.append((url, msgspec.json.decode(body)))
        return Answered(204)

    @property
    def users(self) -> list[str]:
        """Who was told of."""
        return [change["user_id"] for _, body in self.arrived for change in body["changes"]]


@dataclass
class Office:
    """A world with a feed of three changes, and webhooks on it."""

    world: LiveWorld
    metadata: Metadata
    line: Line = field(default_factory=Line)
    now: int = NOW
    told: list[str] = field(default_factory=list)
    deliverers: list[Deliverer] = field(default_factory=list)

    def hook(self, url: str = "http://a/", events: list[str] | None = None, born: int | None = None) -> Webhook:
        """Make a webhook from the beginning."""
        place = (self.world.live.feed.state.born if born is None else born, 0)
        return self.metadata.webhooks.create(url, None, events, place, self.now, os.urandom)

    def open(self) -> None:
        """Begin to send."""
        feed, hooks = self.world.live.feed, self.metadata.webhooks
        self.deliverers.append(Deliverer(feed, hooks, self.line.post, lambda: self.now, os.urandom, self.tell))
        self.deliverers[-1].start()

    def tell(self, message: str, _error: BaseException | None) -> None:
        """Take note of what goes wrong."""
        self.told.append(message)

    def close(self) -> None:
        """End."""
        for deliverer in self.deliverers:
            deliverer.stop()

    def until(self, webhook: Webhook, so: Callable[[Webhook], bool]) -> Webhook:
        """Wait until a webhook is as it should be."""
        wait_for(lambda: so(self.metadata.webhooks.get(webhook.id)), SECONDS)
        return self.metadata.webhooks.get(webhook.id)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    world = LiveWorld(tmp_path)
    world.load([exposed("ann", 0, "x1"), did("ann", 20, "e1")])
    world.load([exposed("ben", 0, "x2", variant="b"), did("ben", 3, "e2")])
    refresh(world)
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        office = Office(world, metadata)
        try:
            yield office
        finally:
            office.close()
    assert office.told == []


def test_a_position_in_another_feed_is_not_gone_on_from(office: Office) -> None:
    webhook = office.hook(born=1)
    office.open()
    paused = office.until(webhook, lambda one: one.paused_at is not None)
    assert str(paused.last_error).startswith("paused: this is no place in the feed, for the database was begun again")
    assert office.line.arrived == []


def test_changes_that_are_no_longer_kept_are_not_left_out_silently(office: Office) -> None:
    webhook = office.hook()
    office.world.live.feed.forget(NOW, 1)
    office.open()
    paused = office.until(webhook, lambda one: one.paused_at is not None)
    assert str(paused.last_error).startswith("paused: changes up to number 1 are no longer kept, and 0 were read")
    assert office.line.arrived == []


@pytest.mark.parametrize(("policy", "strangers"), [(Policy.KEEP_COUNTS, 1), (Policy.WITHOUT, 0)])
def test_who_was_erased_before_a_delivery_arrived_is_not_named(office: Office, policy: Policy, strangers: int) -> None:
    office.line.broken = {"http://a/"}
    webhook = office.hook()
    office.open()
    office.until(webhook, lambda one: one.failures > 0)
    office.world.erase(ONLY, Erasure.of(["ann"], policy, random.Random(1).randbytes), NOW)
    office.line.broken = set()
    office.now += HOUR
    office.until(webhook, lambda one: one.position == 2)
    assert [user for user in office.line.users if not user.startswith("~erased/")] == ["ben"]
    assert len(office.line.users) == 1 + strangers


def test_a_batch_of_which_nothing_is_left_is_not_sent(office: Office) -> None:
    office.line.broken = {"http://a/"}
    webhook = office.hook()
    office.open()
    office.until(webhook, lambda one: one.sending_to == 2)
    for user in ("ann", "ben"):
        office.world.erase(ONLY, Erasure.of([user], Policy.WITHOUT, random.Random(1).randbytes), NOW)
    office.line.broken = set()
    office.now += HOUR
    office.until(webhook, lambda one: (one.position, one.sending_to) == (2, None))
    assert office.line.arrived == []


def test_what_nobody_wants_is_passed_by_and_does_not_keep_the_feed(office: Office) -> None:
    webhook = office.hook(events=["D"])
    office.open()
    assert office.until(webhook, lambda one: one.position == 2).delivered_at is None
    assert office.line.arrived == []


def test_many_that_fail_leave_room_for_others(office: Office) -> None:
    urls = {f"http://{number}/" for number in range(2 * AT_ONCE)}
    office.line.broken = set(urls)
    failing = [office.hook(url) for url in sorted(urls)]
    office.open()
    for webhook in failing:
        office.until(webhook, lambda one: one.failures > 0)
    office.hook("http://well/")
    wait_for(lambda: office.line.users == ["ann", "ben"], SECONDS)
    office.line.broken = set()
    office.now += HOUR
    for webhook in failing:
        office.until(webhook, lambda one: one.position == 2)
    assert {url for url, _ in office.line.arrived} == {*urls, "http://well/"}
