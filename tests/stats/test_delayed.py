from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from afterword.stats.delayed import Evidence, Floats, learn

PIECES = 14
DAYS = np.ones(PIECES)
FADING = np.exp(-np.arange(PIECES) / 3)
EARLY = FADING / FADING.sum()
LATE = EARLY[::-1].copy()


def evidence(
    rates: list[float], delays: list[Floats], n: Floats, age: Floats, weight: Floats | None = None, seed: int = 1
) -> Evidence:
    """What is seen of groups with true rates and delays; `n` is [group, cohort], `age` [cohort] in whole days."""
    generator = np.random.default_rng(seed)
    groups, cohorts = n.shape
    came, at_risk = np.zeros((2, groups, PIECES))
    converted = np.zeros((groups, cohorts))
    lived = (np.arange(PIECES) < age[:, None]).astype(float)
    for group, (rate, delay) in enumerate(zip(rates, delays, strict=True)):
        for cohort in range(cohorts):
            pieces = generator.multinomial(int(n[group, cohort]), [*(rate * delay), 1 - rate])[:-1]
            seen = pieces * lived[cohort]
            before = n[group, cohort] - np.concatenate([[0], np.cumsum(pieces)[:-1]])
            came[group] += seen
            at_risk[group] += (before - pieces / 2) * lived[cohort]
            converted[group, cohort] = seen.sum()
    return Evidence(DAYS, at_risk, came, n, converted, lived, np.ones(cohorts) if weight is None else weight)


def test_closed_windows_are_usual_trials() -> None:
    found = learn(evidence([0.05, 0.3], [EARLY, LATE], np.array([[1000.0], [800.0]]), np.array([99.0])))
    converted = found.rates.a - 1
    assert found.trials == pytest.approx([1000, 800])
    assert found.rates.b == pytest.approx(1 + np.array([1000, 800]) - converted)
    assert found.spread == pytest.approx([0, 0], abs=1e-12)


def test_open_windows_count_as_the_part_of_a_trial_that_makes_the_rate_most_likely() -> None:
    seen = evidence([0.2, 0.2], [EARLY, EARLY], np.full((2, 3), 4000.0), np.array([2.0, 5.0, 30.0]))
    pooled = Evidence(DAYS, seen.at_risk, seen.came, seen.n, seen.converted, seen.lived, seen.weight)
    found = learn(pooled)
    by_age = np.diff(found.arrived[0], prepend=0.0) @ seen.lived.T
    n, converted = seen.n[0], seen.converted[0]

    def unlikely(theta: float) -> float:
        # Chapelle (2014): c log theta + sum over the unconverted of log(1 - theta F), with a uniform prior.
        return -float(converted.sum() * np.log(theta) + ((n - converted) * np.log(1 - theta * by_age)).sum())

    best = minimize_scalar(unlikely, bounds=(0.01, 0.9), method="bounded", options={"xatol": 1e-9}).x
    assert found.rates.mean[0] == pytest.approx(best, rel=0.01)
    assert converted.sum() / n.sum() < 0.9 * best


def test_a_young_variant_is_not_punished() -> None:
    n = np.array([[2000.0, 0.0], [0.0, 2000.0]])  # the second began three days ago
    found = learn(evidence([0.1, 0.1], [EARLY, EARLY], n, np.array([20.0, 3.0])))
    assert found.rates.mean[1] == pytest.approx(0.1, rel=0.2)
    assert found.due[1] < 0.75
    assert found.spread[1] > found.spread[0] == pytest.approx(0, abs=1e-9)


def test_a_variant_with_delays_of_its_own_is_known_by_them_when_data_suffice() -> None:
    age = np.array([30.0, 20.0, 10.0, 7.0, 3.0])
    found = learn(evidence([0.1, 0.1], [EARLY, LATE], np.full((2, 5), 4000.0), age))
    assert np.abs(found.arrived[0] - np.cumsum(EARLY)).max() < 0.03
    assert np.abs(found.arrived[1] - np.cumsum(LATE)).max() < 0.05
    assert found.rates.mean == pytest.approx([0.1, 0.1], rel=0.1)


def test_with_few_conversions_delays_are_taken_from_the_others() -> None:
    n = np.array([[20_000.0, 20_000.0], [0.0, 60.0]])
    found = learn(evidence([0.1, 0.1], [EARLY, LATE], n, np.array([30.0, 6.0])))
    assert np.abs(found.arrived[1] - np.cumsum(EARLY)).max() < 0.1


def test_a_bad_day_for_all_is_no_variants_fault() -> None:
    # On the second day nobody buys much, and the first variant had most of its users on that day.
    n = np.array([[1000.0, 9000.0], [9000.0, 1000.0]])
    converted = np.array([[100.0, 450.0], [900.0, 50.0]])
    at_risk, came = np.zeros((2, 2, 1))
    at_risk[:, 0] = (n - converted / 2).sum(axis=1)
    came[:, 0] = converted.sum(axis=1)
    found = learn(Evidence(np.ones(1), at_risk, came, n, converted, np.ones((2, 1)), np.ones(2)))
    assert found.rates.mean[0] == pytest.approx(found.rates.mean[1], rel=0.06)


def test_forgetting_counts_the_old_less() -> None:
    n = np.array([[5000.0, 5000.0]])
    converted = np.array([[1000.0, 250.0]])
    at_risk, came = np.array([[[9375.0]], [[1250.0]]])
    found = learn(Evidence(np.ones(1), at_risk, came, n, converted, np.ones((2, 1)), np.array([0.01, 1.0])))
    assert found.rates.mean[0] == pytest.approx(0.05, rel=0.1)
    assert found.trials[0] == pytest.approx(5050, rel=0.01)


def test_problems_side_by_side_are_learned_apart() -> None:
    one = evidence([0.1, 0.05], [EARLY, LATE], np.full((2, 3), 900.0), np.array([2.0, 9.0, 30.0]))
    other = evidence([0.3, 0.02], [LATE, EARLY], np.full((2, 3), 500.0), np.array([2.0, 9.0, 30.0]), seed=5)
    at_risk, came, n, converted, lived = (
        np.stack([getattr(one, name), getattr(other, name)]) for name in ("at_risk", "came", "n", "converted", "lived")
    )
    both = Evidence(DAYS, at_risk, came, n, converted, lived, one.weight)
    together = learn(both)
    for place, alone in enumerate((learn(one), learn(other))):
        assert together.rates.a[place] == pytest.approx(alone.rates.a)
        assert together.arrived[place] == pytest.approx(alone.arrived)


def test_without_anybody_nothing_is_known() -> None:
    pieces, nobody = np.zeros((2, PIECES)), np.zeros((2, 0))
    empty = Evidence(DAYS, pieces, pieces, nobody, nobody, np.zeros((0, PIECES)), np.zeros(0))
    found = learn(empty)
    assert np.isfinite(found.rates.mean).all()
    assert found.rates.mean == pytest.approx([0.5, 0.5])


def test_intervals_cover_the_truth_while_windows_are_open() -> None:
    generator = np.random.default_rng(11)
    age = np.array([3.0, 6.0, 9.0, 12.0, 20.0])
    covered = []
    for seed in range(300):
        found = learn(evidence([0.08, 0.1], [EARLY, EARLY], np.full((2, 5), 400.0), age, seed=seed + 100))
        low, high = np.quantile(found.rates.draws(generator, 1000), [0.025, 0.975], axis=0)
        covered.append((low <= [0.08, 0.1]) & (high >= [0.08, 0.1]))
    assert np.mean(covered) > 0.93
