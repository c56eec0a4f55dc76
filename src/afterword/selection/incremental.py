"""What the messages of a campaign brought: the difference of all who got one from control, times those who did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afterword.money import minor_units
from afterword.selection.evidence import compared
from afterword.selection.experiment import Experiment
from afterword.stats.rates import Interval
from afterword.stats.sums import Sums


def incremental_data(experiment: Experiment, report: Mapping[str, Any], currency: str) -> dict[str, Any] | None:
    """Return it by letter and for revenue; None without a control.

    The difference is per unit of the counting (of revenue: per person), over persons of one variant who have come of
    age, all variants with a message taken together. Control's share is fixed at launch (rule 30), so users of both
    sides came at the same times, whatever became of the shares of the variants.

    Args:
        experiment: the campaign.
        report: its part of report.json.
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
        units = report["total"]["persons" if metric.is_money else "exposed"]
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


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
