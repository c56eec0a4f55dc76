"""The results of a running server are what a run over all its facts gives."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import afterword
from afterword.errors import UserError
from afterword.intake.definitions import parse_definitions
from afterword.model import LETTERS, Campaign, Definitions
from afterword.reports.report import iso_time
from afterword.store.user_hashes import user_hash_sql
from afterword.workspace.listing import EVERYBODY, STATES, Narrow, Page
from afterword.workspace.live import NotDerived, gathering, refreshing
from afterword.workspace.live.state import TABLES
from tests.extent import THOROUGH, part, slow_but
from tests.histories import generate_world
from tests.workspace.live_world import LiveWorld, all_of, changed


@pytest.mark.parametrize("seed", slow_but([0, 2], [1, 3]))
def test_one_load_gives_what_a_run_gives(seed: int, tmp_path: Path) -> None:
    world = generate_world(random.Random(seed), users=60)
    facts = all_of(world.facts)
    as_of = world.as_of or max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    refreshed = live.live.refresh(world.definitions, as_of=as_of)
    assert refreshed.campaigns == tuple(campaign.id for campaign in world.definitions.campaigns)
    live.check(world.definitions, as_of, tmp_path / "run")


# The quick ones have, between them, every counting, steps, merges, and batches of 3 rows and of many.
@pytest.mark.parametrize("seed", slow_but([3, 4, 7], [0, 1, 2, 5, 6, *range(8, 12)]))
def test_any_batching_gives_what_a_run_gives(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:  # what is done for many users, with the few of a test
        monkeypatch.setattr(gathering, "MANY", 1)
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
    steps = 8 if THOROUGH else 5
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


def check_pages(
    live: LiveWorld, definitions: Definitions, as_of: int, campaign: Campaign, event: str, state: str, whole: list[Any]
) -> None:
    """A list in pages is the whole one, and says how long it is; after the last page comes the last one again."""
    rows = max(1, len(whole) // 3)
    last = max(1, -(-len(whole) // rows))
    for number in range(1, last + 2):
        page = Page(number, rows)
        told = live.live.users_page(definitions, as_of, campaign.id, "total", event, state, EVERYBODY, page)
        start = (min(number, last) - 1) * rows
        assert told == (whole[start : start + rows], len(whole))


def check_what_is_counted_apart(
    live: LiveWorld, ran: afterword.Results, definitions: Definitions, campaign: Campaign, as_of: int
) -> None:
    """Exposures, outcomes, recipients of steps and groups by channel are as many as they are counted."""
    told = ran.report(campaign.id).json
    counted = {"exposures": told["total"]["exposures"]}
    counted |= {f"outcome:{name}": n for name, n in told["total"]["outcomes"].items()}
    counted |= {f"received:{step['id']}": step["recipients"] for step in told["steps"]}
    lists = {state: live.live.users(definitions, as_of, campaign.id, "total", "A", state) for state in counted}
    assert {state: len(found) for state, found in lists.items()} == counted
    for state in part(list(lists), 4):
        assert ran.users(campaign.id, "total", state=state) == lists[state]
    if not campaign.conversion_events:
        return
    for group in live.live.breakdown(definitions, as_of, campaign.id, "A", "channel")["groups"]:
        narrow = Narrow(group["value"] or "none")
        for variant, numbers in group["variants"].items():
            for state in ("exposed", "converted"):
                found = live.live.users(definitions, as_of, campaign.id, variant, "A", state, narrow)
                assert len(found) == numbers[state]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_users_and_stories_are_those_of_a_run(seed: int, tmp_path: Path) -> None:
    rng = random.Random(2000 + seed)
    world = generate_world(rng, users=40)
    facts = all_of(world.facts)
    rng.shuffle(facts)
    as_of = sorted(fact.at for fact in facts)[-len(facts) // 4]
    live = LiveWorld(tmp_path)
    for half in (facts[::2], facts[1::2]):
        live.load(half, world.facts.merges)
        live.live.refresh(world.definitions, as_of=as_of)
    ran = live.run(world.definitions, as_of, tmp_path / "run")
    for campaign in world.definitions.campaigns:
        for place, event in enumerate(LETTERS[: len(campaign.conversion_events)]):
            for state in part(STATES, 3, place):
                found = live.live.users(world.definitions, as_of, campaign.id, "total", event, state)
                assert found == ran.users(campaign.id, "total", event, state)
                check_pages(live, world.definitions, as_of, campaign, event, state, found)
        check_what_is_counted_apart(live, ran, world.definitions, campaign, as_of)
        known = sorted({fact.user_id for fact in facts})
        for user in [
            *rng.sample(known, 3 if THOROUGH else 1),
            *(merge.from_user_id for merge in world.facts.merges),
            f"{known[0]}x",
        ]:
            assert live.live.explain(world.definitions, as_of, campaign.id, user) == ran.explain(campaign.id, user)


def test_what_is_unknown_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    definitions = generate_world(random.Random(3), users=1).definitions
    live = LiveWorld(tmp_path).live
    with pytest.raises(NotDerived, match="are being computed again"):
        live.report(definitions, 0)
    live.refresh(definitions, as_of=0)
    with pytest.raises(UserError, match=r'unknown campaign "c00", did you mean "c0"\?'):
        live.users(definitions, 0, "c00")
    with pytest.raises(UserError, match=r'unknown campaign "c00", did you mean "c0"\?'):
        live.explain(definitions, 0, "c00", "u")


def test_a_row_that_was_not_replaced_is_noticed(tmp_path: Path) -> None:
    world = generate_world(random.Random(1), users=60)
    facts = all_of(world.facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    live.live.refresh(world.definitions, as_of=max(fact.at for fact in facts))
    live.con.execute(
        "UPDATE derived.conversions SET converted_at = converted_at + 1 "
        "WHERE rowid = (SELECT min(rowid) FROM derived.conversions)"
    )
    (difference,) = live.live.recompute(world.definitions)
    assert (difference.table, difference.missing, difference.surplus) == ("conversions", 1, 1)
    assert {example["wrong"] for example in difference.examples} == {"missing", "surplus"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("table", slow_but(["recipients", "conversions"], ["exposures", "credited"]))
def test_rows_that_are_not_removed_are_noticed(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = generate_world(random.Random(1), users=60)
    facts = all_of(world.facts)
    as_of = max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts[::2])
    live.live.refresh(world.definitions, as_of=as_of)
    monkeypatch.setattr(refreshing, "TABLES", [name for name in TABLES if name != table])
    live.load(facts[1::2])
    live.live.refresh(world.definitions, as_of=as_of)
    found = live.live.recompute(world.definitions)
    assert {difference.table for difference in found} == {table}
    assert all(difference.surplus and not difference.missing for difference in found)


def test_a_fact_that_comes_due_is_seen_when_its_time_has_come(tmp_path: Path) -> None:
    world = generate_world(random.Random(1), users=60)
    facts = all_of(world.facts)
    times = sorted(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    live.live.refresh(world.definitions, as_of=times[len(times) // 2])
    due = next(time for time in times if time > times[len(times) // 2])
    # Nobody has looked at the fact yet, so the report ends just before it.
    before = live.live.report(world.definitions, times[-1])
    assert before["as_of"] == iso_time(due - 1)
    live.check(world.definitions, due - 1, tmp_path / "before")
    refreshed = live.live.refresh(world.definitions, as_of=due)
    assert 0 < refreshed.users < 10
    live.check(world.definitions, due, tmp_path / "at")


@pytest.mark.slow
def test_more_rows_than_a_row_group_are_all_there(tmp_path: Path) -> None:
    """A transaction of DuckDB 2.0.0 does not see large inserts into a table that it has made empty itself."""
    live = LiveWorld(tmp_path)
    definitions = parse_definitions(
        {
            "campaigns": [
                {
                    "id": "c",
                    "variants": [{"id": "v", "share": 100}],
                    "conversion_events": [{"kind": "session", "deadline": "1 day"}],
                }
            ]
        },
        "test",
    )
    for name, id_, time, rest in (
        ("exposures", "exposure_id", "exposed_at", "'c' AS campaign_id"),
        ("events", "event_id", "occurred_at", "'session' AS kind, 1 AS quantity, false AS machine"),
    ):
        live.con.execute(
            f"""
            INSERT INTO {name} BY NAME SELECT 'f' || i AS {id_}, 'u' || i AS user_id, {rest},
                1700000000000000 + i AS {time}, 0 AS digest, 1 AS position, i AS item, 0 AS arrived_at,
                {user_hash_sql("'u' || i")} AS user_hash
            FROM range(130000) t(i)"""
        )
    as_of = 1700000000000000 + 10**6
    live.live.refresh(definitions, as_of=as_of)
    assert live.live.recompute(definitions) == []
    (campaign,) = live.live.report(definitions, as_of)["campaigns"]
    assert campaign["total"]["exposed"] == campaign["total"]["conversions"]["A"]["converted"] == 130_000
    live.live.refresh(definitions, ["u7"], as_of=as_of)
    assert live.live.recompute(definitions) == []


@pytest.mark.slow
def test_readers_see_one_state_while_rows_are_replaced(tmp_path: Path) -> None:
    """Answers of other threads are those before a refresh or those after it, nothing in between."""
    world = generate_world(random.Random(5), users=30)
    facts = all_of(world.facts)
    as_of = max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.live.refresh(world.definitions, as_of=as_of)
    seen: list[list[tuple[int, int]]] = []

    def read(stop: threading.Event) -> None:
        while not stop.is_set():
            with live.live._snapshots.open(world.definitions) as (con, _state, _facts):
                kept = con.execute("SELECT (SELECT count(*) FROM recipients), (SELECT version FROM state)").fetchall()
                live.live.report(world.definitions, as_of)
                again = con.execute("SELECT (SELECT count(*) FROM recipients), (SELECT version FROM state)").fetchall()
            assert kept == again
            seen.append(kept)

    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, stop) for _ in range(2)]
        for start in range(0, len(facts), 60):
            live.load(facts[start : start + 60])
            live.live.refresh(world.definitions, as_of=as_of)
        stop.set()
        for reader in readers:
            reader.result()
    assert len(seen) > 2
    live.check(world.definitions, as_of)
