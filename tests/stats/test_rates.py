from __future__ import annotations

import math

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest

from afterword.stats.rates import (
    Clusters,
    Comparison,
    Counts,
    compare,
    confidence,
    design_effect,
    difference,
    lift,
    newcombe,
    rate,
    wilson,
    z_statistic,
)

PAIRS = [
    pytest.param(Counts(21_307, 267), Counts(21_306, 122), id="published-e-mail-test"),
    pytest.param(Counts(30, 29), Counts(40, 1), id="small-and-far-apart"),
    pytest.param(Counts(10, 0), Counts(12, 3), id="none-in-one-group"),
    pytest.param(Counts(10, 10), Counts(12, 3), id="all-in-one-group"),
    pytest.param(Counts(5_000_000, 1_234), Counts(500_000, 100), id="millions"),
    pytest.param(Counts(1, 1), Counts(1, 0), id="one-against-one"),
]


@pytest.mark.parametrize(
    "counts",
    [
        Counts(21_307, 267),
        Counts(10, 0),
        Counts(10, 10),
        Counts(1, 1),
        Counts(1, 0),
        Counts(5_000_000, 1_234),
        Counts(7, 3),
    ],
)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_wilson_equals_statsmodels(counts: Counts, level: float) -> None:
    ours = wilson(counts, level)
    low, high = proportion_confint(counts.converted, counts.n, alpha=1 - level, method="wilson")
    assert ours is not None
    assert ours.low == pytest.approx(low, abs=1e-9)
    assert ours.high == pytest.approx(high, abs=1e-9)
    assert 0 <= ours.low <= counts.converted / counts.n <= ours.high <= 1


@pytest.mark.parametrize(("group", "control"), PAIRS)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_newcombe_equals_statsmodels(group: Counts, control: Counts, level: float) -> None:
    ours = newcombe(group, control, level)
    low, high = confint_proportions_2indep(
        group.converted, group.n, control.converted, control.n, method="newcomb", compare="diff", alpha=1 - level
    )
    assert ours is not None
    assert ours.low == pytest.approx(low, abs=1e-9)
    assert ours.high == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize(("group", "control"), PAIRS)
def test_confidence_equals_statsmodels(group: Counts, control: Counts) -> None:
    z, p = proportions_ztest([group.converted, control.converted], [group.n, control.n])
    ours, ours_z = confidence(group, control), z_statistic(group, control)
    assert ours is not None
    assert ours_z == pytest.approx(z, rel=1e-9)
    assert 1 - ours / 100 == pytest.approx(p, abs=1e-9)


def test_published_numbers_of_the_e_mail_test() -> None:
    # Known statistics of the MineThatData e-mail test (men's merchandise against no e-mail, buyers).
    mens, none = Counts(21_307, 267), Counts(21_306, 122)
    z = z_statistic(mens, none)
    relative = lift(mens, none)
    assert difference(mens, none) == pytest.approx(0.00680501, abs=5e-9)
    assert z == pytest.approx(7.38511, abs=5e-6)
    assert z is not None
    assert math.erfc(z / math.sqrt(2)) == pytest.approx(1.523e-13, rel=5e-4)
    assert relative == pytest.approx(1.1884, abs=5e-5)


NOBODY = Counts(0, 0)


def test_nobody_has_no_rate_and_no_interval() -> None:
    assert rate(NOBODY) is None
    assert wilson(NOBODY) is None


@pytest.mark.parametrize(("group", "control"), [(NOBODY, Counts(5, 1)), (Counts(5, 1), NOBODY), (NOBODY, NOBODY)])
def test_nobody_is_not_compared(group: Counts, control: Counts) -> None:
    assert compare(group, control) == Comparison()


def test_without_control_nothing_is_compared() -> None:
    assert compare(Counts(10, 3), None) == Comparison()


def test_lift_over_a_control_without_conversions_is_unknown() -> None:
    assert lift(Counts(10, 3), Counts(10, 0)) is None
    assert difference(Counts(10, 3), Counts(10, 0)) == pytest.approx(0.3)


@pytest.mark.parametrize("converted", [0, 10])
def test_confidence_needs_conversions_and_their_absence(converted: int) -> None:
    assert confidence(Counts(10, converted), Counts(10, converted)) is None


@pytest.mark.parametrize("counts", [(-1, 0), (3, 4), (3, -1)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be from 0 to n"):
        Counts(*counts)


def test_level_must_be_a_share() -> None:
    with pytest.raises(ValueError, match="level is 95"):
        wilson(Counts(10, 3), 95)


def test_one_unit_per_person_has_no_design_effect() -> None:
    # m = 1 for all, c = 1 for the converted: every sum is a count.
    assert design_effect(Counts(100, 30), Clusters(100, 100, 30, 30)) == pytest.approx(1)


def test_units_that_always_agree_count_as_persons() -> None:
    # 50 persons with 2 units each, 15 of them converted on both: the variance doubles.
    clusters = Clusters(persons=50, units_squared=200, units_converted=15 * 4, converted_squared=15 * 4)
    effect = design_effect(Counts(100, 30), clusters)
    assert effect == pytest.approx(2)
    assert wilson(Counts(100, 30), design_effect=effect) == pytest.approx(wilson(Counts(50, 15)))


def test_without_any_conversion_persons_are_counted() -> None:
    assert design_effect(Counts(100, 0), Clusters(50, 200, 0, 0)) == pytest.approx(2)
    assert design_effect(NOBODY, Clusters(0, 0, 0, 0)) == 1
