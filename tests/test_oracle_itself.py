"""The oracle against answers worked out by hand: what judges the engine has to be judged first."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from afterword.model import (
    Campaign,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    EventKind,
    Op,
    PropertyFilter,
    Variant,
)
from tests.histories import generate_world
from tests.oracle import Answer, answer
from tests.oracle_counts import TOTAL, TOTAL_WITH_CONTROL, campaign_counts
from tests.oracle_facts import EventFact, ExposureFact, Facts, Json, content, read_log
from tests.oracle_matching import holds, is_upgrade
from tests.oracle_people import MergeFact, people
from tests.oracle_verdicts import ORDER, overall, verdicts

HOUR = 3_600_000_000


def exposed(
    hour: float, name: str = "x1", variant: str = "a", user: str = "ann", trigger: str | None = None
) -> ExposureFact:
    return ExposureFact(user, "c", variant, int(hour * HOUR), name, trigger_event_id=trigger)


def opened_app(hour: float, name: str, user: str = "ann") -> EventFact:
    return EventFact(user, EventKind.SESSION, int(hour * HOUR), name)


def bought(hour: float, name: str, price: str, quantity: int | None = None) -> EventFact:
    event = EventFact("ann", EventKind.PURCHASE, int(hour * HOUR), name)
    return replace(event, price=Decimal(price), quantity=quantity, currency="USD")


def defined(counting: Counting = Counting.ONCE_PER_USER, kind: ConversionKind = ConversionKind.SESSION) -> Definitions:
    variants = (Variant("a", 5_000), Variant("b", 4_000), Variant("control", 1_000, control=True))
    return Definitions(
        campaigns=(Campaign("c", "campaign", "c", variants, (ConversionEvent(kind, 3_600 * 10),), counting),)
    )


def converted(found: Answer) -> list[tuple[str, str]]:
    return sorted((c.exposure_id, c.event_id) for c in found.conversions)


@pytest.mark.parametrize(
    ("exposures", "events", "expected"),
    [
        pytest.param([exposed(10)], [opened_app(9, "e")], [], id="before"),
        pytest.param([exposed(10)], [opened_app(10, "e")], [("x1", "e")], id="at-the-start"),
        pytest.param([exposed(10)], [opened_app(20, "e")], [("x1", "e")], id="at-the-end"),
        pytest.param([exposed(10)], [opened_app(20.001, "e")], [], id="after-the-end"),
        pytest.param([exposed(10)], [opened_app(12, "e"), opened_app(11, "f")], [("x1", "f")], id="the-first"),
        pytest.param([exposed(10)], [opened_app(11, "f"), opened_app(11, "e")], [("x1", "e")], id="smaller-event-id"),
        pytest.param([exposed(1), exposed(5, "x2")], [opened_app(6, "e")], [("x2", "e")], id="latest-exposure"),
        pytest.param([exposed(5), exposed(5, "x0")], [opened_app(6, "e")], [("x1", "e")], id="larger-exposure-id"),
        pytest.param([exposed(5, trigger="e")], [opened_app(6, "e")], [], id="trigger"),
        pytest.param(
            [exposed(1), exposed(5, "x2", trigger="e")], [opened_app(6, "e")], [("x1", "e")], id="trigger-passed-back"
        ),
        pytest.param([exposed(10)], [opened_app(11, "e", "bob")], [], id="another-user"),
    ],
)
def test_who_converts(exposures: list[ExposureFact], events: list[EventFact], expected: list[tuple[str, str]]) -> None:
    assert converted(answer(defined(), Facts(exposures, events))) == expected


@pytest.mark.parametrize(
    ("counting", "expected"),
    [
        pytest.param(Counting.ONCE_PER_USER, [("x1", "e1")], id="once-per-user"),
        pytest.param(Counting.ONCE_PER_EXPOSURE, [("x1", "e1"), ("x2", "e2")], id="once-per-exposure"),
        pytest.param(Counting.ONCE_PER_CHANNEL, [("x1", "e1"), ("x2", "e2")], id="once-per-channel"),
    ],
)
def test_countings(counting: Counting, expected: list[tuple[str, str]]) -> None:
    exposures = [replace(exposed(1), channel="email"), replace(exposed(5, "x2"), channel="push")]
    facts = Facts(exposures, [opened_app(2, "e1"), opened_app(6, "e2"), opened_app(7, "e3")])
    assert converted(answer(defined(counting), facts)) == expected


def test_revenue_is_all_purchases_less_what_was_given_back() -> None:
    refund = EventFact("ann", EventKind.REFUND, 40 * HOUR, "r", price=Decimal("0.5"), quantity=3, refund_of="p1")
    facts = Facts([exposed(1)], [bought(2, "p1", "19.99", 2), bought(3, "p2", "0.01"), bought(12, "p3", "9"), refund])
    found = answer(defined(), facts)
    assert [(c.event_id, c.amount, c.refunded) for c in found.credited] == [
        ("p1", Decimal("39.98"), Decimal("1.5")),
        ("p2", Decimal("0.01"), Decimal(0)),
    ]
    assert campaign_counts(found, found.definitions.campaigns[0])["a"].booked == Decimal("38.49")


def test_counts_of_a_small_campaign() -> None:
    exposures = [exposed(1), exposed(30, "x2", "b"), exposed(30, "x3", "control", "bob"), exposed(1, "x4", "a", "cid")]
    found = answer(defined(), Facts(exposures, [opened_app(2, "e")]), as_of=35 * HOUR)
    rows = campaign_counts(found, found.definitions.campaigns[0])
    assert {name: (len(row.exposed), row.several_variants) for name, row in rows.items()} == {
        "a": (2, 1),
        "b": (1, 1),
        "control": (1, 0),
        TOTAL: (2, 1),
        TOTAL_WITH_CONTROL: (3, 1),
    }
    states = {
        name: (row.letters["A"].converted, row.letters["A"].pending, row.letters["A"].not_converted)
        for name, row in rows.items()
    }
    assert states == {
        "a": ({"ann"}, set(), {"cid"}),
        "b": (set(), set(), {"ann"}),
        "control": (set(), {"bob"}, set()),
        TOTAL: ({"ann"}, set(), {"cid"}),
        TOTAL_WITH_CONTROL: ({"ann"}, {"bob"}, {"cid"}),
    }
    assert (rows["a"].letters["A"].matured_n, rows["a"].letters["A"].matured_converted) == (2, 1)
    assert (rows["a"].letters["A"].compared_n, rows["a"].letters["A"].compared_converted) == (1, 0)


VALUES: dict[str, Json] = {
    "n": Decimal("49.90"),
    "text": "50",
    "flag": True,
    "nothing": None,
    "items": [{"sku": "a"}, {"sku": "b"}, {}],
    "empty": [],
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(PropertyFilter("n", Op.EQ, Decimal("49.9")), True, id="decimals"),
        pytest.param(PropertyFilter("n", Op.GE, 50), False, id="too-small"),
        pytest.param(PropertyFilter("text", Op.GE, 50), False, id="a-text-is-no-number"),
        pytest.param(PropertyFilter("text", Op.NE, 50), True, id="across-types-only-unequal"),
        pytest.param(PropertyFilter("flag", Op.EQ, 1), False, id="true-is-not-one"),
        pytest.param(PropertyFilter("none", Op.NE, 1), True, id="missing-is-unequal"),
        pytest.param(PropertyFilter("none", Op.NOT_EXISTS), True, id="missing-does-not-exist"),
        pytest.param(PropertyFilter("none", Op.LT, 1), False, id="missing-is-not-less"),
        pytest.param(PropertyFilter("items[].sku", Op.EQ, "b"), True, id="any-element"),
        pytest.param(PropertyFilter("items[].sku", Op.NE, "b"), False, id="none-equals"),
        pytest.param(PropertyFilter("items[].sku", Op.NE, "c"), True, id="indeed-none-equals"),
        pytest.param(PropertyFilter("items.sku", Op.EXISTS), False, id="an-array-is-not-looked-into"),
        pytest.param(PropertyFilter("empty[]", Op.EXISTS), False, id="an-empty-array-has-nothing"),
        pytest.param(PropertyFilter("text", Op.CONTAINS, "0"), True, id="part-of-a-text"),
        pytest.param(PropertyFilter("n", Op.IN, (1, Decimal("49.900"))), True, id="one-of"),
    ],
)
def test_filters(where: PropertyFilter, expected: bool) -> None:
    assert holds(where, EventFact("ann", EventKind.CUSTOM, 0, "e", name="n", properties=VALUES)) is expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.2.3", "1.3.0", True),
        ("1.2.3", "1.2.2", False),
        ("1.9", "1.10", True),
        ("1.2", "1.2.0", False),
        (" 1.2 ", "1.2", False),
        ("1.2.3", "1.2.3-beta2", True),
        ("3.7.0 (134)", "3.6", True),
        ("١", "2", True),
    ],
)
def test_versions(old: str, new: str, expected: bool) -> None:
    assert is_upgrade(old, new) is expected


@pytest.mark.parametrize(
    ("merges", "expected"),
    [
        pytest.param(["a>b", "b>c"], "c", id="chain"),
        pytest.param(["a>b", "b>a"], "a", id="cycle"),
        pytest.param(["z>b", "b>c", "c>b"], "b", id="into-a-cycle"),
        pytest.param(["a>c", "a>b"], "b", id="two-ends"),
        pytest.param(["a>a", "a>b"], "b", id="to-itself"),
    ],
)
def test_who_stands_for_a_person(merges: list[str], expected: str) -> None:
    assert set(people([MergeFact(*merge.split(">")) for merge in merges]).values()) == {expected}


def test_a_number_in_another_form_is_the_same_content() -> None:
    assert content(bought(1, "p", "5")) == content(bought(1, "p", "5.00"))
    assert content(bought(1, "p", "100")) == content(bought(1, "p", "1E+2"))
    assert content(bought(1, "p", "5")) != content(bought(1, "p", "5.01"))


def test_what_is_later_than_as_of_neither_repeats_nor_conflicts() -> None:
    later = opened_app(5, "e1")
    log = read_log(defined(), Facts([exposed(1)], [opened_app(2, "e1"), later, later]), as_of=3 * HOUR)
    assert (log.after_as_of, log.repetitions, log.rejected["id_conflict"]) == (2, 0, 0)


def test_the_overall_verdict_is_the_first_in_the_order_of_the_rule() -> None:
    assert overall({"x1": "too_late", "x2": "converted"}) == "converted"
    assert overall({}) == "not_exposed"


@pytest.fixture(scope="module")
def generated() -> list[Answer]:
    """Answers to generated worlds: enough to meet every edge, few enough to be quick."""
    worlds = [generate_world(random.Random(seed), users=100) for seed in range(20)]
    return [answer(world.definitions, world.facts, world.as_of) for world in worlds]


def test_generated_histories_reach_every_verdict(generated: list[Answer]) -> None:
    seen: Counter[str] = Counter()
    for found in generated:
        for scope in found.whole:
            for by_exposure in verdicts(found, scope.person, scope.campaign.id).values():
                seen.update(by_exposure.values())
    assert {verdict for verdict, times in seen.items() if times >= 20} == set(ORDER) - {"not_exposed"}


def test_generated_histories_reach_what_is_rare(generated: list[Answer]) -> None:
    conversions = [c for found in generated for c in found.conversions]
    assert len(conversions) > 700
    assert sum(c.after_open for c in conversions) > 20
    assert sum(c.after_click for c in conversions) > 20
    assert sum(c.step_id is not None for c in conversions) > 50
    assert sum(c.refunded > 0 for found in generated for c in found.credited) > 20
    for reason in ("id_conflict", "no_exposure", "missing_channel", "bad_currency"):
        assert sum(found.log.rejected[reason] for found in generated) > 20
    assert any(found.log.after_as_of for found in generated)
    assert any(found.log.repetitions for found in generated)
    assert any(found.log.people for found in generated)


def test_no_rate_exceeds_one_and_states_add_up(generated: list[Answer]) -> None:
    for found in generated:
        for campaign in found.definitions.campaigns:
            for row in campaign_counts(found, campaign).values():
                for counts in row.letters.values():
                    assert counts.converted | counts.pending | counts.not_converted == row.exposed
                    assert len(counts.converted) + len(counts.pending) + len(counts.not_converted) == len(row.exposed)


def test_a_verdict_says_converted_exactly_where_there_is_a_conversion(generated: list[Answer]) -> None:
    for found in generated:
        said = {
            (scope.campaign.id, letter, exposure)
            for scope in found.whole
            for letter, by_exposure in verdicts(found, scope.person, scope.campaign.id).items()
            for exposure, verdict in by_exposure.items()
            if verdict == "converted"
        }
        assert said == {(c.campaign_id, c.letter, c.exposure_id) for c in found.conversions}
