"""What has been seen in the last 30 days, over facts in their tables."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from afterword.model import ConversionEvent, ConversionKind, Counting, Definitions, EventKind
from afterword.workspace.kept import KeptAMinute
from afterword.workspace.live.exploring import Question
from afterword.workspace.seen import SPAN, Found, Look, all_names, names, properties, values
from afterword.workspace.shares import shares
from tests.histories import generate_world
from tests.oracle_facts import EventFact, ExposureFact
from tests.workspace.live_world import LiveWorld, all_of

DAY = 86_400_000_000
NOW = 20_000 * DAY


def custom(number: int, name: str, ago: int = DAY, **properties: Any) -> EventFact:
    user = f"u{number}"
    return EventFact(user, EventKind.CUSTOM, NOW - ago, name=name, properties=properties or None)


def loaded(directory: Path, facts: Sequence[EventFact]) -> LiveWorld:
    world = LiveWorld(directory)
    world.load(facts)
    return world


def counts(found: Any) -> list[tuple[str, int]]:
    return [(one.get("name", one.get("value")), one["count"]) for one in found.items]


def seen(con: duckdb.DuckDBPyConnection, what: str, look: Look) -> Found:
    return names(con, look, all_names(con, what, look.as_of, look.app))


def test_names_that_fit_come_with_counts_of_thirty_days(tmp_path: Path) -> None:
    facts = [
        custom(1, "Cart viewed"),
        custom(2, "Cart viewed"),
        custom(3, "view cart"),
        custom(4, "view cart"),
        custom(5, "view cart"),
        custom(6, "cart_old", SPAN + 1),
        custom(7, "cart_future", -DAY),
        EventFact("u", EventKind.SESSION, NOW - DAY, app_id="cart app", app_version="1.2"),
        EventFact("u", EventKind.SESSION, NOW - DAY, app_id="other", app_version="2.0"),
        EventFact("u", EventKind.PURCHASE, NOW - DAY, product_id="cart-1"),
    ]
    con = loaded(tmp_path, [replace(fact, event_id=f"id{i}", user_id="u") for i, fact in enumerate(facts)]).con
    assert counts(seen(con, "events", Look(NOW, 10, "CART"))) == [("Cart viewed", 2), ("view cart", 3)]
    assert counts(seen(con, "products", Look(NOW, 10))) == [("cart-1", 1)]
    assert counts(seen(con, "apps", Look(NOW, 10, "c"))) == [("cart app", 1)]
    assert counts(seen(con, "versions", Look(NOW, 10, app="other"))) == [("2.0", 1)]
    first = seen(con, "events", Look(NOW, 1))
    assert (counts(first), first.matching, first.events) == ([("view cart", 3)], 2, 5)
    typo = seen(con, "events", Look(NOW, 10, "Cart viewd"))
    assert (typo.items, typo.matching) == ([], 0)


def test_properties_are_named_as_filters_name_them(tmp_path: Path) -> None:
    facts = [
        custom(1, "a", plan="pro", cart={"items": [{"sku": "x", "n": 1}, {"sku": "y"}]}, tags=["new", "old"]),
        custom(2, "a", plan=7, none=None),
        custom(3, "b", plan=True),
        custom(4, "b", **{"with.dot": 1, "$price": 1, "a[]": 1, "": 1}),
    ]
    con = loaded(tmp_path, [replace(fact, event_id=f"id{i}") for i, fact in enumerate(facts)]).con
    found = properties(con, Look(NOW, 20))
    assert {one["name"]: (one["count"], one["kinds"]) for one in found.items} == {
        "plan": (3, ["boolean", "number", "text"]),
        "cart.items[].sku": (1, ["text"]),
        "cart.items[].n": (1, ["number"]),
        "tags[]": (1, ["text"]),
    }
    assert (found.events, found.one_in) == (4, 1)
    assert counts(properties(con, Look(NOW, 20, "PLA", name="b"))) == [("plan", 1)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("plan", [('"pro"', 2), ("7", 1), ("true", 1)]),
        ("cart.items[].sku", [('"x"', 2), ('"y"', 1)]),
        ("cart", []),
        ("never", []),
    ],
)
def test_values_are_those_that_a_filter_compares_with(
    tmp_path: Path, path: str, expected: list[tuple[str, int]]
) -> None:
    facts = [
        custom(1, "a", plan="pro", cart={"items": [{"sku": "x"}, {"sku": "y"}]}),
        custom(2, "a", plan="pro", cart={"items": [{"sku": "x"}]}),
        custom(3, "b", plan=7),
        custom(4, "b", plan=True),
    ]
    con = loaded(tmp_path, [replace(fact, event_id=f"id{i}") for i, fact in enumerate(facts)]).con
    assert counts(values(con, Look(NOW, 20), path)) == expected


def test_values_of_few_users_can_be_left_out(tmp_path: Path) -> None:
    facts = [custom(i % 2, "a", plan="pro", mail="ann@example.com" if i % 2 else "bob@example.com") for i in range(4)]
    con = loaded(tmp_path, [replace(fact, event_id=f"id{i}") for i, fact in enumerate(facts)]).con
    assert counts(values(con, Look(NOW, 20), "plan", least_users=2)) == [('"pro"', 4)]
    assert counts(values(con, Look(NOW, 20), "mail", least_users=2)) == []
    assert counts(values(con, Look(NOW, 20, "ANN"), "mail")) == [('"ann@example.com"', 2)]


def test_columns_have_values_too(tmp_path: Path) -> None:
    con = LiveWorld(tmp_path).con
    con.execute(
        "INSERT INTO events (event_id, user_id, kind, occurred_at, product_id, price, quantity, currency, machine, "
        "digest, position, item, arrived_at, user_hash) SELECT 'p' || i, 'u', 'purchase', ?, 'tea', 100.50, 2, 'EUR', "
        "false, i, i, 0, 0, 0 FROM range(3) t(i)",
        [NOW - DAY],
    )
    look = Look(NOW, 20, kind="purchase")
    assert [counts(values(con, look, path)) for path in ("$price", "$quantity", "$currency", "$product_id")] == [
        [("100.5", 3)], [("2", 3)], [('"EUR"', 3)], [('"tea"', 3)],
    ]  # fmt: skip


def test_of_many_events_an_even_part_is_looked_into(tmp_path: Path) -> None:
    con = LiveWorld(tmp_path).con
    con.execute(
        "INSERT INTO events (event_id, user_id, kind, occurred_at, name, quantity, machine, properties, digest, "
        "position, item, arrived_at, user_hash) SELECT 'e' || i, 'u' || i, 'custom', ?, 'a', 1, false, "
        'CASE WHEN i % 4 = 0 THEN \'{"rare":1,"plan":"pro"}\' ELSE \'{"plan":"free"}\' END, hash(i), i, 0, 0, 0 '
        "FROM range(250000) t(i)",
        [NOW - DAY],
    )
    found = properties(con, Look(NOW, 20))
    assert (found.events, found.one_in) == (250_000, 3)
    told = dict(counts(found))
    assert told["rare"] == pytest.approx(62_500, rel=0.05)
    assert told["plan"] == pytest.approx(250_000, rel=0.05)
    assert dict(counts(values(con, Look(NOW, 20), "plan")))['"free"'] == pytest.approx(187_500, rel=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
def test_shares_are_what_a_campaign_that_reached_everybody_would_have(tmp_path: Path, seed: int) -> None:
    """The engine counts the same persons when all had an exposure thirty days ago."""
    world = generate_world(random.Random(seed), users=40)
    events = [fact for fact in all_of(world.facts) if isinstance(fact, EventFact)]
    as_of = sorted(fact.at for fact in events)[-len(events) // 8]
    campaign = next(one for one in world.definitions.campaigns)
    others = [
        replace(event, deadline_seconds=30 * 86_400)
        for one in world.definitions.campaigns
        for event in one.conversion_events
        if event.kind not in (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)
    ]
    app = min(fact.app_id for fact in events if fact.app_id and fact.app_version)
    upgrade = ConversionEvent(ConversionKind.UPGRADE, 30 * 86_400)
    asked = [*others[:2], upgrade, replace(upgrade, apps=(app,))]
    live = LiveWorld(tmp_path)
    users = sorted({fact.user_id for fact in events})
    variant = campaign.variants[0].id
    exposed = [ExposureFact(user, campaign.id, variant, as_of - SPAN, f"x{i}") for i, user in enumerate(users)]
    live.load([*events, *exposed], world.facts.merges)
    only = replace(campaign, conversion_events=tuple(asked), counting=Counting.ONCE_PER_USER, steps=(), channels=())
    live.live.refresh(Definitions(world.definitions.workspace, ()), as_of=as_of)
    question = Question(world.definitions.workspace, only, True)
    answer, _ = live.live.explore(question, as_of, lambda _what, _done: None, lambda _con: None)
    told = answer["total_with_control"]["conversions"]
    expected = [told[f"X{i}"]["converted"] for i in range(1, len(asked) + 1)]
    assert list(shares(live.con, asked, as_of).users) == expected
    assert any(expected)


def test_shares_are_of_those_who_did_anything(tmp_path: Path) -> None:
    facts = [
        replace(custom(1, "a"), user_id="ann", event_id="1"),
        replace(custom(2, "b"), user_id="bob", event_id="2"),
        EventFact("cat", EventKind.MESSAGE_OPEN, NOW - DAY, event_id="3", campaign_id="c"),
        replace(custom(4, "a", SPAN + DAY), user_id="dan", event_id="4"),
    ]
    con = loaded(tmp_path, facts).con
    asked = [
        ConversionEvent(ConversionKind.CUSTOM, 1, name="a"),
        ConversionEvent(ConversionKind.MESSAGE_OPEN, 1),
        ConversionEvent(ConversionKind.CUSTOM, 1, name="A"),
    ]
    found = shares(con, asked, NOW)
    assert (found.seen, found.users) == (2, (1, None, 0))


def test_upgrades_are_looked_for_in_an_even_part_of_many_persons(tmp_path: Path) -> None:
    con = LiveWorld(tmp_path).con
    con.execute(
        "INSERT INTO events (event_id, user_id, kind, occurred_at, app_id, app_version, quantity, machine, digest, "
        "position, item, arrived_at, user_hash) SELECT 'e' || i, 'u' || (i % 150000), 'session', ? + i, 'app', "
        "CASE WHEN i >= 1350000 AND i % 3 = 0 THEN '2.0' ELSE '1.0' END, 1, false, hash(i), i, 0, 0, 0 "
        "FROM range(1500000) t(i)",
        [NOW - DAY],
    )
    asked = [ConversionEvent(ConversionKind.UPGRADE, 1), ConversionEvent(ConversionKind.SESSION, 1)]
    found = shares(con, asked, NOW)
    upgraded, sessions = found.users
    assert (found.seen, found.one_in, sessions) == (150_000, 5, 150_000)
    assert upgraded == pytest.approx(50_000, rel=0.03)
    assert upgraded != 50_000


def test_answers_are_kept_for_a_minute_unless_somebody_is_erased() -> None:
    kept, made = KeptAMinute[int](most=2), count(1)

    def ask(key: str, as_of: int, erased: int) -> int:
        return kept.ask(key, as_of, erased, lambda: next(made))

    assert [ask("a", NOW, 0), ask("a", NOW + 30_000_000, 0)] == [1, 1]
    assert ask("a", NOW + 61_000_000, 0) == 2
    assert ask("a", NOW + 61_000_000, 1) == 3
    assert [ask("b", NOW + 61_000_000, 1), ask("c", NOW + 61_000_000, 1)] == [4, 5]
    assert ask("a", NOW + 61_000_000, 1) == 6
