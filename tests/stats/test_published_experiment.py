"""The statistics of a published experiment: 64,000 customers, at random to one of two e-mails or to none, in 2008.

Kevin Hillstrom's MineThatData e-mail test. The sums were added up over its published rows: y what a customer spent (or
whether the customer came) in two weeks, x what the customer had spent in the year before.
"""

from __future__ import annotations

import math

import pytest

from afterword.stats.adjusted import adjusted_means
from afterword.stats.means import mean, welch
from afterword.stats.rates import Counts, pearson
from afterword.stats.sums import Sums

BEFORE = {
    "mens": (21_307, 5174105.18, 2700687619.2752),
    "womens": (21_387, 5187130.98, 2652326978.521),
    "none": (21_306, 5132245.81, 2597172414.5563),
}


def sums(arm: str, y: float, yy: float, xy: float) -> Sums:
    n, x, xx = BEFORE[arm]
    return Sums(n, y, yy, n, n, y, x, xx, xy, x)


SPENT = {
    "mens": sums("mens", 30311.69, 6759024.4973, 9857526.2586),
    "womens": sums("womens", 23038.11, 4911446.5763, 7513096.1923),
    "none": sums("none", 13908.33, 2870050.3621, 4267933.8399),
}
VISITED = [
    sums("mens", 3894, 3894, 1092584.38),
    sums("womens", 3238, 3238, 907033.28),
    sums("none", 2262, 2262, 652531.54),
]


@pytest.mark.parametrize(("arm", "published"), [("mens", 1.1571e-7), ("womens", 1.1285e-3)])
def test_mean_spend_has_the_published_p_value(arm: str, published: float) -> None:
    # Published (statsmodels 0.15, SciPy 1.17) is the z-test; Welch's has Student's distribution on 36,671 and 40,065
    # degrees of freedom, as SciPy's ttest_ind has it on the rows: 1.16381e-7 and 1.12940e-3.
    group, control = mean(SPENT[arm]), mean(SPENT["none"])
    found = welch(group, control)
    assert group is not None
    assert group.variance is not None
    assert control is not None
    assert control.variance is not None
    assert found.difference is not None
    z = found.difference / math.sqrt(group.variance + control.variance)
    assert math.erfc(z / math.sqrt(2)) == pytest.approx(published, rel=5e-5)
    assert found.p_value == pytest.approx({"mens": 1.16381e-7, "womens": 1.12940e-3}[arm], rel=5e-6)


def test_interval_of_the_difference_of_buyers_is_the_published_one() -> None:
    # Wald's, [0.00500017, 0.00860984], by the normal distribution; Student's on 37,000 degrees is wider by a hair.
    group, control = (mean(Sums.of_counts(Counts(n, c))) for n, c in ((21_307, 267), (21_306, 122)))
    found = welch(group, control).interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.00500017, 0.00860984), abs=2e-7)


def test_adjusted_by_the_year_before_it_is_the_regression_of_the_rows() -> None:
    # statsmodels 0.15, OLS on the 64,000 rows with a dummy per e-mail and the spending before: coefficients.
    spent, visited = adjusted_means(list(SPENT.values())), adjusted_means(VISITED)
    for found, mens, womens, slope in (
        (spent, 0.76734338, 0.42230902, 0.0012716),
        (visited, 0.0764145172, 0.0450848822, 0.0000896168005),
    ):
        assert found is not None
        first, second, control = (one.value if one else math.nan for one in found.estimates)
        assert first - control == pytest.approx(mens, abs=1e-8)
        assert second - control == pytest.approx(womens, abs=1e-8)
        assert found.theta == pytest.approx(slope, rel=1e-4)
        # Such a covariate says little about the next two weeks: less than half a percent of the variance.
        assert found.saved is not None
        assert 0 < found.saved < 0.005


def test_three_arms_differ_in_visits_beyond_chance() -> None:
    found = pearson([Counts(21_307, 3_894), Counts(21_387, 3_238), Counts(21_306, 2_262)])
    assert found is not None
    assert found.df == 2
    assert found.p_value < 1e-100
