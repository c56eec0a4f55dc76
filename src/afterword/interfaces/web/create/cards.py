"""The step of conversion events: cards with what has been seen of them, and what complements them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from afterword.interfaces.web.create.defining import event_data
from afterword.interfaces.web.create.form import EventForm, Form
from afterword.interfaces.web.create.summary import within
from afterword.interfaces.web.create.templates import TEMPLATES
from afterword.interfaces.web.create.views import KINDS, Card, StepPage, Suggestion, letter
from afterword.model import MAX_CONVERSION_EVENTS

_KIND = dict(KINDS)


def with_cards(shown: StepPage) -> StepPage:
    """Return the page with its cards."""
    events = shown.form.conversion_events
    found = [
        Card(letter(at), f"conversion_events.{at}", one, first=at == 0, last=at == len(events) - 1)
        for at, one in enumerate(events)
    ]
    return replace(shown, cards=found, suggestions=[suggestion(one) for one in candidates(shown.form)])


def candidates(form: Form) -> Sequence[EventForm]:
    """Return what complements the primary, as the template that it is like has it."""
    events = form.conversion_events
    if not events or len(events) >= MAX_CONVERSION_EVENTS:
        return ()
    like = next((one for one in TEMPLATES.values() if one.event == events[0]), None)
    if like is None:
        like = next((one for one in TEMPLATES.values() if one.event.kind == events[0].kind), None)
    there = [event_data(one) for one in events]
    return [one for one in (like.also if like else ()) if event_data(one) not in there]


def suggestion(event: EventForm, share: str = "") -> Suggestion:
    """Return a conversion event as something to add, with the share of people who did it where that is known."""
    said = {"kind": event.kind, "name": event.name, "number": event.number, "unit": event.unit}
    label = event.name or _KIND[event.kind]
    about = within(event) + (f" · {share}" if share else "")
    return Suggestion(f"suggested:{json.dumps(said)}", label, about)
