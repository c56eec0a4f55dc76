"""What the messages of a campaign brought: the difference of all who got one from control, times those who did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from afterword.model import Campaign
from afterword.money import minor_units
from afterword.reports.persons import PersonDays
from afterword.selection.evidence import compared
from afterword.selection.experiment import Arm, Epoch, Experiment, metrics_of, planned_of
from afterword.stats.rates import Interval
from afterword.stats.sums import Sums

NO_DAY = 0
"""Sums over all days do not ask which is today."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How many got a message of a campaign."""

    units: int
    """Of the counting."""
    persons: int


def incremental_data(experiment: Experiment, reached: Reached, currency: str) -> dict[str, Any] | None:
    """Return it by letter and for revenue; None without a control.

    The difference is per unit of the counting (of revenue: per person), over persons of one variant who have come of
    age, all variants with a message taken together. Control's share is fixed at launch (rule 30), so users of both
    sides came at the same times, whatever became of the shares of the variants.

    Args:
        experiment: the campaign; its metrics, and of its arms the days and which is control.
        reached: how many got a message.
        currency: the reporting one.

    """
    control = next((arm for arm in experiment.arms if arm.control), None)
    messaged = [arm for arm in experiment.arms if not arm.control]
    if control is None or not messaged:
        return None
    level = 1 - float(experiment.plan.alpha)
    found = {}
    for metric in experiment.metrics:
        if not metric.compared_with_control:
            continue
        together = sum((arm.total(metric.name) for arm in messaged), Sums())
        pair = compared(
            experiment.plan.plan,
            *("messages", control.id),
            *(together, control.total(metric.name)),
            level,
            are_rates=not metric.is_money,
        )
        units = reached.persons if metric.is_money else reached.units
        more = None if pair.difference is None else pair.difference * units
        ends = None if pair.interval is None else [end * units for end in _ends(pair.interval)]
        decimals = minor_units(currency)
        found[metric.name] = {
            "difference": pair.difference,
            "interval": _ends(pair.interval) if pair.interval else None,
            "units": units,
            "incremental": f"{more:.{decimals}f}" if metric.is_money and more is not None else more,
            "incremental_interval": [f"{end:.{decimals}f}" for end in ends] if metric.is_money and ends else ends,
        }
    return {"against": control.id, "level": level, "metrics": found}


def incremental_of(
    campaign: Campaign,
    persons: PersonDays,
    exposed: Sequence[int],
    reached: Reached,
    epochs: Sequence[Epoch],
    currency: str,
) -> dict[str, Any] | None:
    """Return the same without a report.

    Args:
        campaign: its definition.
        persons: its sums over persons.
        exposed: how many persons were, to each variant.
        reached: how many got a message.
        epochs: the history of its shares.
        currency: the reporting one.

    """
    planned = planned_of(campaign, epochs)
    arms = [
        Arm(variant.id, variant.name, variant.control, variant.share_hundredths / 10_000, known, 0, days)
        for variant, known, days in zip(campaign.variants, exposed, persons.metrics, strict=True)
        if variant.id in planned or known
    ]
    experiment = Experiment(
        campaign.id, campaign.kind, campaign.analysis, metrics_of(campaign), tuple(arms), today=NO_DAY
    )
    return incremental_data(experiment, reached, currency)


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
