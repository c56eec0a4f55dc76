"""The first page: every campaign and Canvas in a row, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.campaigns import report_of
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.web import words
from afterword.interfaces.web.bars import RateBar, rate_bars
from afterword.interfaces.web.create.listing import Begun, begun
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.reports import wording
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign

PER_PAGE = 10_000
SORTS = (
    ("newest", "Newest first"),
    ("name", "Name"),
    ("recipients", "Recipients"),
    ("rate", "Rate"),
    ("revenue", "Revenue"),
)
SHOWN = {"": "All but archived", **{status.value: label for status, label in words.STATUS.items()}}


@dataclass(frozen=True, slots=True)
class Row:
    """One campaign or Canvas."""

    id: str
    name: str
    kind: str
    status: str
    status_label: str
    details: str
    """The address of its page."""
    tags: Sequence[str]
    recipients: str
    rate: str
    interval: str
    bar: RateBar | None
    revenue: str
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody should look at."""

    text: str
    address: str
    link: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What is shown, and in which order."""

    q: str
    tag: str
    status: str
    kind: str
    sort: str
    tags: Sequence[tuple[str, str]]
    statuses: Sequence[tuple[str, str]] = tuple(SHOWN.items())
    kinds: Sequence[tuple[str, str]] = (
        ("", "All kinds"),
        ("campaign", "Campaigns"),
        ("canvas", "Canvases"),
    )
    sorts: Sequence[tuple[str, str]] = SORTS

    @property
    def any(self) -> bool:
        """Whether something may be hidden."""
        return bool(self.q or self.tag or self.status or self.kind)


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows."""

    rows: Sequence[Row]
    of: int
    """How many there are without filters."""
    filters: Filters
    attention: Sequence[Attention]
    as_of: str
    waiting: str
    """Why there are no numbers; empty where there are."""
    drafts: Sequence[Begun]


def show(web: Web, visit: Visit) -> Response:
    """Show it; a part of the page asks for itself again and again."""
    view = _overview(web, visit)
    if visit.part:
        return part("overview_part.html.j2", visit, view=view)
    return page("overview.html.j2", visit, "Overview", "overview", view=view)


def _overview(web: Web, visit: Visit) -> Overview:
    stored = web.server.data.metadata.campaigns.list(page_size=PER_PAGE, include_archived=True, newest_first=True)
    report, waiting = _report(web)
    told = {one["id"]: one for one in report.get("campaigns", ())}
    tags = sorted({tag for one in stored for tag in one.campaign.tags})
    filters = Filters(
        q=visit.asked("q").strip(),
        tag=visit.asked("tag"),
        status=visit.asked("status"),
        kind=visit.asked("kind"),
        sort=visit.asked("sort") or SORTS[0][0],
        tags=(("", "All tags"), *((tag, tag) for tag in tags)),
    )
    chosen = _sorted([one for one in stored if _is_shown(one, filters)], told, filters.sort)
    bars = rate_bars([_primary(told.get(one.campaign.id)) for one in chosen])
    rows = [_row(one, told.get(one.campaign.id), bar) for one, bar in zip(chosen, bars, strict=True)]
    as_of = wording.moment(report["as_of"]) if report else ""
    return Overview(rows, len(stored), filters, _attention(stored, told), as_of, waiting, begun(web, visit))


def _report(web: Web) -> tuple[Mapping[str, Any], str]:
    try:
        return report_of(web.server, None), ""
    except Refused as refused:
        return {}, refused.message


def _is_shown(one: StoredCampaign, filters: Filters) -> bool:
    if filters.status:
        if one.status.value != filters.status:
            return False
    elif one.status is Status.ARCHIVED:
        return False
    campaign = one.campaign
    text = f"{campaign.name or ''}\n{campaign.id}\n{one.description}".casefold()
    return (
        filters.q.casefold() in text
        and (not filters.tag or filters.tag in campaign.tags)
        and (not filters.kind or filters.kind == campaign.kind)
    )


def _sorted(rows: list[StoredCampaign], told: Mapping[str, Any], sort: str) -> list[StoredCampaign]:
    def number(one: StoredCampaign) -> float:
        found = told.get(one.campaign.id)
        if found is None:
            return -1.0
        if sort == "recipients":
            return float(found["total"]["exposed"])
        if sort == "revenue":
            return float(found["total"]["revenue"]["amount"])
        return float((_primary(found) or {}).get("rate") or 0)

    if sort == "name":
        return sorted(rows, key=lambda one: (one.campaign.name or one.campaign.id).casefold())
    return sorted(rows, key=number, reverse=True) if sort in ("recipients", "rate", "revenue") else rows


def _primary(told: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return told["total"]["conversions"].get("A") if told else None


def _row(stored: StoredCampaign, told: Mapping[str, Any] | None, bar: RateBar | None) -> Row:
    campaign = stored.campaign
    primary = _primary(told) or {"rate": None, "interval": None}
    verdict = told["verdict"] if told else None
    return Row(
        id=campaign.id,
        name=campaign.name or campaign.id,
        kind=words.kind(campaign.kind),
        status=stored.status.value,
        status_label=words.STATUS[stored.status],
        details=link("/campaign", id=campaign.id),
        tags=campaign.tags,
        recipients=wording.number(told["total"]["exposed"] if told else None),
        rate=wording.percent(primary["rate"]),
        interval=wording.interval(primary["interval"]),
        bar=bar,
        revenue=wording.money(told["total"]["revenue"]["amount"], told["currency"]) if told else wording.NOTHING,
        verdict=words.VERDICT.get(verdict["answer"], "") if verdict else "",
        sentence=verdict["sentence"] if verdict else "",
    )


def _attention(stored: Sequence[StoredCampaign], told: Mapping[str, Any]) -> list[Attention]:
    found = []
    for one in stored:
        if one.status is not Status.RUNNING or one.campaign.id not in told:
            continue
        verdict = told[one.campaign.id]["verdict"]
        if verdict and verdict["answer"] in words.NEEDS_ATTENTION:
            name = one.campaign.name or one.campaign.id
            found.append(Attention(f"{name}: {verdict['sentence']}", link("/campaign", id=one.campaign.id), "Look"))
    return found
