"""What has really been seen in the last 30 days, beside what is typed, so that a typo shows as never seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.errors import DefinitionError
from afterword.interfaces.api.braze_usage import cursor_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.seen import find_seen, shares_of
from afterword.interfaces.web import written
from afterword.interfaces.web.create.cards import candidates, suggestion
from afterword.interfaces.web.create.defining import EVENTS, event_data
from afterword.interfaces.web.create.form import NUMBER, TEXT, TRUTH, EventForm, FilterForm, Form, Kept
from afterword.interfaces.web.create.pages import find
from afterword.interfaces.web.create.summary import event_words
from afterword.interfaces.web.create.views import Suggestion, letter
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import MAX_CONVERSION_EVENTS, ConversionEvent, ConversionKind
from afterword.reports import wording
from afterword.reports.report import iso_time
from afterword.store.campaign_forms import from_document
from afterword.workspace import seen
from afterword.workspace.seen import FEW_USERS, Found, Look
from afterword.workspace.shares import Shares

OFFERED = 8
"""How many things are offered to choose from."""
LISTED = 1_000
"""Names whose counts are asked for at once."""
CUSTOM_OFFERED = 3
WHAT = {"name": "events", "apps": "apps", "products": "products"}
_NOUN = {"events": "event", "apps": "app", "products": "product", "properties": "property", "values": "value"}
_OF = {"number": NUMBER, "boolean": TRUTH}
_LOOKED_INTO = {"custom": "custom", "purchase": "purchase", "session": "session", "upgrade": "session"}
_LONGEST = 200
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Option:
    """Something that was seen, and the button that takes it over."""

    label: str
    count: str
    action: str


@dataclass(frozen=True, slots=True)
class Offered:
    """What fits what was typed so far."""

    options: Sequence[Option]
    said: str
    action: str
    """Where the form goes that the buttons belong to."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often something that a definition names was seen."""

    name: str
    said: str
    never: bool


