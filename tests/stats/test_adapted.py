from __future__ import annotations

import math

import pytest

from afterword.stats.adapted import EpochSums, adapted_difference, adapted_rates
from afterword.stats.rates import Counts, newcombe
from afterword.stats.sums import Sums


def persons(n: int, converted: int) -> Sums:
    return Sums.of_counts(Counts(n, converted))


def test_one_epoch_is_the_ordinary_difference_of_means() -> None:
    found = adapted_difference([EpochSums(persons(1000, 120), persons(900, 90), 1900)])
    assert found is not None
    assert found.interval is not None
    assert found.difference == pytest.approx(0.12 - 0.10)
    error = math.sqrt(1000 * 0.12 * 0.88 / 999 / 1000 + 900 * 0.1 * 0.9 / 899 / 900)
    assert found.interval.high - found.difference == pytest.approx(1.959964 * error, rel=1e-6)
    assert found.method == "weighted by share epoch"


def test_epochs_are_weighed_so_that_every_person_counts_the_same_in_the_variance() -> None:
    epochs = [
        EpochSums(persons(500, 50), persons(500, 40), 1000),
        EpochSums(persons(900, 54), persons(100, 4), 1000),
    ]
    found = adapted_difference(epochs)
    first, second = math.sqrt(1000 / (2 / 500)), math.sqrt(1000 / (1 / 900 + 1 / 100))
    assert found is not None
    assert found.difference == pytest.approx((first * 0.02 + second * 0.02) / (first + second))
    other = adapted_difference([epochs[0], EpochSums(persons(900, 54), persons(100, 6), 1000)])
    assert other is not None
    assert other.difference == pytest.approx(first * 0.02 / (first + second))


def test_who_was_sent_in_the_good_days_is_not_better_for_it() -> None:
    good = EpochSums(persons(900, 180), persons(100, 20), 1000)
    bad = EpochSums(persons(100, 5), persons(900, 45), 1000)
    found = adapted_difference([good, bad])
    assert found is not None
    assert found.interval is not None
    added_up = (180 + 5) / 1000 - (20 + 45) / 1000
    assert added_up == pytest.approx(0.12)
    assert found.difference == pytest.approx(0.0)
    assert found.interval.low < 0 < found.interval.high


def test_an_epoch_without_one_of_them_says_nothing_and_is_named() -> None:
    both = EpochSums(persons(500, 50), persons(500, 40), 1500)
    found = adapted_difference([both, EpochSums(persons(700, 90), persons(0, 0), 900)])
    alone = adapted_difference([both])
    assert found is not None
    assert alone is not None
    assert (found.difference, found.interval) == (alone.difference, alone.interval)
    assert (found.epochs, found.left_out) == (1, 700)


def test_where_both_never_met_there_is_no_answer() -> None:
    assert adapted_difference([]) is None
    assert adapted_difference([EpochSums(persons(10, 1), persons(0, 0), 10)]) is None


def test_without_spread_there_is_no_interval() -> None:
    found = adapted_difference([EpochSums(persons(10, 0), persons(10, 0), 20)])
    assert found is not None
    assert (found.difference, found.interval) == (0.0, None)


def test_everyone_has_both() -> None:
    with pytest.raises(ValueError, match="everyone is 15, must be at least 10"):
        EpochSums(persons(10, 1), persons(10, 1), 15)


def test_rates_of_one_epoch_have_newcombes_interval() -> None:
    found = adapted_rates([EpochSums(persons(300, 12), persons(250, 3), 600)])
    ordinary = newcombe(Counts(300, 12), Counts(250, 3))
    assert found is not None
    assert ordinary is not None
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((ordinary.low, ordinary.high))


def test_of_many_conversions_both_intervals_say_the_same() -> None:
    epochs = [
        EpochSums(persons(9000, 1800), persons(9000, 1700), 20000),
        EpochSums(persons(800, 170), persons(90, 19), 900),
    ]
    by_mean, by_rate = adapted_difference(epochs), adapted_rates(epochs)
    assert by_mean is not None
    assert by_rate is not None
    assert by_mean.interval is not None
    assert by_rate.interval is not None
    assert by_mean.difference == by_rate.difference
    assert by_mean.interval.low == pytest.approx(by_rate.interval.low, abs=2e-4)
    assert by_mean.interval.high == pytest.approx(by_rate.interval.high, abs=2e-4)


def test_rates_without_conversions_still_have_an_interval() -> None:
    found = adapted_rates([EpochSums(persons(10, 0), persons(10, 0), 20)])
    assert found is not None
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.high
