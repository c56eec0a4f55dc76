"""False winners of the verdict under daily looks, by simulation (benchmarks/simulations/winner.py)."""

from __future__ import annotations

import pytest

from afterword.model import AnalysisPlan, PlanKind
from benchmarks.simulations.following import false_winners
from benchmarks.simulations.winner import campaigns


@pytest.mark.parametrize("rates", [[0.1, 0.1], [0.02] * 4, [0.1, 0.1, 0.05]])
def test_daily_looks_at_no_difference_name_a_winner_in_five_of_a_hundred_campaigns_at_most(rates: list[float]) -> None:
    found = campaigns(rates, a_day=200, runs=1_000)
    assert found.wrongly <= 0.05 - 0.02  # three standard errors below what is promised
    if len(set(rates)) == 1:
        assert found.chi_squared > 0.1  # while the rule of the commercial products does so in many


def test_one_look_holds_its_level_and_uses_it() -> None:
    once = campaigns([0.1, 0.1], a_day=100, runs=4_000, plan=AnalysisPlan(plan=PlanKind.FIXED))
    assert 0.04 < once.wrongly < 0.06


def test_a_true_winner_is_named_in_time() -> None:
    found = campaigns([0.12, 0.1, 0.1], a_day=1_000, runs=1_000)
    assert found.any > 0.99
    assert found.wrongly < 0.005
    assert found.day is not None
    assert found.day < 10


def test_where_shares_follow_results_and_rates_move_only_a_comparison_day_by_day_holds() -> None:
    rows = false_winners(500).rows
    by_day = [float(row[2].split()[0]) for row in rows]
    pooled = [float(row[3].split()[0]) for row in rows]
    assert max(by_day) <= 4
    assert max(pooled) > 50


@pytest.mark.slow
@pytest.mark.parametrize("arms", [2, 3, 5, 9])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_however_many_arms_and_however_rare_conversions_are(arms: int, rate: float) -> None:
    assert campaigns([rate] * arms, a_day=1_000).wrongly <= 0.05 - 0.01
