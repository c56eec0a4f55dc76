from __future__ import annotations

import numpy as np
import pytest

from afterword.selection.allocation import in_hundredths, probability_best, shares_of, value_remaining
from afterword.stats.delayed import Betas


def test_probability_to_be_best_of_two_is_the_known_one() -> None:
    # Of X ~ Beta(2, 1) and Y ~ Beta(1, 1): P(X > Y) = E(X) = 2/3.
    draws = Betas(np.array([2.0, 1.0]), np.array([1.0, 1.0])).draws(np.random.default_rng(1), 200_000)
    assert probability_best(draws, np.array([True, True])) == pytest.approx([2 / 3, 1 / 3], abs=0.004)


def test_who_is_no_candidate_is_never_the_best() -> None:
    draws = np.array([[0.1, 0.2, 0.9], [0.3, 0.2, 0.9]])
    assert probability_best(draws, np.array([True, True, False])).tolist() == [0.5, 0.5, 0.0]


def test_value_remaining_is_what_another_variant_could_bring() -> None:
    draws = np.tile(np.array([[0.10, 0.08]]), (100, 1))
    draws[:4] = [0.10, 0.12]  # in 4 of 100 worlds the other is a fifth better
    both = np.array([True, True])
    assert value_remaining(draws, both, 0.95) == pytest.approx(0.0)
    assert value_remaining(draws, both, 0.97) == pytest.approx(0.2)


def test_shares_have_a_floor_and_sum_to_one() -> None:
    shares = shares_of(np.array([1.0, 0.0, 0.0]), np.array([True, True, True]), 0.01)
    assert shares == pytest.approx([0.98, 0.01, 0.01])


def test_what_is_in_training_has_an_equal_share() -> None:
    shares = shares_of(np.array([0.9, 0.1, 0.0]), np.array([True, True, False]), 0.01)
    assert shares[2] == pytest.approx(1 / 3)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] == pytest.approx(0.01 + (2 / 3 - 0.02) * 0.9)


def test_problems_side_by_side_are_decided_apart() -> None:
    best, trained = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[True, True], [True, False]])
    together = shares_of(best, trained, 0.05)
    assert [shares_of(best[i], trained[i], 0.05).tolist() for i in range(2)] == together.tolist()


@pytest.mark.parametrize(
    ("shares", "total", "expected"),
    [
        pytest.param([1 / 3, 1 / 3, 1 / 3], 10_000, [3334, 3333, 3333], id="of-equals-the-earlier"),
        pytest.param([0.5, 0.5], 9_000, [4500, 4500], id="beside-a-control"),
        pytest.param([0.98765, 0.01235], 10_000, [9877, 123], id="the-larger-remainder-half"),
        pytest.param([0.0001, 0.9999], 5_000, [1, 4999], id="nothing-gets-lost"),
    ],
)
def test_rounded_shares_sum_to_the_total(shares: list[float], total: int, expected: list[int]) -> None:
    rounded = in_hundredths(np.array(shares), total)
    assert sum(rounded) == total
    assert rounded == expected
