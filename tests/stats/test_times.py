"""Quantiles of time to convert: against statsmodels where everybody converts, against known truth where few do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from afterword.stats.delays import Delays
from afterword.stats.times import TimeQuantile, time_quantile

Ints = np.ndarray[Any, np.dtype[np.int64]]


def life_table(hour: Ints, converted: Ints, hours: int) -> Delays:
    """Of persons who were last observed in that hour, and converted in it or not."""
    entered = [int((hour >= h).sum()) for h in range(hours)]
    came = [int(((hour == h) & (converted == 1)).sum()) for h in range(hours)]
    return Delays(tuple(entered), tuple(came))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_where_everybody_converts_it_is_brookmeyer_and_crowley_as_statsmodels_has_it(share: float) -> None:
    rng = np.random.default_rng(60)
    hour = rng.geometric(0.04, 301) - 1
    hours = int(hour.max()) + 1
    theirs = SurvfuncRight(hour + 1.0, np.ones(301))
    low, high = theirs.quantile_ci(share, method="linear")
    found = time_quantile(life_table(hour, np.ones(301, int), hours), share, hours)
    assert found is not None
    assert found.hours == theirs.quantile(share)
    # Theirs are ends of hours; ours begins with the start of the first.
    assert (found.low + 1, found.high) == (low, high)


def test_quantile_of_conversions_so_far_would_be_too_early() -> None:
    # Half of those who convert do so in the first hour, half in the last of four; most have been observed for one hour
    # only.
    delays = Delays(at_risk=(1_000, 100, 100, 100), converted=(100, 0, 0, 11))
    # So far 100 of 111 conversions came in the first hour; of all conversions of the window 1/10 of 1,000 and 11/100
    # of 900 do.
    found = time_quantile(delays, 0.75, 4)
    assert found is not None
    assert found.hours == 4


def test_interval_holds_the_true_quantile_of_a_censored_window() -> None:
    # 20 % convert, after exponential times of mean 30 h within a window of 72 h; observation ends evenly from 24 to 96
    # h.
    rng, runs, held = np.random.default_rng(61), 600, 0
    inside = 1 - math.exp(-72 / 30)
    truth = -30 * math.log(1 - 0.5 * inside)
    for _ in range(runs):
        time = -30 * np.log1p(-rng.random(1_500) * inside)
        seen = np.minimum(72.0, rng.uniform(24, 96, 1_500))
        converts = (rng.random(1_500) < 0.2) & (time <= seen)
        # Whoever is observed for part of an hour is at risk in it no longer, as in reports an hour is entered or not.
        hour = np.where(converts, np.floor(time), np.ceil(seen) - 1).astype(int)
        found = time_quantile(life_table(hour, converts.astype(int), 72), 0.5, 72)
        assert found is not None
        held += found.low <= truth <= found.high
    # Rounded outwards to whole hours, so rather more than 95 %.
    assert 0.95 <= held / runs <= 0.995


def test_nobody_observed_to_the_end_or_no_conversion_has_no_answer() -> None:
    assert time_quantile(Delays((10, 5), (1, 1)), 0.5, 3) is None
    assert time_quantile(Delays((10, 5, 5), ()), 0.5, 3) is None
    assert time_quantile(Delays(), 0.5, 3) is None


def test_one_conversion_says_in_which_hour_it_came_and_no_more() -> None:
    found = time_quantile(Delays((10, 10, 9), (0, 1)), 0.5, 3)
    assert found == TimeQuantile(hours=2, low=0, high=3)


@pytest.mark.parametrize(("share", "hours", "says"), [(50, 3, "share is 50"), (0.5, 0, "hours is 0")])
def test_impossible_questions_are_refused(share: float, hours: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        time_quantile(Delays((3,), (1,)), share, hours)
