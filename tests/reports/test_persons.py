"""What persons did by the time they came of age (rules 9, 17 and 40), where the oracle is not asked."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import afterword
from afterword.attribution.derive import Rows
from afterword.model import Campaign, Definitions, Variant, Workspace
from afterword.reports import person_cells
from afterword.reports.grouping import new_cells
from afterword.reports.person_count import PersonCount, query_persons
from afterword.reports.person_json import as_json, read_json
from afterword.reports.persons import REVENUE, WINSORISED, PersonDays
from afterword.stats.sums import Sums
from afterword.workspace.session import Session
from tests.histories import generate_world
from tests.oracle import answer
from tests.oracle_persons import person_counts
from tests.reports.derived import empty_tables, fill
from tests.reports.test_counted import inputs_of

DAY = 86_400 * 1_000_000
LETTERS = "abcd"


def people(rows: Sequence[tuple[int, int, int, int, int]]) -> Rows:
    """Persons of one campaign as (variant, first exposure, earned, earned before, apart), users numbered."""
    variant, first, earned, before, apart = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    counts = {f"{name}_{letter}": np.zeros(len(rows), np.int32) for name in "ymx" for letter in LETTERS}
    return {
        "campaign": np.zeros(len(rows), np.int32),
        "variant": variant.astype(np.int32),
        "user": np.arange(len(rows), dtype=np.int32),
        "first_exposed_at": first,
        "first_day": (first // DAY).astype(np.int32),
        **counts,
        "earned": earned,
        "earned_before": before,
        "apart": apart.astype(np.uint8),
        "guards": np.zeros(len(rows), np.uint8),
    }


NO_MONEY: Rows = {
    name: np.zeros(0, np.int64) for name in ("campaign", "user", "currency", "occurred_day", "before", "net")
}
TWO = Campaign("c", "campaign", "c", (Variant("m", 5_000), Variant("n", 5_000)))
SHOP = Definitions(Workspace("UTC", "EUR"), (TWO,))


def part_of(rows: Rows, places: Any) -> Rows:
    return {name: column[places] for name, column in rows.items()}


def test_sums_of_money_are_exact_and_do_not_depend_on_order_or_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_cells, "new_cells", lambda extra=0: new_cells(extra, 4))
    rng = random.Random(5)
    largest = (1 << 53) - 1
    amounts = (0, 1, -1, 49_900_000, largest, -largest, (1 << 27) - 1, 1 << 27, -(1 << 27))
    rows = people(
        [(rng.randrange(2), rng.randrange(20) * DAY, rng.choice(amounts), rng.choice(amounts), 0) for _ in range(3_000)]
    )
    found = []
    for parts in (1, 7):
        order = np.array(rng.sample(range(3_000), 3_000))
        count = PersonCount(SHOP, 100 * DAY)
        for places in np.array_split(order, parts):
            count.add(part_of(rows, places), NO_MONEY)
        found.append(count.days(empty_tables()))
    assert found[0] == found[1]
    exact: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    columns = (rows[name].tolist() for name in ("variant", "first_day", "earned", "earned_before"))
    for variant, day, y, x in zip(*columns, strict=True):
        for place, product in enumerate((y * y, x * x, x * y) if variant == 1 else ()):
            exact[day + 3][place] += product
    told = {day: [sums.yy, sums.xx, sums.xy] for day, sums in found[0][0].of(1, REVENUE)}
    assert told == {day: [product / 10**12 for product in products] for day, products in exact.items()}


@pytest.mark.parametrize("seed", range(3))
def test_winsorised_revenue_counts_each_person_up_to_the_cap(seed: int, tmp_path: Path) -> None:
    world = generate_world(random.Random(seed), users=60)
    cap = Decimal("50")
    caps = {campaign.id: cap for campaign in world.definitions.campaigns[1:]}
    inputs = inputs_of(world, tmp_path)
    with Session(inputs) as session:
        session.stage()
        found = session.attribute()
        told = query_persons(session.con, inputs.definitions, found.as_of, caps)
    expected = answer(world.definitions, world.facts, found.as_of)
    for campaign, persons in zip(world.definitions.campaigns, told, strict=True):
        counts = person_counts(expected, campaign.id)
        for place, variant in enumerate(campaign.variants):
            assert (WINSORISED in persons.metrics[place]) == (campaign.id in caps)
            if campaign.id not in caps:
                continue
            rows = counts[variant.id].rows
            rows[WINSORISED] = {
                day: [(min(y, Fraction(cap)), m, x) for y, m, x in here] for day, here in rows[REVENUE].items()
            }
            sums = list(counts[variant.id].sums(WINSORISED).values())
            assert [tuple(persons.of(place, WINSORISED).columns[:, i]) for i in range(len(sums))] == sums


def test_totals_are_those_of_the_days_up_to_one() -> None:
    count = PersonCount(SHOP, 100 * DAY)
    count.add(people([(0, day * DAY, 1_000_000 * day, 0, 0) for day in range(10)]), NO_MONEY)
    (persons,) = count.days(empty_tables())
    assert persons.total(0, REVENUE) == Sums(10, 45, 285, 10, 10, 45)
    assert persons.total(0, REVENUE, until=5) == Sums(3, 3, 5, 3, 3, 3)
    assert persons.total(1, REVENUE) == Sums()
    assert persons.of(0, REVENUE)[0] == (3, Sums(1, 0, 0, 1, 1, 0))


def test_report_json_says_all_of_it(tmp_path: Path) -> None:
    for seed in range(4):
        world = generate_world(random.Random(seed), users=40)
        directory = tmp_path / str(seed)
        directory.mkdir()
        inputs = inputs_of(world, directory)
        with Session(inputs) as session:
            session.stage()
            found = session.attribute()
            told = query_persons(session.con, inputs.definitions, found.as_of, {"c0": Decimal(20)})
        for campaign, persons in zip(inputs.definitions.campaigns, told, strict=True):
            block = json.loads(json.dumps(as_json(persons, campaign, "UTC")))
            assert read_json(block, campaign) == persons


FACTS = """\
event_id,user_id,kind,occurred_at,price,currency,campaign_id,machine
b1,ann,purchase,2026-02-16T09:00:00Z,10,EUR,,
b2,ann,purchase,2026-02-16T08:59:59.999999Z,100,EUR,,
b3,ann,purchase,2026-03-02T08:59:59.999999Z,1000,EUR,,
a1,ann,purchase,2026-03-02T09:00:00Z,1,EUR,,
a2,ann,purchase,2026-03-05T09:00:00Z,2,EUR,,
a3,ann,purchase,2026-03-05T09:00:00.000001Z,4,EUR,,
u1,ann,message_unsubscribe,2026-03-05T09:00:00Z,,,c,
t1,bob,purchase,2026-03-02T09:00:01Z,7,EUR,,
u2,bob,message_unsubscribe,2026-03-02T08:59:59Z,,,c,
u3,bob,message_complaint,2026-03-02T09:30:00Z,,,c,true
u4,bob,message_complaint,2026-03-02T09:30:00Z,,,other,
s1,cyd,purchase,2026-03-02T09:30:00Z,5,EUR,,
e1,eve,purchase,2026-03-07T09:30:00Z,6,EUR,,
"""
EXPOSURES = """\
user_id,campaign_id,variant_id,exposed_at,trigger_event_id,outcome
ann,c,m,2026-03-02T09:00:00Z,,
ann,c,m,2026-03-04T09:00:00Z,,bounced
bob,c,m,2026-03-02T09:00:00Z,t1,
cyd,c,m,2026-03-02T09:00:00Z,,
cyd,c,n,2026-03-02T10:00:00Z,,
dan,c,n,2026-03-02T09:00:00Z,,
eve,c,n,2026-03-06T09:00:00Z,,
"""


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> PersonDays:
    """Two variants with a primary window of three days, as of one microsecond before eve comes of age."""
    directory = tmp_path_factory.mktemp("persons")
    (directory / "events.csv").write_text(FACTS)
    (directory / "exposures.csv").write_text(EXPOSURES)
    campaign: dict[str, Any] = {
        "name": "c", "variants": [{"id": "m", "share": 50}, {"id": "n", "share": 50}],
        "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
    }  # fmt: skip
    definitions = {"workspace": {"timezone": "Europe/Berlin", "currency": "EUR"}}
    both = {**definitions, "campaigns": [{"id": "c", **campaign}, {"id": "other", **campaign}]}
    (directory / "c.json").write_text(json.dumps(both))
    results = afterword.run(
        directory / "c.json",
        exposures=directory / "exposures.csv",
        events=directory / "events.csv",
        out=directory / "results",
        as_of="2026-03-09T08:59:59.999999Z",
    )
    (found, _) = results.json["campaigns"]
    return read_json(found["persons"], TWO)


def test_a_second_exposure_does_not_extend_the_age(persons: PersonDays) -> None:
    """The purchase of ann's second window that came after her first has ended is in no sum."""
    ann_and_bob = persons.total(0, REVENUE)
    assert (ann_and_bob.n, ann_and_bob.y, ann_and_bob.yy) == (2, 3, 9)
    assert persons.total(0, "A") == Sums(2, 1, 1, 2, 2, 1, 3, 5, 2, 3)


