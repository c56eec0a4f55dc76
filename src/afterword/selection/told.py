"""A verdict as report.json has it (docs/report-json.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afterword.model import Campaign
from afterword.selection.evidence import Pair, reading_of
from afterword.selection.experiment import Experiment
from afterword.selection.figures import Figure, figures_of
from afterword.selection.forecasts import forecasts
from afterword.selection.guardrails import Guarded
from afterword.selection.missing import Missing
from afterword.selection.sentences import plain_sentence, remarks, sentence
from afterword.selection.winner import Verdict, judge
from afterword.stats.rates import Interval
from afterword.stats.split import SplitCheck


def verdict_data(experiment: Experiment) -> dict[str, Any] | None:
    """Return the verdict on an experiment; None where there is nothing to compare."""
    verdict = judge(experiment)
    if verdict is None:
        return None
    plan = experiment.plan
    return {
        "answer": verdict.answer.value,
        "variant": verdict.best,
        "sentence": sentence(verdict, experiment),
        "remarks": remarks(verdict, experiment),
        "because": verdict.because.value if verdict.because else None,
        "redefined": verdict.redefined,
        "conversion_event": verdict.metric.name,
        "plan": {
            "plan": plan.plan.value,
            "alpha": float(plan.alpha),
            "smallest_effect": float(plan.smallest_effect),
            "minimum_sample": plan.minimum_sample,
            "winsorize": None if plan.winsorize is None else f"{plan.winsorize:f}",
            "rule": plan.rule.value,
            "multiple_testing": plan.multiple_testing.value,
        },
        "level": verdict.level,
        "rates": _rates(experiment, verdict),
        "pairs": [_pair(pair) for pair in _ordered(verdict)],
        "missing": _missing(verdict.missing),
        "guardrails": [_guarded(one) for one in verdict.guardrails],
        "split": _split(experiment, verdict.split),
        "other_tools": _other_tools(verdict, experiment),
    }


def comparisons_data(experiment: Experiment) -> dict[str, Any]:
    """Return, by conversion event and for revenue, each variant against control."""
    level = 1 - float(experiment.plan.alpha)
    return {
        of_metric.metric.name: {
            "against": of_metric.against,
            "level": level,
            "variance_saved": of_metric.saved,
            "variants": {one.pair.arm: _figure(one) for one in of_metric.figures},
        }
        for of_metric in figures_of(experiment)
    }


def forecast_data(campaign: Campaign, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return, by conversion event and variant, what open windows will bring; see `forecasts`."""
    return {
        letter: {
            variant: None
            if one is None
            else {
                "rate": one.rate,
                "interval": bounds(one.interval),
                "more": one.more,
                "hours": one.hours,
                "complete": one.complete,
            }
            for variant, one in of_letter.items()
        }
        for letter, of_letter in forecasts(campaign, report).items()
    }


def _figure(one: Figure) -> dict[str, Any]:
    adjusted = one.adjusted
    return {
        **_differences(one.pair),
        "lift": one.lift,
        "lift_interval": bounds(one.lift_interval),
        "p_value": one.p_value,
        "adjusted_p_value": one.adjusted_p_value,
        "decided": one.decided,
        "adjusted": {
            "difference": adjusted.difference,
            "interval": bounds(adjusted.interval),
            "single_look_interval": bounds(adjusted.plain),
        }
        if adjusted
        else None,
    }


def _rates(experiment: Experiment, verdict: Verdict) -> dict[str, Any]:
    arms = experiment.arms_of(verdict.metric)
    sums = [arm.total(verdict.metric.name) for arm in arms]
    reading = None if experiment.follows_results else reading_of(sums)
    return {
        arm.id: {
            "n": of_arm.n,
            "waiting": experiment.waiting(arm, verdict.metric),
            "rate": verdict.rates[arm.id],
            "probability_best": reading.best[place] if reading else None,
            "expected_loss": reading.loss[place] if reading else None,
        }
        for place, (arm, of_arm) in enumerate(zip(arms, sums, strict=True))
    }


def _ordered(verdict: Verdict) -> list[Pair]:
    """Return each two arms once, the one with the higher rate first."""
    ranked = sorted(verdict.rates, key=lambda name: -(verdict.rates[name] or 0.0))
    place = {name: position for position, name in enumerate(ranked)}
    pairs = [pair for pair in verdict.pairs if place[pair.arm] < place[pair.other]]
    return sorted(pairs, key=lambda pair: (place[pair.arm], place[pair.other]))


def _pair(pair: Pair) -> dict[str, Any]:
    return {"variant": pair.arm, "against": pair.other, **_differences(pair)}


def _differences(pair: Pair) -> dict[str, Any]:
    return {
        "difference": pair.difference,
        "interval": bounds(pair.interval),
        "single_look_interval": bounds(pair.plain),
    }


def _split(experiment: Experiment, split: SplitCheck) -> dict[str, Any]:
    names = [arm.id for arm in experiment.arms]
    return {
        "broken": split.fires,
        "reasons": list(split.reasons),
        "p_value": split.p_value,
        "expected": dict(zip(names, split.expected, strict=False)),
        "seen": dict(zip(names, split.seen, strict=False)),
    }


def _missing(missing: Missing | None) -> dict[str, Any] | None:
    if missing is None:
        return None
    return {"users": missing.users, "days": missing.days, "difference": missing.difference}


def _guarded(one: Guarded) -> dict[str, Any]:
    return {
        "variant": one.arm,
        "event": one.guardrail.event.value,
        "margin": float(one.guardrail.margin),
        "worse": one.guardrail.worse.value if one.guardrail.event.is_letter else "more",
        "against": one.against,
        "harm": one.harm,
        "interval": bounds(one.interval),
        "state": one.state.value,
    }


def _other_tools(verdict: Verdict, experiment: Experiment) -> dict[str, Any] | None:
    plain = verdict.plain
    if plain is None:
        return None
    return {
        "variant": plain.best,
        "against": plain.against,
        "difference": plain.difference,
        "confidence": plain.confidence,
        "sentence": plain_sentence(verdict, experiment),
    }


def bounds(interval: Interval | None) -> list[float] | None:
    """Return both ends as report.json has them."""
    return [interval.low, interval.high] if interval else None
