"""Sizes and power: R's documentation, statsmodels, and by trying it out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from afterword.stats.planning import (
    Size,
    by_sequence,
    days,
    of_means,
    of_rates,
    per_comparison,
    plan_means,
    plan_rates,
    power_of,
    size,
    smallest_mean_effect,
    smallest_rate_effect,
    total_always_valid,
    total_for,
)
from afterword.stats.rates import Counts, p_value


# The examples of R's documentation of power.prop.test print these results beside the calls; n is of one of two groups.
def test_published_sizes() -> None:
    assert total_for(of_rates(0.50, 0.25), power=0.90) / 2 == pytest.approx(76.7, abs=0.05)
    assert total_for(of_rates(0.5, 0.001), power=0.90, alpha=0.001) / 2 == pytest.approx(10_451_937, abs=1)


def test_published_power_and_smallest_effect() -> None:
    assert power_of(of_rates(0.50, 0.25), 100) == pytest.approx(0.740, abs=5e-4)
    found = smallest_rate_effect(0.5, 100, power=0.90)
    assert found is not None
    assert 0.5 + found == pytest.approx(0.8026, abs=5e-5)
    assert power_of(of_rates(0.5, 0.4), 100, alpha=0.00131) == pytest.approx(0.90, abs=5e-4)


@pytest.mark.parametrize(("baseline", "effect"), [(0.03, 0.003), (0.3, -0.05), (0.001, 0.0005)])
@pytest.mark.parametrize("group", [0.5, 0.9, 0.2])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 8])
def test_rates_equal_statsmodels(baseline: float, effect: float, group: float, alpha: float) -> None:
    question, ratio, sign = of_rates(baseline, effect, group, 1 - group), (1 - group) / group, math.copysign(1, effect)
    # One-sided at half of alpha: the chance to find the difference in its true direction.
    theirs = power_proportions_2indep(
        effect, baseline, 20_000 * group, ratio=ratio, alpha=alpha / 2,
        alternative="larger" if sign > 0 else "smaller", return_results=False,
    )  # fmt: skip
    assert power_of(question, 20_000, alpha) == pytest.approx(theirs, abs=1e-9)
    needed = samplesize_proportions_2indep_onetail(
        effect, baseline, 0.8, ratio=ratio, alpha=alpha / 2, alternative="larger" if sign > 0 else "smaller"
    )
    assert total_for(question, 0.8, alpha) * group == pytest.approx(needed, rel=1e-6)


@pytest.mark.parametrize("group", [0.5, 0.9])
def test_means_equal_statsmodels(group: float) -> None:
    question, power = of_means(0.4, 90.0, group, 1 - group), NormalIndPower()
    told = {"ratio": (1 - group) / group, "alternative": "larger"}
    theirs = power.power(0.4 / math.sqrt(90), 10_000 * group, 0.025, **told)
    assert power_of(question, 10_000) == pytest.approx(theirs, abs=1e-9)
    needed = power.solve_power(effect_size=0.4 / math.sqrt(90), alpha=0.025, power=0.8, **told)
    assert total_for(question) * group == pytest.approx(needed, rel=1e-6)


def test_size_power_and_smallest_effect_agree() -> None:
    rates, means = of_rates(0.04, 0.004, 0.3, 0.1), of_means(0.2, 50.0, 0.3, 0.1)
    for question in (rates, means):
        assert power_of(question, total_for(question, 0.9, 0.01), 0.01) == pytest.approx(0.9, abs=1e-12)
    effect = smallest_rate_effect(0.04, total_for(rates), 0.3, 0.1)
    assert effect == pytest.approx(0.004, rel=1e-9)
    assert smallest_mean_effect(50.0, total_for(means), 0.3, 0.1) == pytest.approx(0.2, rel=1e-9)


def test_groups_of_different_variance() -> None:
    question = of_means(1.0, 100.0, 0.5, 0.25, group_variance=200.0)
    assert question.null == pytest.approx(200 / 0.5 + 100 / 0.25)


def test_plan_gives_the_smallest_variant_enough() -> None:
    plan = plan_rates(0.03, 0.003, (0.1, 0.6, 0.3))
    smallest = of_rates(0.03, 0.003, 0.3, 0.1)
    assert power_of(smallest, plan.total, per_comparison(0.05, 2)) == pytest.approx(0.8, abs=1e-4)
    assert plan.per_arm[1] == pytest.approx(6 * plan.per_arm[0], abs=6)
    assert plan.total == sum(plan.per_arm)


def test_more_variants_need_more_persons_each() -> None:
    two, nine = plan_means(0.5, 100.0, [1 / 2] * 2), plan_means(0.5, 100.0, [1 / 9] * 9)
    assert nine.per_arm[0] > 1.3 * two.per_arm[0]


def test_sizes_are_rounded_up_but_not_for_rounding() -> None:
    assert size([1_000.0], (0.1, 0.9)) == Size(1_000, (100, 900))
    assert size([1_000.5, 20.0], (0.5, 0.5)) == Size(1_002, (501, 501))


def test_power_is_what_trying_it_out_gives() -> None:
    rng = np.random.default_rng(40)
    plan = plan_rates(0.05, 0.015, (0.4, 0.6))
    found = 0
    for converted in zip(
        *(rng.binomial(n, p, 2_000) for n, p in zip(plan.per_arm, (0.05, 0.065), strict=True)), strict=True
    ):
        control, group = (Counts(n, int(c)) for n, c in zip(plan.per_arm, converted, strict=True))
        p = p_value(group, control)
        assert p is not None
        found += p < 0.05 and group.converted / group.n > control.converted / control.n
    assert found / 2_000 == pytest.approx(0.8, abs=0.03)


def test_always_valid_size_is_where_the_sequence_has_become_narrow_enough() -> None:
    question = of_rates(0.04, 0.004)

    def half_width(total: float) -> float:
        return 3 * math.sqrt(question.alternative / total)

    total = total_always_valid(question, half_width)
    assert total is not None
    # 3 standard errors and the quantile of the power, instead of 1.96 and that.
    assert total == pytest.approx(question.alternative * ((3 + 0.8416212335729143) / 0.004) ** 2, rel=1e-6)
    assert total_always_valid(question, lambda _: 1.0) is None


def test_looking_when_one_likes_takes_more_persons_and_finds_what_was_planned() -> None:
    once, often = plan_rates(0.04, 0.006, (0.5, 0.5)), plan_rates(0.04, 0.006, (0.5, 0.5), always_valid=True)
    assert 1.5 < often.total / once.total < 2.5
    # 2,000 campaigns of 30 daily looks: the estimate walks at random around the difference, with the planned variance.
    rng, question = np.random.default_rng(41), of_rates(0.04, 0.006)
    persons = often.total * np.arange(1, 31) / 30
    noise = rng.normal(0, math.sqrt(question.alternative * often.total / 30), (2_000, 30)).cumsum(axis=1) / persons
    width = np.array([by_sequence(question)(float(n)) for n in persons])
    found = noise + question.effect > width
    assert found[:, -1].mean() + 0.02 >= 0.8
    assert 0.8 <= found.any(axis=1).mean() <= 0.9
    # Who looks daily stops before the end: on average, where the difference is found, with half of the persons.
    assert persons[found.argmax(axis=1)[found.any(axis=1)]].mean() < 0.6 * often.total


def test_effect_too_small_for_any_number_of_persons_is_refused() -> None:
    with pytest.raises(ValueError, match="too small to be found"):
        plan_rates(0.04, 1e-9, (0.5, 0.5), always_valid=True)


def test_days_until_all_have_come_of_age() -> None:
    assert days(10_000, 1_000, 3) == 13
    assert days(10_001, 1_000, 3) == 14
    assert days(0, 1_000, 3) == 0
    assert days(10_000, 0, 3) is None


def test_nobody_finds_nothing() -> None:
    assert power_of(of_rates(0.04, 0.004), 0) == 0
    assert smallest_mean_effect(50.0, 0) is None
    assert smallest_rate_effect(0.5, 4) is None


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="baseline plus effect is 1"):
        of_rates(0.5, 0.5)
    with pytest.raises(ValueError, match="baseline is 0"):
        of_rates(0.0, 0.5)
    with pytest.raises(ValueError, match="difference of nothing"):
        of_rates(0.5, 0.0)
    with pytest.raises(ValueError, match="sum to at most 1"):
        of_means(1.0, 4.0, 0.7, 0.7)
    with pytest.raises(ValueError, match="variance is 0"):
        of_means(1.0, 0.0)
    with pytest.raises(ValueError, match="power is 80"):
        total_for(of_rates(0.5, 0.1), power=80)
    with pytest.raises(ValueError, match="must be at least two, above 0, and sum to 1"):
        size([100.0], (0.5, 0.4))
    with pytest.raises(ValueError, match="must be at least two"):
        plan_rates(0.04, 0.004, [1.0])
    with pytest.raises(ValueError, match="variants is 0"):
        per_comparison(0.05, 0)
