"""Who the campaign is: its name and state, what editors can do with it, and its conversion events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from afterword.interfaces.web import words, written
from afterword.interfaces.web.details.grids import named
from afterword.interfaces.web.links import link
from afterword.reports import wording
from afterword.store.accounts import Role
from afterword.store.campaign_rules import Status
from afterword.store.campaigns import StoredCampaign

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an editor can do; a form sends the campaign's id. With "get" a page asks first."""

    label: str
    path: str
    main: bool = False
    method: str = "post"


EDIT = Action("Edit", "/campaign/edit", method="get")


@dataclass(frozen=True, slots=True)
class Title:
    """The heading of the page."""

    id: str
    name: str
    whole: str
    """The name where it was cut."""
    kind: str
    status: str
    status_label: str
    about: str
    tags: Sequence[str]
    description: str
    actions: Sequence[Action]


@dataclass(frozen=True, slots=True)
class EventCard:
    """A conversion event that can be looked at."""

    letter: str
    title: str
    sentence: str
    primary: bool
    chosen: bool
    address: str


def title_of(stored: StoredCampaign, role: Role, timezone: str, exposed: tuple[str | None, str | None]) -> Title:
    """Return the heading of a campaign.

    Args:
        stored: the campaign.
        role: of who asks.
        timezone: the workspace's.
        exposed: the first and the last exposure, None where there is none or nobody knows.

    """
    campaign = stored.campaign
    name, whole = named(campaign.name or campaign.id)
    return Title(
        id=campaign.id,
        name=name,
        whole=whole,
        kind=words.kind(campaign.kind),
        status=stored.status.value,
        status_label=words.STATUS[stored.status],
        about=" · ".join(
            part for part in (_channels(stored), _dates(stored, timezone, *exposed), _control(stored)) if part
        ),
        tags=campaign.tags,
        description=stored.description,
        actions=_actions(stored.status) if role.includes(Role.EDITOR) else (),
    )


def event_cards(events: Sequence[Mapping[str, Any]], campaign_id: str, chosen: str) -> list[EventCard]:
    """Return the conversion events as report.json has them."""
    return [
        EventCard(
            event["letter"],
            named(wording.event_title(dict(event)))[0],
            named(wording.event_sentence(dict(event)))[0],
            event["primary"],
            event["letter"] == chosen,
            link("/campaign", id=campaign_id, event=event["letter"]),
        )
        for event in events
    ]


def _actions(status: Status) -> list[Action]:
    every = {
        Status.DRAFT: [EDIT, Action("Start measuring", "/campaign/launch", main=True, method="get")],
        Status.RUNNING: [EDIT, Action("Stop", "/campaign/stop", method="get")],
        Status.STOPPED: [
            EDIT,
            Action("Launch again", "/campaign/launch", method="get"),
            Action("Archive", "/campaign/archive", method="get"),
        ],
        Status.ARCHIVED: [Action("Bring back", "/campaign/unarchive")],
    }
    return [*every[status], Action("Duplicate", "/campaign/duplicate")]


def _channels(stored: StoredCampaign) -> str:
    return ", ".join(channel.value.replace("_", "-") for channel in stored.campaign.channels)


def _dates(stored: StoredCampaign, timezone: str, first: str | None, last: str | None) -> str:
    if first is not None and last is not None:
        begun, ended = _day(first, timezone), _day(last, timezone)
        if stored.status is Status.RUNNING:
            return f"{begun} → now"
        return begun if begun == ended else f"{begun} → {ended}"
    if stored.launched_at is None:
        return f"created {_day(_iso(stored.created_at), timezone)}"
    return f"launched {_day(_iso(stored.launched_at), timezone)}"


def _control(stored: StoredCampaign) -> str:
    shares = [variant.share_hundredths for variant in stored.campaign.variants if variant.control]
    return written.rewritten(f"control {shares[0] / 100:g}{wording.NARROW}%") if shares else "no control"


def _iso(at: int) -> str:
    return (EPOCH + timedelta(microseconds=at)).isoformat()


def _day(iso: str, timezone: str) -> str:
    local = datetime.fromisoformat(iso).astimezone(ZoneInfo(timezone))
    return written.day(local.date().isoformat(), year=True)


def moment(iso: str, timezone: str) -> str:
    """Return a time in the workspace's zone, which it names: 22 Nov 2026, 14:03 (Europe/Berlin)."""
    local = datetime.fromisoformat(iso).astimezone(ZoneInfo(timezone))
    return f"{written.date_of(local)}, {local:%H:%M} ({timezone})"