@dataclass(frozen=True, slots=True)
class Did:
    """How many did what a conversion event asks for."""

    letter: str
    event: str
    users: str
    share: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would have come of the conversion events."""

    rows: Sequence[Did]
    seen: str
    sentence: str
    as_of: str
    problem: str


def offer(web: Web, visit: Visit) -> Response:
    """Offer names that were seen and fit what is typed."""
    draft, number = visit.must_ask("id"), _whole(visit, "event")
    what, field = visit.asked("what"), f"conversion_events.{number}"
    if what in WHAT:
        text = visit.asked(f"{field}.name" if what == "name" else f"{field}.{what}.more")
        found = _names(web, visit, WHAT[what], text.strip()[:_LONGEST], OFFERED)
        options = [
            Option(one["name"], written.number(one["count"]), "choose:" + json.dumps([what, number, one["name"]]))
            for one in found.items
        ]
        return _offered(visit, draft, options, found, WHAT[what], text)
    at = _whole(visit, "filter")
    property_ = visit.asked(f"{field}.where.{at}.property").strip()
    kind = _LOOKED_INTO.get(visit.asked(f"{field}.kind"))
    if kind is None or (what == "values" and not _can_be_asked(property_)):
        return part("create/offered.html.j2", visit, offered=Offered((), "", ""))
    typed = property_ if what == "properties" else visit.asked(f"{field}.where.{at}.value").strip()
    look = Look(visit.now, OFFERED, typed[:_LONGEST], kind, visit.asked(f"{field}.name").strip())
    with cursor_of(web.server) as con:
        if what == "properties":
            found = seen.properties(con, look)
            options = [_property(one, number, at) for one in found.items]
        else:
            found = seen.values(con, look, property_, least_users=FEW_USERS)
            options = [_value(one, number, at) for one in found.items]
    return _offered(visit, draft, options, found, what, typed)


def count(web: Web, visit: Visit) -> Response:
    """Say how often what a conversion event names was seen."""
    draft, number = find(web, visit.must_ask("id")), _whole(visit, "event")
    events = Kept.from_document(draft.document).form.conversion_events
    counts = _counts(web, visit, events[number]) if number < len(events) else []
    return part("create/counts.html.j2", visit, counts=counts)


def suggest(web: Web, visit: Visit) -> Response:
    """Suggest what complements the primary, with the share of people who did each."""
    draft = find(web, visit.must_ask("id"))
    form = Kept.from_document(draft.document).form
    view = _Suggested(link("/draft", id=draft.id, step=EVENTS), _suggestions(web, visit, form))
    return part("create/suggested.html.j2", visit, view=view)


def preview(web: Web, visit: Visit) -> Response:
    """Say what would have come of the conversion events in the last 30 days."""
    form = Kept.from_document(find(web, visit.must_ask("id")).document).form
    return part("create/previewed.html.j2", visit, preview=_preview(web, form))


@dataclass(frozen=True, slots=True)
class _Suggested:
    action: str
    suggestions: Sequence[Suggestion]
    draft: str = "yes"
    focus: str = ""


def _can_be_asked(path: str) -> bool:
    """Return whether a filter could name a property."""
    return read_event(EventForm("session", where=(FilterForm(path, "exists"),))) is not None


def _whole(visit: Visit, name: str) -> int:
    """Return a position; raises `Refused` for what is none."""
    text = visit.asked(name)
    if not text.isdecimal() or len(text) > _DIGITS:
        raise bad_request(f'{name} is "{text[:20]}", must be a position from 0')
    return int(text)


def _offered(visit: Visit, draft: str, options: list[Option], found: Found, what: str, text: str) -> Response:
    noun, typed = _NOUN[what], text.strip()
    if options:
        rest = f", {written.number(found.matching - len(options))} more" if found.matching > len(options) else ""
        said = f"Seen in the last 30 days{rest}:"
    elif typed:
        said = f'No {noun} with "{typed[:60]}" in it was seen in the last 30 days.'
    else:
        said = f"No {noun} was seen in the last 30 days."
    action = link("/draft", id=draft, step=EVENTS)
    return part("create/offered.html.j2", visit, offered=Offered(options, said, action))


def _property(one: Mapping[str, Any], number: int, at: int) -> Option:
    of = _OF.get(one["kinds"][0], TEXT) if one["kinds"] else TEXT
    action = "choose-filter:" + json.dumps(["property", number, at, one["name"], of])
    return Option(one["name"], written.number(one["count"]), action)


def _value(one: Mapping[str, Any], number: int, at: int) -> Option:
    text = str(one["value"])
    of = TRUTH if text in ("true", "false") else TEXT if text.startswith('"') else NUMBER
    label = str(json.loads(text)) if of == TEXT else text
    return Option(label, written.number(one["count"]), "choose-filter:" + json.dumps(["value", number, at, label, of]))


def _names(web: Web, visit: Visit, what: str, text: str, limit: int) -> Found:
    return find_seen(web.server, what, Look(visit.now, limit, text), "", 1)


def _counts(web: Web, visit: Visit, event: EventForm) -> list[Count]:
    field = {"custom": "name", "session": "apps", "upgrade": "apps", "purchase": "products"}.get(event.kind)
    if field is None:
        return []
    named = {"name": (event.name,) if event.name else (), "apps": event.apps, "products": event.products}[field]
    if not named:
        return []
    what = WHAT[field]
    known = {one["name"]: int(one["count"]) for one in _names(web, visit, what, "", LISTED).items}
    for name in named:
        if name not in known:
            known |= {one["name"]: int(one["count"]) for one in _names(web, visit, what, name, LISTED).items}
    return [Count(name, _times(known.get(name, 0)), name not in known) for name in named]


def _times(times: int) -> str:
    if not times:
        return "never seen in the last 30 days"
    return f"seen {'once' if times == 1 else f'{written.number(times)} times'} in the last 30 days"


def _suggestions(web: Web, visit: Visit, form: Form) -> list[Suggestion]:
    if not form.conversion_events or len(form.conversion_events) >= MAX_CONVERSION_EVENTS:
        return []
    named = _names(web, visit, "events", "", CUSTOM_OFFERED).items
    custom = [EventForm("custom", name=one["name"], number="7") for one in named]
    there = {one.name for one in form.conversion_events if one.kind == "custom"}
    forms = [*candidates(form), *(one for one in custom if one.name not in there)]
    events = [read_event(one) for one in forms]
    found = shares_of(web.server, [one for one in events if one is not None])
    users = iter(found.users)
    return [
        suggestion(form, _share(next(users) if event is not None else None, found.seen))
        for form, event in zip(forms, events, strict=True)
    ]


def _share(users: int | None, seen_users: int) -> str:
    if users is None or not seen_users:
        return ""
    return f"{written.percent(users / seen_users, 1)} of the people seen in the last 30 days did it"


def read_event(event: EventForm) -> ConversionEvent | None:
    """Return a conversion event; None if something is wrong with it."""
    alone = {"id": "x", "variants": [{"id": "x"}], "conversion_events": [event_data(event)]}
    try:
        return from_document("campaign", alone).conversion_events[0]
    except DefinitionError:
        return None


def _preview(web: Web, form: Form) -> Preview:
    events = [read_event(one) for one in form.conversion_events]
    known = [one for one in events if one is not None]
    if not known:
        problem = "No conversion event is complete yet." if events else "There is no conversion event to look for."
        return Preview((), "", "", "", problem)
    found = shares_of(web.server, known)
    users = iter(found.users)
    rows = [
        _did(letter(at), one, event, next(users) if event is not None else None, found)
        for at, (one, event) in enumerate(zip(form.conversion_events, events, strict=True))
    ]
    first = found.users[0] if events[0] is not None else None
    sentence = "" if first is None else f"Had this been running for the last 30 days, {_would(first)} have done A."
    as_of = written.moment(iso_time(found.as_of))
    return Preview(rows, written.number(found.seen), sentence, as_of, "")


def _would(users: int) -> str:
    if users < 2:
        return "one person would" if users else "nobody would"
    return f"{written.number(users)} people would"


def _did(letter_: str, form: EventForm, event: ConversionEvent | None, users: int | None, found: Shares) -> Did:
    if event is None or users is None:
        why = "not complete" if event is None else "only with messages"
        return Did(letter_, event_words(form), why, wording.NOTHING)
    share = written.percent(users / found.seen, 1) if found.seen else wording.NOTHING
    about = "about " if found.one_in > 1 and event.kind is ConversionKind.UPGRADE else ""
    return Did(letter_, event_words(form), about + written.number(users), share)
