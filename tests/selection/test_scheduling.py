"""Decisions by schedule: real metadata and a real report, at times of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from afterword.intake.definitions import load_definitions
from afterword.model import Selection
from afterword.selection.bandit import replayed
from afterword.store.campaigns import CampaignRefused
from afterword.store.metadata import Metadata, open_metadata
from afterword.store.selections import Cause
from afterword.workspace.selecting import Scheduler, Selecting, decision_of
from tests.selection.test_selecting import DAYS, START, ran, written

HOUR = 3_600_000_000
NOW = int((START + timedelta(days=DAYS)).timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    directory = written(tmp_path_factory.mktemp("scheduled"))
    out = ran(directory, ["--as-of", (START + timedelta(days=DAYS)).isoformat()])
    report = json.loads((Path(out) / "report.json").read_text("utf-8"))
    return directory, report["campaigns"][0]


class World:
    """A campaign that was launched, with a clock that is set by hand."""

    def __init__(self, metadata: Metadata, entry: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.now = NOW
        self.told: list[str] = []
        self.report: Mapping[str, Any] | None = entry

    def scheduler(self) -> Scheduler:
        """Begin anew, as after a restart."""
        return Scheduler(self.selecting(), lambda message, _error: self.told.append(message))

    def selecting(self) -> Selecting:
        return Selecting(self.metadata, self._report, lambda: self.now)

    def _report(self, _campaign_id: str) -> tuple[int, Mapping[str, Any]]:
        if self.report is None:
            raise RuntimeError("the results are not there")
        return self.now, self.report

    def shares(self) -> dict[str, int]:
        return {one.id: one.share_hundredths for one in self.metadata.campaigns.get("weekly").campaign.variants}

    def settings(self, selection: Selection | None) -> None:
        campaign = self.metadata.campaigns.get("weekly").campaign
        self.metadata.campaigns.change(replace(campaign, selection=selection), self.now)


@pytest.fixture
def world(tmp_path: Path, weekly: tuple[Path, Mapping[str, Any]]) -> Iterator[World]:
    directory, entry = weekly
    with open_metadata(tmp_path / "metadata.sqlite") as metadata:
        (campaign,) = load_definitions(directory / "campaigns.json").campaigns
        metadata.campaigns.create(campaign, NOW - 13 * HOUR)
        metadata.campaigns.launch("weekly", NOW - 13 * HOUR)
        yield World(metadata, entry)


def test_twice_a_day_a_decision_is_made_and_applied(world: World) -> None:
    scheduler = world.scheduler()
    assert scheduler.look() == 1
    assert world.shares()["weak"] < 200
    assert world.shares()["control"] == 1000
    assert scheduler.look() == 0
    world.now += 12 * HOUR - 1
    assert scheduler.look() == 0
    world.now += 1
    assert scheduler.look() == 1
    decisions = world.metadata.selections.list("weekly")
    assert [(one.number, one.cause, one.decided_at) for one in decisions] == [
        (2, Cause.SCHEDULE, NOW + 12 * HOUR),
        (1, Cause.SCHEDULE, NOW),
    ]
    assert world.told[0] == 'selection: decision 1 on "weekly": learning'


def test_what_became_due_while_the_server_was_down_is_decided_once_at_its_start(world: World) -> None:
    assert world.scheduler().look() == 1
    world.now += 100 * HOUR
    assert world.scheduler().look() == 1
    assert world.scheduler().look() == 0


def test_a_kept_decision_can_be_replayed(world: World) -> None:
    kept = world.selecting().decide("weekly", Cause.REQUEST, seed=99)
    decision = decision_of(kept.document)
    assert decision.seed == 99
    assert replayed(decision) == decision
    assert decision.shares == kept.shares


def test_a_decision_may_wait_to_be_accepted(world: World) -> None:
    world.settings(Selection(automatic=False))
    before = world.shares()
    assert world.scheduler().look() == 1
    assert world.shares() == before
    world.metadata.selections.apply("weekly", 1, world.now)
    assert world.shares() != before


def test_nothing_is_decided_while_paused_or_without_it_or_stopped(world: World) -> None:
    world.metadata.selections.pause("weekly", world.now)
    assert world.scheduler().look() == 0
    world.metadata.selections.resume("weekly")
    world.settings(None)
    assert world.scheduler().look() == 0
    world.settings(Selection())
    world.metadata.campaigns.stop("weekly", world.now)
    assert world.scheduler().look() == 0
    with pytest.raises(CampaignRefused, match='"weekly" is stopped, must be running'):
        world.selecting().decide("weekly", Cause.REQUEST)


def test_what_fails_is_told_once_and_tried_again(world: World) -> None:
    scheduler, there = world.scheduler(), world.report
    world.report = None
    assert [scheduler.look(), scheduler.look()] == [0, 0]
    assert world.told == ['selection: no decision on "weekly" yet: the results are not there']
    world.report = there
    assert scheduler.look() == 1
