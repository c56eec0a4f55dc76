"""CUPED from sums: against regression on the persons themselves, and against known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from afterword.stats.adjusted import Adjusted, adjusted_means, adjusted_ratios
from afterword.stats.means import Winsorised, mean, ratio, welch
from afterword.stats.sums import Sums

Array = np.ndarray[Any, np.dtype[np.float64]]


def sums_of(y: Array, x: Array, m: Array | None = None) -> Sums:
    m = np.ones_like(y) if m is None else m
    return Sums(
        len(y), y.sum(), (y * y).sum(), m.sum(), (m * m).sum(), (m * y).sum(),
        x.sum(), (x * x).sum(), (x * y).sum(), (x * m).sum(),
    )  # fmt: skip


def history(seed: int, n: int, effect: float = 0.0) -> tuple[Array, Array]:
    """What persons spent after and before: both grow with how much of a customer the person is."""
    rng = np.random.default_rng(seed)
    customer = rng.gamma(0.5, 10.0, n)
    return rng.poisson(customer + effect).astype(float), rng.poisson(customer).astype(float)


ARMS = [history(1, 900, 0.3), history(2, 700), history(3, 400, 1.0)]


def adjusted_arms(arms: list[tuple[Array, Array]]) -> Adjusted:
    found = adjusted_means([sums_of(y, x) for y, x in arms])
    assert found is not None
    return found


def values(found: Adjusted) -> list[float]:
    return [one.value for one in found.estimates if one is not None]


def test_differences_equal_an_analysis_of_covariance() -> None:
    found = adjusted_arms(ARMS)
    y, x = (np.concatenate([arm[i] for arm in ARMS]) for i in (0, 1))
    which = np.repeat([0, 1, 2], [len(arm[0]) for arm in ARMS])
    fitted = sm.OLS(y, np.column_stack([which == 0, which == 1, which == 2, x]).astype(float)).fit()
    first, second, third = values(found)
    assert first - second == pytest.approx(fitted.params[0] - fitted.params[1], abs=1e-9)
    assert third - second == pytest.approx(fitted.params[2] - fitted.params[1], abs=1e-9)
    assert found.theta == pytest.approx(fitted.params[3], abs=1e-9)


def test_adjusted_means_are_those_that_the_regression_predicts_at_the_common_mean_of_before() -> None:
    y, x = (np.concatenate([arm[i] for arm in ARMS]) for i in (0, 1))
    which = np.repeat([0, 1, 2], [len(arm[0]) for arm in ARMS])
    fitted = sm.OLS(y, np.column_stack([which == 0, which == 1, which == 2, x]).astype(float)).fit()
    assert values(adjusted_arms(ARMS)) == pytest.approx(list(fitted.params[:3] + fitted.params[3] * x.mean()), abs=1e-9)


def test_variance_is_that_of_what_is_left_of_the_outcome() -> None:
    found = adjusted_arms(ARMS)
    for estimate, (y, x) in zip(found.estimates, ARMS, strict=True):
        assert estimate is not None
        assert estimate.variance == pytest.approx((y - found.theta * x).var(ddof=1) / len(y), rel=1e-9)


def test_saved_is_the_squared_correlation_within_arms() -> None:
    # Deng et al. (2013), equation 5: the variance becomes (1 - correlation^2) times what it was.
    found = adjusted_arms(ARMS)
    y, x = (np.concatenate([arm[i] - arm[i].mean() for arm in ARMS]) for i in (0, 1))
    assert found.saved == pytest.approx(float(np.corrcoef(y, x)[0, 1]) ** 2, rel=1e-9)
    assert 0.5 < float(found.saved or 0) < 1


def test_adjusting_by_what_is_unrelated_changes_nothing() -> None:
    unrelated = sums_of(np.array([1.0, 1.0, 5.0, 5.0]), np.array([1.0, 2.0, 1.0, 2.0]))
    found = adjusted_means([unrelated])
    assert found == Adjusted(theta=0.0, saved=0.0, estimates=(mean(unrelated),))


def test_without_variance_before_there_is_no_adjustment() -> None:
    y, _ = ARMS[0]
    assert adjusted_means([sums_of(y, np.full(len(y), 0.1))]) is None
    assert adjusted_ratios([sums_of(y, np.full(len(y), 0.1))]) is None
    assert adjusted_means([sums_of(y, np.zeros(len(y)))]) is None
    assert adjusted_means([Sums(), Sums()]) is None


def test_an_outcome_without_variance_has_nothing_to_save() -> None:
    _, x = ARMS[0]
    found = adjusted_means([sums_of(np.zeros(len(x)), x)])
    assert found is not None
    assert found.saved is None
    assert values(found) == [0.0]


def test_an_empty_arm_has_no_estimate_and_does_not_disturb_the_others() -> None:
    found = adjusted_means([sums_of(*ARMS[0]), Sums(), sums_of(*ARMS[1])])
    assert found is not None
    assert found.estimates[1] is None
    assert values(found) == values(adjusted_arms(ARMS[:2]))


def test_one_unit_per_person_makes_ratios_means() -> None:
    sums = [sums_of(y, x) for y, x in ARMS]
    means, ratios = adjusted_means(sums), adjusted_ratios(sums)
    assert means is not None
    assert ratios is not None
    assert values(ratios) == pytest.approx(values(means), abs=1e-12)
    assert ratios.saved == pytest.approx(means.saved)


def test_ratios_are_adjusted_by_the_regression_of_what_is_linear_in_them() -> None:
    arms = []
    for seed, n in ((4, 800), (5, 600)):
        rng = np.random.default_rng(seed)
        m, readiness = rng.integers(1, 7, n).astype(float), rng.beta(0.5, 2, n)
        arms.append((rng.binomial(m.astype(int), readiness).astype(float), m, rng.poisson(9 * readiness).astype(float)))
    found = adjusted_ratios([sums_of(y, x, m) for y, m, x in arms])
    assert found is not None
    linear = [y.sum() / m.sum() + (y - y.sum() / m.sum() * m) / m.mean() for y, m, _ in arms]
    x = np.concatenate([before for _, _, before in arms])
    which = np.repeat([0, 1], [len(y) for y, _, _ in arms])
    fitted = sm.OLS(np.concatenate(linear), np.column_stack([which == 0, which == 1, x]).astype(float)).fit()
    first, second = values(found)
    assert first - second == pytest.approx(fitted.params[0] - fitted.params[1], abs=1e-9)
    raw = ratio(sums_of(arms[0][0], arms[0][2], arms[0][1]))
    assert raw is not None
    assert raw.variance is not None
    assert found.estimates[0] is not None
    assert found.estimates[0].variance is not None
    assert found.estimates[0].variance < 0.8 * raw.variance


def test_winsorised_outcomes_can_be_adjusted() -> None:
    y, x = ARMS[0]
    capped = Winsorised(sums_of(np.minimum(y, 20), x), cap=20, capped=int((y > 20).sum()))
    assert adjusted_means([capped]) == adjusted_means([capped.sums])


def test_adjusted_intervals_cover_the_true_difference_and_are_narrower() -> None:
    runs, n, effect = 1_500, 300, 0.5
    rng = np.random.default_rng(21)
    customer = rng.gamma(0.5, 10.0, (runs, 2, n))
    x = rng.poisson(customer).astype(float)
    y = rng.poisson(customer + np.array([effect, 0.0])[:, None]).astype(float)
    ones = np.ones_like(y)
    cells = np.stack([y, y * y, ones, ones, y, x, x * x, x * y, x], axis=-1).sum(axis=2)
    covered = narrower = 0
    for run in range(runs):
        found = adjusted_means(arms := [Sums(n, *of) for of in cells[run]])
        assert found is not None
        first, second = found.estimates
        ours, raw = welch(first, second), welch(mean(arms[0]), mean(arms[1]))
        assert ours.interval is not None
        assert raw.interval is not None
        covered += ours.interval.low <= effect <= ours.interval.high
        narrower += ours.interval.high - ours.interval.low < raw.interval.high - raw.interval.low
    assert 0.94 <= covered / runs <= 0.965
    assert narrower == runs
