"""Credit over campaigns: what a naive answer says of generated histories, conserved to the last digit."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterword.errors import UserError
from afterword.model import Campaign, ConversionEvent, ConversionKind, Definitions, EventKind, Variant, Workspace
from afterword.workspace.live.crediting import CreditQuestion
from tests.histories import COLUMN_FILTERS, FILTERS, NAMES, generate_world
from tests.oracle import answer
from tests.oracle_credit import CONSERVED, Shared, funnel, share_out
from tests.oracle_facts import EventFact, ExposureFact, Fact, Facts
from tests.oracle_people import MergeFact
from tests.workspace.live_world import LiveWorld, all_of

DAY = 86_400_000_000
BILLIONTH = Fraction(1, 10**9)
APART = {"every": 0, "first": 0, "last": 0, "linear": 1, "position": 1, "time_decay": 2_000}
"""How many billionths a share may be off. Ages are in whole seconds: a weight changes by a millionth in one."""
PAID = (EventKind.PURCHASE, EventKind.REFUND)


def asked(world: LiveWorld, question: CreditQuestion, as_of: int) -> dict[str, Any]:
    found, _ = world.live.credit(question, as_of, lambda _what, _done: None, lambda _con: None)
    return found


def exact(texts: dict[str, str]) -> dict[str, Fraction]:
    return {currency: Fraction(text) for currency, text in texts.items() if Fraction(text)}


def nonzero(amounts: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {currency: amount for currency, amount in amounts.items() if amount}


def random_event(rng: random.Random) -> ConversionEvent:
    kind = rng.choice((ConversionKind.PURCHASE, ConversionKind.PURCHASE, ConversionKind.SESSION, ConversionKind.CUSTOM))
    where = (rng.choice((*FILTERS, *COLUMN_FILTERS.get(kind, ()))),) if rng.random() < 0.3 else ()
    name = rng.choice(NAMES) if kind is ConversionKind.CUSTOM else None
    return ConversionEvent(kind, rng.choice((60, 3_600, 86_400, 3 * 86_400, 30 * 86_400)), name=name, where=where)


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32), once_per_user=st.booleans())
def test_credit_is_what_a_naive_answer_says(seed: int, once_per_user: bool) -> None:
    check(seed, once_per_user=once_per_user)


@pytest.mark.slow
@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), once_per_user=st.booleans())
def test_credit_is_what_a_naive_answer_says_of_many_histories(seed: int, once_per_user: bool) -> None:
    check(seed, once_per_user=once_per_user)


def check(seed: int, *, once_per_user: bool) -> None:
    rng = random.Random(seed)
    generated = generate_world(rng, users=4)
    # Nothing is in francs, so nothing is converted and rounded.
    definitions = Definitions(Workspace("Europe/Berlin", "CHF"), generated.definitions.campaigns)
    facts = all_of(generated.facts)
    as_of = max((fact.at for fact in facts), default=DAY) if generated.as_of is None else generated.as_of
    times = sorted(fact.at for fact in facts) or [0]
    period = rng.choice(((None, None), (times[len(times) // 3], times[-1 - len(times) // 3])))
    event = random_event(rng)
    with tempfile.TemporaryDirectory() as directory:
        world = LiveWorld(Path(directory))
        world.load(facts, generated.facts.merges)
        world.live.refresh(definitions, as_of=as_of)
        found = asked(world, CreditQuestion(definitions, event, period[0], period[1], once_per_user), as_of)
        reported = world.live.report(definitions, as_of)
        world.con.close()
    brought = {campaign["id"]: campaign["incremental"] for campaign in reported["campaigns"]}
    assert {campaign["id"]: campaign["incremental"] for campaign in found["campaigns"]} == brought
    logged = first_of_each(generated.facts)
    naive = answer(definitions, logged, as_of)
    expected = share_out(naive, event, period, once_per_user=once_per_user)
    check_totals(found, expected)
    check_funnel(found, funnel(naive, event, period, as_of), once_per_user=once_per_user)
    near = BILLIONTH * 30 * max(1, expected.touched)
    money = 30 * sum((abs(Fraction(e.amount)) for e in logged.events if e.kind in PAID), Fraction(1))
    for campaign in found["campaigns"]:
        for view, told in campaign["views"].items():
            off = Fraction(told["conversions"]) - expected.conversions[view][campaign["id"]]
            assert abs(off) <= near * APART[view], (view, campaign["id"])
            for currency, amount in exact(told["unconverted"]).items():
                off = amount - expected.money[view][campaign["id"], currency]
                assert abs(off) <= money * BILLIONTH * APART[view], (view, campaign["id"])
        assert sum(campaign["last_by_day"]) == int(campaign["views"]["last"]["conversions"])


def check_funnel(found: dict[str, Any], expected: dict[str | None, dict[str, int]], *, once_per_user: bool) -> None:
    """Persons from a message to the event; what nobody reports is no zero."""
    told = {None: found["funnel"]["total"], **{one["id"]: one["funnel"] for one in found["campaigns"]}}
    for name, steps in told.items():
        for step, count in steps.items():
            assert (count or 0) == expected.get(name, {}).get(step, 0), (name, step)
    if once_per_user:
        assert told[None]["converted"] == found["total"]["touched"]
        for one in found["campaigns"]:
            assert str(one["funnel"]["converted"]) == one["views"]["every"]["conversions"]


def check_totals(found: dict[str, Any], expected: Shared) -> None:
    """What was counted once, and that the views share out just that."""
    total = found["total"]
    assert (total["touched"], total["untouched"]) == (expected.touched, expected.untouched)
    assert total["conversions"] == total["touched"] + total["untouched"]
    assert exact(total["revenue_touched"]["unconverted"]) == nonzero(expected.money_touched)
    assert exact(total["revenue_untouched"]["unconverted"]) == nonzero(expected.money_untouched)
    assert sum(found["untouched_by_day"]) == expected.untouched
    for view in CONSERVED:
        parts = [campaign["views"][view] for campaign in found["campaigns"]]
        assert sum(Fraction(part["conversions"]) for part in parts) == expected.touched
        money = defaultdict[str, Fraction](Fraction)
        for part in parts:
            for currency, amount in exact(part["unconverted"]).items():
                money[currency] += amount
        assert nonzero(money) == nonzero(expected.money_touched)


def first_of_each(facts: Facts) -> Facts:
    """The facts as the log has them: of one id only what came first (rule 33)."""
    seen: dict[tuple[str, str | None], Any] = {}
    for fact in all_of(facts):
        seen.setdefault(fact.identity, fact)
    kept = list(seen.values())
    exposures = [fact for fact in kept if isinstance(fact, ExposureFact)]
    return Facts(exposures, [fact for fact in kept if isinstance(fact, EventFact)], (), facts.merges)


# ---- by example


CAMPAIGNS = tuple(
    Campaign(name, "campaign", name, (Variant("a", 9_000), Variant("control", 1_000, control=True))) for name in "cdef"
)
DEFINITIONS = Definitions(Workspace("UTC", "USD"), CAMPAIGNS)
PURCHASE = ConversionEvent(ConversionKind.PURCHASE, 10 * 86_400)
NOW = 20_000 * DAY
MICROSECOND = 1 / DAY


def exposed(campaign: str, days_ago: float, user: str = "ann", variant: str = "a", **more: Any) -> ExposureFact:
    at = NOW - round(days_ago * DAY)
    return ExposureFact(user, campaign, variant, at, more.pop("id", f"x-{user}-{campaign}-{days_ago}"), **more)


def bought(days_ago: float, user: str = "ann", price: str = "100", **more: Any) -> EventFact:
    at = NOW - round(days_ago * DAY)
    named = {"event_id": f"p-{user}-{days_ago}", "currency": "USD", "price": Decimal(price), **more}
    return EventFact(user, EventKind.PURCHASE, at, **named)


def credited(
    facts: Sequence[Fact], directory: Path, merges: Sequence[MergeFact] = (), **question: Any
) -> dict[str, Any]:
    world = LiveWorld(directory)
    world.load(facts, merges)
    world.live.refresh(DEFINITIONS, as_of=NOW)
    return asked(world, CreditQuestion(DEFINITIONS, PURCHASE, **question), NOW)


def of_view(found: dict[str, Any], view: str) -> dict[str, tuple[str, str]]:
    told = {one["id"]: one["views"][view] for one in found["campaigns"]}
    return {name: (one["conversions"], one["revenue"]) for name, one in told.items() if one["conversions"] != "0"}


def test_six_views_of_one_purchase_after_four_messages(tmp_path: Path) -> None:
    """Rule 12: views over several campaigns never add campaigns up, they count each event once."""
    messages = [exposed("c", 9), exposed("d", 7), exposed("c", 5), exposed("e", 2)]
    found = credited([*messages, exposed("f", 1, variant="control"), bought(0)], tmp_path)
    assert of_view(found, "every") == dict.fromkeys("cde", ("1", "100.00"))
    assert of_view(found, "first") == {"c": ("1", "100.00")}
    assert of_view(found, "last") == {"e": ("1", "100.00")}
    assert of_view(found, "linear") == {"c": ("0.5", "50.00"), "d": ("0.25", "25.00"), "e": ("0.25", "25.00")}
    assert of_view(found, "position") == {"c": ("0.5", "50.00"), "d": ("0.1", "10.00"), "e": ("0.4", "40.00")}
    weights = {"c": 2 ** (-9 / 7) + 2 ** (-5 / 7), "d": 0.5, "e": 2 ** (-2 / 7)}
    decayed = {name: float(credit) for name, (credit, _) in of_view(found, "time_decay").items()}
    assert decayed == pytest.approx({name: one / sum(weights.values()) for name, one in weights.items()}, abs=1e-8)
    assert found["total"]["conversions"] == found["total"]["touched"] == 1
    assert [(one["view"], one["conserved"]) for one in found["views"]] == [
        ("every", False),
        *((view, True) for view in CONSERVED),
    ]


def test_thirds_sum_to_one_and_cents_to_the_revenue(tmp_path: Path) -> None:
    """Rule 27: money is exact."""
    found = credited([exposed("c", 3), exposed("d", 2), exposed("e", 1), bought(0, price="0.10")], tmp_path)
    thirds = of_view(found, "linear")
    assert sum(Decimal(credit) for credit, _ in thirds.values()) == 1
    assert sorted(amount for _, amount in thirds.values()) == ["0.03", "0.03", "0.04"]


def test_the_window_is_closed_and_an_exposure_comes_before_an_event_of_its_time(tmp_path: Path) -> None:
    """Rule 8: a window is closed on both sides."""
    found = credited([exposed("c", 10), exposed("d", 0), exposed("e", 10 + MICROSECOND), bought(0)], tmp_path)
    assert of_view(found, "every") == dict.fromkeys("cd", ("1", "100.00"))
    late = credited([exposed("c", 10 + MICROSECOND), bought(0)], tmp_path)
    assert of_view(late, "every") == {}
    assert late["total"]["untouched"] == 1
    assert late["total"]["revenue_untouched"]["amount"] == "100.00"


def test_the_funnel_counts_each_person_once_and_says_what_nobody_reports(tmp_path: Path) -> None:
    """Rule 13: what became of a message belongs to the exposure that it names, else to the latest before it."""

    def told(kind: EventKind, user: str, days_ago: float, **more: Any) -> EventFact:
        return EventFact(user, kind, NOW - round(days_ago * DAY), f"{kind}-{user}-{days_ago}", **more)

    reaction = partial(told, EventKind.MESSAGE_OPEN, campaign_id="c", channel="email")
    old = exposed("c", 40, "cyd", id="old")
    facts: list[Fact] = [
        *(exposed("c", 3, user) for user in ("ann", "bob", "dan")),
        *(exposed("d", 2, user) for user in ("ann", "eve")),
        exposed("c", 3, "fay", variant="control"),
        *(old, exposed("c", 3, "cyd", id="new")),
        *(reaction("ann", 2.9), reaction("ann", 1), reaction("fay", 2), reaction("bob", 3.5)),
        reaction("cyd", 2, exposure_id="old"),  # of a message from before the period
        told(EventKind.MESSAGE_CLICK, "ann", 2.8, campaign_id="c"),
        told(EventKind.MESSAGE_CLICK, "dan", 2.8, campaign_id="c", machine=True),
        *(bought(1, "ann"), bought(1, "dan"), bought(0.5, "dan"), bought(1, "fay"), bought(9, "eve")),
    ]
    found = credited(facts, tmp_path, first=NOW - 5 * DAY)
    by_id = {one["id"]: one["funnel"] for one in found["campaigns"]}
    assert by_id["c"] == {"reached": 4, "opened": 1, "clicked": 1, "converted": 2}
    assert by_id["d"] == {"reached": 2, "opened": None, "clicked": None, "converted": 1}
    assert found["funnel"]["total"] == {"reached": 5, "opened": 1, "clicked": 1, "converted": 2}
    assert [one["step"] for one in found["funnel"]["steps"]] == list(by_id["c"])


def test_what_triggered_an_exposure_is_invisible_to_it(tmp_path: Path) -> None:
    """Rule 9: the event that triggered an exposure happened before it."""
    purchase = bought(1)
    found = credited([exposed("c", 3), exposed("d", 1, trigger_event_id=purchase.event_id), purchase], tmp_path)
    assert of_view(found, "last") == {"c": ("1", "100.00")}


def test_control_earns_nothing(tmp_path: Path) -> None:
    """Rule 19: a user in the control variant can convert; there was no message that could be credited."""
    found = credited([exposed("c", 3, variant="control"), bought(1)], tmp_path)
    assert of_view(found, "every") == {}
    assert found["total"]["untouched"] == 1


def test_each_user_counts_once_unless_events_are_asked_for(tmp_path: Path) -> None:
    """Rule 15: a user converts at most once; all purchases are revenue (rule 26)."""
    facts: list[Fact] = [exposed("c", 4), bought(3), exposed("d", 2), bought(1, price="50"), bought(12, user="bob")]
    users = credited(facts, tmp_path)
    assert (users["total"]["touched"], users["total"]["untouched"]) == (1, 1)
    assert of_view(users, "last") == {"c": ("1", "100.00")}
    assert {one["id"]: one["views"]["last"]["revenue"] for one in users["campaigns"]}["d"] == "50.00"
    events = credited(facts, tmp_path, once_per_user=False)
    assert (events["total"]["touched"], events["total"]["untouched"]) == (2, 1)
    assert of_view(events, "last") == {"c": ("1", "100.00"), "d": ("1", "50.00")}


def test_merged_ids_are_one_person(tmp_path: Path) -> None:
    """Rule 37: merged ids form one person for ever."""
    facts: list[Fact] = [
        exposed("c", 3, user="a-1"),
        bought(1, user="a-2"),
        bought(2, user="a-3"),
        bought(2, user="z-1"),
    ]
    found = credited(facts, tmp_path, [MergeFact("a-1", "a-2"), MergeFact("a-3", "a-2")])
    assert (found["total"]["touched"], found["total"]["untouched"]) == (1, 1)


def test_a_refund_lowers_revenue_where_its_purchase_was_credited(tmp_path: Path) -> None:
    """Rule 28: it lowers revenue and never takes a conversion back."""
    purchase = bought(2)
    refund = EventFact("ann", EventKind.REFUND, NOW, "r", refund_of=purchase.event_id, price=Decimal(30))
    found = credited([exposed("c", 3), purchase, refund], tmp_path, last=NOW - DAY)
    assert of_view(found, "last") == {"c": ("1", "70.00")}


@pytest.mark.parametrize("kind", [ConversionKind.UPGRADE, ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK])
def test_what_is_of_one_campaign_cannot_be_credited_over_all(kind: ConversionKind) -> None:
    with pytest.raises(UserError, match="cannot be credited over campaigns"):
        CreditQuestion(DEFINITIONS, ConversionEvent(kind, 60))
