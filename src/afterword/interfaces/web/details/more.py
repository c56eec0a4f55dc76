"""Parts of a campaign's page that are read later, since they look at many facts: news of messages, and breakdowns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.campaigns import from_results
from afterword.interfaces.api.latest_answers import latest
from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import Cell, Grid, Heading, Line, Numbers, named, variant_line
from afterword.interfaces.web.details.page import find, told_of
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import LETTERS, Campaign, Definitions
from afterword.reports import wording
from afterword.reports.charts import shortened
from afterword.reports.daily import DailyNumbers, days_until, first_of
from afterword.reports.day_series import day_of
from afterword.reports.page_charts import colours
from afterword.workspace.listing import EXPOSURES_OF_ALL, NO_CHANNEL, REPORTED
from afterword.workspace.live import Live

NEWS = {
    "message_delivered": "Delivered",
    "message_impression": "Shown",
    "message_open": "Opened",
    "message_click": "Clicked",
    "message_unsubscribe": "Unsubscribed",
    "message_complaint": "Complained",
    "message_bounced": "Bounced",
}
HEADING_LETTERS = 30
CHANNEL, ATTRIBUTE = "channel", "attribute:"
NAMES = {"email": "E-mail", "sms": "SMS"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page, or a page of its own for who has no script."""

    name: str
    """`messages` or `breakdown`."""
    title: str
    id: str
    campaign: str
    back: str
    grid: Grid | None
    nothing: str
    """Said where there is no table."""
    letter: str = ""
    attribute: str = ""
    """By what it is broken down; empty for the channel."""


