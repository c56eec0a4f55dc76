"""What the buttons of the steps do: add, remove and move parts, share evenly, fill in templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from afterword.errors import UserError
from afterword.interfaces.web.create.defining import check
from afterword.interfaces.web.create.form import EventForm, FilterForm, Form, GuardrailForm, StepForm, VariantForm
from afterword.interfaces.web.create.templates import TEMPLATES
from afterword.model import LETTERS
from afterword.store.campaign_rules import percent

WHOLE = 10_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changed:
    """The form after a button, and where to go on."""

    form: Form
    focus: str
    """The field, button or part that is worked on next."""
    refused: str = ""
    """Why nothing was done."""


def do(form: Form, action: str) -> Changed | None:
    """Do what a button says; None if it says nothing of the kind.

    An action is a name and, after a colon, what it is done to: `remove-filter:0.2`.
    """
    name, _, at = action.partition(":")
    act = _ACTS.get(name)
    if act is None:
        return None
    try:
        return act(form, at)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):  # a page that is older than the draft
        raise UserError("the part that this button belongs to is not there any more") from None


# --- variants ---------------------------------------------------------------------------------------


def _add_variant(form: Form, _at: str) -> Changed:
    taken = {one.id for one in form.variants}
    letter = next(one for one in "abcdefghijklmnopqrstuvwxyz" if one not in taken)
    added = VariantForm(letter, f"Variant {letter.upper()}", "0")
    messages = [one for one in form.variants if not one.control]
    control = [one for one in form.variants if one.control]
    more = replace(form, variants=(*messages, added, *control))
    return _unless_refused(form, more, "variants", f"variants.{len(messages)}.name")


def _add_control(form: Form, _at: str) -> Changed:
    more = replace(form, variants=(*form.variants, VariantForm("control", "Control", "0", control=True)))
    return _unless_refused(form, more, "variants", f"variants.{len(form.variants)}.share")


def _remove_variant(form: Form, at: str) -> Changed:
    left = without(form.variants, int(at))
    return Changed(replace(form, variants=left), "add-variant")


def _even(form: Form, _at: str) -> Changed:
    """Share what control leaves equally; hundredths that are left go to the first."""
    held = sum(_hundredths(one.share) for one in form.variants if one.control)
    count = sum(not one.control for one in form.variants)
    each, rest = divmod(max(0, WHOLE - held), count) if count else (0, 0)
    variants, given = [], 0
    for one in form.variants:
        if not one.control:
            one, given = replace(one, share=percent(each + (given < rest))), given + 1
        variants.append(one)
    return Changed(replace(form, variants=tuple(variants)), "even")


def _hundredths(share: str) -> int:
    try:
        return round(float(share.removesuffix("%")) * 100)
    except ValueError:
        return 0


# --- steps of a Canvas ------------------------------------------------------------------------------


def _add_step(form: Form, _at: str) -> Changed:
    number = len(form.steps) + 1
    added = StepForm(f"step-{number}", f"Step {number}")
    return Changed(replace(form, steps=(*form.steps, added)), f"steps.{number - 1}.name")


def _remove_step(form: Form, at: str) -> Changed:
    return Changed(replace(form, steps=without(form.steps, int(at))), "add-step")


def _move_step(by: int) -> Callable[[Form, str], Changed]:
    def act(form: Form, at: str) -> Changed:
        steps, to = moved(form.steps, int(at), by)
        return Changed(replace(form, steps=steps), f"steps.{to}.name")

    return act


# --- conversion events ------------------------------------------------------------------------------


def _add_event(form: Form, _at: str) -> Changed:
    return _with_event(form, EventForm())


def _suggested(form: Form, at: str) -> Changed:
    said: dict[str, Any] = json.loads(at)
    event = EventForm(
        kind=str(said["kind"]), name=str(said.get("name", "")), number=str(said["number"]), unit=str(said["unit"])
    )
    return _with_event(form, event)


def _with_event(form: Form, event: EventForm) -> Changed:
    more = replace(form, conversion_events=(*form.conversion_events, event))
    place = f"conversion_events.{len(form.conversion_events)}.kind"
    return _unless_refused(form, more, "conversion_events", place)


def _remove_event(form: Form, at: str) -> Changed:
    order = without(tuple(range(len(form.conversion_events))), int(at))
    return _reordered(form, order, "add-event")


def _move_event(by: int) -> Callable[[Form, str], Changed]:
    def act(form: Form, at: str) -> Changed:
        order, to = moved(tuple(range(len(form.conversion_events))), int(at), by)
        return _reordered(form, order, f"conversion_events.{to}.kind")

    return act


def _place_event(form: Form, at: str) -> Changed:
    """Move an event to a place: `place-event:2.0` makes the third one the first."""
    old, _, new = at.partition(".")
    return _move_event(int(new) - int(old))(form, old)


def _reordered(form: Form, order: tuple[int, ...], focus: str) -> Changed:
    """Return the form with these of its conversion events in this order; guardrails go on to watch the same events."""
    letters = {LETTERS[old]: LETTERS[new] for new, old in enumerate(order) if old < len(LETTERS) and new < len(LETTERS)}
    guardrails = []
    for one in form.analysis.guardrails:
        watched, _, worse = one.event.partition(" ")
        if watched in LETTERS and letters.get(watched) in (None, LETTERS[0]):
            why = (
                f"A guardrail watches conversion event {watched}, which can neither go nor become the primary while it "
                "does. Guardrails stand among how results are judged, and stay as they are once measuring has started."
            )
            return Changed(form, "add-event", why)
        now = letters.get(watched, watched)
        guardrails.append(replace(one, event=f"{now} {worse}" if worse else now))
    events = tuple(form.conversion_events[old] for old in order)
    analysis = replace(form.analysis, guardrails=tuple(guardrails))
    return Changed(replace(form, conversion_events=events, analysis=analysis), focus)


def _template(form: Form, at: str) -> Changed:
    first = TEMPLATES[at].event
    events = (first, *form.conversion_events[1:])
    return Changed(replace(form, conversion_events=events), "conversion_events.0.kind")


def _add_filter(form: Form, at: str) -> Changed:
    event = form.conversion_events[int(at)]
    more = replace(event, where=(*event.where, FilterForm()))
    return Changed(_put(form, int(at), more), f"conversion_events.{at}.where.{len(event.where)}.property")


def _remove_filter(form: Form, at: str) -> Changed:
    number, _, position = at.partition(".")
    event = form.conversion_events[int(number)]
    less = replace(event, where=without(event.where, int(position)))
    return Changed(_put(form, int(number), less), f"add-filter.{number}")


def _add_text(form: Form, at: str) -> Changed:
    """Add what the field for one more holds: reading the form has done so already."""
    number, name = at.split(".")
    form.conversion_events[int(number)]
    return Changed(form, f"conversion_events.{number}.{name}.more")


def _remove_text(form: Form, at: str) -> Changed:
    number, name, position = at.split(".")
    event = form.conversion_events[int(number)]
    match name:
        case "apps":
            event = replace(event, apps=without(event.apps, int(position)))
        case "products":
            event = replace(event, products=without(event.products, int(position)))
    return Changed(_put(form, int(number), event), f"conversion_events.{number}.{name}.more")


def _choose(form: Form, at: str) -> Changed:
    """Take over something that was seen: `choose:["products", 0, "tea"]`."""
    name, number, value = json.loads(at)
    event = form.conversion_events[number]
    match name:
        case "name":
            return Changed(_put(form, number, replace(event, name=str(value))), f"conversion_events.{number}.number")
        case "apps":
            event = replace(event, apps=tuple(dict.fromkeys([*event.apps, str(value)])))
        case "products":
            event = replace(event, products=tuple(dict.fromkeys([*event.products, str(value)])))
    return Changed(_put(form, number, event), f"conversion_events.{number}.{name}.more")


def _choose_in_filter(form: Form, at: str) -> Changed:
    """Take over a property or a value: `choose-filter:["property", 0, 1, "total", "number"]`."""
    name, number, position, value, of = json.loads(at)
    event = form.conversion_events[number]
    one = event.where[position]
    if name == "property":
        one, focus = replace(one, property=str(value), of=str(of)), "op"
    else:
        lines = [*one.value.splitlines(), str(value)] if one.op == "in" else [str(value)]
        one, focus = replace(one, value="\n".join(lines), of=str(of)), "value"
    where = (*event.where[:position], one, *event.where[position + 1 :])
    return Changed(
        _put(form, number, replace(event, where=where)), f"conversion_events.{number}.where.{position}.{focus}"
    )


def _put(form: Form, number: int, event: EventForm) -> Form:
    events = form.conversion_events
    return replace(form, conversion_events=(*events[:number], event, *events[number + 1 :]))


# --- guardrails -------------------------------------------------------------------------------------


def _add_guardrail(form: Form, _at: str) -> Changed:
    taken = {one.event.partition(" ")[0] for one in form.analysis.guardrails}
    free = next(
        (one for one in ("unsubscribe", "complaint", "bounce", "B", "C", "D") if one not in taken), "unsubscribe"
    )
    more = replace(form.analysis, guardrails=(*form.analysis.guardrails, GuardrailForm(free)))
    return Changed(replace(form, analysis=more), f"analysis.guardrails.{len(more.guardrails) - 1}.event")


def _remove_guardrail(form: Form, at: str) -> Changed:
    less = replace(form.analysis, guardrails=without(form.analysis.guardrails, int(at)))
    return Changed(replace(form, analysis=less), "add-guardrail")


# --- lists ------------------------------------------------------------------------------------------


def without(items: tuple[T, ...], at: int) -> tuple[T, ...]:
    """Return the items but one."""
    items[at]
    return items[:at] + items[at + 1 :]


def moved(items: tuple[T, ...], at: int, by: int) -> tuple[tuple[T, ...], int]:
    """Return the items with one moved, and where it is now; at an end it stays."""
    to = min(max(0, at + by), len(items) - 1)
    left = list(without(items, at))
    left.insert(to, items[at])
    return tuple(left), to


def _unless_refused(before: Form, after: Form, name: str, focus: str) -> Changed:
    """Return the form after, unless the definitions' check says that its list is too long."""
    problem = check(after).mistakes.of(name)
    if problem and "at most" in problem and problem != check(before).mistakes.of(name):
        return Changed(before, f"add-{'event' if name == 'conversion_events' else 'variant'}", problem)
    return Changed(after, focus)


_ACTS: dict[str, Callable[[Form, str], Changed]] = {
    "add-variant": _add_variant,
    "add-control": _add_control,
    "remove-variant": _remove_variant,
    "even": _even,
    "add-step": _add_step,
    "remove-step": _remove_step,
    "up-step": _move_step(-1),
    "down-step": _move_step(1),
    "add-event": _add_event,
    "suggested": _suggested,
    "remove-event": _remove_event,
    "up-event": _move_event(-1),
    "down-event": _move_event(1),
    "place-event": _place_event,
    "template": _template,
    "add-filter": _add_filter,
    "remove-filter": _remove_filter,
    "add-text": _add_text,
    "remove-text": _remove_text,
    "choose": _choose,
    "choose-filter": _choose_in_filter,
    "add-guardrail": _add_guardrail,
    "remove-guardrail": _remove_guardrail,
}
