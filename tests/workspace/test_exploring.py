"""Exploratory conversion events: what a run gives if they had been the campaign's own, and nothing kept is touched."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from afterword.model import Counting
from afterword.workspace.live.exploring import OF_LETTER, OF_ROW, Question
from tests.extent import slow_but
from tests.histories import generate_world
from tests.workspace.explored_world import ExploredWorld
from tests.workspace.live_world import all_of


@pytest.fixture(scope="module", params=slow_but([2], [0, 1]))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ExploredWorld:
    return ExploredWorld(4000 + request.param, tmp_path_factory.mktemp("live"))


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a report as an exploration tells it."""
    conversions = {
        f"X{'ABCD'.index(letter) + 1}": {name: said[name] for name in OF_LETTER}
        for letter, said in row["conversions"].items()
    }
    return {name: row[name] for name in OF_ROW if name in row} | {"conversions": conversions}


@pytest.mark.parametrize("period", [False, True], ids=["all", "period"])
def test_the_answer_is_that_of_a_run_with_these_conversion_events(
    loaded: ExploredWorld, period: bool, tmp_path: Path
) -> None:
    for campaign in loaded.definitions.campaigns:
        question = loaded.question(campaign, loaded.period if period else (None, None))
        expected, found = loaded.run(question, tmp_path / campaign.id), loaded.explore(question)
        (report,) = expected["campaigns"]
        assert found["as_of"] == expected["as_of"]
        assert found["variants"] == [told(row) for row in report["variants"]]
        assert (found["total"], found["total_with_control"]) == tuple(
            told(report[name]) for name in ("total", "total_with_control")
        )
        assert [event["letter"] for event in found["conversion_events"]] == [
            f"X{number}" for number in range(1, len(question.campaign.conversion_events) + 1)
        ]
        assert "revenue" not in json.dumps(found)


def test_a_version_is_told_as_a_report_tells_it(loaded: ExploredWorld, tmp_path: Path) -> None:
    for campaign in loaded.definitions.campaigns:
        counting = Counting.ONCE_PER_EXPOSURE if campaign.steps else campaign.counting
        asked = replace(campaign, conversion_events=campaign.conversion_events[1:], counting=counting)
        question = Question(loaded.definitions.workspace, asked, False)
        expected, found = loaded.run(question, tmp_path / campaign.id), loaded.explore(question)
        assert found == {"as_of": expected["as_of"], **expected["campaigns"][0]}


def test_facts_that_the_results_do_not_know_are_not_seen(loaded: ExploredWorld, tmp_path: Path) -> None:
    campaign = loaded.definitions.campaigns[0]
    before = loaded.explore(loaded.question(campaign))
    world = generate_world(random.Random(99), users=20)
    live = loaded.live
    live.load([replace(fact, user_id=f"new-{fact.user_id}") for fact in all_of(world.facts)])
    assert loaded.explore(loaded.question(campaign)) == before


def test_rows_that_are_kept_stay_as_they_are(loaded: ExploredWorld) -> None:
    kept = loaded.live.con.execute("FROM derived.conversions ORDER BY ALL").fetchall()
    state = loaded.live.live.state
    for campaign in loaded.definitions.campaigns:
        loaded.explore(loaded.question(campaign))
    assert loaded.live.con.execute("FROM derived.conversions ORDER BY ALL").fetchall() == kept
    assert loaded.live.live.state == state


def test_a_period_without_exposures_counts_nobody(loaded: ExploredWorld) -> None:
    campaign = loaded.definitions.campaigns[0]
    found = loaded.explore(loaded.question(campaign, (1, 2)))
    assert {row["exposed"] for row in found["variants"]} == {0}
    assert found["first_exposed_at"] is None
