"""What the messages of a campaign caused: all variants with a message together, against control.

The difference of a rate (or of revenue per user) is one between users whose window has passed, of the same stretches of
time, as in every comparison. Times the units of those who got a message it is how many conversions (how much revenue)
there would not have been without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from afterword.selection.evidence import Pair, compared
from afterword.selection.experiment import Experiment, Metric, reweighted
from afterword.stats.rates import Interval
from afterword.stats.sums import Sums

MESSAGES = "total"


@dataclass(frozen=True, slots=True)
class Caused:
    """The part that the messages caused of one metric."""

    metric: Metric
    pair: Pair
    """All messaged variants against control, at the plan's level."""
    persons: int
    """With a message, whose window has passed."""
    units: float
    """Of these persons: exposures or channels where those are counted."""

    @property
    def amount(self) -> float | None:
        """Conversions or revenue that there would not have been."""
        return None if self.pair.difference is None else self.pair.difference * self.units

    @property
    def interval(self) -> Interval | None:
        """Of the amount, by the plan."""
        found = self.pair.interval
        return None if found is None else Interval(found.low * self.units, found.high * self.units)


def caused_of(experiment: Experiment) -> tuple[Caused, ...]:
    """Return what was caused of each metric that control can have; nothing where there is no control or no message."""
    control = next((arm for arm in experiment.arms if arm.control), None)
    if control is None or len(experiment.arms) < 2:
        return ()
    return tuple(_of(experiment, metric, control.id) for metric in experiment.metrics if metric.compared_with_control)


def _of(experiment: Experiment, metric: Metric, control: str) -> Caused:
    names = [arm.id for arm in experiment.arms if not arm.control]
    group, others = reweighted(
        [
            (_together(of_arms[name] for name in names), of_arms[control], sum(one.n for one in of_arms.values()))
            for of_arms in experiment.strata(metric)
        ]
    )
    every = _together(arm.total(metric.name) for arm in experiment.arms if not arm.control)
    plan = experiment.plan
    pair = compared(plan.plan, MESSAGES, control, group, others, 1 - float(plan.alpha), are_rates=not metric.is_money)
    return Caused(metric, pair, every.n, every.m)


def _together(sums: Iterable[Sums]) -> Sums:
    return reduce(add, sums, Sums())
