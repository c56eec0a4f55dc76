"""The intervals of rates hold the truth as often as they say: by adding up probabilities, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from afterword.stats.rates import Counts, lift_interval, newcombe
from benchmarks.simulations import fixed
from benchmarks.simulations.coverage import (
    arm,
    of_log_ratio,
    of_plain_fieller,
    of_rate,
    of_ratio,
    of_single_rates,
    pairs,
)


def test_intervals_cover_what_they_should_from_fifty_conversions_on() -> None:
    # Rates from 0.1 to 30 %, lifts from -20 to +50 %, groups up to nine times the control and 200,000 persons.
    cases = list(pairs((50, 63, 80, 100, 400, 3_000)))
    assert len(cases) > 300
    assert min(case.expects for case in cases) >= 50
    for case in cases:
        assert 0.94 <= case.rate <= 0.965
        assert 0.945 <= case.difference <= 0.955
        assert 0.945 <= case.lift <= 0.955
    lowest, average, highest = of_single_rates(50, 1_000, points=60)
    assert lowest >= 0.94
    assert highest <= 0.965
    assert average == pytest.approx(0.95, abs=0.002)


def test_below_fifty_conversions_coverage_is_what_the_page_says() -> None:
    cases = list(pairs((5, 7, 10, 20, 35)))
    assert min(case.rate for case in cases) >= 0.925
    assert min(case.difference for case in cases) >= 0.94
    assert min(case.lift for case in cases) >= 0.935


def test_coverage_of_the_intervals_that_were_not_taken() -> None:
    # Every pair of counts by itself, by the formulas of the books.
    group, control, ratio = arm(120, 0.15), arm(100, 0.1), 1.5
    katz = fieller = 0.0
    z = 1.959963984540054
    for p, x in zip(group.probability, np.rint(120 * group.observed), strict=True):
        for q, y in zip(control.probability, np.rint(100 * control.observed), strict=True):
            if x and y:
                half = z * math.sqrt(1 / x - 1 / 120 + 1 / y - 1 / 100)
                katz += p * q * (abs(math.log((x / 120) / (y / 100) / ratio)) <= half)
            v1, v0 = x / 120 * (1 - x / 120) / 120, y / 100 * (1 - y / 100) / 100
            fieller += p * q * ((x / 120 - ratio * y / 100) ** 2 <= z * z * (v1 + ratio**2 * v0))
    assert of_log_ratio(group, control, ratio) == pytest.approx(katz, abs=1e-12)
    assert of_plain_fieller(group, control, ratio) == pytest.approx(fieller, abs=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 1.25])
def test_coverage_is_that_of_the_functions_that_reports_use(ratio: float) -> None:
    group, control = arm(300, 0.1), arm(200, 0.1 / ratio)
    held = 0.0
    for i, p1 in enumerate(group.observed):
        for j, p0 in enumerate(control.observed):
            counts = Counts(300, round(300 * p1)), Counts(200, round(200 * p0))
            found = newcombe(*counts) if ratio == 1 else lift_interval(*counts)
            assert found is not None
            if found.low <= ratio - 1 <= found.high:
                held += float(group.probability[i] * control.probability[j])
    assert of_ratio(group, control, ratio) == pytest.approx(held, abs=1e-12)
    assert of_rate(control) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
def test_every_table_of_the_simulation_can_be_made() -> None:
    tables = [
        fixed.coverage_of_rates(points=5),
        fixed.intervals_of_lifts(),
        fixed.five_exposures(runs=1_000),
        fixed.revenue(runs=20),
        fixed.adjustment(runs=500),
        fixed.family_wise_error(runs=50),
        fixed.planned_power(runs=100),
    ]
    for table in tables:
        assert table.title
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert table.markdown().count("\n") == len(table.rows) + 1


def test_mean_of_a_capped_lognormal() -> None:
    # What the simulation of winsorised means takes for the truth, by integrating over the normal distribution.
    z = np.linspace(-10, 10, 200_001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    expected = float((np.minimum(np.exp(3 + z), 60) * density).sum() * (z[1] - z[0]))
    assert fixed.capped_mean(3, 60) == pytest.approx(expected, rel=1e-6)
