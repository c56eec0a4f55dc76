"""Rates of groups whose conversions are partly still to come, learned from open windows and closed ones alike.

A person who has not converted after an age is a failure only as far as conversions come by that age. With theta the
share that converts within the deadline and F(a) the share of these that has done so by age a, whoever has not
converted by age a had the likelihood 1 - theta F(a). Chapelle, O. (2014), Modeling delayed feedback in display
advertising, KDD, equation 8, and Vernade, Cappe and Perchet (2017), Stochastic bandit models for delayed conversions,
UAI. What makes the score of c conversions zero is theta = c / m with

    m = c + sum over the unconverted of F (1 - theta) / (1 - theta F),

so an open window counts as that part of a trial: for small theta as F(a), for a closed window as one. The posterior
is Beta(1 + c, 1 + m - c), exact where all windows are closed, and F is learned too: a hazard by age that all groups
share, times the level of each group, times how far the group's own delays differ, which its own conversions tell the
better the more there are. What is not known of F widens the posterior.

Every function works on arrays whose leading axes are independent problems, which is how it is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIKENESS = 10.0
"""How alike the delays of groups are held to be: with as many conversions of its own a group's delays count half."""
DAY_EVIDENCE = 30.0
"""With as many expected conversions a cohort's own level (a weekday, a season) counts half, all groups together."""
LEVEL_EVIDENCE = 2.0
"""With as many expected conversions a group's own level counts half where only delays are concerned."""
FIRST_THOUGHT = 0.2
"""Before anything is known conversions are thought to be evenly spread over log(1 + age / this part of the window)."""
UNSEEN = 1.0
"""How many conversions that thought is worth, over all ages."""
ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of groups: axes are [..., group, piece of age] and [..., group, cohort].

    Ages are cut into pieces (of any unit of time); a cohort is who was exposed first at about one time, or the part
    of it whose windows are closed.
    """

    widths: Floats
    """[piece]: how long each piece of age is; they sum to the deadline."""
    at_risk: Floats
    """[..., group, piece]: time that exposures were watched unconverted."""
    came: Floats
    """[..., group, piece]: conversions at that age."""
    n: Floats
    """[..., group, cohort]: persons."""
    converted: Floats
    """[..., group, cohort]: of these, converted so far."""
    lived: Floats
    """[..., cohort, piece]: the share of the piece that the cohort has lived through, 0 to 1."""
    weight: Floats
    """[..., cohort]: what a person of the cohort counts today, 1 or less (forgetting)."""


@dataclass(frozen=True, slots=True)
class Betas:
    """Posteriors Beta(a, b) of the groups' rates; arrays [..., group]."""

    a: Floats
    b: Floats

    @property
    def mean(self) -> Floats:
        """The expected rates."""
        return self.a / (self.a + self.b)

    def draws(self, generator: np.random.Generator, count: int) -> Floats:
        """Draw rates: [..., draw, group]."""
        shape = (*self.a.shape[:-1], count, self.a.shape[-1])
        return generator.beta(self.a[..., None, :], self.b[..., None, :], shape)


@dataclass(frozen=True, slots=True)
class Learned:
    """What the evidence says."""

    rates: Betas
    arrived: Floats
    """[..., group, piece]: F at the end of each piece."""
    due: Floats
    """[..., group]: the share of the conversions that should have come by now."""
    trials: Floats
    """[..., group]: how many trials the group's windows count as, forgetting included."""
    spread: Floats
    """[..., group]: the relative standard deviation that not knowing the delays adds to the rate."""


