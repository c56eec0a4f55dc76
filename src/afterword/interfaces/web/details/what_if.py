"""What if the conversion event were another one? Exploratory (rule 6): the page comes at once, the answer follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from afterword.interfaces.api.explorations import ask_of
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.web import written
from afterword.interfaces.web.create.defining import filter_data, typing_problems
from afterword.interfaces.web.create.form import FilterForm
from afterword.interfaces.web.create.views import OPS, VALUES
from afterword.interfaces.web.details.grids import Cell, Grid, Heading, Line, Numbers, named, scopes, variant_line
from afterword.interfaces.web.details.heading import moment
from afterword.interfaces.web.details.page import find
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import Campaign, Op
from afterword.reports import wording
from afterword.reports.page_charts import colours
from afterword.reports.report import described_events
from afterword.store.campaigns import StoredCampaign
from afterword.workspace.explorations import Exploration, Stage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = (
    ("purchase", "Makes purchase"),
    ("session", "Starts session"),
    ("custom", "Custom event"),
    ("upgrade", "Upgrades app"),
    ("message_open", "Opens message"),
    ("message_click", "Clicks message"),
)
LISTS = {"purchase": "products", "session": "apps", "upgrade": "apps"}
FIELDS = ("kind", "name", "only", "deadline")
FILTER = ("property", "op", "value", "of")
"""The fields of a filter; each may be there several times, in the order of the filters."""
MOST_FILTERS = 10
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    kind: str = "purchase"
    name: str = ""
    only: str = ""
    """Products or apps, with commas between them."""
    deadline: str = "7 days"
    filters: Sequence[FilterForm] = ()
    kinds: ClassVar = KINDS
    ops: ClassVar = OPS
    values: ClassVar = VALUES

    @property
    def places(self) -> Sequence[FilterForm]:
        """The filters that are there, and one more to be filled."""
        return [*self.filters, FilterForm()] if len(self.filters) < MOST_FILTERS else self.filters


@dataclass(frozen=True, slots=True)
class Version:
    """A definition that the campaign had."""

    version: str
    since: str
    events: Sequence[str]
    address: str
    now: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How far it is, or what came out."""

    is_over: bool
    doing: str
    percent: int
    failure: str
    as_of: str
    exploratory: bool
    again: str
    grids: Sequence[tuple[str, Grid]] = ()


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The page."""

    id: str
    campaign: str
    back: str
    asked: Asked
    versions: Sequence[Version]
    answer: Answer | None
    version: str = ""
    problems: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    """By field."""


def show(web: Web, visit: Visit) -> Response:
    """Show the question and, while it is asked again and again, how far the answer is."""
    stored = find(web, visit.must_ask("id"))
    answer: Answer | None = None
    problems: list[str] = []
    errors: dict[str, str] = {}
    status = 200
    version = visit.asked("version")
    if body := _body(visit):
        try:
            if wrong := [text for each in filters_of(visit) for text in typing_problems(_listed(each))]:
                raise bad_request("\n".join(wrong))
            one = ask_of(web.server, stored.campaign.id, _ENCODER.encode(body))
        except Refused as refused:
            if visit.part:
                raise
            status = refused.status
            problems, errors = _problems(refused.message)
        else:
            answer = _answer(one, stored, visit)
            if visit.part:
                return part("what_if_part.html.j2", visit, answer=answer)
    timezone = web.server.data.definitions().workspace.timezone
    view = WhatIf(
        id=stored.campaign.id,
        campaign=named(stored.campaign.name or stored.campaign.id)[0],
        back=link("/campaign", id=stored.campaign.id),
        asked=Asked(**{name: visit.asked(name) for name in FIELDS if name in visit.query}, filters=filters_of(visit)),
        versions=_versions(web, stored, timezone),
        answer=answer,
        version=version,
        problems=problems,
        errors=errors,
    )
    return page("what_if.html.j2", visit, "What if?", "overview", status, view=view)


def _body(visit: Visit) -> dict[str, Any] | None:
    """Return the question as the API takes it; None if nothing is asked yet."""
    if version := visit.asked("version"):
        return {"version": version}
    if not visit.asked("kind"):
        return None
    kind = visit.asked("kind")
    event: dict[str, Any] = {"kind": kind, "deadline": visit.asked("deadline").strip()}
    if kind == "custom":
        event["name"] = visit.asked("name").strip()
    only = [one.strip() for one in visit.asked("only").split(",") if one.strip()]
    if only and kind in LISTS:
        event[LISTS[kind]] = only
    if filters := filters_of(visit):
        event["where"] = [filter_data(_listed(one)) for one in filters]
    return {"conversion_events": [event]}


def filters_of(visit: Visit) -> list[FilterForm]:
    """Return the filters that were typed; one without a property and a value is none."""
    columns = [visit.query.get(name, []) for name in FILTER]
    typed = [FilterForm(*(text.strip() for text in one)) for one in zip(*columns, strict=False)]
    return [one for one in typed if one.property or one.value][:MOST_FILTERS]


def _listed(one: FilterForm) -> FilterForm:
    """Return a filter with its several values a line each; here they are typed with commas between them."""
    return replace(one, value="\n".join(each.strip() for each in one.value.split(","))) if one.op == Op.IN else one


def _problems(message: str) -> tuple[list[str], dict[str, str]]:
    """Return what is wrong in sentences, and by field."""
    problems: list[str] = []
    errors: dict[str, str] = {}
    for line in message.split("\n"):
        _, dot, said = line.partition("conversion_events[0].")
        name, colon, text = said.partition(": ")
        if not (dot and colon):
            problems.append(line)
            continue
        text = f"{text[:1].upper()}{text[1:]}."
        problems.append(text)
        errors["only" if name in LISTS.values() else name] = text
    return problems, errors


def _answer(one: Exploration, stored: StoredCampaign, visit: Visit) -> Answer:
    again = link(
        "/campaign/what-if",
        id=stored.campaign.id,
        **{name: visit.asked(name) for name in (*FIELDS, "version")},
    ) + "".join(f"&{urlencode([(name, getattr(one, name)) for name in FILTER])}" for one in filters_of(visit))
    numbers = Numbers(stored.campaign.id, visit.role)
    result = one.result
    doing = one.doing or ("waiting for another question" if one.stage is Stage.WAITING else "")
    return Answer(
        is_over=one.is_over,
        doing=doing,
        percent=round(100 * one.progress),
        failure=one.failure or "",
        as_of=written.moment(result["as_of"]) if result else "",
        exploratory=not visit.asked("version"),
        again=again,
        grids=[_grid(result, event, numbers) for event in result["conversion_events"]] if result else (),
    )


def _grid(result: Mapping[str, Any], event: Mapping[str, Any], numbers: Numbers) -> tuple[str, Grid]:
    letter = event["letter"]

    def cells(row: Mapping[str, Any]) -> list[Cell]:
        on = row["conversions"][letter]
        hidden = numbers.is_hidden(on["converted"]) or numbers.is_hidden(row["exposed"])
        apart = on["difference_interval"]
        between = " to ".join(written.signed(100 * bound, 2) for bound in apart) if apart else ""
        points = wording.NOTHING if on["difference"] is None else written.signed(100 * on["difference"], 2)
        return [
            Cell(numbers.text(row["exposed"])),
            Cell(numbers.text(on["converted"])),
            Cell(wording.NOTHING, tone="muted") if hidden else Cell(written.percent(on["rate"]), tone="strong"),
            Cell(wording.NOTHING if hidden else written.interval(on["interval"]), tone="small"),
            Cell(numbers.text(on["pending"])),
            Cell(wording.NOTHING) if hidden else Cell(points, between),
        ]

    title = f"{letter}. {wording.event_title(dict(event))}: {wording.event_sentence(dict(event))}"
    lines = [
        variant_line(variant, cells(variant), colour)
        for variant, colour in zip(result["variants"], colours(dict(result)), strict=True)
    ]
    totals = [Line(name, cells(row), note) for _, name, note, row in scopes(result)]
    headings = ["Variant", "Recipients", "Conversions", "Rate", "95 % interval", "Pending", "Points from control"]
    return named(title)[0], Grid(f"Variants on {letter}", [Heading(one) for one in headings], lines, totals)


def _versions(web: Web, stored: StoredCampaign, timezone: str) -> list[Version]:
    """Return the history of the definition, the newest first."""
    adopted = web.server.data.metadata.campaigns.versions(stored.campaign.id)
    return [
        Version(
            one.version,
            moment((EPOCH + timedelta(microseconds=one.adopted_at)).isoformat(), timezone),
            [named(sentence)[0] for sentence in _sentences(one.campaign)],
            link("/campaign/what-if", id=stored.campaign.id, version=one.version),
            place == 0,
        )
        for place, one in enumerate(reversed(adopted))
    ]


def _sentences(campaign: Campaign) -> list[str]:
    return [
        f"{event['letter']}. {wording.event_title(event)}: {wording.event_sentence(event)}"
        for event in described_events(campaign)
    ]
