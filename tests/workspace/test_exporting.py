"""Exports of a running server: the very rows of a run, in its order, whole or page by page."""

from __future__ import annotations

import csv
import json
import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import afterword
from afterword.errors import UserError
from afterword.model import LETTERS, Definitions
from afterword.store.user_hashes import user_hash_sql
from afterword.workspace.live.exporting import Form, Rows, Wanted
from tests.extent import slow_but
from tests.histories import generate_world
from tests.workspace.live_world import LiveWorld, all_of

Row = dict[str, Any]


class Loaded:
    """A generated world that was loaded in two halves, and the result files of a run over an export of its facts."""

    def __init__(self, seed: int, directory: Path) -> None:
        world = generate_world(random.Random(seed), users=60)
        facts = all_of(world.facts)
        self.definitions = world.definitions
        self.as_of = sorted(fact.at for fact in facts)[-len(facts) // 8]
        self.directory = directory
        self.live = LiveWorld(directory)
        for half in (facts[::2], facts[1::2]):
            self.live.load(half, world.facts.merges)
            self.live.live.refresh(self.definitions, as_of=self.as_of)
        self.ran = self.live.run(self.definitions, self.as_of, directory / "run")

    def expected(self, rows: Rows) -> list[Row]:
        return read(Path(self.ran.path) / f"{rows.value}.parquet", Form.PARQUET)

    def export(self, **wanted: Any) -> tuple[list[Row], Any]:
        asked = Wanted(**{"form": Form.PARQUET, **wanted})
        path = self.directory / f"export.{asked.form}"
        exported = self.live.live.export(self.definitions, self.as_of, asked, path)
        rows = read(path, asked.form)
        assert exported.rows == len(rows)
        return rows, exported.last


def read(path: Path, form: Form) -> list[Row]:
    if form is Form.PARQUET:
        rows: list[Row] = pq.read_table(path).to_pylist()
        return rows
    if form is Form.NDJSON:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=slow_but([0], [1, 2]))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(3000 + request.param, tmp_path_factory.mktemp("live"))


@pytest.mark.parametrize("rows", list(Rows))
def test_the_rows_are_those_of_a_run_in_their_order(loaded: Loaded, rows: Rows) -> None:
    expected, (found, last) = loaded.expected(rows), loaded.export(rows=rows)
    assert found == expected
    assert last is None
    assert len(expected) >= 5


@pytest.mark.parametrize("rows", list(Rows))
def test_all_formats_say_the_same(loaded: Loaded, rows: Rows) -> None:
    expected = loaded.expected(rows)
    lines, _ = loaded.export(rows=rows, form=Form.NDJSON)
    assert [list(row) for row in lines] == [list(row) for row in expected]
    assert [{name: typed(name, value) for name, value in row.items()} for row in lines] == expected
    cells, _ = loaded.export(rows=rows, form=Form.CSV)
    truth = {"true": True, "false": False, "": None}
    assert [{name: typed(name, truth.get(value, value)) for name, value in row.items()} for row in cells] == expected


def typed(name: str, value: Any) -> Any:
    """A value of text as the Parquet file has it."""
    if value is not None and name in ("exposed_at", "converted_at", "occurred_at", "as_of"):
        return datetime.fromisoformat(value)
    return Decimal(value) if name in ("amount", "refunded") else value


@pytest.mark.sampled(3)
@pytest.mark.parametrize("rows", list(Rows))
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_are_the_whole_cut_into_pieces(loaded: Loaded, rows: Rows, limit: int) -> None:
    expected = loaded.expected(rows)[: 40 * limit]
    found: list[Row] = []
    after = None
    while len(found) < len(expected):
        page, after = loaded.export(rows=rows, limit=limit, after=after)
        assert len(page) == limit or after is None
        assert page
        found += page
    assert found[: len(expected)] == expected
    assert after is None or len(loaded.expected(rows)) > len(expected)


