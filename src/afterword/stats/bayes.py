"""The Bayesian reading: how probable is it that an arm is the best, and what is lost by choosing it.

Rates have a Beta prior, `UNIFORM` (every rate equally likely) unless said otherwise, and so a Beta posterior. Means
have the normal distribution of their estimate, that is a flat prior and enough persons for the central limit theorem.
Everything is integrated numerically, to eight digits or more; nothing is drawn at random, so the same counts always
give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from afterword.stats.means import Estimate
from afterword.stats.rates import LEVEL, Counts, Interval, z_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

STEP = 2.0
"""The longest stretch of an integral, in standard deviations of the narrowest posterior there."""
FAR = 8.5
"""Beyond so many standard deviations a posterior is nothing."""
NEAR = (0.0, *(4.0**-k for k in range(14)))
"""Where an integral is cut near an edge, in standard deviations."""
TAIL = 36.0
"""e to the minus this is nothing: where the exponential tail of a posterior with few conversions ends."""


@dataclass(frozen=True, slots=True)
class Beta:
    """A Beta distribution of a rate: the prior, or after `a - 1` conversions of `a + b - 2` from a uniform one."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise ValueError(f"Beta({self.a}, {self.b}): both must be above 0")

    def after(self, counts: Counts) -> Beta:
        """What is known of the rate once the counts are."""
        return Beta(self.a + counts.converted, self.b + counts.n - counts.converted)

    @property
    def mean(self) -> float:
        """The expected rate."""
        return self.a / (self.a + self.b)

    @property
    def deviation(self) -> float:
        """The standard deviation of the rate."""
        both = self.a + self.b
        return math.sqrt(self.a * self.b / (both + 1)) / both


