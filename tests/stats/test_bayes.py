"""The Bayesian reading: a published example, exact fractions, closed forms, and drawing at random."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from afterword.stats.bayes import (
    JEFFREYS,
    UNIFORM,
    Beta,
    credible_difference,
    credible_rate,
    probability_above,
    read_means,
    read_rates,
)
from afterword.stats.means import Estimate
from afterword.stats.rates import Counts


def test_published_example_of_two_sellers() -> None:
    # Cook, J. D., A Bayesian view of Amazon resellers (2011): 90 of 100 against 2 of 2, uniform priors, probability
    # 0.713.
    assert probability_above(Counts(100, 90), Counts(2, 2)) == pytest.approx(0.713, abs=5e-4)


Polynomial = list[Fraction]


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] += x * y
    return product


def density(counts: Counts) -> Polynomial:
    """The posterior of a uniform prior as a polynomial, exactly."""
    a, b = counts.converted + 1, counts.n - counts.converted + 1
    scale = Fraction(math.factorial(a + b - 1), math.factorial(a - 1) * math.factorial(b - 1))
    rest = [Fraction((-1) ** k * math.comb(b - 1, k)) for k in range(b)]
    return [Fraction(0)] * (a - 1) + [scale * term for term in rest]


def antiderivative(of: Polynomial) -> Polynomial:
    return [Fraction(0)] + [term / (k + 1) for k, term in enumerate(of)]


SMALL = [
    [Counts(5, 3), Counts(8, 2)],
    [Counts(1, 0), Counts(1, 1), Counts(12, 0)],
    [Counts(4, 4), Counts(9, 8), Counts(3, 0), Counts(6, 5), Counts(2, 2)],
]


@pytest.mark.parametrize("arms", SMALL, ids=len)
def test_probabilities_and_losses_equal_exact_fractions(arms: list[Counts]) -> None:
    best, top = [], Fraction(0)
    for index, arm in enumerate(arms):
        highest = density(arm)
        for other, counts in enumerate(arms):
            if other != index:
                highest = times(highest, antiderivative(density(counts)))
        best.append(sum(antiderivative(highest)))
        top += sum(antiderivative([Fraction(0), *highest]))
    found = read_rates(arms)
    assert found is not None
    assert found.best == pytest.approx([float(p) for p in best], abs=1e-10)
    means = [Fraction(arm.converted + 1, arm.n + 2) for arm in arms]
    assert found.loss == pytest.approx([float(top - mean) for mean in means], abs=1e-10)


@pytest.mark.parametrize(
    ("group", "control"),
    [
        (Counts(21_307, 267), Counts(21_306, 122)),
        (Counts(200, 120), Counts(200, 100)),
        (Counts(200_000, 60_300), Counts(200_000, 60_000)),
        (Counts(1_000, 0), Counts(50, 1)),
    ],
)
def test_two_arms_equal_the_closed_form(group: Counts, control: Counts) -> None:
    # Miller, E. (2014), Formulas for Bayesian A/B testing: a finite sum for whole-numbered parameters.
    a1, b1 = group.converted + 1, group.n - group.converted + 1
    a0, b0 = control.converted + 1, control.n - control.converted + 1

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    expected = math.fsum(
        math.exp(log_beta(a0 + i, b1 + b0) - math.log(b1 + i) - log_beta(1 + i, b1) - log_beta(a0, b0))
        for i in range(a1)
    )
    found = read_rates([group, control])
    assert found is not None
    # Logarithms of such large factorials leave nine digits.
    assert found.best[0] == pytest.approx(expected, abs=2e-9)
    assert probability_above(group, control) == pytest.approx(expected, abs=2e-9)


def test_nine_arms_agree_with_drawing_at_random() -> None:
    arms = [Counts(40 * (i + 1) ** 2, (i + 1) ** 2 + i % 3) for i in range(9)]
    found = read_rates(arms)
    assert found is not None
    rng = np.random.default_rng(50)
    drawn = np.stack([rng.beta(arm.converted + 1, arm.n - arm.converted + 1, 100_000) for arm in arms])
    shares = np.bincount(drawn.argmax(axis=0), minlength=9) / 100_000
    assert found.best == pytest.approx(shares.tolist(), abs=0.006)
    assert sum(p for p in found.best if p is not None) == pytest.approx(1)
    assert found.loss == pytest.approx((drawn.max(axis=0).mean() - drawn.mean(axis=1)).tolist(), abs=3e-4)


def test_very_unequal_arms_are_integrated_as_exactly() -> None:
    # One posterior is a needle within another: the probability is the broad one's beyond the needle.
    found = read_rates([Counts(2_000_000, 500_000), Counts(8, 2)])
    assert found is not None
    assert found.best[1] == pytest.approx(float(stats.beta.sf(0.25, 3, 7)), abs=1e-6)


def test_normal_means_equal_the_closed_form() -> None:
    found = read_means([Estimate(5.2, 0.01, 900), Estimate(5.0, 0.03, 300)])
    assert found is not None
    spread, apart = 0.2, 0.2
    z = apart / spread
    assert found.best == pytest.approx((stats.norm.cdf(z), stats.norm.sf(z)), abs=1e-10)
    lost = spread * stats.norm.pdf(z) - apart * stats.norm.sf(z)
    assert found.loss == pytest.approx((lost, lost + apart), abs=1e-10)


@pytest.mark.parametrize("prior", [UNIFORM, JEFFREYS, Beta(2, 50)])
@pytest.mark.parametrize(
    ("group", "control"),
    [(Counts(20, 0), Counts(300, 7)), (Counts(300, 7), Counts(20, 0)), (Counts(9, 9), Counts(4, 1))],
)
def test_credible_difference_holds_what_it_says(group: Counts, control: Counts, prior: Beta) -> None:
    found = credible_difference(group, control, 0.95, prior)
    assert found is not None
    one, other = prior.after(group), prior.after(control)
    below = [_below(one, other, d) for d in (found.low, found.high)]
    assert below == pytest.approx([0.025, 0.975], abs=5e-8)
    assert probability_above(group, control, found.low, prior) == pytest.approx(0.975, abs=1e-9)


def _below(one: Beta, other: Beta, d: float) -> float:
    """P(p1 - p0 <= d) by an integral of another kind: over the probabilities of p0, by adaptive quadrature."""
    from scipy.integrate import quad

    def at(u: float) -> float:
        return float(stats.beta.cdf(stats.beta.ppf(u, other.a, other.b) + d, one.a, one.b))

    edges = [float(stats.beta.cdf(y, other.a, other.b)) for y in (-d, 1 - d) if 0 < y < 1]
    return float(quad(at, 0, 1, points=edges, limit=400, epsabs=1e-10)[0])


def test_credible_rate_is_of_the_beta_distribution() -> None:
    found = credible_rate(Counts(100, 90), 0.9)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(stats.beta.ppf([0.05, 0.95], 91, 11)), abs=1e-9)


def test_an_arm_about_which_nothing_is_known_has_no_place_in_the_reading() -> None:
    found = read_rates([Counts(0, 0), Counts(10, 3), Counts(10, 5)])
    assert found is not None
    assert (found.best[0], found.loss[0]) == (None, None)
    assert found.best[1:] == (read_rates([Counts(10, 3), Counts(10, 5)]) or found).best
    means = read_means([Estimate(1.0, 0.1, 20), None, Estimate(2.0, None, 1), Estimate(1.0, 0.1, 20)])
    assert means is not None
    assert means.best[1:3] == (None, None)
    assert (means.best[0], means.best[3]) == pytest.approx((0.5, 0.5))


def test_one_arm_alone_is_not_read() -> None:
    assert read_rates([Counts(10, 3), Counts(0, 0)]) is None
    assert read_means([Estimate(1.0, 0.1, 20)]) is None
    assert credible_difference(Counts(10, 3), Counts(0, 0)) is None
    assert probability_above(Counts(10, 3), Counts(0, 0)) is None
    assert credible_rate(Counts(0, 0)) is None


def test_impossible_priors_are_refused() -> None:
    with pytest.raises(ValueError, match="both must be above 0"):
        Beta(0, 1)
