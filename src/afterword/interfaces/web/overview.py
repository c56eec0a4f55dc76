"""The first page: every campaign and Canvas in a row, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.campaigns import stored_campaigns
from afterword.interfaces.api.faults import Refused
from afterword.interfaces.api.overview import overview_of
from afterword.interfaces.web import words, written
from afterword.interfaces.web.bars import RateBar, rate_bars
from afterword.interfaces.web.create.listing import Begun, begun
from afterword.interfaces.web.details.grids import Numbers
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.reports import wording
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign
from afterword.workspace.latest import StillMaking

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
    incremental: str
    incremental_interval: str
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody should look at."""

    text: str
    address: str
    link: str


@dataclass(frozen=True, slots=True)
class Total:
    """Over all campaigns, each user and purchase once."""

    converted: str
    revenue: str
    sum: str
    """What the campaigns' own numbers would add up to."""


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
    again: str
    """Where newer numbers can be asked for soon; empty where there are none to come."""
    drafts: Sequence[Begun]
    total: Total | None


def show(web: Web, visit: Visit) -> Response:
    """Show it; a part of the page asks for itself again and again."""
    view = _overview(web, visit)
    if visit.part:
        return part("overview_part.html.j2", visit, view=view)
    return page("overview.html.j2", visit, "Overview", "overview", view=view)


def _overview(web: Web, visit: Visit) -> Overview:
    created = stored_campaigns(web.server)
    told, waiting, newer_comes = _told(web, visit, created)
    stored = created[::-1]
    results = {one["id"]: one["results"] for one in told["campaigns"] if one["results"]} if told else {}
    tags = sorted({tag for one in stored for tag in one.campaign.tags})
    filters = Filters(
        q=visit.asked("q").strip(),
        tag=visit.asked("tag"),
        status=visit.asked("status"),
        kind=visit.asked("kind"),
        sort=visit.asked("sort") or SORTS[0][0],
        tags=(("", "All tags"), *((tag, tag) for tag in tags)),
    )
    numbers = Numbers("", visit.role)
    chosen = _sorted([one for one in stored if _is_shown(one, filters)], results, filters.sort)
    shown = [_shown(results.get(one.campaign.id), numbers) for one in chosen]
    currency = told["currency"] if told else ""
    rows = [
        _row(one, each, bar, numbers, currency) for one, each, bar in zip(chosen, shown, rate_bars(shown), strict=True)
    ]
    return Overview(
        rows,
        len(stored),
        filters,
        _attention(stored, results),
        written.moment(told["as_of"]) if told else "",
        waiting,
        visit.address if newer_comes else "",
        begun(web, visit),
        _total(told["total"], numbers, currency) if told and len(results) > 1 else None,
    )


def _told(web: Web, visit: Visit, stored: Sequence[StoredCampaign]) -> tuple[Mapping[str, Any] | None, str, bool]:
    """Return the numbers or else why there are none, and whether others come soon."""
    try:
        found = overview_of(web.server, visit.patience, must=False, stored=stored)
    except StillMaking:
        return None, "They are being counted; this page shows them as soon as they are.", True
    except Refused as refused:
        return None, refused.message, False
    return found.data, "", found.newer_comes


def _shown(results: Mapping[str, Any] | None, numbers: Numbers) -> Mapping[str, Any] | None:
    """Return a campaign's results, without rate where so few converted that it would say who."""
    if results is None or not (numbers.is_hidden(results["converted"]) or numbers.is_hidden(results["recipients"])):
        return results
    return {**results, "rate": None, "interval": None}


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


def _sorted(rows: list[StoredCampaign], results: Mapping[str, Any], sort: str) -> list[StoredCampaign]:
    def number(one: StoredCampaign) -> float:
        found = results.get(one.campaign.id)
        if found is None:
            return -1.0
        return float(found["revenue"]["amount"] if sort == "revenue" else found[sort] or 0)

    if sort == "name":
        return sorted(rows, key=lambda one: (one.campaign.name or one.campaign.id).casefold())
    return sorted(rows, key=number, reverse=True) if sort in ("recipients", "rate", "revenue") else rows


def _row(
    stored: StoredCampaign, results: Mapping[str, Any] | None, bar: RateBar | None, numbers: Numbers, currency: str
) -> Row:
    campaign = stored.campaign
    few = results is not None and numbers.is_hidden(results["revenue"]["purchases"])
    money = None if results is None or few else results
    verdict = results["verdict"] if results else None
    between = money["incremental_revenue_interval"] if money else None
    return Row(
        id=campaign.id,
        name=campaign.name or campaign.id,
        kind=words.kind(campaign.kind),
        status=stored.status.value,
        status_label=words.STATUS[stored.status],
        details=link("/campaign", id=campaign.id),
        tags=campaign.tags,
        recipients=numbers.text(results["recipients"] if results else None),
        rate=written.percent(results["rate"] if results else None),
        interval=written.interval(results["interval"] if results else None),
        bar=bar,
        revenue=written.money(money["revenue"]["amount"] if money else None, currency),
        incremental=written.money(money["incremental_revenue"] if money else None, currency),
        incremental_interval=" to ".join(written.money(bound, currency) for bound in between) if between else "",
        verdict=words.VERDICT.get(verdict["answer"], "") if verdict else "",
        sentence=written.sentence(verdict["sentence"], _names(stored)) if verdict else "",
    )


def _total(total: Mapping[str, Any], numbers: Numbers, currency: str) -> Total:
    few = numbers.is_hidden(total["revenue"]["purchases"])
    return Total(
        converted=numbers.text(total["converted"]),
        revenue=wording.NOTHING if few else written.money(total["revenue"]["amount"], currency),
        sum=numbers.text(total["sum_of_campaigns"]["converted"]),
    )


def _names(stored: StoredCampaign) -> list[str]:
    campaign = stored.campaign
    return [campaign.name or "", campaign.id, *(name for one in campaign.variants for name in (one.name or "", one.id))]


def _attention(stored: Sequence[StoredCampaign], results: Mapping[str, Any]) -> list[Attention]:
    return [
        Attention(
            written.sentence(f"{one.campaign.name or one.campaign.id}: {each['message']}", _names(one)),
            link("/campaign", id=one.campaign.id),
            "Look",
        )
        for one in stored
        if one.status is Status.RUNNING and one.campaign.id in results
        for each in results[one.campaign.id]["attention"]
    ]