def test_before_is_two_weeks_without_their_end_and_what_triggered_the_exposure(persons: PersonDays) -> None:
    assert (persons.total(0, REVENUE).x, persons.total(0, REVENUE).xx) == (1010 + 7, 1010**2 + 7**2)


def test_who_saw_two_variants_is_in_no_sum(persons: PersonDays) -> None:
    assert [sum(n for _, n in days) for days in persons.first_exposed] == [2, 2]


def test_who_has_not_come_of_age_is_in_no_sum_yet(persons: PersonDays) -> None:
    assert (persons.total(1, REVENUE).n, persons.total(1, REVENUE).y) == (1, 0)


def test_guardrails_are_of_the_campaigns_own_messages_and_not_by_machines(persons: PersonDays) -> None:
    assert persons.total(0, "unsubscribes").y == 1, "ann's; bob's came before the message"
    assert persons.total(0, "complaints").y == 0
    assert persons.total(0, "bounces").y == 1, "an exposure may say so instead of an event"


def test_purchases_apart_are_found_wherever_their_persons_are(tmp_path: Path) -> None:
    """Persons and purchases come from two tables; amounts beyond 53 bits stay exact."""
    con = empty_tables()
    largest = 10**18 - 1
    zeros = [0] * 12
    rows = [(0, 0, user, 0, "1970-01-01", *zeros, 0, 0, True, 0) for user in range(3)]
    fill(con, "persons", rows)
    fill(con, "currencies", [(0, "EUR"), (1, "USD"), (2, "JPY")])
    fill(con, "rates", [("1970-01-01", "USD", Decimal("0.5"))])
    fill(con, "person_money", [(0, user, 0, "1970-01-01", False, largest) for user in range(3)] * 4)
    fill(con, "person_money", [(0, 2, 1, "1970-01-09", False, 1), (0, 2, 1, "1970-01-08", True, 3)])
    fill(con, "person_money", [(0, 0, 1, "1970-01-08", True, 1)])
    fill(con, "person_money", [(0, 1, 2, "1970-01-08", False, 5), (0, 1, 2, "1970-01-08", True, 5)])
    (found,) = query_persons(con, SHOP, 100 * DAY)
    assert found.total(0, REVENUE).y == 12 * largest / 10**6
    assert found.total(0, REVENUE).yy == 3 * (4 * largest) ** 2 / 10**12
    assert found.total(0, REVENUE).x == 2 / 10**6, (
        "halves of a millionth are rounded to the even neighbour: 1.5 and 0.5"
    )
    assert found.unconverted[0] == {"USD": 1, "JPY": 5}
