"""A/A over one's own counts: what is found where there is nothing to find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from afterword.errors import UserError
from afterword.model import AnalysisPlan, PlanKind, WinnerRule
from afterword.selection.evidence import pair_level
from afterword.selection.naming import Arms, named
from afterword.selection.permuting import Outcomes, permuted
from afterword.selection.winner import Answer, judge
from afterword.stats.sums import Sums
from tests.selection.worlds import TODAY, A, arm, experiment

NAMED = (Answer.WINNER, Answer.CONTROL_BEST)
DIFFERENT = (
    arm("a", 9_000, 1_200, over_days=30),
    arm("b", 9_000, 900, over_days=30),
    arm("control", 3_000, 250, over_days=30),
)


def test_a_true_difference_is_gone_once_labels_are_dealt_out_anew() -> None:
    one = experiment(*DIFFERENT)
    found = judge(one)
    assert found is not None
    assert found.answer is Answer.WINNER
    told = permuted(one, 1_000, np.random.default_rng(7))
    assert (told.permutations, told.users, told.days) == (1_000, 21_000, 30)
    assert told.verdict <= 0.05
    assert told.plain_daily > 0.2  # looking daily at two comparisons
    assert 0.03 < told.plain_once < 0.15


def test_it_is_the_same_again_with_the_same_seed() -> None:
    one = experiment(*DIFFERENT)
    assert permuted(one, 50, np.random.default_rng(1)) == permuted(one, 50, np.random.default_rng(1))


def test_a_fixed_plan_is_judged_at_its_one_look() -> None:
    arms = arm("a", 20_000, 2_000, over_days=30), arm("b", 20_000, 2_000, over_days=30)
    told = permuted(experiment(*arms, plan=AnalysisPlan(plan=PlanKind.FIXED)), 2_000, np.random.default_rng(3))
    assert 0.03 < told.verdict < 0.07
    assert told.plain_once == pytest.approx(told.verdict, abs=0.005)


def test_the_chi_squared_rule_is_judged_as_it_names() -> None:
    rule = AnalysisPlan(rule=WinnerRule.CHI_SQUARED)
    two = arm("a", 20_000, 2_000, over_days=30), arm("b", 20_000, 2_000, over_days=30)
    once = permuted(experiment(*two, plan=replace(rule, plan=PlanKind.FIXED)), 2_000, np.random.default_rng(3))
    assert 0.03 < once.verdict == once.plain_once < 0.07  # of two variants Pearson's test is the z-test
    daily = permuted(experiment(*two, plan=rule), 500, np.random.default_rng(3))
    assert daily.verdict == daily.plain_daily > 0.2
    above = permuted(experiment(*DIFFERENT, plan=rule), 500, np.random.default_rng(3))
    assert 0.1 < above.verdict < above.plain_daily  # with a control only what is better than it


def test_nothing_to_permute_is_said() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(UserError, match="no users yet whose window has passed"):
        permuted(experiment(arm("a"), arm("b")), 10, rng)
    with pytest.raises(UserError, match="nothing to compare: no conversion event, or a single variant"):
        permuted(experiment(arm("a", 100, 10)), 10, rng)
    learning = replace(experiment(arm("a", 100, 10), arm("b", 100, 10)), follows_results=True)
    with pytest.raises(UserError, match="has shares that follow results"):
        permuted(learning, 10, rng)
    twice = replace(arm("a"), days={"A": [(1, Sums(100, 10, 14, 150, 240, 17))]})
    with pytest.raises(UserError, match="counts a user several times"):
        permuted(experiment(twice, arm("b", 100, 10)), 10, rng)


@pytest.mark.parametrize("kind", list(PlanKind))
def test_many_at_once_are_judged_as_each_by_itself(kind: PlanKind) -> None:
    plan = AnalysisPlan(plan=kind, minimum_sample=50)
    rng = np.random.default_rng(11)
    persons = rng.integers(1, 400, (200, 3)) * rng.integers(1, 30, (200, 3))
    converted = rng.binomial(persons, rng.choice([0.0, 0.05, 0.1, 0.2], (200, 3)))
    one_by_one = []
    for n, c in zip(persons.tolist(), converted.tolist(), strict=True):
        arms = (arm(name, *counts) for name, *counts in zip(("a", "b", "control"), n, c, strict=True))
        found = judge(experiment(*arms, plan=plan))
        assert found is not None
        is_named = found.answer in (Answer.WINNER, Answer.CONTROL_BEST)
        one_by_one.append(["a", "b", "control"].index(found.best or "") if is_named else -1)
    level = pair_level(experiment(arm("a"), arm("b"), arm("control"), plan=plan), A)
    together = named(plan, level, Arms.of_counts(persons, converted))
    assert together.tolist() == one_by_one
    assert 10 < sum(place >= 0 for place in one_by_one) < 190


@pytest.mark.parametrize("kind", list(PlanKind))
def test_units_of_one_person_are_judged_as_such(kind: PlanKind) -> None:
    plan = AnalysisPlan(plan=kind, minimum_sample=50)
    rng = np.random.default_rng(12)
    level = pair_level(experiment(arm("a"), arm("b"), arm("control"), plan=plan), A)
    for _ in range(60):
        sums = []
        for rate in rng.choice([0.05, 0.1, 0.2], 3):
            m = rng.integers(1, 6, int(rng.integers(60, 900)))
            y = np.where(rng.random(len(m)) < rate, m, rng.binomial(m, rate / 2))  # alike within a person
            parts = [len(m), y.sum(), (y * y).sum(), m.sum(), (m * m).sum(), (m * y).sum()]
            sums.append(Sums(*map(int, parts)))
        days = [{"A": [(TODAY, one)]} for one in sums]
        arms = (
            replace(arm(name, one.n), days=of) for name, one, of in zip(("a", "b", "control"), sums, days, strict=True)
        )
        found = judge(experiment(*arms, plan=plan))
        assert found is not None
        expected = ["a", "b", "control"].index(found.best or "") if found.answer in NAMED else -1
        columns = (np.array([getattr(one, name) for one in sums]) for name in Arms._fields)
        assert named(plan, level, Arms(*columns)) == expected


def test_persons_of_several_units_are_dealt_out_whole() -> None:
    # 40 persons of five units that all convert, 360 of whom none does: the units alone would look like much more
    persons = np.array([[20, 20], [180, 180]])
    outcomes = Outcomes(np.array([1, 1]), np.array([5, 0]), np.array([5, 5]), persons)
    told = permuted(experiment(arm("a", 1), arm("b", 1)), 2_000, np.random.default_rng(1), outcomes)
    assert (told.users, told.days) == (400, 1)
    assert told.verdict <= 0.05
    assert told.plain_once > 0.3
