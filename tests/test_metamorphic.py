"""The same facts in another guise give the same results (rules 8, 10 and 33): row for row, number for number."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tests.engine as engine
from afterword.model import EventKind
from tests.extent import slow_but
from tests.histories import World, generate_world
from tests.oracle_facts import Facts

SEEDS = (101, 202)
PARQUET = engine.Layout(("parquet",))


def everything(ran: engine.Ran) -> dict[str, Any]:
    """All that a run says, but for how often it was told."""
    report = ran.report
    told = ("repetitions", "rejected", "after_as_of", "notes")
    report["facts"] = {name: value for name, value in report["facts"].items() if name not in told}
    return {
        "conversions": [_without_derived(row) for row in ran.rows("conversions")],
        "credited_purchases": ran.rows("credited_purchases"),
        "facts": report["facts"],
        "campaigns": report["campaigns"],
        "as_of": report["as_of"],
    }


def _without_derived(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "conversion_id"}


@pytest.fixture(scope="module", params=slow_but(SEEDS[:1], SEEDS[1:]))
def world(request: pytest.FixtureRequest) -> World:
    seed: int = request.param
    return generate_world(random.Random(seed), users=150)


@pytest.fixture(scope="module")
def plain(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = everything(run(world, tmp_path_factory.mktemp("plain"), PARQUET))
    assert found["conversions"], "nothing converted, so nothing is proved"
    return found


def run(world: World, directory: Path, layout: engine.Layout, threads: int | None = None) -> engine.Ran:
    return engine.run(world.definitions, world.facts, directory, as_of=world.as_of, layout=layout, threads=threads)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(engine.Layout(("parquet",), seed=1), id="shuffled"),
        pytest.param(engine.Layout(("csv",), seed=2), id="csv-and-other-forms"),
        pytest.param(engine.Layout(("ndjson",), seed=3), id="ndjson-and-other-forms"),
        pytest.param(engine.Layout(("parquet",) * 7), id="seven-files"),
        pytest.param(engine.Layout(("csv", "parquet", "ndjson", "csv"), seed=4), id="all-formats"),
    ],
)
def test_the_layout_of_files_means_nothing(
    layout: engine.Layout, world: World, plain: dict[str, Any], tmp_path: Path
) -> None:
    assert everything(run(world, tmp_path, layout)) == plain


def test_conversion_ids_do_not_depend_on_the_layout(world: World, tmp_path: Path) -> None:
    ids = []
    for number, layout in enumerate((PARQUET, engine.Layout(("csv", "ndjson"), seed=5))):
        directory = tmp_path / str(number)
        directory.mkdir()
        ids.append([row["conversion_id"] for row in run(world, directory, layout).rows("conversions")])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@pytest.mark.parametrize("copies", [1, 3])
def test_repeating_rows_that_have_ids_changes_nothing(
    copies: int, world: World, plain: dict[str, Any], tmp_path: Path
) -> None:
    rng = random.Random(copies)
    facts = world.facts
    repeated = Facts(
        exposures=[*facts.exposures, *rng.choices(facts.exposures, k=copies * len(facts.exposures))],
        events=[*facts.events, *rng.choices(facts.events, k=copies * len(facts.events))],
        step_messages=[*facts.step_messages, *rng.choices(facts.step_messages, k=copies * len(facts.step_messages))]
        if facts.step_messages
        else (),
        merges=[*facts.merges, *facts.merges],
        rates=facts.rates,
    )
    layout = engine.Layout(("parquet", "csv"), seed=copies)
    assert everything(run(replace(world, facts=repeated), tmp_path, layout)) == plain


@pytest.mark.sampled(3)
@pytest.mark.parametrize("rows", ["1", "7", "100000000"])
def test_the_size_of_batches_means_nothing(
    rows: str, world: World, plain: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERWORD_BATCH_ROWS", rows)
    assert everything(run(world, tmp_path, PARQUET)) == plain


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_means_nothing(threads: int, world: World, plain: dict[str, Any], tmp_path: Path) -> None:
    assert everything(run(world, tmp_path, engine.Layout(("csv",) * 3), threads)) == plain


def test_users_without_exposures_and_unrelated_facts_change_no_conversion(
    world: World, plain: dict[str, Any], tmp_path: Path
) -> None:
    """Another user's whole life, exposures apart, is nothing to the others; a refund names a purchase, so is not."""
    strangers = [
        replace(event, user_id=f"stranger {event.user_id}", event_id=f"stranger {event.event_id}", channel="email")
        for event in world.facts.events
        if event.kind is not EventKind.REFUND
    ]
    facts = replace(world.facts, events=[*world.facts.events, *strangers])
    found = everything(run(replace(world, facts=facts), tmp_path, PARQUET))
    for name in ("conversions", "credited_purchases", "campaigns"):
        assert found[name] == plain[name]
