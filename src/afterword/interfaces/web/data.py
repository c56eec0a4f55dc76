"""What comes in: the latest facts, what was seen lately, what could not be used, and how far the results are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from afterword.interfaces.api.arriving import latest_facts, refusals_of
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.seen import find_seen
from afterword.interfaces.web import written
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import page, part
from afterword.interfaces.web.visits import Visit, Web
from afterword.reports import wording
from afterword.reports.report import iso_time
from afterword.store.accounts import Role
from afterword.workspace.seen import FEW_USERS, Look

LATEST, DAYS, EXAMPLES, SEEN = 30, 30, 3, 50
WHAT = (
    ("events", "Custom events"),
    ("products", "Products"),
    ("apps", "Apps"),
    ("versions", "Versions"),
    ("properties", "Properties"),
)
KINDS = (("custom", "of custom events"), ("purchase", "of purchases"), ("session", "of sessions"))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A fact that came in."""

    received: str
    kind: str
    name: str
    campaign: str
    address: str
    user: str
    occurred: str
    sender: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items could not be used."""

    reason: str
    count: str
    last: str
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the results are."""

    arrived: str
    known: str
    behind: str
    failure: str


@dataclass(frozen=True, slots=True)
class Data:
    """What the page shows."""

    arrived: Sequence[Arrived]
    reasons: Sequence[Reason]
    rejected: str
    lag: Lag
    persons: bool
    """Whether the reader may see who somebody is."""


@dataclass(frozen=True, slots=True)
class SeenItem:
    """A name that was seen."""

    name: str
    kinds: str
    """Of a property's values; empty for other names."""
    count: str
    last: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in the last 30 days."""

    what: str
    kind: str
    q: str
    items: Sequence[SeenItem]
    matching: str
    sampled: str
    choices: Sequence[tuple[str, str]] = WHAT
    kinds: Sequence[tuple[str, str]] = KINDS


def show(web: Web, visit: Visit) -> Response:
    """Show what comes in; the page asks for its parts again every few seconds."""
    persons = visit.role.includes(Role.ANALYST)
    told = latest_facts(web.server, LATEST, persons)
    refused = refusals_of(web.server, DAYS, EXAMPLES, persons)
    view = Data(
        arrived=[_arrived(one) for one in told["arrivals"]],
        reasons=[_reason(one) for one in refused["reasons"]],
        rejected=written.number(refused["count"]),
        lag=_lag(web),
        persons=persons,
    )
    if visit.part:
        return part("data_part.html.j2", visit, view=view)
    return page("data.html.j2", visit, "Data", "data", view=view)


def show_seen(web: Web, visit: Visit) -> Response:
    """Show which names were seen in the last 30 days."""
    what, kind, q = visit.asked("what", WHAT[0][0]), visit.asked("kind", KINDS[0][0]), visit.asked("q").strip()
    if what not in dict(WHAT) or kind not in dict(KINDS):
        raise bad_request(f'"{(what if what not in dict(WHAT) else kind)[:40]}" is nothing that is looked for here')
    look = Look(as_of=visit.now, limit=SEEN, text=q, kind=kind)
    least = 1 if visit.role.includes(Role.ANALYST) else FEW_USERS
    found = find_seen(web.server, what, look, "", least)
    view = Seen(
        what=what,
        kind=kind,
        q=q,
        items=[_item(one) for one in found.items],
        matching=written.number(found.matching),
        sampled=written.number(found.one_in) if found.one_in > 1 else "",
    )
    if visit.part:
        return part("seen_part.html.j2", visit, view=view)
    return page("seen.html.j2", visit, "Seen lately", "data", view=view)


def _arrived(one: Mapping[str, Any]) -> Arrived:
    campaign = one["campaign"] or ""
    return Arrived(
        received=written.second(one["received_at"]),
        kind=one["kind"].replace("_", " "),
        name=one["name"] or "",
        campaign=", ".join(part for part in (campaign, one["variant"]) if part),
        address=link("/campaign", id=campaign) if campaign else "",
        user=one["user_id"] or "",
        occurred=written.second(one["occurred_at"]),
        sender=one["key"] or wording.NOTHING,
    )


def _reason(one: Mapping[str, Any]) -> Reason:
    messages = [each["message"] for each in one["examples"] if each["message"]]
    last = max(one["days"], default="")
    shown = written.day(last, year=True) if last else wording.NOTHING
    return Reason(one["reason"], written.number(one["count"]), shown, list(dict.fromkeys(messages)))


def _lag(web: Web) -> Lag:
    keeper = web.server.data.keeper
    behind = max(0, keeper.loaded - keeper.attributed)
    return Lag(
        arrived=written.number(keeper.loaded),
        known=written.number(keeper.attributed),
        behind=f"{written.number(behind)} requests" if behind else "nothing",
        failure=keeper.failure or "",
    )


def _item(one: Mapping[str, Any]) -> SeenItem:
    last = one.get("last_seen")
    return SeenItem(
        name=one["name"],
        kinds=", ".join(one.get("kinds", ())),
        count=written.number(one["count"]),
        last=written.moment(iso_time(last)) if last else "",
    )
