"""What persons did by the time they came of age, kept up by a running server."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from afterword.intake.definitions import parse_definitions
from afterword.model import Definitions, EventKind
from afterword.reports.person_json import read_json
from afterword.reports.persons import PersonDays
from afterword.workspace.live import gathering
from tests.histories import DAY, START, generate_world
from tests.oracle_facts import EventFact, ExposureFact
from tests.oracle_people import MergeFact
from tests.workspace.live_world import LiveWorld, all_of

AS_OF = START + 40 * DAY
CART: dict[str, Any] = {
    "workspace": {"timezone": "UTC", "currency": "EUR"},
    "campaigns": [
        {
            "id": "c",
            "variants": [{"id": "v", "share": 100}],
            "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
        }
    ],
}


def persons(live: LiveWorld, definitions: Definitions) -> PersonDays:
    (campaign,) = live.live.report(definitions, AS_OF)["campaigns"]
    return read_json(campaign["persons"], definitions.campaigns[0])


def bought(name: str, at: int, price: str, currency: str = "EUR") -> EventFact:
    return EventFact("ann", EventKind.PURCHASE, at, name, price=Decimal(price), currency=currency)


def test_what_arrives_late_and_came_before_the_exposure_is_known_of_before(tmp_path: Path) -> None:
    definitions = parse_definitions(CART, "test")
    live = LiveWorld(tmp_path)
    live.load([ExposureFact("ann", "c", "v", START + 20 * DAY, "x1"), bought("p1", START + 21 * DAY, "5")])
    live.live.refresh(definitions, as_of=AS_OF)
    assert (persons(live, definitions).total(0, "A").x, persons(live, definitions).total(0, "revenue").x) == (0, 0)
    live.load([bought("p2", START + 6 * DAY, "7"), bought("p3", START + 6 * DAY - 1, "11")])
    live.live.refresh(definitions, as_of=AS_OF)
    live.check(definitions, AS_OF, tmp_path / "late")
    refund = EventFact("bob", EventKind.REFUND, START + 39 * DAY, "r1", price=Decimal(3), refund_of="p2")
    live.load([refund])
    live.live.refresh(definitions, as_of=AS_OF)
    live.check(definitions, AS_OF, tmp_path / "refunded")
    found = persons(live, definitions)
    assert (found.total(0, "A").x, found.total(0, "revenue").x, found.total(0, "revenue").y) == (1, 4, 5)


@pytest.mark.parametrize(("exposed", "buying"), [("ann", "phone"), ("phone", "ann"), ("phone", "tablet")])
def test_what_comes_under_another_id_of_the_person_counts(
    exposed: str, buying: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MANY", 1)
    definitions = parse_definitions(CART, "test")
    live = LiveWorld(tmp_path)
    live.load(
        [ExposureFact(exposed, "c", "v", START, "x1")],
        [MergeFact("phone", "ann"), MergeFact("tablet", "ann")],
    )
    live.live.refresh(definitions, as_of=AS_OF)
    live.load([replace(bought("p1", START + DAY, "5"), user_id=buying)])
    live.load([replace(bought("p2", START + DAY, "5"), user_id="nobody")])
    assert live.live.refresh(definitions, as_of=AS_OF).users == 1
    live.check(definitions, AS_OF, tmp_path / "run")
    assert persons(live, definitions).total(0, "A").y == 1


def test_a_person_who_sees_another_variant_leaves_the_sums(tmp_path: Path) -> None:
    two = {"variants": [{"id": "v", "share": 50}, {"id": "w", "share": 50}]}
    definitions = parse_definitions({**CART, "campaigns": [CART["campaigns"][0] | two]}, "test")
    live = LiveWorld(tmp_path)
    live.load([ExposureFact("ann", "c", "v", START, "x1"), bought("p1", START + DAY, "5", "USD")])
    live.live.refresh(definitions, as_of=AS_OF)
    assert persons(live, definitions).total(0, "A").n == 1
    live.load([ExposureFact("ann", "c", "w", START + 30 * DAY, "x2")])
    live.live.refresh(definitions, as_of=AS_OF)
    live.check(definitions, AS_OF, tmp_path / "run")
    assert [persons(live, definitions).total(place, "A").n for place in (0, 1)] == [0, 0]


def test_rows_of_a_program_that_knew_no_persons_are_derived_again(tmp_path: Path) -> None:
    world = generate_world(random.Random(5), users=30)
    facts = all_of(world.facts)
    as_of = max(fact.at for fact in facts)
    live = LiveWorld(tmp_path)
    live.load(facts, world.facts.merges)
    live.live.refresh(world.definitions, as_of=as_of)
    live.con.execute("DROP TABLE derived.persons; DROP TABLE derived.person_money")
    live.con.execute("UPDATE derived.campaigns SET basis = 'of an older program'")
    live.restart()
    again = live.live.refresh(world.definitions, as_of=as_of)
    assert again.campaigns == tuple(campaign.id for campaign in world.definitions.campaigns)
    assert again.changes == 0, "conversions are as they were"
    live.check(world.definitions, as_of, tmp_path / "run")


def test_another_reporting_currency_gives_other_sums(tmp_path: Path) -> None:
    definitions = parse_definitions(CART, "test")
    live = LiveWorld(tmp_path)
    live.load([ExposureFact("ann", "c", "v", START, "x1"), bought("p1", START + DAY, "5")])
    live.live.refresh(definitions, as_of=AS_OF)
    assert persons(live, definitions).total(0, "revenue").y == 5
    dollars = Definitions(replace(definitions.workspace, currency="USD"), definitions.campaigns)
    live.live.refresh(dollars, as_of=AS_OF)
    live.check(dollars, AS_OF, tmp_path / "run")
    found = persons(live, dollars)
    assert (found.total(0, "revenue").y, found.unconverted) == (0, [{"EUR": 5_000_000}])
