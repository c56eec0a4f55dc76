"""How many users a verdict takes: as `stats.planning` has it for two arms, and by trying it out for more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from afterword.intake.definitions import parse_definitions
from afterword.model import AnalysisPlan, PlanKind
from afterword.selection.evidence import pairs_of
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.selection.sized import sizing_data
from afterword.selection.sizing import CannotPlan, Wish, sized, sized_by, terms_for, terms_of
from afterword.stats.planning import plan_rates
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

DAY = 86_400
BOTH = (PlanKind.ALWAYS_VALID, PlanKind.FIXED)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.9)])
def test_two_arms_take_what_stats_plans(kind: PlanKind, shares: tuple[float, float]) -> None:
    found = sized(terms_for(shares, kind, 0.05, 3 * DAY, 100), Wish(0.04, difference=0.006))
    expected = plan_rates(0.04, 0.006, shares, always_valid=kind is PlanKind.ALWAYS_VALID)
    assert found.users is not None
    assert tuple(found.users.values()) == expected.per_arm


def test_the_minimum_sample_and_the_deadline_are_part_of_it() -> None:
    terms = terms_for((0.2, 0.8), PlanKind.FIXED, 0.05, 3 * DAY, 5_000)
    found = sized(terms, Wish(0.3, difference=0.2, per_day=10_000))
    assert found.users == {"control": 5_000, "1": 20_000}
    assert found.days == 3 + 3


def _counts(n: int, converted: int) -> Sums:
    return Sums.of_counts(Counts(n, converted))


def _experiment(plan: PlanKind, counts: dict[str, Sums]) -> Experiment:
    arms = tuple(
        Arm(name, name, name == "control", 1 / len(counts), sums.n, sums.n, {"A": [(0, sums)]}, [(0, sums.n)])
        for name, sums in counts.items()
    )
    return Experiment("x", "campaign", AnalysisPlan(plan), (Metric("A", DAY),), arms, today=10)


@pytest.mark.parametrize("kind", BOTH)
def test_a_winner_among_four_is_named_as_often_as_planned(kind: PlanKind) -> None:
    """By chance with so many users, at the very intervals that verdicts look at."""
    terms = terms_for((0.25,) * 4, kind, 0.05, DAY, 100)
    users = sized(terms, Wish(0.2, difference=0.05)).users
    assert users is not None
    chance, won = np.random.default_rng(4), 0
    for _ in range(400):
        drawn = {name: _counts(n, int(chance.binomial(n, 0.25 if name == "3" else 0.2))) for name, n in users.items()}
        experiment = _experiment(kind, drawn)
        won += all(one.is_ahead for one in pairs_of(experiment, experiment.metrics[0]) if one.arm == "3")
    assert 0.74 <= won / 400 <= 0.86


def test_what_has_been_collected_has_the_power_that_was_planned_when_all_have_come() -> None:
    terms = terms_for((0.5, 0.5), PlanKind.FIXED, 0.05, DAY, 100)
    counts = {"control": _counts(20_000, 800), "1": _counts(20_000, 900)}
    full = sized_by(_experiment(PlanKind.FIXED, counts), terms, Wish(difference=0.006))
    assert (full.rate, full.rate_from) == (0.04, "control")
    assert full.collected is not None
    assert full.collected.missing == 0
    assert 0.8 < full.collected.power < 0.9
    few = {name: _counts(sums.n // 10, int(sums.y) // 10) for name, sums in counts.items()}
    some = sized_by(_experiment(PlanKind.FIXED, few), terms, Wish(difference=0.006)).collected
    assert some is not None
    assert some.missing == 35_886 - 4_000
    assert 0.1 < some.power < 0.2
    assert some.days is None  # nobody came in the last week
    paced = sized_by(_experiment(PlanKind.FIXED, few), terms, Wish(difference=0.006, per_day=10_000)).collected
    assert paced is not None
    assert paced.days == 1 + 3


def test_units_of_one_person_that_resemble_each_other_take_more_persons() -> None:
    """Five exposures each, all of a person's converted or none: five tell what one does (rule 17)."""
    terms = terms_for((0.5, 0.5), PlanKind.FIXED, 0.05, DAY, 100)
    clustered = Sums(10_000, 2_000, 10_000, 50_000, 250_000, 10_000)
    found = sized_by(_experiment(PlanKind.FIXED, {"control": clustered, "1": clustered}), terms, Wish(difference=0.006))
    once = sized(terms, Wish(0.04, difference=0.006))
    assert found.total is not None
    assert once.total is not None
    assert found.total == pytest.approx(once.total, rel=1e-3)


def test_opens_are_planned_among_those_with_a_message() -> None:
    event = {"kind": "message_open", "deadline": "1 day"}
    variants = [{"id": "a", "share": 45}, {"id": "b", "share": 45}, {"id": "control", "control": True, "share": 10}]
    campaign = {"id": "x", "name": "x", "channels": ["email"], "variants": variants, "conversion_events": [event]}
    terms = terms_of(parse_definitions({"campaigns": [campaign]}, "test").campaigns[0])
    assert [arm.id for arm in terms.compared] == ["a", "b"]
    found = sized(terms, Wish(0.2, relative=0.1))
    assert found.users is not None
    assert found.users["a"] == found.users["b"] > found.users["control"] > 0
    one = {**campaign, "variants": [variants[0] | {"share": 90}, variants[2]]}
    lonely = parse_definitions({"campaigns": [one]}, "test").campaigns[0]
    with pytest.raises(CannotPlan, match="A can be compared over, must have at least 2"):
        terms_of(lonely)


def test_it_is_said_in_words() -> None:
    terms = terms_for((0.5, 0.5), PlanKind.ALWAYS_VALID, 0.05, 3 * DAY, 100)
    said = sizing_data(sized(terms, Wish(0.04, difference=0.006, per_day=5_000)))["sentences"]
    assert said == [
        "To show with a probability of 80\u202f% that one variant is better than the other by 15\u202f% of a rate of "
        "4\u202f% (0.6 percentage points; the rate that was given), looking whenever one likes, takes 37,487 users of "
        "each variant: 74,974 users in all.",
        "At 5,000 users a day that is about 18 days from the first user on, with the 3 days until the last window "
        "has passed.",
    ]
    never = sizing_data(sized(terms, Wish(0.04, difference=1e-9)))
    assert never["users"] is None
    assert never["sentences"][0].endswith("takes more users than there are people.")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(None, 0.1), "the rate is not known"),
        (Wish(1.0, 0.1), "the rate is 1, must be above 0 and below 1"),
        (Wish(0.5), "the effect is missing"),
        (Wish(0.5, 0.1, 0.1), "given twice"),
        (Wish(0.5, 1.0), "the two together below 1"),
        (Wish(0.5, 0.1, power=1.0), "the power is 1,"),
        (Wish(0.5, 0.1, per_day=0.0), "users per day is 0,"),
    ],
)
def test_what_has_no_answer_is_refused(wish: Wish, said: str) -> None:
    with pytest.raises(CannotPlan, match=said):
        sized(replace(terms_for((0.5, 0.5), PlanKind.FIXED, 0.05, DAY, 100)), wish)
