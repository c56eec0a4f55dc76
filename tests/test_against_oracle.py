"""The engine against the oracle on generated histories: many users per run, every run through files.

`AFTERWORD_HISTORIES` says how many histories (a history is one user's facts); `make test-all` asks for 50,000.
"""

from __future__ import annotations

import os
import random
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import tests.engine as engine
from tests.engine_answers import (
    facts_counted,
    facts_of_oracle,
    members,
    persons_of,
    persons_of_oracle,
    row_of,
    row_of_oracle,
    steps_of,
    steps_of_oracle,
    verdicts,
)
from tests.histories import World, generate_world, worlds
from tests.oracle import Answer, answer
from tests.oracle_counts import TOTAL_WITH_CONTROL, campaign_counts, step_counts
from tests.oracle_persons import person_counts
from tests.oracle_verdicts import verdicts as verdicts_of_oracle

QUICK_HISTORIES = 2_000
HISTORIES = int(os.environ.get("AFTERWORD_HISTORIES", QUICK_HISTORIES))
RUNS = max(12, HISTORIES // 1_000)
"""At 50,000 histories 50 runs; each run has its own definitions, so that more is not merely more of the same."""
QUICK = HISTORIES <= QUICK_HISTORIES
EXPLAINED = 1 if QUICK else 10
"""Users explained per run."""


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(RUNS))
def test_engine_equals_oracle(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    world = generate_world(rng, users=-(-HISTORIES // RUNS))
    formats = rng.choice([("parquet",), ("csv",), ("ndjson",), ("parquet", "csv", "ndjson")])
    layout = engine.Layout(formats, seed=rng.choice((None, seed)))
    ran = engine.run(world.definitions, world.facts, tmp_path, as_of=world.as_of, layout=layout)
    found = compare(world, ran)
    # In the quick ones either of them: each takes a reading of the files.
    if seed % 2 or not QUICK:
        compare_lists(found, ran, rng)
    people = rng.sample(found.whole, min(EXPLAINED, len(found.whole))) if not (seed % 2 and QUICK) else []
    for scope in people:
        expected = verdicts_of_oracle(found, scope.person, scope.campaign.id)
        assert verdicts(ran, scope.campaign.id, scope.person) == expected, f"{scope.campaign.id} {scope.person}"


@given(worlds())
@settings(
    max_examples=7 if QUICK else 200,
    derandomize=QUICK,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_small_worlds(world: World) -> None:
    if not world.facts.exposures:
        return  # a run without any exposure is refused, which another test looks at
    if world.as_of is not None and all(x.at > world.as_of for x in world.facts.exposures):
        return  # so is one whose exposures are all later than `as_of`
    with tempfile.TemporaryDirectory() as directory:
        ran = engine.run(world.definitions, world.facts, Path(directory), as_of=world.as_of)
        found = compare(world, ran)
        for scope in found.whole[:2]:
            expected = verdicts_of_oracle(found, scope.person, scope.campaign.id)
            assert verdicts(ran, scope.campaign.id, scope.person) == expected


def compare(world: World, ran: engine.Ran) -> Answer:
    """Every row and every number of a run with the oracle's."""
    report = ran.report
    as_of = _microseconds(report["as_of"])
    assert as_of == (world.as_of if world.as_of is not None else as_of)
    found = answer(world.definitions, world.facts, world.as_of, ran.kept(as_of))
    assert as_of == found.log.as_of
    assert engine.table_of(ran.conversions()) == engine.table_of(found.conversions)
    assert engine.table_of(ran.credited()) == engine.table_of(engine.without_steps(found.credited))
    assert facts_counted(report) == facts_of_oracle(found)
    for campaign in world.definitions.campaigns:
        for name, row in campaign_counts(found, campaign).items():
            assert row_of(report, campaign.id, name) == row_of_oracle(row, name), f"{campaign.id} {name}"
        persons = persons_of_oracle(person_counts(found, campaign.id), campaign)
        assert persons_of(report, campaign) == persons, campaign.id
        assert steps_of(report, campaign.id) == steps_of_oracle(step_counts(found, campaign)), campaign.id
    return found


def compare_lists(found: Answer, ran: engine.Ran, rng: random.Random) -> None:
    """Rule 38, for one number of the run: the list is exactly the units that the number counts."""
    campaigns = [c for c in found.definitions.campaigns if c.conversion_events]
    if not campaigns:
        return
    campaign = rng.choice(campaigns)
    variant = rng.choice([None, *(v.id for v in campaign.variants)])
    letter = rng.choice("ABCD"[: len(campaign.conversion_events)])
    counts = campaign_counts(found, campaign)[variant or TOTAL_WITH_CONTROL].letters[letter]
    states = ("converted", "pending", "not_converted")
    for state in rng.sample(states, 1) if QUICK else states:
        assert members(ran, campaign, variant, letter, state) == sorted(getattr(counts, state))


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - engine.EPOCH) // engine.MICROSECOND
