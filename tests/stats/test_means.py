"""Means and ratios over persons: against SciPy, regression with clusters, a textbook's data and known truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from afterword.stats.means import Difference, Estimate, Winsorised, fieller, interval, mean, ratio, welch
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

Array = np.ndarray[Any, np.dtype[np.float64]]


def sums_of(y: Array, m: Array | None = None) -> Sums:
    m = np.ones_like(y) if m is None else m
    return Sums(len(y), y.sum(), (y * y).sum(), m.sum(), (m * m).sum(), (m * y).sum())


def spent(seed: int, n: int, share: float = 0.1) -> Array:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, np.round(rng.lognormal(3, 1, n), 2), 0.0)


def test_published_example_of_two_sleeping_drugs() -> None:
    # "Student" (1908), table I, in R's data set `sleep`; R's documentation of t.test prints t = -1.8608, df = 17.776,
    # p-value = 0.07939, 95 percent interval -3.3654832 to 0.2054832.
    first = sums_of(np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
    second = sums_of(np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))
    found = welch(mean(first), mean(second))
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p_value == pytest.approx(0.07939, abs=5e-6)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


@pytest.mark.parametrize("sizes", [(50, 70), (2, 3), (5_000, 200)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_welch_equals_scipy(sizes: tuple[int, int], level: float) -> None:
    a, b = spent(1, sizes[0], 0.9), spent(2, sizes[1], 0.9)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    limits = theirs.confidence_interval(level)
    ours = welch(mean(sums_of(a)), mean(sums_of(b)), level)
    assert ours.difference == pytest.approx(a.mean() - b.mean(), rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert ours.df == pytest.approx(theirs.df, rel=1e-9)
    assert ours.interval is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx((limits.low, limits.high), abs=1e-9)


def test_interval_of_a_mean_equals_scipy() -> None:
    y = spent(3, 400)
    found = mean(sums_of(y))
    assert found is not None
    ours, theirs = interval(found), stats.ttest_1samp(y, 0).confidence_interval(0.95)
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def units(seed: int, persons: int) -> tuple[Array, Array]:
    """Units and conversions of persons who differ in how often they come and how readily they convert."""
    rng = np.random.default_rng(seed)
    m = rng.integers(1, 8, persons)
    return m.astype(float), rng.binomial(m, rng.beta(0.5, 2.0, persons)).astype(float)


def unit_rows(m: Array, y: Array) -> tuple[Array, Array]:
    """One row per unit, as who has the raw data would regress it: converted or not, and whose unit it is."""
    converted = np.concatenate([np.repeat([1.0, 0.0], [int(c), int(k - c)]) for k, c in zip(m, y, strict=True)])
    return converted, np.repeat(np.arange(len(m)), m.astype(int)).astype(float)


def test_difference_of_ratios_equals_regression_with_errors_clustered_by_person() -> None:
    (m1, y1), (m0, y0) = units(4, 300), units(5, 200)
    (rows1, who1), (rows0, who0) = unit_rows(m1, y1), unit_rows(m0, y0)
    outcome, who = np.concatenate([rows1, rows0]), np.concatenate([who1, who0 + 1_000])
    arm = np.concatenate([np.ones_like(rows1), np.zeros_like(rows0)])
    fitted = sm.OLS(outcome, sm.add_constant(arm)).fit(
        cov_type="cluster", cov_kwds={"groups": who, "use_correction": False}
    )
    group, control = ratio(sums_of(y1, m1)), ratio(sums_of(y0, m0))
    assert group is not None
    assert group.variance is not None
    assert control is not None
    assert control.variance is not None
    assert group.value - control.value == pytest.approx(fitted.params[1], abs=1e-9)
    # The regression divides by n where we divide by n - 1.
    assert group.variance * 299 / 300 + control.variance * 199 / 200 == pytest.approx(fitted.bse[1] ** 2, rel=1e-9)


def test_one_unit_per_person_makes_a_ratio_a_mean() -> None:
    sums = Sums.of_counts(Counts(1_000, 130))
    assert ratio(sums) == mean(sums)


@pytest.mark.parametrize("seed", [6, 7, 8])
def test_relative_limits_are_the_ratios_at_which_the_difference_is_just_refused(seed: int) -> None:
    group, control = mean(sums_of(spent(seed, 3_000))), mean(sums_of(spent(seed + 10, 4_000)))
    found = welch(group, control)
    assert group is not None
    assert group.variance is not None
    assert control is not None
    assert control.variance is not None
    assert found.df is not None
    assert found.relative_interval is not None
    for end in (found.relative_interval.low, found.relative_interval.high):
        times = 1 + end
        error = math.sqrt(group.variance + times**2 * control.variance)
        t = abs(group.value - times * control.value) / error
        assert t == pytest.approx(float(stats.t.ppf(0.975, found.df)), rel=1e-9)


def test_relative_and_absolute_intervals_never_disagree_about_zero() -> None:
    control = Estimate(1.0, 0.04, 50)
    for step in range(40):
        found = welch(Estimate(0.1 * step, 0.03, 40), control)
        assert found.interval is not None
        assert found.relative_interval is not None
        assert (found.interval.low > 0) is (found.relative_interval.low > 0)
        assert (found.interval.high < 0) is (found.relative_interval.high < 0)


def test_relative_difference_to_a_control_that_may_be_zero_has_no_bounds() -> None:
    assert fieller(Estimate(1.0, 0.01, 50), Estimate(0.1, 0.01, 50), 1.96) is None
    assert fieller(Estimate(1.0, 0.01, 50), Estimate(0.3, 0.01, 50), 1.96) is not None
    assert welch(Estimate(1.0, 0.01, 50), Estimate(-0.5, 0.01, 50)).relative is None


def test_nobody_one_person_and_no_spread_have_no_answer() -> None:
    nobody, one, equal = mean(Sums()), mean(sums_of(np.array([3.0]))), mean(sums_of(np.full(9, 0.1)))
    assert nobody is None
    assert one == Estimate(3.0, None, 1)
    assert equal is not None
    assert equal.value == pytest.approx(0.1)
    assert (equal.variance, equal.n) == (0.0, 9)
    assert interval(one) is None
    assert interval(equal) is None
    assert welch(None, equal) == Difference()
    apart = welch(one, equal)
    assert apart == Difference(difference=apart.difference, relative=apart.relative)
    assert (apart.difference, apart.relative) == pytest.approx((2.9, 29.0))
    assert welch(equal, equal) == Difference(difference=0.0, relative=0.0)
    assert ratio(Sums()) is None


def test_winsorised_sums_are_taken_as_they_are() -> None:
    y = spent(9, 500)
    capped = Winsorised(sums_of(np.minimum(y, 30)), cap=30, capped=int((y > 30).sum()))
    assert capped.capped > 0
    assert mean(capped) == mean(capped.sums)
    assert ratio(capped) == ratio(capped.sums)


@pytest.mark.parametrize(("capped", "quantile"), [(11, None), (-1, None), (1, 99.0)])
def test_impossible_winsorising_is_refused(capped: int, quantile: float | None) -> None:
    with pytest.raises(ValueError, match="must be"):
        Winsorised(sums_of(np.ones(10)), cap=1, capped=capped, quantile=quantile)


def test_five_exposures_per_person_under_no_difference_are_called_different_five_times_in_a_hundred() -> None:
    # 2,000 experiments of two arms with 400 persons of five exposures; a person's own rate is Beta(0.11, 0.99), so that
    # units of one person correlate by 1 / 2.1 and the variance is 1 + 4 / 2.1 = 2.9 times that of independent ones.
    rng = np.random.default_rng(20)
    runs, persons = 2_000, 400
    y = rng.binomial(5, rng.beta(0.11, 0.99, (runs, 2, persons))).astype(float)
    total, squares = y.sum(axis=2), (y * y).sum(axis=2)
    clustered = unclustered = 0
    for run in range(runs):
        arms = [
            Sums(persons, total[run, arm], squares[run, arm], 5 * persons, 25 * persons, 5 * total[run, arm])
            for arm in (0, 1)
        ]
        p = welch(ratio(arms[0]), ratio(arms[1])).p_value
        as_units = [Sums.of_counts(Counts(5 * persons, int(total[run, arm]))) for arm in (0, 1)]
        naive = welch(mean(as_units[0]), mean(as_units[1])).p_value
        assert p is not None
        assert naive is not None
        clustered += p < 0.05
        unclustered += naive < 0.05
    assert 0.04 <= clustered / runs <= 0.06
    assert 0.22 <= unclustered / runs <= 0.28
