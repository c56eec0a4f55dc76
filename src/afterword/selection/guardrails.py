"""Guardrails: what must not get worse by more than a margin, before a variant can be the winner.

A guardrail is a test of non-inferiority: it is kept once the interval of the harm lies below the margin, breached once
it lies above, and open in between. A winner must keep all of its guardrails, each tested at the plan's alpha, without
correction: to claim all, all must hold, and the weakest decides (intersection-union test: Berger, R. L. (1982),
Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from afterword.model import Guardrail, GuardrailEvent, Worse
from afterword.reports.persons import BOUNCES, COMPLAINTS, UNSUBSCRIBES
from afterword.selection.evidence import compared, share_interval
from afterword.selection.experiment import Arm, Experiment
from afterword.stats.rates import Interval

METRICS = {
    GuardrailEvent.UNSUBSCRIBE: UNSUBSCRIBES,
    GuardrailEvent.COMPLAINT: COMPLAINTS,
    GuardrailEvent.BOUNCE: BOUNCES,
}


class State(StrEnum):
    """Where a guardrail stands."""

    KEPT = "kept"
    OPEN = "open"
    BREACHED = "breached"


@dataclass(frozen=True, slots=True)
class Guarded:
    """One guardrail of one variant."""

    arm: str
    guardrail: Guardrail
    harm: float | None
    """By how much it is worse: the share of users of a message's event, or how much lower (higher) a rate is."""
    interval: Interval | None
    against: str | None
    """The arm that it is compared with; None for what only a message brings about, which without one is 0."""
    state: State


def guarded(experiment: Experiment) -> tuple[Guarded, ...]:
    """Return where each guardrail stands for each variant with a message.

    Unsubscribes, complaints and bounces are of the campaign's messages, of which control gets none: the harm is the
    share of users itself. A conversion event is compared with control, or without one with every other variant.
    """
    return tuple(
        one
        for arm in experiment.arms
        if not arm.control
        for guardrail in experiment.plan.guardrails
        for one in _guarded(experiment, arm, guardrail)
    )


def _guarded(experiment: Experiment, arm: Arm, guardrail: Guardrail) -> list[Guarded]:
    if guardrail.event.is_letter:
        control = [other for other in experiment.arms if other.control]
        others = control or [other for other in experiment.arms if other is not arm]
        return [_worse(experiment, arm, other, guardrail) for other in others]
    sums = arm.total(METRICS[guardrail.event])
    interval = share_interval(experiment.plan.plan, sums, 1 - float(experiment.plan.alpha))
    harm = sums.y / sums.n if sums.n else None
    return [Guarded(arm.id, guardrail, harm, interval, None, _state(interval, guardrail))]


def _worse(experiment: Experiment, arm: Arm, other: Arm, guardrail: Guardrail) -> Guarded:
    """How much lower (or higher, where more is worse) the rate of a conversion event is than another arm's."""
    name, level = guardrail.event.value, 1 - float(experiment.plan.alpha)
    metric = next(metric for metric in experiment.metrics if metric.name == name)
    more, less = (arm, other) if guardrail.worse is Worse.MORE else (other, arm)
    pair = compared(experiment.plan.plan, more.id, less.id, *experiment.two(more.id, less.id, metric), level)
    return Guarded(arm.id, guardrail, pair.difference, pair.interval, other.id, _state(pair.interval, guardrail))


def _state(interval: Interval | None, guardrail: Guardrail) -> State:
    margin = float(guardrail.margin)
    if interval is None:
        return State.OPEN
    if interval.high <= margin:
        return State.KEPT
    return State.BREACHED if interval.low > margin else State.OPEN
