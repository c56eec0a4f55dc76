"""The interval of a lift, p values, chi-squared and exact intervals: against published numbers and other programs."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest, chi2_contingency
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from afterword.stats.rates import (
    Counts,
    clopper_pearson,
    compare,
    confidence,
    lift,
    lift_interval,
    newcombe,
    p_value,
    pearson,
    wilson,
    z_statistic,
)

# Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 4, as the tests of its R
# package `contingencytables` print them (tests/testthat/test-ch4.R): high against standard dose, 7 of 34 and 1 of 34.
HIGH, STANDARD = Counts(34, 7), Counts(34, 1)


def test_published_interval_of_a_ratio() -> None:
    interval = lift_interval(HIGH, STANDARD)
    assert interval is not None
    assert lift(HIGH, STANDARD) == pytest.approx(7.0 - 1)
    assert interval.low + 1 == pytest.approx(1.1537, abs=5e-5)
    assert interval.high + 1 == pytest.approx(41.9763, abs=5e-5)


def test_published_interval_of_a_difference() -> None:
    interval = newcombe(HIGH, STANDARD)
    assert interval is not None
    assert interval.low == pytest.approx(0.0189, abs=5e-5)
    assert interval.high == pytest.approx(0.3404, abs=5e-5)


@pytest.mark.parametrize(
    ("group", "control", "low", "high"),
    [
        pytest.param(Counts(70, 56), Counts(80, 48), 0.0524, 0.3339, id="a"),
        pytest.param(Counts(10, 9), Counts(10, 3), 0.1705, 0.8090, id="b"),
        pytest.param(Counts(7, 6), Counts(7, 2), 0.0582, 0.8062, id="c"),
        pytest.param(Counts(56, 5), Counts(29, 0), -0.0381, 0.1926, id="d"),
        pytest.param(Counts(10, 0), Counts(20, 0), -0.1611, 0.2775, id="e"),
        pytest.param(Counts(10, 0), Counts(10, 0), -0.2775, 0.2775, id="f"),
        pytest.param(Counts(10, 10), Counts(20, 0), 0.6791, 1.0, id="g"),
        pytest.param(Counts(10, 10), Counts(10, 0), 0.6075, 1.0, id="h"),
    ],
)
def test_table_ii_of_newcombe_1998(group: Counts, control: Counts, low: float, high: float) -> None:
    # Method 10 of Newcombe (1998), Statistics in Medicine 17, table II; (a) and (b) stand in the tests of the R package
    # `propint`, (d) in those of `ratesci`; statsmodels computes the same for all of them.
    interval = newcombe(group, control)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_published_intervals_of_one_rate() -> None:
    # 13 of 16: the same book, chapter 2, as tests/testthat/test-ch2.R of its package prints them.
    score, exact = wilson(Counts(16, 13)), clopper_pearson(Counts(16, 13))
    assert score is not None
    assert exact is not None
    assert (score.low, score.high) == pytest.approx((0.5699, 0.9341), abs=5e-5)
    assert (exact.low, exact.high) == pytest.approx((0.5435, 0.9595), abs=5e-5)


PAIRS = [
    pytest.param(Counts(21_307, 267), Counts(21_306, 122), id="published-e-mail-test"),
    pytest.param(Counts(30, 29), Counts(40, 1), id="small-and-far-apart"),
    pytest.param(Counts(5_000_000, 1_234), Counts(500_000, 100), id="millions"),
    pytest.param(Counts(100, 3), Counts(100, 30), id="worse-than-control"),
    pytest.param(Counts(12, 12), Counts(10, 9), id="all-converted"),
]


@pytest.mark.parametrize(("group", "control"), PAIRS)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_lift_limits_are_the_ratios_at_which_the_difference_would_touch_zero(
    group: Counts, control: Counts, level: float
) -> None:
    interval, w1, w0 = lift_interval(group, control, level), wilson(group, level), wilson(control, level)
    assert interval is not None
    assert w1 is not None
    assert w0 is not None
    p1, p0 = group.converted / group.n, control.converted / control.n
    low, high = interval.low + 1, interval.high + 1
    assert p1 - low * p0 == pytest.approx(math.hypot(p1 - w1.low, low * (w0.high - p0)), rel=1e-9)
    assert high * p0 - p1 == pytest.approx(math.hypot(w1.high - p1, high * (p0 - w0.low)), rel=1e-9, abs=1e-12)


def test_lift_and_difference_never_disagree_about_zero() -> None:
    for converted in range(0, 61):
        group, control = Counts(200, converted), Counts(150, 20)
        difference, relative = newcombe(group, control), lift_interval(group, control)
        assert difference is not None
        assert relative is not None
        assert (difference.low > 0) is (relative.low > 0)
        assert (difference.high < 0) is (relative.high < 0)


def test_lift_over_a_control_without_conversions_is_bounded_from_below_only() -> None:
    some, none = lift_interval(Counts(1_000, 30), Counts(100, 0)), lift_interval(Counts(1_000, 0), Counts(100, 0))
    assert some is not None
    assert -1 < some.low < math.inf
    assert some.high == math.inf
    assert none is not None
    assert (none.low, none.high) == (-1.0, math.inf)


def test_a_group_without_conversions_has_a_lift_of_minus_one_at_the_least() -> None:
    interval = lift_interval(Counts(1_000, 0), Counts(1_000, 30))
    assert interval is not None
    assert interval.low == -1.0
    assert -1 < interval.high < 0


@pytest.mark.parametrize(("group", "control"), PAIRS)
def test_p_value_equals_statsmodels_and_confidence_follows_it(group: Counts, control: Counts) -> None:
    _, expected = proportions_ztest([group.converted, control.converted], [group.n, control.n])
    p, shown = p_value(group, control), confidence(group, control)
    assert p == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert p is not None
    assert shown == pytest.approx(100 * (1 - p))


@pytest.mark.parametrize(("group", "control"), PAIRS)
def test_chi_squared_of_two_groups_is_the_square_of_z(group: Counts, control: Counts) -> None:
    found, z = pearson([group, control]), z_statistic(group, control)
    assert found is not None
    assert z is not None
    assert found.statistic == pytest.approx(z * z)
    assert found.p_value == pytest.approx(p_value(group, control))


@pytest.mark.parametrize("groups", range(2, 10))
def test_chi_squared_equals_scipy(groups: int) -> None:
    counts = [Counts(1_000 + 37 * i, 100 + 9 * i * (i % 3)) for i in range(groups)]
    table = [[c.converted for c in counts], [c.n - c.converted for c in counts]]
    expected = chi2_contingency(table, correction=False)
    found = pearson([*counts, Counts(0, 0)])
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.df == expected.dof


def test_chi_squared_needs_two_groups_with_conversions_and_without() -> None:
    assert pearson([Counts(10, 3)]) is None
    assert pearson([Counts(10, 3), Counts(0, 0)]) is None
    assert pearson([Counts(10, 0), Counts(12, 0)]) is None
    assert pearson([Counts(10, 10), Counts(12, 12)]) is None


def test_equal_rates_have_no_evidence_against_them() -> None:
    found = pearson([Counts(10, 2), Counts(20, 4), Counts(40, 8)])
    assert found is not None
    assert (found.statistic, found.p_value) == pytest.approx((0, 1))


@pytest.mark.parametrize("counts", [Counts(16, 13), Counts(10, 0), Counts(10, 10), Counts(1, 1), Counts(21_306, 122)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_exact_interval_equals_statsmodels_and_scipy(counts: Counts, level: float) -> None:
    ours = clopper_pearson(counts, level)
    low, high = proportion_confint(counts.converted, counts.n, alpha=1 - level, method="beta")
    theirs = binomtest(counts.converted, counts.n).proportion_ci(level, method="exact")
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((float(low), float(high)), abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_comparison_holds_the_interval_of_the_lift_and_the_p_value() -> None:
    found = compare(HIGH, STANDARD)
    assert found.lift_interval == lift_interval(HIGH, STANDARD)
    assert found.p_value == p_value(HIGH, STANDARD)
    assert clopper_pearson(Counts(0, 0)) is None
    assert lift_interval(Counts(0, 0), STANDARD) is None
