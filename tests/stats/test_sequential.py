"""Always-valid intervals, p values and lifts: the published boundary, each agreeing with the others."""

from __future__ import annotations

import math

import pytest

from afterword.stats.adjusted import adjusted_ratios
from afterword.stats.rates import Counts, newcombe, wilson, z_of
from afterword.stats.sequential import (
    BURN_IN,
    always_valid_p,
    difference_sequence,
    estimate,
    lift_sequence,
    looks,
    p_of,
    rate_sequence,
    reach,
    share_sequence,
    weight,
)
from afterword.stats.sums import Sums

MENS, NONE = Counts(21_307, 267), Counts(21_306, 122)

PAIRS = [
    pytest.param(Counts(21_307, 267), Counts(21_306, 122), id="published-e-mail-test"),
    pytest.param(Counts(900, 310), Counts(1_000, 300), id="not-far-apart"),
    pytest.param(Counts(5_000, 5), Counts(500, 60), id="few-and-unequal"),
    pytest.param(Counts(50, 45), Counts(60, 6), id="small-and-far-apart"),
    pytest.param(Counts(2_000_000, 2_100), Counts(200_000, 180), id="millions"),
]


def of(counts: Counts) -> Sums:
    return Sums.of_counts(counts)


def test_a_rate_over_persons_of_one_unit_each_is_a_rate() -> None:
    assert share_sequence(of(MENS)) == rate_sequence(MENS)
    assert share_sequence(Sums()) is None


def test_units_that_convert_together_are_worth_fewer() -> None:
    # 1,000 persons with two units each, of which both convert or none: as if there were 1,000 units.
    alike = Sums(1_000, 400, 800, 2_000, 4_000, 800)
    one, other = share_sequence(alike), rate_sequence(Counts(1_000, 200))
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def spread(n: int, mean: float, sd: float) -> Sums:
    """Persons with one unit, of whom only mean and standard deviation are known."""
    return Sums(n, n * mean, n * (mean * mean + sd * sd), n, n, n * mean)


def test_reach_is_the_boundary_of_the_paper() -> None:
    # sigma sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(sqrt(n rho^2 + 1) / alpha)), in errors sigma / sqrt(n).
    for n, alpha in ((500, 0.05), (10_000, 0.05), (1_000_000, 0.01)):
        rho2 = 8.21197 / 10_000
        boundary = math.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
        assert reach(n, alpha) == pytest.approx(boundary * math.sqrt(n), rel=1e-12)


def test_reach_is_smallest_relative_to_an_ordinary_interval_at_the_size_it_is_tuned_for() -> None:
    assert reach(10_000) == pytest.approx(3.0351, abs=1e-4)
    assert min(range(1_000, 100_000, 500), key=reach) == 10_000
    assert min(range(1_000, 100_000, 500), key=lambda n: reach(n, tuned_for=30_000)) == 30_000


def test_an_ordinary_interval_reaches_less_at_every_size() -> None:
    assert all(reach(n) > 1.5 * z_of(0.95) for n in (10, 1_000, 10_000, 10**6, 10**9))


@pytest.mark.parametrize(("group", "control"), PAIRS)
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.006, 1e-9])
def test_interval_lift_and_p_value_agree_on_whether_there_is_a_difference(
    group: Counts, control: Counts, alpha: float
) -> None:
    p = always_valid_p(of(group), of(control))
    difference = difference_sequence(of(group), of(control), alpha)
    lift = lift_sequence(of(group), of(control), alpha)
    assert p is not None
    assert difference is not None
    assert lift is not None
    clear = difference.low > 0 or difference.high < 0
    assert clear is (p <= alpha)
    assert clear is (lift.low > 0 or lift.high < 0)
    assert difference.low < group.converted / group.n - control.converted / control.n < difference.high


def test_difference_of_exactly_one_error_has_a_p_value() -> None:
    error = math.sqrt(2 * 81 / 9_999)
    assert always_valid_p(spread(10_000, 1 + error, 9.0), spread(10_000, 1.0, 9.0)) == 1.0


@pytest.mark.parametrize(("group", "control"), PAIRS)
def test_at_its_own_p_value_the_interval_ends_at_zero(group: Counts, control: Counts) -> None:
    p = always_valid_p(of(group), of(control))
    assert p is not None
    if p < 1:
        interval = difference_sequence(of(group), of(control), p)
        assert interval is not None
        assert min(abs(interval.low), abs(interval.high)) == pytest.approx(0, abs=1e-9)


def test_rates_are_newcombes_and_wilsons_intervals_that_reach_further() -> None:
    level = math.erf(reach(MENS.n + NONE.n) / math.sqrt(2))
    ordinary, ours = newcombe(MENS, NONE, level), difference_sequence(of(MENS), of(NONE))
    assert ordinary is not None
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((ordinary.low, ordinary.high), abs=1e-9)
    one, wide = rate_sequence(MENS), wilson(MENS, math.erf(reach(MENS.n) / math.sqrt(2)))
    assert one is not None
    assert wide is not None
    assert (one.low, one.high) == pytest.approx((wide.low, wide.high), abs=1e-9)


def test_means_have_the_sequence_of_the_paper_around_the_difference() -> None:
    group, control = spread(4_000, 1.2, 9.0), spread(6_000, 1.0, 8.0)
    half = reach(10_000) * math.sqrt(81 / 3_999 + 64 / 5_999)
    interval = difference_sequence(group, control)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-9)
    p = always_valid_p(group, control)
    assert p == pytest.approx(p_of(0.2 / (half / reach(10_000)), 10_000), rel=1e-9)