def learn(evidence: Evidence, likeness: float = LIKENESS) -> Learned:
    """Learn delays and rates of all groups."""
    hazard, certainty = _hazards(evidence, likeness)
    reached = -np.expm1(-np.cumsum(hazard * evidence.widths, axis=-1))
    total = np.maximum(reached[..., -1:], 1e-12)
    arrived = reached / total
    # F at the age of each cohort: [..., group, cohort].
    arriving = np.diff(arrived, axis=-1, prepend=0.0)
    by_age = np.einsum("...gk,...ck->...gc", arriving, evidence.lived)
    weight = evidence.weight[..., None, :]
    n, converted = evidence.n * weight, evidence.converted * weight
    level = np.ones((*n.shape[:-2], 1, n.shape[-1]))
    theta = _ratio(converted.sum(axis=-1), (n * by_age).sum(axis=-1))
    trials = converted
    for _ in range(ROUNDS):
        # A cohort's own level times the group's rate must stay a rate, which bounds what the formula can take.
        here = np.minimum(theta[..., None] * level, 0.99)
        trials = converted + (n - converted) * by_age * (1 - here) / (1 - here * by_age)
        expected = (trials * theta[..., None]).sum(axis=-2, keepdims=True)
        level = (DAY_EVIDENCE + converted.sum(axis=-2, keepdims=True)) / (DAY_EVIDENCE + expected)
        mean = _ratio((expected * level).sum(axis=-1), expected.sum(axis=-1))[..., None]
        level = np.where(mean > 0, level / np.where(mean > 0, mean, 1.0), level)
        theta = (1 + converted.sum(axis=-1)) / (2 + (trials * level).sum(axis=-1))
    successes = converted.sum(axis=-1)
    counted = np.maximum((trials * level).sum(axis=-1), successes)
    spread = _spread(arriving, by_age, n, evidence.lived, certainty)
    due = _ratio((n * by_age).sum(axis=-1), n.sum(axis=-1))
    return Learned(_widened(1 + successes, 1 + counted - successes, spread), arrived, due, counted, spread)


def _hazards(evidence: Evidence, likeness: float) -> tuple[Floats, Floats]:
    """Return each group's hazard per unit of time [..., group, piece], and how many conversions it rests on.

    The groups' conversions of a piece are Poisson with mean time at risk x level of the group x common hazard x own
    factor, the own factors Gamma with mean 1 and shape `likeness` x the share of conversions that come in the piece.
    Levels and common hazards are fitted in turn (Breslow's estimator for the common one; Clayton, D. (1991), A Monte
    Carlo method for Bayesian inference in frailty models, Biometrics 47, 467-485, has the model); given them the own
    hazards are Gamma. Ages that nobody has reached yet have the first thought.
    """
    at_risk, came, widths = evidence.at_risk, evidence.came, evidence.widths
    thought = np.diff(np.log1p(np.concatenate([[0.0], np.cumsum(widths)]) / (FIRST_THOUGHT * widths.sum())))
    thought = thought / thought.sum()
    overall = _ratio(came.sum(axis=(-1, -2)), (at_risk * (thought / widths)).sum(axis=(-1, -2)))[..., None]
    first = np.maximum(overall, 1e-9) * thought / widths
    level = np.ones(came.shape[:-1])
    common, share = first, thought
    for _ in range(ROUNDS):
        time = (at_risk * level[..., None]).sum(axis=-2)
        common = (UNSEEN * thought + came.sum(axis=-2)) / (UNSEEN * thought / first + time)
        share = common * widths / (common * widths).sum(axis=-1, keepdims=True)
        expected = at_risk * common[..., None, :]
        own = likeness * share[..., None, :]
        trust = own / (own + expected)
        level = (LEVEL_EVIDENCE + (trust * came).sum(axis=-1)) / (LEVEL_EVIDENCE + (trust * expected).sum(axis=-1))
    own = likeness * share[..., None, :]
    certainty = own + came
    hazard: Floats = certainty / (own / (level[..., None] * common[..., None, :]) + at_risk)
    return hazard, certainty


def _spread(arriving: Floats, by_age: Floats, n: Floats, lived: Floats, certainty: Floats) -> Floats:
    """Return the relative standard deviation of the rates that comes from not knowing the delays.

    By the delta method: theta is about c Lambda / sum n Lambda(age), so d log theta / d log hazard of a piece is the
    piece's share of the conversions that will come less its share of those that are due by now; the log of a Gamma
    hazard that rests on s conversions has the variance 1 / s.
    """
    due = np.einsum("...gc,...ck->...gk", n, lived) * arriving
    due = _ratio(due, (n * by_age).sum(axis=-1)[..., None])
    variance = (np.square(arriving - due) / certainty).sum(axis=-1)
    return np.asarray(np.sqrt(variance))


def _widened(a: Floats, b: Floats, spread: Floats) -> Betas:
    """Return the Beta with the same mean and the variance of not knowing the delays on top."""
    size = a + b
    mean = a / size
    variance = mean * (1 - mean) / (size + 1) + np.square(mean * spread)
    size = np.maximum(mean * (1 - mean) / variance - 1, 0.5)
    return Betas(mean * size, (1 - mean) * size)


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.asarray(over / np.where(under > 0, under, 1.0))
