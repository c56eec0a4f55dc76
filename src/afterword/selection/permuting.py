"""A/A: the variant labels of one's own users dealt out anew, many times, to see how often a verdict comes by chance.

Users of a day keep their day and their outcome and get the labels of that day in a new order, so that any difference
between the variants is chance. What is then said is said of data as one has them: as many users a day, as few
conversions, the same shares. Where each user counts once, the number of converted users that each variant gets is
multivariate hypergeometric, so no user has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterword.errors import UserError
from afterword.model import PlanKind
from afterword.selection.evidence import pair_level
from afterword.selection.experiment import Experiment, Metric
from afterword.selection.naming import named
from afterword.stats.rates import z_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PLAIN_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Permuted:
    """How often something was found where there was nothing to find, as shares of the permutations."""

    permutations: int
    users: int
    days: int
    verdict: float
    """An arm was named at one look or more: `winner` or `control_best`."""
    plain_daily: float
    """The plain test of any variant against control (against the first variant where there is none) was significant at
    one look or more."""
    plain_once: float
    """The same at a single look, after the last day."""


def permuted(experiment: Experiment, permutations: int, rng: np.random.Generator) -> Permuted:
    """Deal out the labels anew, and judge each time on every day.

    Raises:
        UserError: there is nothing to compare, or users count more than once.

    """
    metric = experiment.primary
    if metric is None or len(experiment.arms_of(metric)) < 2:
        raise UserError(f'campaign "{experiment.id}" has nothing to compare: no conversion event, or a single variant')
    n, converted = _by_day(experiment, metric)
    if not n.sum():
        raise UserError(
            f'campaign "{experiment.id}" has no users yet whose window has passed: there is nothing to permute'
        )
    dealt = np.stack(
        [
            rng.multivariate_hypergeometric(persons, int(hits.sum()), permutations)
            for persons, hits in zip(n, converted, strict=True)
        ],
        axis=1,
    ).cumsum(axis=1)
    persons = np.broadcast_to(n.cumsum(axis=0), dealt.shape)
    looks = slice(-1, None) if experiment.plan.plan is PlanKind.FIXED else slice(None)
    found = named(experiment.plan, pair_level(experiment, metric), persons[:, looks], dealt[:, looks]) >= 0
    control = next((place for place, arm in enumerate(experiment.arms_of(metric)) if arm.control), 0)
    plain = _plain(persons, dealt, control)
    return Permuted(
        permutations=permutations,
        users=int(n.sum()),
        days=len(n),
        verdict=float(found.any(axis=1).mean()),
        plain_daily=float(plain.any(axis=1).mean()),
        plain_once=float(plain[:, -1].mean()),
    )


def _by_day(experiment: Experiment, metric: Metric) -> tuple[Ints, Ints]:
    """Return persons and converted persons by day and arm."""
    arms = experiment.arms_of(metric)
    by_day = [dict(arm.days.get(metric.name, ())) for arm in arms]
    days = sorted({day for one in by_day for day in one})
    n, converted = np.zeros((2, len(days), len(arms)), np.int64)
    for place, one in enumerate(by_day):
        for row, day in enumerate(days):
            if (sums := one.get(day)) is not None:
                if sums.mm != sums.n or sums.yy != sums.y:
                    raise UserError(
                        f'campaign "{experiment.id}" counts a user several times; labels are dealt out anew only where '
                        "each user counts once"
                    )
                n[row, place], converted[row, place] = sums.n, round(sums.y)
    return n, converted


def _plain(persons: Ints, converted: Ints, control: int) -> NDArray[np.bool_]:
    """Whether the pooled z-test of any arm against one is significant, by permutation and day."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n, c = persons[..., [control]], converted[..., [control]]
        pooled = (converted + c) / (persons + n)
        error = np.sqrt(pooled * (1 - pooled) * (1 / persons + 1 / n))
        z = (converted / persons - c / n) / error
    found: NDArray[np.bool_] = (np.abs(np.nan_to_num(z)) > z_of(PLAIN_LEVEL)).any(axis=-1)
    return found
