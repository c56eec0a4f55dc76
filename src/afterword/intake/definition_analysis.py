"""The analysis plan of a definition: how results will be judged, said before they are seen."""

from __future__ import annotations

import re
from decimal import Decimal

from afterword.intake.definition_fields import Record, show, written_number, written_text
from afterword.model import (
    LETTERS,
    AnalysisPlan,
    ConversionEvent,
    ConversionKind,
    Guardrail,
    GuardrailEvent,
    MultipleTesting,
    PlanKind,
    WinnerRule,
    Worse,
)

ANALYSIS_KEYS = (
    "plan",
    "alpha",
    "smallest_effect",
    "minimum_sample",
    "guardrails",
    "winsorize",
    "rule",
    "multiple_testing",
)
_GUARDRAIL_KEYS = ("event", "margin", "worse")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_LEAST_ALPHA, _MOST_ALPHA = Decimal("0.001"), Decimal("0.2")
_MOST_PERSONS = 1_000_000_000
_MOST_MONEY = Decimal(10) ** 12
_NEVER_COMPARED = (ConversionKind.MESSAGE_OPEN, ConversionKind.MESSAGE_CLICK)


def read_analysis(campaign: Record, events: tuple[ConversionEvent, ...]) -> AnalysisPlan:
    """Read a campaign's `analysis`; what it does not say is as by default."""
    default = AnalysisPlan()
    record = campaign.record("analysis", ANALYSIS_KEYS)
    if record is None:
        return default
    return AnalysisPlan(
        plan=record.choice("plan", PlanKind) or default.plan,
        alpha=_read_alpha(record) or default.alpha,
        smallest_effect=_read_percent(record, "smallest_effect", "2%", 100) or default.smallest_effect,
        minimum_sample=_read_minimum(record, default.minimum_sample),
        guardrails=_read_guardrails(record, events),
        winsorize=_read_winsorize(record),
        rule=record.choice("rule", WinnerRule) or default.rule,
        multiple_testing=record.choice("multiple_testing", MultipleTesting) or default.multiple_testing,
    )


def _read_alpha(record: Record) -> Decimal | None:
    if not record.has("alpha"):
        return None
    value = record.data["alpha"]
    alpha = written_number(value)
    if alpha is None:
        record.problem("alpha", f"alpha is {show(value)}, must be a number such as 0.05")
    elif not _LEAST_ALPHA <= alpha <= _MOST_ALPHA:
        record.problem("alpha", f"alpha is {show(value)}, must be from {_LEAST_ALPHA} to {_MOST_ALPHA}, usually 0.05")
        return None
    return alpha


def _read_percent(record: Record, name: str, example: str, most: int) -> Decimal | None:
    """Return a percentage as a fraction; without its sign it would be unclear whether 0.02 is 2 % or 0.02 %."""
    if not record.has(name):
        return None
    value = record.data[name]
    matched = _PERCENT.fullmatch(written_text(value) or "")
    percent = Decimal(matched[1]) if matched else None
    if percent is None:
        record.problem(name, f"{name} is {show(value)}, must be a percentage with its sign, such as {example}")
    elif not 0 < percent <= most:
        record.problem(name, f"{name} is {show(value)}, must be above 0% and at most {most}%")
    else:
        return percent / 100
    return None


def _read_minimum(record: Record, default: int) -> int:
    value = record.data.get("minimum_sample", default)
    number = written_number(value)
    if number is None or number != int(number) or not 1 <= number <= _MOST_PERSONS:
        allowed = f"a whole number of users per variant from 1 to {_MOST_PERSONS:,}"
        record.problem("minimum_sample", f"minimum_sample is {show(value)}, must be {allowed}")
        return default
    return int(number)


def _read_winsorize(record: Record) -> Decimal | None:
    if not record.has("winsorize"):
        return None
    value = record.data["winsorize"]
    amount = written_number(value)
    if amount is None:
        record.problem("winsorize", f"winsorize is {show(value)}, must be an amount of the reporting currency")
    elif not 0 < amount <= _MOST_MONEY:
        record.problem("winsorize", f"winsorize is {show(value)}, must be above 0 and at most {_MOST_MONEY:,}")
        return None
    return amount


# --- guardrails -------------------------------------------------------------------------------------


def _read_guardrails(record: Record, events: tuple[ConversionEvent, ...]) -> tuple[Guardrail, ...]:
    found: dict[GuardrailEvent, Guardrail] = {}
    for item in record.records("guardrails", _GUARDRAIL_KEYS):
        event = item.choice("event", GuardrailEvent, required=True)
        worse = item.choice("worse", Worse)
        margin = _read_percent(item, "margin", "0.5%", 50)
        if not item.has("margin"):
            item.problem("margin", "margin is missing, must be a percentage such as 0.5%: how much worse is too much")
        if event is None:
            continue
        if event in found:
            item.problem("event", f"there is a guardrail on {event} already")
        elif event.is_letter:
            _check_letter(item, event, events)
        elif worse is not None:
            item.problem("worse", f"worse is for conversion events only: more of {event} is always worse")
        if margin is not None:
            found[event] = Guardrail(event, margin, worse or Worse.LESS)
    return tuple(found.values())


def _check_letter(item: Record, event: GuardrailEvent, events: tuple[ConversionEvent, ...]) -> None:
    position = LETTERS.index(event)
    if position >= len(events):
        last = f"the last is {LETTERS[len(events) - 1]}" if events else "there is none"
        item.problem("event", f"there is no conversion event {event}, {last}")
    elif events[position].kind in _NEVER_COMPARED:
        kind = events[position].kind
        item.problem("event", f"{event} is {kind}, which is never compared with control (rule 17)")
