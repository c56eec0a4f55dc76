"""The charts over time: a part of a campaign's page that comes after the rest, and their tables as files."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from afterword.intake.instants import is_date
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.web.details.grids import Numbers
from afterword.interfaces.web.details.page import find, told_of
from afterword.interfaces.web.details.plots import Plot, plots
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import HEADERS, page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import LETTERS, Campaign
from afterword.reports.render_csv import guarded

TAG_LETTERS = 16


@dataclass(frozen=True, slots=True)
class File:
    """A chart and where its table can be had as a file."""

    plot: Plot
    csv: str


@dataclass(frozen=True, slots=True)
class OverTime:
    """The charts."""

    id: str
    name: str
    back: str
    letter: str
    first: str
    last: str
    begins: str
    """The campaign's first day."""
    ends: str
    files: Sequence[File]
    again: str


def show(web: Web, visit: Visit) -> Response:
    """Show the charts: for the page that asks for this part, or alone."""
    stored = find(web, visit.must_ask("id"))
    campaign = stored.campaign
    first, last = _day(visit, "from"), _day(visit, "to")
    if first and last and first > last:
        raise bad_request(f"from is {first}, must not be after to, {last}")
    letter = _letter(campaign, visit.asked("event", "A"))
    told = told_of(web, visit, campaign.id).data
    drawn = plots(told, campaign, letter or None, Numbers(campaign.id, visit.role), first, last)
    if wanted := visit.asked("csv"):
        return _file(drawn, wanted)
    asked = {"id": campaign.id, "event": letter}
    span = {"from": first, "to": last}
    view = OverTime(
        id=campaign.id,
        name=campaign.name or campaign.id,
        back=link("/campaign", **asked),
        letter=letter,
        first=first,
        last=last,
        begins=next(iter(told["by_day"]["days"]), ""),
        ends=next(reversed(told["by_day"]["days"]), ""),
        files=[File(one, link("/campaign/over-time", **asked, **span, csv=one.id)) for one in drawn],
        again=link("/campaign/over-time", **asked),
    )
    tag = hashlib.sha256(repr(view).encode("utf-8", "replace")).hexdigest()[:TAG_LETTERS]
    if not visit.part:
        return page("over_time.html.j2", visit, "Over time", "overview", view=view, tag=tag)
    if visit.asked("drawn") == tag:
        return Response(status_code=204, headers=HEADERS)
    return part("over_time_part.html.j2", visit, view=view, tag=tag)


def _letter(campaign: Campaign, asked: str) -> str:
    known = LETTERS[: len(campaign.conversion_events)]
    return asked if len(asked) == 1 and asked in known else known[:1]


def _day(visit: Visit, name: str) -> str:
    text = visit.asked(name).strip()
    if not text:
        return ""
    if not is_date(text):
        raise bad_request(f'{name} is "{text[:30]}", must be a date such as 2026-03-31')
    return date.fromisoformat(text).isoformat()


def _file(drawn: Sequence[Plot], wanted: str) -> Response:
    plot = next((one for one in drawn if one.id == wanted), None)
    if plot is None:
        raise Refused(404, "there is no such chart")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["day", *(guarded(line.name) for line in plot.lines)])
    writer.writerows([row.day, *(point.value for point in row.points)] for row in plot.rows)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{plot.id}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
