"""The chance to be shown better than every other, held against the multivariate normal distribution and by trying."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from afterword.stats.best import Rival, chance_of_best


@pytest.mark.parametrize("error", [0.2, 1.0, 3.0])
def test_it_is_the_probability_of_a_corner_of_the_normal_distribution(error: float) -> None:
    rivals = [Rival(0.7, 1.5), Rival(1.1, 2.0), Rival(0.4, 0.0)]
    shared = np.full((3, 3), error**2) + np.diag([one.error**2 for one in rivals])
    expected = multivariate_normal(np.zeros(3), shared).cdf([2.0 - one.half_width for one in rivals])
    assert chance_of_best(2.0, error, rivals) == pytest.approx(float(expected), abs=2e-4)


def test_of_two_that_cannot_miss_each_other_it_is_that_of_one() -> None:
    alone = chance_of_best(1.0, 0.5, [Rival(0.5, 0.8)])
    assert chance_of_best(1.0, 0.5, [Rival(0.5, 0.8), Rival(0.5, -100.0)]) == pytest.approx(alone, abs=1e-12)


def test_with_nobody_to_be_better_than_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="rivals is empty"):
        chance_of_best(1.0, 1.0, [])
