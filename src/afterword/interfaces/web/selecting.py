"""Intelligent Selection of one campaign: shares over time, each decision with its reason, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, get_args

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.api.faults import bad_request
from afterword.interfaces.api.selection import act, standing
from afterword.interfaces.api.selection_types import Action, Asked
from afterword.interfaces.web import written
from afterword.interfaces.web.links import link
from afterword.interfaces.web.rendering import go, page
from afterword.interfaces.web.visits import Visit, Web
from afterword.model import Campaign
from afterword.reports import wording

LISTED = 100
BAR = 200
"""How wide the bar of a decision is."""
STAGES = {
    "training": ("Training", "Every variant has an equal share until enough people saw each."),
    "learning": ("Learning", "Better variants get larger shares, and the others enough to be sure."),
    "settled": ("Settled", "Going on would hardly raise the rate any more: the best variant has the largest share."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A variant's share in the bar of a decision."""

    name: str
    colour: str
    share: str
    at: float
    width: float


@dataclass(frozen=True, slots=True)
class Made:
    """One decision."""

    number: int
    when: str
    cause: str
    stage: str
    parts: Sequence[Part]
    standing: str
    waits: bool
    """Whether it can be accepted."""
    address: str


@dataclass(frozen=True, slots=True)
class Known:
    """What a decision knew of a variant."""

    name: str
    colour: str
    share: str
    before: str
    users: str
    converted: str
    open: str
    rate: str
    interval: str
    best: str
    arrived: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The decision that is shown whole."""

    number: int
    when: str
    reason: str
    remaining: str
    replays: bool
    variants: Sequence[Known]


@dataclass(frozen=True, slots=True)
class Selecting:
    """What the page shows."""

    id: str
    name: str
    details: str
    chosen: bool
    """Whether the campaign has Intelligent Selection at all."""
    automatic: bool
    stage: str
    meaning: str
    paused: str
    due: str
    made: Sequence[Made]
    shown: Shown | None
    error: str = ""


def show(web: Web, visit: Visit) -> Response:
    """Show it, with the decision that is asked for or the newest."""
    number = visit.asked("decision")
    if number and not number.isdecimal():
        raise bad_request(f'decision is "{number[:20]}", must be the number of one')
    return _page(web, visit, visit.must_ask("id"), int(number) if number else None)


def change(web: Web, visit: Visit) -> Response:
    """Decide now, accept a decision, pause or resume."""
    campaign, action = visit.sent("id"), visit.sent("action")
    if action not in get_args(Action):
        raise bad_request(f'action is "{action[:20]}", must be one of {", ".join(get_args(Action))}')
    asked: dict[str, Any] = {"action": action}
    if action == "accept" and visit.sent("decision").isdecimal():
        asked["decision"] = int(visit.sent("decision"))
    try:
        act(web.server, campaign, Asked(**asked))  # type: ignore[typeddict-item]  # checked above
    except UserError as error:
        return _page(web, visit, campaign, None, str(error))
    web.server.data.metadata.audit.add(visit.now, visit.account.id, f"selection.{action}", campaign, asked)
    return go(link("/campaign/selection", id=campaign))


def _page(web: Web, visit: Visit, campaign_id: str, number: int | None, error: str = "") -> Response:
    stored = web.server.data.metadata.campaigns.get(campaign_id)
    told = standing(web.server, campaign_id, number, LISTED)
    view = _view(stored.campaign, told, error)
    status = 409 if error else 200
    return page("selection.html.j2", visit, f"Selection of {view.name[:80]}", "overview", status, view=view)


def _view(campaign: Campaign, told: Mapping[str, Any], error: str) -> Selecting:
    settings = told["settings"]
    stage, meaning = STAGES.get(told["stage"] or "", ("No decision yet", ""))
    decision = told["decision"]
    newest = told["decisions"][0]["number"] if told["decisions"] else None
    return Selecting(
        id=campaign.id,
        name=campaign.name or campaign.id,
        details=link("/campaign", id=campaign.id),
        chosen=bool(settings) and settings["mode"] == "intelligent",
        automatic=bool(settings) and settings.get("automatic", True),
        stage=stage,
        meaning=meaning,
        paused=written.moment(told["paused_at"]) if told["paused_at"] else "",
        due=written.moment(told["due_at"]) if told["due_at"] else "",
        made=[_made(campaign, one, waits=one["number"] == newest) for one in told["decisions"]],
        shown=_shown(campaign, decision) if decision else None,
        error=error,
    )


def _made(campaign: Campaign, one: Mapping[str, Any], *, waits: bool) -> Made:
    shares = [float(one["shares"].get(variant.id, 0.0)) for variant in campaign.variants]
    ends = [0.0, *accumulate(shares)]
    names, colours = _named(campaign)
    parts = [
        Part(names[v.id], colours[v.id], _percent(share), round(BAR * begin / 100, 1), round(BAR * share / 100, 1))
        for v, share, begin in zip(campaign.variants, shares, ends, strict=False)
        if share
    ]
    applied = one["applied_at"]
    return Made(
        number=one["number"],
        when=written.moment(one["decided_at"]),
        cause="by schedule" if one["cause"] == "schedule" else "asked for",
        stage=STAGES[one["stage"]][0],
        parts=parts,
        standing=f"in force since {written.moment(applied)}"
        if applied
        else "waits to be accepted"
        if waits
        else "was not accepted",
        waits=waits and not applied,
        address=link("/campaign/selection", id=campaign.id, decision=str(one["number"])),
    )


def _shown(campaign: Campaign, one: Mapping[str, Any]) -> Shown:
    names, colours = _named(campaign)
    remaining = one["value_remaining"]
    return Shown(
        number=one["number"],
        when=written.moment(one["decided_at"]),
        reason=one["reason"],
        remaining="" if remaining is None else written.percent(remaining, 1),
        replays=one["replays"],
        variants=[
            Known(
                name=names.get(variant["id"], variant["id"]),
                colour=colours.get(variant["id"], ""),
                share=_percent(variant["share"]),
                before=_percent(variant["share_before"]),
                users=written.number(variant["users"]),
                converted=written.number(variant["converted"]),
                open=written.number(variant["open"]),
                rate=written.percent(variant["rate"]),
                interval=written.interval(variant["interval"]),
                best=written.percent(variant["probability_best"], 1),
                arrived=written.percent(variant["arrived"], 0),
            )
            for variant in one["variants"]
        ],
    )


def _named(campaign: Campaign) -> tuple[dict[str, str], dict[str, str]]:
    """Return names and colours of variants by their ids."""
    names = {
        variant.id: variant.name or ("Control" if variant.control else variant.id) for variant in campaign.variants
    }
    messaged = [variant.id for variant in campaign.variants if not variant.control]
    colours = {variant.id: "vc" for variant in campaign.variants if variant.control}
    return names, colours | {name: f"v{number}" for number, name in enumerate(messaged)}


def _percent(share: float) -> str:
    return written.rewritten(f"{share:g}{wording.NARROW}%")