UNIFORM = Beta(1, 1)
JEFFREYS = Beta(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Reading:
    """Per arm, in the order given, None for an arm about which nothing is known.

    `best`: the probability that it has the highest rate or mean; they sum to 1. `loss`: by how much the best arm is
    expected to be above it, in the unit of the rate or mean; choosing the arm costs that much per person on average.
    """

    best: tuple[float | None, ...]
    loss: tuple[float | None, ...]


def read_rates(arms: Sequence[Counts], prior: Beta = UNIFORM) -> Reading | None:
    """Which rate is the highest; None with less than two arms that hold somebody.

    P(arm i best) = integral of f_i(x) product over j != i of F_j(x); E(max) = sum over i of the same with x f_i(x).
    Scott, S. L. (2010), A modern Bayesian look at the multi-armed bandit, Applied Stochastic Models in Business and
    Industry 26, 639-658; expected loss as in Stucchio, C. (2015), Bayesian A/B testing at VWO. On the logit scale,
    where posteriors are close to normal and have no edges.
    """
    import numpy as np

    held = [(index, prior.after(arm)) for index, arm in enumerate(arms) if arm.n]
    if len(held) < 2:
        return None
    betas = [beta for _, beta in held]
    t, weight = _nodes([_stretch(beta) for beta in betas])
    x, density, below = _logit_beta(t, betas)
    best, top = _of_best(density * weight, below, x)
    losses = [max(0.0, top - beta.mean) for beta in betas]
    return _placed(len(arms), [index for index, _ in held], np.asarray(best).tolist(), losses)


def read_means(arms: Sequence[Estimate | None]) -> Reading | None:
    """Which mean (ratio, adjusted mean) is the highest; None with less than two arms of known, positive variance."""
    import numpy as np
    from scipy.special import ndtr

    held = [(index, arm.value, math.sqrt(arm.variance)) for index, arm in enumerate(arms) if arm and arm.variance]
    if len(held) < 2:
        return None
    t, weight = _nodes([(mean, sd, mean - FAR * sd, mean + FAR * sd) for _, mean, sd in held])
    means, sds = (np.array([of[i] for of in held])[:, None] for i in (1, 2))
    z = (t - means) / sds
    best, top = _of_best(np.exp(-z * z / 2) / sds * weight, ndtr(z), t)
    losses = [max(0.0, top - mean) for _, mean, _ in held]
    return _placed(len(arms), [index for index, _, _ in held], best.tolist(), losses)


def credible_rate(counts: Counts, level: float = LEVEL, prior: Beta = UNIFORM) -> Interval | None:
    """The interval with this probability of holding the rate, equal tails; None if n is 0."""
    from scipy.special import betaincinv

    if not counts.n:
        return None
    after, tail = prior.after(counts), (1 - level) / 2
    return Interval(float(betaincinv(after.a, after.b, tail)), float(betaincinv(after.a, after.b, 1 - tail)))


def credible_difference(group: Counts, control: Counts, level: float = LEVEL, prior: Beta = UNIFORM) -> Interval | None:
    """The interval with this probability of holding the difference of rates, equal tails; None if either is empty.

    P(p1 - p0 <= d) is integrated over the narrower of the two posteriors, and d found by Newton's method.
    """
    if not group.n or not control.n:
        return None
    one, other = prior.after(group), prior.after(control)
    tail = (1 - level) / 2
    return Interval(_difference_quantile(one, other, tail), _difference_quantile(one, other, 1 - tail))


def probability_above(group: Counts, control: Counts, margin: float = 0.0, prior: Beta = UNIFORM) -> float | None:
    """The probability that the group's rate is above the control's by more than `margin`; None if either is empty."""
    if not group.n or not control.n:
        return None
    return 1 - _difference_below(prior.after(group), prior.after(control), margin)[0]


def _difference_quantile(one: Beta, other: Beta, share: float) -> float:
    spread = math.hypot(one.deviation, other.deviation)
    guess = one.mean - other.mean + math.copysign(z_of(abs(2 * share - 1)), share - 0.5) * spread
    low, high = -1.0, 1.0
    for _ in range(60):
        guess = guess if low < guess < high else (low + high) / 2
        below, density = _difference_below(one, other, guess)
        low, high = (guess, high) if below < share else (low, guess)
        step = (below - share) / density if density > 0 else math.inf
        guess -= step
        if abs(step) < 1e-12 * spread or high - low < 1e-15:
            break
    return min(1.0, max(-1.0, guess))


def _difference_below(one: Beta, other: Beta, d: float) -> tuple[float, float]:
    """P(p1 - p0 <= d) and its density at d."""
    import numpy as np
    from scipy.special import betainc, betaln

    if other.deviation > one.deviation:
        above, at_d = _difference_below(other, one, -d)
        return 1 - above, at_d
    # Over the rate y of the narrower `other`; y + d leaves the range of rates at the edges, near which its distribution
    # can be as steep as a root, so the pieces get shorter towards them.
    stretch = _stretch(other)
    edges = [(math.log(y / (1 - y)), way) for y, way in ((-d, 1), (1 - d, -1)) if 0 < y < 1]
    t, weight = _nodes([stretch], [edge + way * stretch[1] * near for edge, way in edges for near in NEAR])
    y, densities, _ = _logit_beta(t, [other])
    mass = densities[0] * weight
    mass /= mass.sum()
    x = np.clip(y + d, 0.0, 1.0)
    inside = (x > 0) & (x < 1)
    logs = (one.a - 1) * np.log(x, where=inside, out=np.zeros_like(x))
    logs += (one.b - 1) * np.log1p(-x, where=inside, out=np.zeros_like(x))
    at = np.where(inside, np.exp(logs - betaln(one.a, one.b)), 0.0)
    return float(mass @ betainc(one.a, one.b, x)), float(mass @ at)


def _stretch(beta: Beta) -> tuple[float, float, float, float]:
    """Where the logit of the rate lies: centre, deviation, and the ends of what matters."""
    centre, sd = math.log(beta.a / beta.b), math.sqrt(1 / beta.a + 1 / beta.b)
    return centre, sd, centre - max(FAR * sd, TAIL / beta.a), centre + max(FAR * sd, TAIL / beta.b)


def _logit_beta(t: Array, betas: Sequence[Beta]) -> tuple[Array, Array, Array]:
    """The rate, and per distribution (rows) the density and the cumulative probability, at logits t."""
    import numpy as np
    from scipy.special import betainc, betaln, expit, log_expit

    a, b = (np.array([getattr(beta, name) for beta in betas])[:, None] for name in ("a", "b"))
    x = expit(t)
    return x, np.exp(a * log_expit(t) + b * log_expit(-t) - betaln(a, b)), betainc(a, b, x)


def _nodes(stretches: Sequence[tuple[float, float, float, float]], edges: Sequence[float] = ()) -> tuple[Array, Array]:
    """Points and weights of an integral over all stretches: Gauss-Legendre on pieces no longer than STEP deviations."""
    import numpy as np

    start, end = min(low for _, _, low, _ in stretches), max(high for _, _, _, high in stretches)
    edges = sorted(edge for edge in edges if start < edge < end)
    cuts = [start]
    while cuts[-1] < end:
        here = cuts[-1]
        ahead = [low for _, _, low, _ in stretches if low > here] + [edge for edge in edges if edge > here]
        inside = [here + STEP * sd for _, sd, low, high in stretches if low <= here < high]
        cuts.append(min([end, *ahead, *inside]))
    points, weights = _gauss()
    left, right = np.array(cuts[:-1])[:, None], np.array(cuts[1:])[:, None]
    half = (right - left) / 2
    return ((left + right) / 2 + half * points).ravel(), (half * weights).ravel()


@cache
def _gauss() -> tuple[Array, Array]:
    import numpy as np

    return np.polynomial.legendre.leggauss(10)


def _of_best(mass: Array, below: Array, value: Array) -> tuple[Array, float]:
    """Per arm the probability to be the best, and the expected value of the best; rows are arms, columns points."""
    import numpy as np

    mass = mass / mass.sum(axis=1, keepdims=True)
    ones = np.ones((1, mass.shape[1]))
    before = np.cumprod(np.vstack([ones, below[:-1]]), axis=0)
    after = np.cumprod(np.vstack([ones, below[:0:-1]]), axis=0)[::-1]
    highest = mass * before * after
    best = highest.sum(axis=1)
    return best / best.sum(), float((highest @ value).sum() / best.sum())


def _placed(arms: int, held: Sequence[int], best: Sequence[float], loss: Sequence[float]) -> Reading:
    """The answers at the places of the arms that they are of."""
    bests: list[float | None] = [None] * arms
    losses: list[float | None] = [None] * arms
    for index, probability, lost in zip(held, best, loss, strict=True):
        bests[index], losses[index] = probability, lost
    return Reading(tuple(bests), tuple(losses))