def test_filters_leave_the_rows_that_they_name(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        for variant in (None, *(variant.id for variant in campaign.variants)):
            for event in (None, *LETTERS[: len(campaign.conversion_events)]):
                expected = [
                    row
                    for row in loaded.expected(Rows.CONVERSIONS)
                    if row["campaign_id"] == campaign.id
                    and row["variant_id"] == (variant or row["variant_id"])
                    and row["conversion_event"] == (event or row["conversion_event"])
                ]
                assert loaded.export(campaign=campaign.id, variant=variant, event=event)[0] == expected


@pytest.mark.parametrize("rows", list(Rows))
def test_a_row_that_is_there_throughout_comes_once_whatever_happens_between_pages(rows: Rows, tmp_path: Path) -> None:
    rng = random.Random(8)
    world = generate_world(rng, users=50)
    facts = all_of(world.facts)
    rng.shuffle(facts)
    live = LiveWorld(tmp_path)
    as_of = max(fact.at for fact in facts)

    def whole(definitions: Definitions) -> dict[str, Row]:
        path = tmp_path / "whole.parquet"
        live.live.export(definitions, as_of, Wanted(rows, Form.PARQUET), path)
        return {name(row): row for row in read(path, Form.PARQUET)}

    size, after, found, seen = len(facts) // 12, None, [], []
    live.load(facts[: 6 * size])
    live.live.refresh(world.definitions, as_of=as_of)
    for turn in range(6, 1000):
        seen.append(whole(world.definitions).keys())
        asked = Wanted(rows, Form.PARQUET, after=after, limit=5)
        after = live.live.export(world.definitions, as_of, asked, tmp_path / "page.parquet").last
        found += [name(row) for row in read(tmp_path / "page.parquet", Form.PARQUET)]
        if after is None:
            break
        live.load(facts[turn * size : (turn + 1) * size], world.facts.merges if turn == 8 else ())
        live.live.refresh(world.definitions, as_of=as_of)
    always = set(seen[0]).intersection(*seen)
    assert len(seen) > 3
    assert len(always) > 10
    assert always <= set(found)
    assert len(found) == len(set(found))


def name(row: Row) -> str:
    return str(row.get("conversion_id") or (row["campaign_id"], row["user_id"], row["exposure_id"], row["event_id"]))


def test_more_than_a_row_group_stays_in_order(tmp_path: Path) -> None:
    definitions = generate_world(random.Random(3), users=1).definitions
    campaign = definitions.campaigns[0].id
    live = LiveWorld(tmp_path)
    live.con.execute(
        f"""
        INSERT INTO exposures BY NAME SELECT 'x' || i AS exposure_id, 'u' || (i * 7919 % 140000) AS user_id,
            '{campaign}' AS campaign_id, '{definitions.campaigns[0].variants[0].id}' AS variant_id, 1000 AS exposed_at,
            'email' AS channel, 0 AS digest, 1 AS position, i AS item, 0 AS arrived_at,
            {user_hash_sql("'u' || (i * 7919 % 140000)")} AS user_hash FROM range(140000) r(i);
        INSERT INTO events BY NAME SELECT 'p' || i AS event_id, 'u' || i AS user_id, 'purchase' AS kind,
            2000 AS occurred_at, 1 AS price, 1 AS quantity, 'EUR' AS currency, false AS machine,
            0 AS digest, 1 AS position, i AS item, 0 AS arrived_at,
            {user_hash_sql("'u' || i")} AS user_hash FROM range(140000) r(i)"""
    )
    live.live.refresh(definitions, as_of=3000)
    expected = sorted(f"u{number}" for number in range(140_000))
    path = tmp_path / "out"
    assert live.live.export(definitions, 3000, Wanted(Rows.CREDITED, Form.PARQUET), path).rows == len(expected)
    assert pq.read_table(path, columns=["user_id"]).column(0).to_pylist() == expected
    live.live.export(definitions, 3000, Wanted(Rows.CREDITED, Form.NDJSON), path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.partition('"user_id":"')[2].partition('"')[0] for line in lines] == expected


def test_a_run_over_exported_facts_gives_the_same(loaded: Loaded, tmp_path: Path) -> None:
    names = loaded.live.live.export_facts(loaded.definitions, loaded.as_of, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    ran = afterword.run(
        tmp_path / "campaigns.json",
        exposures=tmp_path / "exposures.parquet",
        events=tmp_path / "events.parquet",
        step_messages=tmp_path / "step_messages.parquet",
        merges=tmp_path / "merges.parquet",
        as_of=json.loads((tmp_path / "export.json").read_text())["as_of"],
        out=tmp_path / "results",
    )
    found = json.loads(json.dumps(loaded.live.live.report(loaded.definitions, loaded.as_of)))
    assert (ran.json["as_of"], ran.json["campaigns"]) == (found["as_of"], found["campaigns"])
    for rows in Rows:
        assert read(Path(ran.path) / f"{rows.value}.parquet", Form.PARQUET) == loaded.expected(rows)


def test_what_is_unknown_is_refused_in_a_sentence(loaded: Loaded) -> None:
    for asked, sentence in (
        ({"campaign": "c00"}, 'unknown campaign "c00", did you mean "c0"'),
        ({"campaign": "c0", "variant": "v00"}, 'unknown variant "v00" of c0, did you mean "v0"'),
        ({"variant": "v0"}, "variant belongs to a campaign"),
        ({"event": "AB"}, 'event is "AB", must be one of A, B, C, D'),
        ({"rows": Rows.CREDITED, "event": "A"}, "leave event away"),
    ):
        with pytest.raises(UserError) as refused:
            loaded.export(**asked)
        assert sentence in str(refused.value)
