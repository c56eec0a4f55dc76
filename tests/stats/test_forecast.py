"""Kaplan-Meier on published data, and forecasts of what open windows will bring."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from afterword.stats.delays import Delays
from afterword.stats.forecast import PASSED, forecast, kaplan_meier
from afterword.stats.rates import Counts

# Weeks of remission under 6-mercaptopurine, Freireich et al. (1963), Blood 21, 699-716; 0 where it still lasted.
REMISSION = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def life_table(times: list[int], ended: list[int]) -> Delays:
    hours = range(max(times) + 1)
    return Delays(
        tuple(sum(t >= hour for t in times) for hour in hours),
        tuple(sum(t == hour and e == 1 for t, e in zip(times, ended, strict=True)) for hour in hours),
    )


@pytest.mark.parametrize(
    ("week", "share", "error"),
    [(6, 0.857, 0.0764), (7, 0.807, 0.0869), (10, 0.753, 0.0963), (13, 0.690, 0.1068), (16, 0.627, 0.1141)],
)
def test_remissions_are_as_published(week: int, share: float, error: float) -> None:
    # Printed by R, survival: summary(survfit(Surv(t2, relapse) ~ 1, data = drug6mp)); drug6mp is in the package KMsurv.
    found = kaplan_meier(life_table(REMISSION, ENDED))[week]
    assert found.share == pytest.approx(share, abs=5e-4)
    assert found.error == pytest.approx(error, abs=5e-5)


def test_curve_and_error_equal_statsmodels() -> None:
    ours = kaplan_meier(life_table(REMISSION, ENDED))
    theirs = SurvfuncRight(np.array(REMISSION), np.array(ENDED))
    for time, share, error in zip(theirs.surv_times, theirs.surv_prob, theirs.surv_prob_se, strict=True):
        assert ours[int(time)].share == pytest.approx(share, rel=1e-12)
        assert ours[int(time)].error == pytest.approx(error, rel=1e-12)
        # The log(-log) interval by its own definition, from statsmodels' curve and error.
        z, log = NormalDist().inv_cdf(0.975), math.log(share)
        around = [math.exp(-math.exp(math.log(-log) + side * z * error / (share * log))) for side in (1, -1)]
        interval = ours[int(time)].interval
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((min(around), max(around)), rel=1e-9)


def test_before_anything_has_converted_the_curve_has_no_interval() -> None:
    assert [point.interval for point in kaplan_meier(Delays((5, 4), (0, 0)))] == [None, None]


def test_forecast_by_hand() -> None:
    # 400 windows are left within hour 0, so that 1,000 - 200 hours saw 100 conversions; in hour 1 500 saw 50, in hour 2
    # 450 saw none.
    found = forecast(Delays((1_000, 500, 450), (100, 50)), 3 * 3600)
    assert found is not None
    half_hour = math.sqrt(1 - 100 / 800)
    assert found.more == pytest.approx(400 * (1 - half_hour * (1 - 50 / 500)))
    assert found.rate == pytest.approx((150 + found.more) / 1_000)
    assert found.interval.low < found.rate < found.interval.high
    assert (found.hours, found.complete) == (3, True)


def test_when_all_windows_have_closed_the_forecast_is_the_rate() -> None:
    found = forecast(Delays((1_000, 900, 850), (100, 50, 20)), 3 * 3600)
    assert found is not None
    assert (found.rate, found.interval.low, found.interval.high) == (0.17, 0.17, 0.17)


def test_forecast_goes_no_further_than_somebody_has_been() -> None:
    young = Delays((1_000, 600, PASSED, PASSED - 1), (50, 20, 5, 3))
    found = forecast(young, 72 * 3600)
    assert found is not None
    assert (found.hours, found.complete) == (2, False)
    blast = Delays((1_000, 950), (50, 10))
    after_two_hours = forecast(blast, 72 * 3600)
    assert after_two_hours is not None
    assert (after_two_hours.hours, after_two_hours.more, after_two_hours.rate) == (1, 0.0, 0.06)


def test_hours_in_which_nobody_has_converted_yet_are_not_taken_for_certain() -> None:
    # A hundred have been through hours 1 and 2 without converting; nine hundred still have them before them.
    found = forecast(Delays((1_000, 100, 100), ()), 3 * 3600)
    assert found is not None
    assert found.rate == found.interval.low == 0.0
    assert found.interval.high > 3 / 100 * 0.9  # the rule of three for the hundred


def test_windows_taken_over_by_a_later_exposure_are_not_open() -> None:
    delays = Delays((1_000, 500, 450), (100, 50))
    every, half = forecast(delays, 3 * 3600), forecast(delays, 3 * 3600, Counts(800, 150), pending=200)
    assert every is not None
    assert half is not None
    assert half.more == pytest.approx(every.more / 2)
    assert half.rate == pytest.approx((150 + half.more) / 800)


@pytest.mark.parametrize("delays", [Delays(), Delays((PASSED - 1,), ()), Delays((10_000,), (3,))])
def test_without_an_hour_passed_there_is_no_forecast(delays: Delays) -> None:
    assert forecast(delays, 72 * 3600) is None
