"""A/A: the variant labels of one's own users dealt out anew, many times, to see how often a verdict comes by chance.

Users of a day keep their day and their outcome and get the labels of that day in a new order, so that any difference
between the variants is chance. What is then said is said of data as one has them: as many users a day, as few
conversions, the same shares. Users with the same outcome need not be told apart: how many of them each variant gets is
multivariate hypergeometric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afterword.errors import UserError
from afterword.model import PlanKind, WinnerRule
from afterword.selection.evidence import pair_level
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.selection.naming import Arms, Floats, named
from afterword.selection.plain import CHI_SQUARED_LEVEL
from afterword.stats.rates import z_of

Ints = NDArray[np.int64]
PLAIN_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Persons come of age that look alike: a row for each day and outcome."""

    day: Ints
    y: Ints
    """Units that converted."""
    m: Ints
    """Units."""
    persons: Ints
    """By [row, arm]."""
    variants: tuple[str, ...] = ()
    """The arms; none are named where they are those of the experiment."""

    def of(self, arms: Sequence[Arm]) -> Outcomes:
        """Return the same by these arms."""
        if not self.variants:
            return self
        return replace(self, persons=self.persons[:, [self.variants.index(arm.id) for arm in arms]], variants=())


@dataclass(frozen=True, slots=True)
class Permuted:
    """How often something was found where there was nothing to find, as shares of the permutations."""

    permutations: int
    users: int
    days: int
    verdict: float
    """An arm was named by the plan's rule at one look or more: `winner` or `control_best`."""
    plain_daily: float
    """The plain test of any variant against control (against the first variant where there is none) was significant at
    one look or more."""
    plain_once: float
    """The same at a single look, after the last day."""


def permuted(
    experiment: Experiment, permutations: int, rng: np.random.Generator, outcomes: Outcomes | None = None
) -> Permuted:
    """Deal out the labels anew, and judge each time on every day.

    Args:
        experiment: what is judged.
        permutations: how often.
        rng: the chance.
        outcomes: of its persons; the sums by day say them where each person is one unit.

    Raises:
        UserError: there is nothing to compare, shares follow results, or users count more than once and outcomes are
            not given.

    """
    metric = experiment.primary
    if metric is None or len(experiment.arms_of(metric)) < 2:
        raise UserError(f'campaign "{experiment.id}" has nothing to compare: no conversion event, or a single variant')
    if experiment.follows_results:
        raise UserError(
            f'campaign "{experiment.id}" has shares that follow results (Intelligent Selection): its verdict compares '
            "day by day, which labels dealt out anew cannot show"
        )
    outcomes = _of_sums(experiment, metric) if outcomes is None else outcomes.of(experiment.arms_of(metric))
    users = int(outcomes.persons.sum())
    if not users:
        raise UserError(
            f'campaign "{experiment.id}" has no users yet whose window has passed: there is nothing to permute'
        )
    arms = _dealt(outcomes, permutations, rng)
    looks = slice(-1, None) if experiment.plan.plan is PlanKind.FIXED else slice(None)
    seen = Arms(*(column[:, looks] for column in arms))
    control = next((place for place, arm in enumerate(experiment.arms_of(metric)) if arm.control), None)
    plain = np.asarray((np.abs(_z(arms, control or 0)) > z_of(PLAIN_LEVEL)).any(axis=-1))
    if experiment.plan.rule is WinnerRule.CHI_SQUARED:
        found = _chi_squared(seen, control)
    else:
        found = named(experiment.plan, pair_level(experiment, metric), seen) >= 0
    return Permuted(
        permutations=permutations,
        users=users,
        days=arms.n.shape[1],
        verdict=float(found.any(axis=1).mean()),
        plain_daily=float(plain.any(axis=1).mean()),
        plain_once=float(plain[:, -1].mean()),
    )


def _of_sums(experiment: Experiment, metric: Metric) -> Outcomes:
    arms = experiment.arms_of(metric)
    by_day = [dict(arm.days.get(metric.name, ())) for arm in arms]
    days = sorted({day for one in by_day for day in one})
    persons = np.zeros((len(days), 2, len(arms)), np.int64)
    for place, one in enumerate(by_day):
        for row, day in enumerate(days):
            if (sums := one.get(day)) is not None:
                if sums.mm != sums.n or sums.yy != sums.y:
                    raise UserError(
                        f'campaign "{experiment.id}" counts a user several times: name its results directory with '
                        "--results, where its users can be looked at"
                    )
                persons[row, :, place] = sums.n - round(sums.y), round(sums.y)
    y = np.tile(np.array([0, 1]), len(days))
    return Outcomes(np.repeat(np.array(days, np.int64), 2), y, np.ones_like(y), persons.reshape(-1, len(arms)))


def _dealt(outcomes: Outcomes, permutations: int, rng: np.random.Generator) -> Arms:
    """Return the cumulative sums of each arm by [permutation, day, arm]."""
    days, place = np.unique(outcomes.day, return_inverse=True)
    arms = outcomes.persons.shape[1]
    sums = np.zeros((6, permutations, len(days), arms), np.int64)
    for day in range(len(days)):
        rows = np.flatnonzero(place == day)
        left = np.tile(outcomes.persons[rows].sum(axis=0), (permutations, 1))
        for row in rows:
            got = _draw(left, int(outcomes.persons[row].sum()), rng)
            left -= got
            y, m = int(outcomes.y[row]), int(outcomes.m[row])
            sums[:, :, day] += np.array([1, y, y * y, m, m * m, m * y])[:, None, None] * got
    return Arms(*sums.cumsum(axis=2))


def _draw(left: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Deal out so many persons to the places that are left, by [permutation, arm]."""
    got = np.zeros_like(left)
    wanted = np.full(len(left), count)
    for arm in range(left.shape[1]):
        others = left[:, arm + 1 :].sum(axis=1)
        got[:, arm] = rng.hypergeometric(left[:, arm], others, wanted) if arm + 1 < left.shape[1] else wanted
        wanted = wanted - got[:, arm]
    return got


def _z(arms: Arms, against: int) -> Floats:
    """The pooled z of every arm against one, by permutation, day and arm; units are its cases, as other tools count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        m, y = arms.m[..., [against]], arms.y[..., [against]]
        pooled = (arms.y + y) / (arms.m + m)
        z = (arms.y / arms.m - y / m) / np.sqrt(pooled * (1 - pooled) * (1 / arms.m + 1 / m))
    return np.asarray(np.nan_to_num(z, posinf=0.0, neginf=0.0), np.float64)


def _chi_squared(arms: Arms, control: int | None) -> NDArray[np.bool_]:
    """Whether the rule of the commercial products names an arm (`plain.chi_squared_winner`), by permutation and day."""
    if control is not None:
        return np.asarray((_z(arms, control) > z_of(1 - CHI_SQUARED_LEVEL)).any(axis=-1))
    from scipy.special import chdtri

    with np.errstate(divide="ignore", invalid="ignore"):
        rate = arms.y.sum(axis=-1, keepdims=True) / arms.m.sum(axis=-1, keepdims=True)
        statistic = ((arms.y - arms.m * rate) ** 2 / (arms.m * rate * (1 - rate))).sum(axis=-1)
    found: NDArray[np.bool_] = np.nan_to_num(statistic) > chdtri(arms.m.shape[-1] - 1, CHI_SQUARED_LEVEL)
    return found
