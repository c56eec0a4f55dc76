"""The results of a running server are what a run over all its facts gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from afterword.model import Campaign, Counting, Definitions
from tests.histories import generate_world
from tests.oracle_facts import Fact, Facts
from tests.workspace.live_world import LiveWorld


def all_of(facts: Facts) -> list[Fact]:
    return [*facts.exposures, *facts.events, *facts.step_messages]


@pytest.mark.parametrize("seed", range(4))
def test_one_load_gives_what_a_run_gives(seed: int, tmp_path: Path) -> None:
    world = generate_world(random.Random(seed), users=60)
    facts = all_of(world.facts)
    as_of = world.as_of or max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    refreshed = live.live.refresh(world.definitions, as_of=as_of)
    assert refreshed.campaigns == tuple(campaign.id for campaign in world.definitions.campaigns)
    live.check(world.definitions, as_of, tmp_path / "run")


@pytest.mark.parametrize("seed", range(12))
def test_any_batching_gives_what_a_run_gives(seed: int, tmp_path: Path) -> None:
    rng = random.Random(1000 + seed)
    world = generate_world(rng, users=12)
    facts = all_of(world.facts)
    if not facts:
        return
    times = sorted(fact.at for fact in facts)
    rng.shuffle(facts)
    merges = list(world.facts.merges)
    definitions, as_of = world.definitions, 0
    live = LiveWorld(tmp_path, batch_rows=rng.choice((3, 1 << 18)))
    steps = 8
    for step in range(steps):
        size = -(-len(facts) // (steps - step))
        batch, facts = facts[:size], facts[size:]
        now = merges[: len(merges) // (steps - step)]
        merges = merges[len(now) :]
        live.load(batch, now)
        if rng.random() < 0.5:
            definitions = changed(rng, world.definitions, definitions)
        as_of = max(as_of, rng.choice(times))
        live.live.refresh(definitions, as_of=as_of)
        live.check(definitions, as_of, tmp_path / f"run{step}" if step in (3, steps - 1) else None)


def changed(rng: random.Random, all_: Definitions, now: Definitions) -> Definitions:
    """Add a campaign, take one away, or change what one of them counts."""
    campaigns = {campaign.id: campaign for campaign in now.campaigns}
    chosen = rng.choice(all_.campaigns)
    if chosen.id not in campaigns:
        campaigns[chosen.id] = chosen
    elif rng.random() < 0.3 and len(campaigns) > 1:
        del campaigns[chosen.id]
    else:
        campaigns[chosen.id] = _other(rng, campaigns[chosen.id], all_.campaigns)
    return Definitions(now.workspace, tuple(sorted(campaigns.values(), key=lambda one: one.id)))


def _other(rng: random.Random, campaign: Campaign, known: Sequence[Campaign]) -> Campaign:
    events = list(campaign.conversion_events)
    rng.shuffle(events)
    match rng.choice(("fewer", "others", "counting", "variants", "name")):
        case "fewer":
            return replace(campaign, conversion_events=tuple(events[1:]))
        case "others":
            return replace(campaign, conversion_events=rng.choice(known).conversion_events)
        case "counting":
            countings = [Counting.ONCE_PER_USER, Counting.ONCE_PER_EXPOSURE]
            return replace(campaign, counting=rng.choice(countings))
        case "variants":
            return replace(campaign, variants=tuple(reversed(campaign.variants)))
        case _:
            return replace(campaign, name=f"{campaign.name}!")
