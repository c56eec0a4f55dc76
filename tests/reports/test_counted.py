"""Counting rows as they come by gives the report that the queries give over stored tables."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.engine as engine
from afterword.reports import counted, grouping, keys
from afterword.reports.counted import Count
from afterword.reports.facts import FactCounts
from afterword.reports.report import build_report, report_of
from afterword.workspace.inputs import Inputs, gather_inputs
from afterword.workspace.session import Session
from tests.extent import slow_but
from tests.histories import World, generate_world
from tests.oracle_facts import Fact

SEEDS = range(12)
QUICK_SEEDS = SEEDS[::2]


def inputs_of(world: World, directory: Path) -> Inputs:
    def write(name: str, rows: Sequence[Fact]) -> list[Path]:
        return engine.write_facts(rows, directory, name, engine.Layout(), {})

    return gather_inputs(
        world.definitions,
        exposures=write("exposures", world.facts.exposures),
        events=write("events", world.facts.events),
        step_messages=write("step_messages", world.facts.step_messages),
        as_of=None if world.as_of is None else engine.time_text(world.as_of),
    )


def queried_report(inputs: Inputs) -> dict[str, Any]:
    with Session(inputs) as session:
        session.stage()
        found = session.attribute()
        return build_report(session.con, inputs.definitions, FactCounts(), found.as_of)


def counted_report(inputs: Inputs) -> dict[str, Any]:
    with Session(inputs) as session:
        session.stage()
        count = Count(inputs.definitions)
        found = session.attribute(receiver=count)
        return report_of(count.tables(found.results), inputs.definitions, FactCounts(), found.as_of)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", slow_but(QUICK_SEEDS, SEEDS[1::2]))
def test_counted_and_queried_reports_are_equal(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = generate_world(random.Random(seed), users=60)
    inputs = inputs_of(world, tmp_path)
    expected = queried_report(inputs)
    # Many small parts, tables that must grow, and queries that see only some of the rows.
    monkeypatch.setenv("AFTERWORD_BATCH_ROWS", "7")
    monkeypatch.setattr(counted, "QUERY_ROWS", 20)
    monkeypatch.setattr(counted, "new_cells", lambda extra=0: grouping.new_cells(extra, 4))
    assert counted_report(inputs) == expected


def test_the_worlds_have_what_is_counted_apart(tmp_path: Path) -> None:
    """Persons in several variants, several units of a person, step messages, several currencies."""
    seen = set()
    for seed in QUICK_SEEDS:
        world = generate_world(random.Random(seed), users=60)
        directory = tmp_path / str(seed)
        directory.mkdir()
        report = queried_report(inputs_of(world, directory))
        for campaign in report["campaigns"]:
            everyone = campaign["total_with_control"]
            seen |= {campaign["counting"]} if everyone["persons"] < everyone["exposed"] else set()
            seen |= {"several"} if everyone["several_variants"] else set()
            seen |= {"steps"} if any(step["received"] for step in campaign["steps"]) else set()
            seen |= {"apart"} if everyone["revenue"]["unconverted"] else set()
    assert seen >= {"once_per_exposure", "once_per_channel", "several", "steps", "apart"}


def test_cells_are_those_of_sorting() -> None:
    rng = np.random.default_rng(3)
    keys = rng.integers(-3, 5_000, 40_000) * 1_000_003
    cells = grouping.new_cells()
    for part in np.array_split(keys, 7):
        cells = grouping.count(cells, part)
    found = cells.filled()
    expected = np.unique(keys[keys >= 0], return_counts=True)
    order = np.argsort(found[0])
    assert np.array_equal(found[:, order], expected)


def test_credited_purchases_come_back_as_they_were() -> None:
    """Also before and long after their exposure's day, and in the last campaign, step and currency that fit."""
    columns = ("campaign", "variant", "step", "currency", "exposed_day", "occurred_day")
    rows = [
        (0, 0, -1, 0, -1, -1),
        (0, 0, -1, 0, 20_000, 20_063),
        (0, 0, -1, 0, 20_000, 20_064),
        (3, 8, 2, 5, 20_000, 84_000),
        (3, 8, 2, 5, 20_000, 19_999),
        (keys.CAMPAIGNS - 1, 15, keys.CAMPAIGNS - 1, (1 << 28) - 1, 84_005, 84_005),
    ]
    credits = keys.Credits()
    cells = grouping.new_cells(extra=2)
    for part in (rows[:1], rows[1:]):
        numbers = np.array(part, np.int32).T
        key = credits.keys(dict(zip(columns, numbers, strict=True)))
        cells = grouping.add(cells, key, np.ones(len(part), np.int64))
    found = credits.rows(cells)
    assert sorted(zip(*(found[name].tolist() for name in columns), strict=True)) == sorted(rows)


def test_sums_beyond_64_bits_are_exact() -> None:
    values = np.array([10**18 - 1] * 50 + [-(10**18)] * 7, np.int64)
    cells = grouping.add(grouping.new_cells(extra=2), np.zeros(len(values), np.int64), values)
    _, n, upper, lower = (int(number) for (number,) in cells.filled())
    assert (n, (upper << 32) + lower) == (57, 50 * (10**18 - 1) - 7 * 10**18)


@pytest.mark.parametrize(("counting", "units"), [("once_per_user", 1), ("once_per_channel", 2)])
def test_two_channels_on_one_day_are_two_recipients_only_once_per_channel(
    counting: str, units: int, tmp_path: Path
) -> None:
    definitions, exposures, events = (tmp_path / name for name in ("c.json", "exposures.csv", "events.csv"))
    campaign = {
        "id": "c", "name": "c", "counting": counting, "channels": ["email", "push"],
        "variants": [{"id": "m", "share": 100}], "conversion_events": [{"kind": "session", "deadline": "3 days"}],
    }  # fmt: skip
    definitions.write_text(json.dumps({"campaigns": [campaign]}))
    exposures.write_text(
        "user_id,campaign_id,variant_id,exposed_at,channel\n"
        "ann,c,m,2026-03-02T09:00:00Z,email\nann,c,m,2026-03-02T10:00:00Z,push\nann,c,m,2026-03-02T11:00:00Z,push\n"
    )
    events.write_text("event_id,user_id,kind,occurred_at\ns1,ann,session,2026-03-02T12:00:00Z\n")
    inputs = gather_inputs(definitions, exposures=[exposures], events=[events])
    for report in (counted_report(inputs), queried_report(inputs)):
        (found,) = report["campaigns"]
        assert found["variants"][0]["exposed"] == units
        assert found["by_exposure_day"]["variants"]["m"]["exposed"] == [units]
        assert found["by_exposure_day"]["total"]["exposed"] == [units]