def test_small_arm_that_missed_the_large_purchases_is_no_surer_than_the_large_one() -> None:
    large = spread(90_000, 1.0, 9.0)
    lucky, plain = spread(10_000, 0.5, 2.0), spread(10_000, 0.5, 9.0)
    ours, as_wide = difference_sequence(large, lucky), difference_sequence(large, plain)
    assert ours is not None
    assert as_wide is not None
    assert ours.high - ours.low == pytest.approx(as_wide.high - as_wide.low, rel=1e-3)
    turned = difference_sequence(lucky, large)
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx((-ours.high, -ours.low))


def test_lift_of_means_is_fiellers() -> None:
    lift = lift_sequence(spread(40_000, 1.5, 2.0), spread(40_000, 1.0, 2.0))
    assert lift is not None
    z, variance = reach(80_000), 4 / 39_999
    for ratio in (lift.low + 1, lift.high + 1):
        assert (1.5 - ratio) ** 2 == pytest.approx(z * z * variance * (1 + ratio**2), rel=1e-9)


def test_lift_has_no_bounds_while_the_controls_mean_may_be_zero() -> None:
    assert lift_sequence(spread(1_000, 1.5, 10.0), spread(1_000, 1.0, 10.0)) is None
    assert difference_sequence(spread(1_000, 1.5, 10.0), spread(1_000, 1.0, 10.0)) is not None


def test_units_of_one_person_count_as_far_as_they_say_something_new() -> None:
    # Everybody has four units that agree with each other: as many facts as persons, not as units.
    once, four = of(Counts(1_000, 300)), Sums(1_000, 1_200, 4_800, 4_000, 16_000, 4_800)
    control = of(Counts(1_000, 250))
    clustered = Sums(1_000, 1_000, 4_000, 4_000, 16_000, 4_000)
    clusters, persons = difference_sequence(four, clustered), difference_sequence(once, control)
    assert clusters is not None
    assert persons is not None
    assert (clusters.low, clusters.high) == pytest.approx((persons.low, persons.high), rel=1e-9)


def test_covariate_narrows_the_interval_by_the_variance_it_explains() -> None:
    # x explains three quarters of the variance of y: half the width.
    n, mean = 10_000, 2.0
    arm = Sums(n, n * mean, n * (mean**2 + 4), n, n, n * mean, n * 1.0, n * 2.0, n * (mean + math.sqrt(3)), n * 1.0)
    plain, adjusted = difference_sequence(arm, arm), difference_sequence(arm, arm, adjusted=True)
    assert plain is not None
    assert adjusted is not None
    assert adjusted.high / plain.high == pytest.approx(0.5, rel=1e-6)
    both = adjusted_ratios([arm, arm])
    assert both is not None
    assert both.saved == pytest.approx(0.75)


def test_nothing_is_said_before_each_arm_has_its_first_conversions() -> None:
    few, enough = of(Counts(1_000, BURN_IN - 1)), of(Counts(1_000, BURN_IN))
    other = of(Counts(1_000, 90))
    assert difference_sequence(few, other) is None
    assert lift_sequence(few, other) is None
    assert always_valid_p(few, other) is None
    assert always_valid_p(few, other, smallest_so_far=0.2) == 0.2
    assert difference_sequence(enough, other) is not None
    assert difference_sequence(of(Counts(1_000, 1_000 - BURN_IN + 1)), other) is None
    assert estimate(few, other) == pytest.approx((BURN_IN - 1 - 90) / 1_000)


def test_revenue_is_carried_by_fewer_persons_if_some_spent_much_more() -> None:
    assert weight(of(Counts(1_000, 40))) == 40
    alike, one_large = (
        Sums(1_000, 400, 4_000, 1_000, 1_000, 400),
        Sums(1_000, 1_390, 4_000 + 10**6, 1_000, 1_000, 1_390),
    )
    assert weight(alike) == 40
    assert weight(one_large) < 2


@pytest.mark.parametrize("group", [Sums(), of(Counts(1, 1))], ids=["nobody", "one-person"])
def test_without_an_arm_there_is_no_answer(group: Sums) -> None:
    assert difference_sequence(group, of(NONE)) is None
    assert always_valid_p(group, of(NONE)) is None
    assert estimate(group, of(NONE)) is None
    assert rate_sequence(Counts(0, 0)) is None


def test_covariate_that_does_not_vary_adjusts_nothing() -> None:
    assert difference_sequence(of(MENS), of(NONE), adjusted=True) is None


def test_looks_keep_the_smallest_p_value_and_show_each_days_interval() -> None:
    days = [
        (of(Counts(1_000, 2)), of(Counts(1_000, 1))),
        (of(Counts(2_000, 120)), of(Counts(2_000, 40))),
        (of(Counts(3_000, 150)), of(Counts(3_000, 145))),
    ]
    first, second, third = looks(days)
    assert (first.interval, first.p_value) == (None, None)
    assert first.difference == pytest.approx(0.001)
    assert second.interval == difference_sequence(*days[1])
    assert second.p_value is not None
    assert second.p_value < 0.05
    assert third.interval == difference_sequence(*days[2])
    assert third.p_value == second.p_value


@pytest.mark.parametrize(("alpha", "tuned_for"), [(0.0, 10_000), (1.0, 10_000), (0.05, 0)])
def test_levels_and_sizes_out_of_bounds_are_refused(alpha: float, tuned_for: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        reach(100, alpha, tuned_for)