def show_messages(web: Web, visit: Visit) -> Response:
    """Show opens, clicks and unsubscribes, where anybody reports them."""
    campaign = find(web, visit.must_ask("id")).campaign
    told = told_of(web, visit, campaign.id).data
    numbers = Numbers(campaign.id, visit.role)
    days: Sequence[str] = told["by_exposure_day"]["days"]
    grid = None
    if days:
        first = date.fromisoformat(days[0])
        last = day_of(web.server.clock(), told["timezone"])

        def ask(live: Live, definitions: Any, _now: int) -> DailyNumbers:
            return live.daily(definitions, campaign.id, first, last)

        counted = latest(web.server, campaign.id, ("messages", first, last), visit.patience, ask).data
        grid = _messages(told, counted, days_until(last, (last - first) // timedelta(days=1) + 1), numbers)
    nothing = "Nobody has reported what became of this campaign's messages: no delivery, open, click or unsubscribe."
    return _answer(visit, _part("messages", "Opens, clicks and unsubscribes", campaign, grid, nothing))


def show_breakdown(web: Web, visit: Visit) -> Response:
    """Show one conversion event by channel, or by an attribute of the users."""
    campaign = find(web, visit.must_ask("id")).campaign
    attribute = visit.asked("attribute").strip()
    known = LETTERS[: len(campaign.conversion_events)]
    letter = visit.asked("event", "A")
    letter = letter if letter and letter in known else known[:1]
    grid = None
    if letter:
        told = told_of(web, visit, campaign.id).data
        found = _broken_down(web, visit, campaign, letter, attribute)
        if found["groups"]:
            grid = _breakdown(told, found, attribute, Numbers(campaign.id, visit.role))
    title = f"By {named(attribute)[0]}" if attribute else "By channel"
    return _answer(
        visit, _part("breakdown", title, campaign, grid, "There is nothing to break down.", letter, attribute)
    )


def _broken_down(web: Web, visit: Visit, campaign: Campaign, letter: str, attribute: str) -> Mapping[str, Any]:
    def ask(live: Live, definitions: Definitions, now: int) -> dict[str, Any]:
        return live.breakdown(definitions, now, campaign.id, letter, ATTRIBUTE + attribute if attribute else CHANNEL)

    if attribute:  # its values may say who somebody is, so they are not kept
        return from_results(web.server, campaign.id, ask)
    return latest(web.server, campaign.id, ("channels", letter), visit.patience, ask).data


def _part(
    name: str, title: str, campaign: Campaign, grid: Grid | None, nothing: str, letter: str = "", attribute: str = ""
) -> Part:
    shown, _ = named(campaign.name or campaign.id)
    back = link("/campaign", id=campaign.id, event=letter)
    return Part(name, title, campaign.id, shown, back, grid, nothing, letter, attribute)


def _answer(visit: Visit, view: Part) -> Response:
    if visit.part:
        return part("more_part.html.j2", visit, view=view)
    return page("more.html.j2", visit, view.title, "overview", view=view)


def _messages(told: Mapping[str, Any], counted: DailyNumbers, days: Sequence[date], numbers: Numbers) -> Grid | None:
    kinds = [kind for kind in NEWS if any(reported == kind for reported, _ in counted.reported)]
    if not kinds:
        return None
    lines = []
    for place, (variant, colour) in enumerate(zip(told["variants"], colours(dict(told)), strict=True)):
        if variant["control"]:
            continue
        sums = counted.by_variant.get(place)
        exposures = variant["exposures"]
        counts = [sums.count(first_of(kind), days) if sums else 0 for kind in kinds]
        cells = [
            numbers.people(count, variant["id"], "", REPORTED + kind, numbers.part(count, exposures))
            for kind, count in zip(kinds, counts, strict=True)
        ]
        messages = numbers.people(exposures, variant["id"], "", EXPOSURES_OF_ALL)
        lines.append(variant_line(variant, [messages, *cells], colour))
    headings = [Heading("Variant"), Heading("Messages"), *(Heading(NEWS[kind]) for kind in kinds)]
    note = (
        "Messages of which this was reported at least once, of all exposures with a message. Clicks by scanners are "
        "left out; opens by mail proxies cannot be told apart where the sender does not mark them."
    )
    return Grid("What was reported of the messages", headings, lines, note=note)


def _breakdown(told: Mapping[str, Any], found: Mapping[str, Any], attribute: str, numbers: Numbers) -> Grid:
    shown = {variant["id"]: named(wording.variant_name(dict(variant)))[0] for variant in told["variants"]}
    lines = []
    for group in found["groups"]:
        cells = []
        for variant in told["variants"]:
            one = group["variants"].get(variant["id"])
            if one is None or not one["exposed"]:
                cells.append(Cell(wording.NOTHING, tone="muted"))
                continue
            hidden = numbers.is_hidden(one["converted"]) or numbers.is_hidden(one["exposed"])
            below = [
                _listed(numbers, one[state], variant["id"], found["conversion_event"], state, group["value"], attribute)
                for state in ("converted", "exposed")
            ]
            share = wording.NOTHING if hidden else written.percent(one["rate"])
            cells.append(Cell(share, below=(below[0], below[1])))
        lines.append(Line(_group_name(group["value"], attribute), cells))
    left_off = f" {written.number(found['left_off'])} smaller groups are left off." if found["left_off"] else ""
    note = "Groups are looked at after the fact: of many, some differ by chance alone. Nothing here is a verdict."
    headings = [
        Heading(named(attribute)[0] if attribute else "Channel"),
        *(Heading(shortened(name, HEADING_LETTERS)) for name in shown.values()),
    ]
    return Grid(f"Rate on {found['conversion_event']} by group", headings, lines, note=note + left_off)


def _listed(
    numbers: Numbers, count: int, variant: str, letter: str, state: str, value: str | None, attribute: str
) -> Cell:
    """Return a number of a group that leads to its people; an address cannot tell an empty value from one not known."""
    if value == "":
        return Cell(numbers.text(count))
    group = {"attribute": attribute, "value": value or ""} if attribute else {"channel": value or NO_CHANNEL}
    return numbers.people(count, variant, letter, state, **group)


def _group_name(value: str | None, attribute: str) -> str:
    if value is None:
        return "not known" if attribute else "no channel"
    return named(value)[0] if attribute else channel_name(value)


def channel_name(channel: str) -> str:
    """Return how a channel is called."""
    return NAMES.get(channel, channel.replace("_", "-").capitalize())
