"""The bandit in worlds of which everything is known: the quick version of `python -m benchmarks.simulations.bandit`."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulations.adapted import coverage, worlds
from benchmarks.simulations.bandit import lead, simulate
from benchmarks.simulations.bandit_policies import POLICIES
from benchmarks.simulations.bandit_worlds import PIECES, all_worlds

WORLDS = {world.name: world for world in all_worlds()}


def test_late_conversions_cost_it_less_than_any_rival() -> None:
    found = [simulate(WORLDS[name], list(POLICIES), 12, 5) for name in ("slow winner", "newcomer")]
    for rival in list(POLICIES)[1:]:
        difference, error = lead(found, rival)
        assert difference > 2 * error, rival


def test_users_convert_as_often_and_as_late_as_the_world_says() -> None:
    world = WORLDS["slow winner"]
    outcomes = world.outcomes(np.random.default_rng(3), 0, 400)
    assert (outcomes >= 0).mean(axis=(0, 1)) == pytest.approx(world.rates[0, 0], rel=0.05)
    for variant, delays in enumerate(world.delays):
        pieces = outcomes[..., variant][outcomes[..., variant] >= 0]
        assert np.bincount(pieces, minlength=PIECES) / len(pieces) == pytest.approx(delays, abs=0.02)


@pytest.mark.slow
def test_it_is_ahead_in_all_worlds_together_and_never_behind_the_worst() -> None:
    found = [simulate(world, list(POLICIES), 60, 90 + number) for number, world in enumerate(WORLDS.values())]
    for rival in list(POLICIES)[1:]:
        difference, error = lead(found, rival)
        assert difference > 2 * error, rival
    for world, outcomes in zip(WORLDS, found, strict=True):
        rivals = [one.regret for name, one in outcomes.items() if name != "Afterword"]
        worst = max(rivals, key=lambda regret: float(regret.mean()))
        behind = outcomes["Afterword"].regret - worst
        assert behind.mean() <= 2 * behind.std() / np.sqrt(len(behind)) + 1e-9, world


@pytest.mark.slow
def test_intervals_over_adapted_shares_hold_where_ordinary_ones_do_not() -> None:
    falling = worlds()[2]
    plain, better = coverage(falling, 300, 17)
    assert better.covered > 0.925  # 95 % less two standard errors
    assert plain.covered < 0.9
