"""The results of a running server are what a run over all its facts gives."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.histories import generate_world
from tests.workspace.live_world import LiveWorld


@pytest.mark.parametrize("seed", range(6))
def test_one_load_gives_what_a_run_gives(seed: int, tmp_path: Path) -> None:
    world = generate_world(random.Random(seed), users=60)
    facts = [*world.facts.exposures, *world.facts.events, *world.facts.step_messages]
    as_of = world.as_of or max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    refreshed = live.live.refresh(world.definitions, as_of=as_of)
    assert refreshed.campaigns == tuple(campaign.id for campaign in world.definitions.campaigns)
    live.check(world.definitions, as_of, tmp_path / "run")
