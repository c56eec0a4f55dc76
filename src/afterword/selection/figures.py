"""Every variant against control on every conversion event and in revenue: raw, adjusted, and what is decided.

The verdict is about the primary alone. Here the other events stand beside it, and what counts as decided is bounded
over all of them together, in the way that the plan names (`stats.multiple`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from afterword.model import MultipleTesting, PlanKind
from afterword.selection.evidence import Pair, compared, p_value_of
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.adjusted import adjusted_ratios
from afterword.stats.means import ratio, welch
from afterword.stats.multiple import benjamini_hochberg, gatekeeping
from afterword.stats.rates import LEVEL, Interval
from afterword.stats.sequential import difference_sequence, lift_sequence
from afterword.stats.sums import Sums

_P: TypeAlias = "dict[tuple[str, str], float | None]"
"""By variant and metric."""

HALF = 0.5
"""What a decided primary passes on to its variant's other events by `by_variant` (decision 0041)."""


@dataclass(frozen=True, slots=True)
class AdjustedPair:
    """A difference adjusted by what persons did before their first exposure (CUPED)."""

    difference: float
    interval: Interval | None
    """By the plan, at the same level as the raw one."""
    plain: Interval | None
    """At 95 %, for one look."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One variant against control on one metric; None where there is no answer."""

    pair: Pair
    """At the plan's level for this comparison alone."""
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    """By the plan, of this comparison alone."""
    adjusted_p_value: float | None
    """At most alpha where the difference is decided, over all variants and conversion events as the plan says."""
    decided: bool | None
    """None for what is not part of that family: revenue, and events that control cannot have."""
    adjusted: AdjustedPair | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All variants on one metric."""

    metric: Metric
    against: str
    """Control, or the first variant where there is none."""
    saved: float | None
    """The share of the variance that the adjustment takes away; None where nothing is known from before."""
    figures: tuple[Figure, ...]


def figures_of(experiment: Experiment) -> tuple[Figures, ...]:
    """Return the figures of each metric that has two arms to compare; opens and clicks among those with a message."""
    base = next((arm for arm in experiment.arms if arm.control), experiment.arms[0])
    metrics = [metric for metric in experiment.metrics if len(experiment.arms_of(metric)) > 1]
    bases = {m.name: base if base in experiment.arms_of(m) else experiment.arms_of(m)[0] for m in metrics}
    p_values = {
        (arm.id, metric.name): p_value_of(
            experiment.plan.plan,
            *experiment.two(arm.id, bases[metric.name].id, metric),
            are_rates=not metric.is_money,
        )
        for metric in metrics
        for arm in experiment.arms_of(metric)
        if arm is not bases[metric.name]
    }
    adjusted = _adjusted_p_values(experiment, base, p_values)
    return tuple(_of_metric(experiment, metric, bases[metric.name], p_values, adjusted) for metric in metrics)


def _of_metric(experiment: Experiment, metric: Metric, base: Arm, p_values: _P, adjusted: _P) -> Figures:
    arms = experiment.arms_of(metric)
    by_all = adjusted_ratios([arm.total(metric.name) for arm in arms])
    return Figures(
        metric=metric,
        against=base.id,
        saved=by_all.saved if by_all else None,
        figures=tuple(_figure(experiment, metric, arm, base, p_values, adjusted) for arm in arms if arm is not base),
    )


def _figure(experiment: Experiment, metric: Metric, arm: Arm, base: Arm, p_values: _P, adjusted: _P) -> Figure:
    plan, alpha = experiment.plan.plan, float(experiment.plan.alpha)
    (mine, others), key = experiment.two(arm.id, base.id, metric), (arm.id, metric.name)
    relative = welch(ratio(mine), ratio(others), 1 - alpha)
    of_family = adjusted.get(key)
    return Figure(
        pair=compared(plan, arm.id, base.id, mine, others, 1 - alpha, are_rates=not metric.is_money),
        lift=relative.relative,
        lift_interval=relative.relative_interval if plan is PlanKind.FIXED else lift_sequence(mine, others, alpha),
        p_value=p_values[key],
        adjusted_p_value=of_family,
        decided=None if key not in adjusted else of_family is not None and of_family <= alpha,
        adjusted=_adjusted(plan, mine, others, alpha),
    )


def _adjusted(plan: PlanKind, mine: Sums, others: Sums, alpha: float) -> AdjustedPair | None:
    found = adjusted_ratios([mine, others])
    group, control = found.estimates if found else (None, None)
    if group is None or control is None:
        return None
    by_plan = (
        welch(group, control, 1 - alpha).interval
        if plan is PlanKind.FIXED
        else difference_sequence(mine, others, alpha, adjusted=True)
    )
    return AdjustedPair(group.value - control.value, by_plan, welch(group, control, LEVEL).interval)


def _adjusted_p_values(experiment: Experiment, base: Arm, p_values: _P) -> _P:
    """Return the family's p values by variant and letter; it is empty where the primary is not compared with `base`."""
    primary = experiment.primary
    if primary is None or not primary.compared_with_control or len(experiment.arms) < 2:
        return {}
    variants = [arm.id for arm in experiment.arms if arm is not base]
    letters = [m.name for m in experiment.metrics if not m.is_money and m.compared_with_control]
    how = experiment.plan.multiple_testing
    if how is MultipleTesting.BENJAMINI_HOCHBERG:
        family = [(variant, letter) for variant in variants for letter in letters]
        return dict(zip(family, benjamini_hochberg([p_values[one] for one in family]), strict=True))
    found = gatekeeping(
        [p_values[variant, primary.name] for variant in variants],
        [[p_values[variant, letter] for letter in letters[1:]] for variant in variants],
        HALF if how is MultipleTesting.BY_VARIANT else 0.0,
    )
    return {
        (variant, letter): p
        for variant, first, others in zip(variants, found.primary, found.secondary, strict=True)
        for letter, p in zip(letters, [first, *others], strict=True)
    }
