from __future__ import annotations

from dataclasses import replace

import pytest

from afterword.model import Selection
from afterword.selection.bandit import Stage, decide, replayed
from tests.selection.situations import Seen, situation

SETTINGS = Selection()


def test_shares_are_equal_until_every_variant_has_been_seen_enough() -> None:
    decision = decide(situation({"a": Seen((200, 10)), "b": Seen((240, 40))}), SETTINGS, 1)
    assert decision.stage is Stage.TRAINING
    assert decision.shares == {"a": 4500, "b": 4500, "control": 1000}
    assert not decision.changes
    assert decision.reason == (
        'In training, with equal shares: "a" has 200, "b" has 240 of the 250 users that learning about a variant '
        "begins with."
    )


def test_without_conversions_nothing_is_learned() -> None:
    decision = decide(situation({"a": Seen((2000, 4)), "b": Seen((2000, 9))}), SETTINGS, 1)
    assert decision.stage is Stage.TRAINING
    assert decision.reason == (
        "In training, with equal shares: the variants together have 13 of the 25 conversions that learning begins with."
    )


def test_the_better_variant_gets_more_and_control_keeps_its_share() -> None:
    decision = decide(situation({"a": Seen((1000, 50)), "b": Seen((1000, 65))}), SETTINGS, 1)
    assert decision.stage is Stage.LEARNING
    assert decision.leader == "b"
    assert decision.shares["control"] == 1000
    assert sum(decision.shares.values()) == 10_000
    assert decision.shares["b"] > 3 * decision.shares["a"] > 0
    assert decision.reason == (
        '"b" is the best with a probability of 90 %: it is expected to convert 6.61 %, "a" 5.11 %. With a probability '
        f"of 95 % going on could raise the rate by at most {100 * (decision.value_remaining or 0):.2f} % of itself."
    )


def test_no_share_is_below_the_floor() -> None:
    seen = {"a": Seen((3000, 60)), "b": Seen((3000, 300)), "c": Seen((3000, 90))}
    decision = decide(situation(seen, control=0), replace(SETTINGS, floor_hundredths=500), 1)
    assert decision.shares == {"a": 500, "b": 9000, "c": 500}


def test_it_settles_when_going_on_could_hardly_help() -> None:
    decision = decide(situation({"a": Seen((3000, 60)), "b": Seen((3000, 300))}), SETTINGS, 1)
    assert decision.stage is Stage.SETTLED
    assert decision.settled_on == "b"
    assert decision.reason.endswith(
        "With a probability of 95 % going on could not raise the rate by more than 1 % of itself, so it settles: "
        '"b" gets everything but the floor of 1 % for each other variant.'
    )


def test_it_does_not_settle_on_windows_that_are_still_open() -> None:
    decision = decide(situation({"a": Seen((0, 0), (3000, 30)), "b": Seen((0, 0), (3000, 150))}), SETTINGS, 1)
    assert decision.stage is Stage.LEARNING


def test_it_stays_settled_while_nothing_speaks_against_it() -> None:
    seen = {"a": Seen((1000, 55)), "b": Seen((1000, 60))}
    assert decide(situation(seen), SETTINGS, 1).stage is Stage.LEARNING
    decision = decide(situation(seen, settled_on="b"), SETTINGS, 1)
    assert decision.stage is Stage.SETTLED
    assert decision.shares["a"] == 90  # 1 % of the 90 % who get a message
    assert 'It stays settled on "b"' in decision.reason


def test_it_resumes_when_another_has_become_more_probable() -> None:
    decision = decide(situation({"a": Seen((1000, 75)), "b": Seen((1000, 60))}, settled_on="b"), SETTINGS, 1)
    assert decision.stage is Stage.LEARNING
    assert decision.reason.startswith('Learning goes on: it had settled on "b", and something has changed since.')


def test_a_variant_that_joins_is_trained_first() -> None:
    seen = {"a": Seen((3000, 60)), "b": Seen((3000, 300)), "new": Seen((0, 0), (20, 1), share=0)}
    decision = decide(situation(seen, settled_on="b"), SETTINGS, 1)
    assert decision.stage is Stage.TRAINING
    assert decision.shares["new"] == 3000
    assert decision.shares["b"] > 5800
    assert 'it had settled on "b", and "new" has joined' in decision.reason


def test_a_young_variant_is_not_punished_for_open_windows() -> None:
    """Half of its conversions are still to come, and it has half as many as the old one."""
    seen = {"old": Seen((4000, 400)), "young": Seen((0, 0), (1000, 50))}
    decision = decide(situation(seen), SETTINGS, 1)
    old, young = decision.standings
    assert old.rate == pytest.approx(0.1, rel=0.02)
    assert young.rate == pytest.approx(0.1, rel=0.15)
    assert young.arrived == pytest.approx(0.5, abs=0.06)
    assert young.trials == pytest.approx(500, rel=0.2)
    assert young.high - young.low > 2 * (old.high - old.low)
    assert 0.2 < (young.probability_best or 0) < 0.8
    assert young.open == 1000


def test_the_share_of_a_variant_that_is_out_stays_nothing() -> None:
    seen = {"a": Seen((1000, 50)), "b": Seen((1000, 65))}
    decision = decide(situation(seen, control=0, out={"retired": 0}), SETTINGS, 1)
    assert decision.shares["retired"] == 0
    assert sum(decision.shares.values()) == 10_000


def test_a_decision_can_be_replayed() -> None:
    decision = decide(situation({"a": Seen((1000, 50), (300, 8)), "b": Seen((1000, 65), (300, 9))}), SETTINGS, 77)
    assert replayed(decision) == decision
    other = replayed(replace(decision, seed=78))
    assert other.shares == pytest.approx(decision.shares, abs=100)
    assert other != decision


def test_exposures_of_few_persons_tell_less_than_as_many_persons() -> None:
    made = situation({"a": Seen((1000, 50)), "b": Seen((1000, 65))})
    repeated = replace(made, candidates=tuple(replace(one, persons_per_unit=0.2) for one in made.candidates))
    sure, unsure = (decide(one, SETTINGS, 1).standings[1].probability_best or 0 for one in (made, repeated))
    assert 0.5 < unsure < sure - 0.1
