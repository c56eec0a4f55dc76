"""What a form says, in lines for the review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from afterword.interfaces.web.create.defining import ANALYSIS, BASICS, EVENTS, VARIANTS, channels_of, values_of
from afterword.interfaces.web.create.form import COUNTINGS, TYPES, EventForm, Form, GuardrailForm
from afterword.interfaces.web.create.views import (
    CHANNELS,
    GUARDRAILS,
    KINDS,
    LABELS,
    MULTIPLE_TESTING,
    OPS,
    PLANS,
    letter,
)
from afterword.interfaces.web.links import link
from afterword.model import Op

_KIND, _OP, _GUARDRAIL = dict(KINDS), dict(OPS), dict(GUARDRAILS)
_CHANNEL = {channel.value: label for channel, label in CHANNELS.items()}
_NONE = "–"
_ALL = {"session": "any app", "upgrade": "any app", "purchase": "any product"}


@dataclass(frozen=True, slots=True)
class Line:
    """A label and what is said."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one step says."""

    label: str
    edit: str
    lines: Sequence[Line]


def summary(form: Form, draft: str) -> list[Part]:
    """Return everything, step by step."""
    return [
        Part(LABELS[step], link("/draft", id=draft, step=step), lines)
        for step, lines in (
            (BASICS, _basics(form)),
            (VARIANTS, _variants(form)),
            (EVENTS, _events(form)),
            (ANALYSIS, _analysis(form)),
        )
    ]


def _basics(form: Form) -> list[Line]:
    channels = ", ".join(_CHANNEL.get(one, one) for one in channels_of(form))
    lines = [
        Line("Type", _type(form)),
        Line("Name", form.name or _NONE),
        Line("Id", form.id or _NONE),
        Line("Channels", channels or "any"),
        Line("Tags", form.tags or _NONE),
        Line("Description", form.description or _NONE),
    ]
    if form.kind == "canvas":
        lines.append(Line("Steps", " → ".join(one.name or one.id for one in form.steps) or _NONE))
    return lines


def _type(form: Form) -> str:
    """Return the type; with a single channel it is that one's."""
    channels = channels_of(form)
    name = channels[0] if form.type == "multichannel" and len(channels) == 1 else form.type
    return TYPES.get(name, name)


def _variants(form: Form) -> list[Line]:
    return [
        Line(f"{one.name or one.id or _NONE}{', no message' if one.control else ''}", f"{one.share or _NONE} %")
        for one in form.variants
    ]


def _events(form: Form) -> list[Line]:
    if not form.conversion_events:
        return [Line("None", "Only recipients and the revenue within 3 days are measured.")]
    return [
        Line(f"{letter(at)}{' (primary)' if at == 0 else ''}", event_words(one))
        for at, one in enumerate(form.conversion_events)
    ]


def event_words(event: EventForm) -> str:
    """Return a conversion event in words: `Makes a purchase · tea · within 3 days`."""
    parts = [_KIND.get(event.kind, event.kind)]
    if event.kind == "custom":
        parts = [event.name or "Custom event without a name"]
    listed = {"session": event.apps, "upgrade": event.apps, "purchase": event.products}.get(event.kind)
    if listed is not None:
        parts.append(", ".join(listed) or _ALL[event.kind])
    for one in event.where:
        bare = one.op in (Op.EXISTS, Op.NOT_EXISTS)
        value = "" if bare else f" {', '.join(values_of(one)) or _NONE}"
        parts.append(f"{one.property or _NONE} {_OP.get(one.op, one.op)}{value}")
    return " · ".join([*parts, within(event)])


def within(event: EventForm) -> str:
    """Return a deadline in words: `within 1 day`."""
    unit = event.unit.removesuffix("s") if event.number == "1" else event.unit
    return f"within {event.number or _NONE} {unit}"


def _analysis(form: Form) -> list[Line]:
    plan, selection = form.analysis, form.selection
    lines = [
        Line("Counting", COUNTINGS.get(form.counting, (form.counting, ""))[0]),
        Line("Plan", PLANS.get(plan.plan, (plan.plan, ""))[0]),
        Line("Smallest effect worth having", f"{plan.smallest_effect or _NONE} %"),
        Line("Minimum sample", f"{plan.minimum_sample or _NONE} recipients per variant"),
        Line("Counts as decided", MULTIPLE_TESTING.get(plan.multiple_testing, ("", plan.multiple_testing))[1]),
        Line("Guardrails", "; ".join(_guardrail(one) for one in plan.guardrails) or "none"),
    ]
    if selection.mode == "fixed":
        return [*lines, Line("Shares", "stay until somebody changes them")]
    how = "applied as they are made" if selection.automatic else "proposals until accepted"
    return [*lines, Line("Shares", f"chosen by Intelligent Selection every {selection.every}; its decisions are {how}")]


def _guardrail(one: GuardrailForm) -> str:
    return f"{_GUARDRAIL.get(one.event, one.event)} by at most {one.margin or _NONE} points"
