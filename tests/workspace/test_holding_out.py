"""A holdout's two sides, counted from facts, against loops over the same facts."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.model import (
    ConversionEvent,
    ConversionKind,
    Definitions,
    EventKind,
    Op,
    PropertyFilter,
    Workspace,
)
from afterword.reports.holdouts import HELD_OUT, Measured, Side, holdout_report
from afterword.selection.holdouts import drawn_sql, held_out
from afterword.stats.sums import Sums
from afterword.store.holdouts import Holdout
from afterword.workspace.live.holding_out import HoldoutQuestion
from tests.oracle_facts import EventFact, ExposureFact, Fact
from tests.oracle_people import MergeFact, people
from tests.workspace.live_world import LiveWorld

DAY = 86_400_000_000
FIRST, END, NOW = 100 * DAY, 130 * DAY, 200 * DAY
HOLDOUT = Holdout("spring", 1500, FIRST, END, "a" * 32, FIRST)
OTHER = Holdout("summer", 1000, END - DAY, END + 30 * DAY, "b" * 32, FIRST)
LATER = Holdout("autumn", 1000, END, END + 30 * DAY, "c" * 32, FIRST)
TEA = ConversionEvent(ConversionKind.PURCHASE, 1, products=("tea", "cup"))
DEAR = ConversionEvent(ConversionKind.PURCHASE, 1, where=(PropertyFilter("$price", Op.GE, 9),))
ADDED = ConversionEvent(ConversionKind.CUSTOM, 1, name="added", where=(PropertyFilter("cart.total", Op.GT, 5),))
OPENED = ConversionEvent(ConversionKind.SESSION, 1, apps=("ios",))
MATCHES: dict[ConversionEvent, Callable[[EventFact], bool]] = {
    TEA: lambda event: event.kind is EventKind.PURCHASE and event.product_id in ("tea", "cup"),
    DEAR: lambda event: event.kind is EventKind.PURCHASE and event.price is not None and event.price >= 9,
    ADDED: lambda event: event.name == "added" and (event.properties or {}).get("cart") == {"total": 6},
    OPENED: lambda event: event.kind is EventKind.SESSION and event.app_id == "ios",
}


def generated(seed: int, persons: int = 300) -> tuple[list[Fact], list[MergeFact]]:
    rng = random.Random(seed)
    facts: list[Fact] = []
    for user in (f"ü-{number}" for number in range(persons)):
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            facts.append(event_of(rng, user, f"e-{len(facts)}"))
        if rng.random() < 0.3:
            facts.append(ExposureFact(user, "c", "a", rng.randrange(FIRST, END), f"x-{user}"))
    bought = [fact for fact in facts if isinstance(fact, EventFact) and fact.kind is EventKind.PURCHASE]
    for number, purchase in enumerate(rng.sample(bought, len(bought) // 5)):
        at, currency = rng.randrange(FIRST, NOW + 5 * DAY), rng.choice((purchase.currency, purchase.currency, "USD"))
        facts.append(
            EventFact(
                "someone",
                EventKind.REFUND,
                at,
                f"r-{number}",
                price=Decimal("1.50"),
                currency=currency,
                refund_of=purchase.event_id,
            )
        )
    names = [f"ü-{number}" for number in range(persons)]
    merges = [MergeFact(*rng.sample(names, 2)) for _ in range(20)]
    return facts, merges


def event_of(rng: random.Random, user: str, name: str) -> EventFact:
    at = rng.choice((rng.randrange(FIRST - 20 * DAY, END + 20 * DAY), FIRST, END, END - 1))
    match rng.choice(("purchase", "purchase", "session", "custom", "open")):
        case "purchase":
            price = Decimal(rng.randrange(100, 2000)) / 100
            return EventFact(
                user, EventKind.PURCHASE, at, name, product_id=rng.choice(("tea", "cup", "pot")), price=price,
                currency=rng.choice(("EUR", "EUR", "EUR", "CHF", "JPY")), quantity=rng.choice((None, 3)),
            )  # fmt: skip
        case "session":
            return EventFact(user, EventKind.SESSION, at, name, app_id=rng.choice(("ios", "web", None)))
        case "custom":
            total = rng.choice((4, 6))
            return EventFact(user, EventKind.CUSTOM, at, name, name="added", properties={"cart": {"total": total}})
        case _:
            return EventFact(user, EventKind.MESSAGE_OPEN, at, name, campaign_id="c", channel="email")


def world_of(directory: Path, facts: list[Fact], merges: list[MergeFact], as_of: int = NOW) -> LiveWorld:
    world = LiveWorld(directory)
    world.load(facts, merges)
    world.con.execute("INSERT INTO main.rates VALUES (DATE '1970-04-11', 'CHF', 1.1), (DATE '1970-05-01', 'CHF', 1.2)")
    world.live.refresh(Definitions(Workspace("Europe/Berlin", "EUR")), as_of=as_of)
    return world


def measured(world: LiveWorld, event: ConversionEvent, as_of: int = NOW) -> Measured:
    question = HoldoutQuestion(Workspace("Europe/Berlin", "EUR"), HOLDOUT, [OTHER, LATER], event)
    found, at = world.live.holdout(question, as_of)
    assert at == as_of
    return found


def expected_sides(facts: list[Fact], merges: list[MergeFact], end: int) -> dict[str, str]:
    """The side of each known person, by loops."""
    person_of = people(merges)
    ids: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        known = isinstance(fact, EventFact) and fact.kind < EventKind.MESSAGE_DELIVERED and fact.at < end
        if known:
            ids[person_of.get(fact.user_id, fact.user_id)].add(fact.user_id)
    sides = {}
    for person, names in ids.items():
        held = [name is not None for name in held_out([HOLDOUT], sorted(names), FIRST)]
        other = [name is not None for name in held_out([OTHER], sorted(names), END)]
        if all(held):
            sides[person] = "held_out"
        elif any(held):
            sides[person] = "across"
        else:
            sides[person] = "in_others" if any(other) else "everyone_else"
    return sides


@pytest.mark.sampled(3)
@pytest.mark.parametrize("as_of", [NOW, FIRST + 11 * DAY], ids=["ended", "half-way"])
@pytest.mark.parametrize("seed", [1, 2])
def test_both_sides_are_what_loops_find(tmp_path: Path, seed: int, as_of: int) -> None:
    facts, merges = generated(seed)
    world = world_of(tmp_path, facts, merges, as_of)
    end = min(END, as_of + 1)
    sides, person_of = expected_sides(facts, merges, end), people(merges)
    events = [fact for fact in facts if isinstance(fact, EventFact)]
    inside = [event for event in events if FIRST <= event.at < end]
    for event, matches in MATCHES.items():
        found = measured(world, event, as_of)
        for name, side in (("held_out", found.held_out), ("everyone_else", found.everyone_else)):
            members = {person for person, its in sides.items() if its == name}
            did = {person_of.get(one.user_id, one.user_id) for one in inside if matches(one)}
            assert (side.known, side.converted) == (len(members), len(members & did))
        assert found.across == sum(its == "across" for its in sides.values())
        assert found.in_others == sum(its == "in_others" for its in sides.values())
    assert measured(world, TEA, as_of).held_out.known > 15


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", [1, 2])
def test_revenue_is_less_what_was_given_back_and_apart_without_a_rate(tmp_path: Path, seed: int) -> None:
    facts, merges = generated(seed)
    world = world_of(tmp_path, facts, merges)
    sides, person_of = expected_sides(facts, merges, END), people(merges)
    events = [fact for fact in facts if isinstance(fact, EventFact)]
    for name in ("held_out", "everyone_else"):
        each: dict[str, Decimal] = defaultdict(Decimal)
        apart: dict[str, Decimal] = defaultdict(Decimal)
        for one in events:
            person = person_of.get(one.user_id, one.user_id)
            if one.kind is not EventKind.PURCHASE or not FIRST <= one.at < END or sides.get(person) != name:
                continue
            given_back = [
                refund.amount
                for refund in events
                if refund.refund_of == one.event_id and refund.currency == one.currency and refund.at <= NOW
            ]
            net = one.amount - sum(given_back, Decimal())
            # Days are Berlin's: an hour or two before those of UTC begin. Rates are at most seven days old.
            day = (one.at + 3_600_000_000) // DAY
            rate = {"EUR": Decimal(1)}.get(one.currency or "")
            if one.currency == "CHF":
                rate = Decimal("1.1") if 100 <= day <= 107 else Decimal("1.2") if 120 <= day <= 127 else None
            if rate is None:
                apart[one.currency or ""] += net
            else:
                each[person] += net * rate
        found = measured(world, TEA)
        side = found.held_out if name == HELD_OUT else found.everyone_else
        assert Decimal(side.money.amount("EUR")) == round(sum(each.values(), Decimal()), 2)
        assert {code: Decimal(text) for code, text in side.money.apart().items()} == apart
        assert side.revenue.n == side.known
        assert side.revenue.y == pytest.approx(float(sum(each.values())), rel=1e-12)
        assert side.revenue.yy == pytest.approx(float(sum(one * one for one in each.values())), rel=1e-12)


def test_who_was_only_messaged_is_not_known(tmp_path: Path) -> None:
    # Of those held out nobody could become known so.
    messaged = [ExposureFact(f"u-{n}", "c", "a", FIRST, f"x-{n}") for n in range(100)]
    opened = [EventFact(f"u-{n}", EventKind.MESSAGE_OPEN, FIRST + 1, f"o-{n}", campaign_id="c") for n in range(100)]
    world = world_of(tmp_path, [*messaged, *opened], [])
    found = measured(world, TEA)
    assert (found.held_out.known, found.everyone_else.known) == (0, 0)
    told = holdout_report(found, HOLDOUT.share, "EUR", ended=True)
    assert told["groups"]["held_out"]["rate"] is None
    assert told["conversions"]["incremental"] is None
    assert told["split"] == {"expected_share": 0.15, "share": None, "p_value": None}


@pytest.mark.parametrize("kind", [ConversionKind.UPGRADE, ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK])
def test_what_cannot_be_reported_is_refused(kind: ConversionKind) -> None:
    with pytest.raises(UserError, match=f"kind is {kind}, against a holdout it must be one of session, purchase"):
        HoldoutQuestion(Workspace(), HOLDOUT, [], ConversionEvent(kind, 1))


def test_the_database_draws_whom_python_draws(tmp_path: Path) -> None:
    users = [f"ü-{number}" for number in range(2_000)]
    drawn = [user for user, name in zip(users, held_out([HOLDOUT], users, FIRST), strict=True) if name]
    with LiveWorld(tmp_path).con as con:
        sql = f"SELECT user_id FROM (SELECT unnest($users::VARCHAR[]) AS user_id) WHERE {drawn_sql(HOLDOUT, 'user_id')}"
        assert [user for (user,) in con.execute(sql, {"users": users}).fetchall()] == drawn
    assert 250 < len(drawn) < 350


# --- what is said of them ---------------------------------------------------------------------------


def sides_of(held: tuple[int, int, float], rest: tuple[int, int, float]) -> Measured:
    def side(known: int, converted: int, each: float) -> Side:
        y = converted * each
        return Side(known, converted, Sums(n=known, y=y, yy=converted * each * each, m=known, mm=known, my=y))

    return Measured(side(*held), side(*rest), 0, 0)


def test_what_messaging_brought_is_the_difference_times_everyone_else() -> None:
    told = holdout_report(sides_of((1_000, 50, 20.0), (19_000, 1_140, 20.0)), 500, "EUR", ended=True)
    assert told["conversions"]["difference"] == pytest.approx(0.01)
    assert told["conversions"]["lift"] == pytest.approx(0.2)
    assert told["conversions"]["incremental"] == pytest.approx(190)
    low, high = told["conversions"]["interval"]
    assert told["conversions"]["incremental_interval"] == pytest.approx([low * 19_000, high * 19_000])
    assert low < 0.01 < high
    assert (told["revenue"]["difference"], told["revenue"]["incremental"]) == (pytest.approx(0.2), "3800.00")
    assert told["warnings"] == []


def test_sides_of_the_wrong_sizes_and_a_period_under_way_are_said() -> None:
    told = holdout_report(sides_of((800, 50, 1.0), (19_200, 1_140, 1.0)), 500, "EUR", ended=False)
    assert told["split"]["p_value"] < 1e-9
    assert told["warnings"] == [
        "4.00% of the known persons are held out where 5.00% were drawn: one side became known more easily than the "
        "other, so the difference is not that of messaging alone",
        "the period has not ended: the intervals are for one look, when it has",
    ]
