"""Every variant against control on every conversion event and in revenue: raw, adjusted, and what is decided.

The verdict is about the primary alone. Here the other events stand beside it, with one error over all of them: the
primary has the full level, by Holm over the variants, and the other events are tested after it (`stats.multiple`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from afterword.model import PlanKind
from afterword.reports.persons import REVENUE
from afterword.selection.evidence import Pair, compared, p_value_of
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.stats.adjusted import adjusted_ratios
from afterword.stats.means import ratio, welch
from afterword.stats.multiple import gatekeeping
from afterword.stats.rates import LEVEL, Interval
from afterword.stats.sequential import difference_sequence, lift_sequence
from afterword.stats.sums import Sums


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
    """At most alpha where the difference is decided, with one error over all variants and conversion events."""
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
    adjusted_p = _adjusted_p_values(experiment, base)
    return tuple(_of_metric(experiment, metric, bases[metric.name], adjusted_p) for metric in metrics)


def _of_metric(
    experiment: Experiment, metric: Metric, base: Arm, adjusted_p: dict[tuple[str, str], float | None]
) -> Figures:
    arms = experiment.arms_of(metric)
    sums = {arm.id: arm.total(metric.name) for arm in arms}
    by_all = adjusted_ratios(list(sums.values()))
    return Figures(
        metric=metric,
        against=base.id,
        saved=by_all.saved if by_all else None,
        figures=tuple(
            _figure(experiment, metric, arm.id, base.id, sums, adjusted_p) for arm in arms if arm.id != base.id
        ),
    )


def _figure(
    experiment: Experiment,
    metric: Metric,
    variant: str,
    base: str,
    sums: dict[str, Sums],
    adjusted_p: dict[tuple[str, str], float | None],
) -> Figure:
    plan, alpha = experiment.plan.plan, float(experiment.plan.alpha)
    mine, others = sums[variant], sums[base]
    relative = welch(ratio(mine), ratio(others), 1 - alpha)
    is_fixed, are_rates = plan is PlanKind.FIXED, metric.name != REVENUE
    of_family = adjusted_p.get((variant, metric.name))
    return Figure(
        pair=compared(plan, variant, base, mine, others, 1 - alpha, are_rates=are_rates),
        lift=relative.relative,
        lift_interval=relative.relative_interval if is_fixed else lift_sequence(mine, others, alpha),
        p_value=p_value_of(plan, mine, others, are_rates=are_rates),
        adjusted_p_value=of_family,
        decided=None if (variant, metric.name) not in adjusted_p else of_family is not None and of_family <= alpha,
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


def _adjusted_p_values(experiment: Experiment, base: Arm) -> dict[tuple[str, str], float | None]:
    """Return the family's p values by variant and letter; it is empty where the primary is not compared with `base`."""
    primary = experiment.primary
    if primary is None or not primary.compared_with_control:
        return {}
    variants = [arm for arm in experiment.arms if arm is not base]
    secondary = [m for m in experiment.metrics[1:] if m.name != REVENUE and m.compared_with_control]

    def p_values(arm: Arm, metrics: Sequence[Metric]) -> list[float | None]:
        return [p_value_of(experiment.plan.plan, arm.total(metric.name), base.total(metric.name)) for metric in metrics]

    firsts = [p_values(arm, [primary])[0] for arm in variants]
    found = gatekeeping(firsts, [p_values(arm, secondary) for arm in variants])
    return {
        (arm.id, metric.name): p
        for arm, first, of_arm in zip(variants, found.primary, found.secondary, strict=True)
        for metric, p in zip([primary, *secondary], [first, *of_arm], strict=True)
    }
