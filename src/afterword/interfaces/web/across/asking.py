"""The form of the page: which event, of which period, within which window."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from afterword.interfaces.web.links import link
from afterword.interfaces.web.visits import Visit

PATH = "/conversions"
KINDS = (("purchase", "Makes purchase"), ("session", "Starts session"), ("custom", "Custom event"))
COUNTS = (("users", "Each user once"), ("events", "Every event"))
LISTS = {"purchase": "products", "session": "apps"}
"""Of which names a kind may be limited to some."""
LISTED = {"purchase": "product", "session": "app"}
MOST_LISTED = 10
WINDOW = "7 days"
FIELDS = ("kind", "name", "window", "from", "to", "count")
PERIODS = ((7, "Last 7 days"), (30, "Last 30 days"), (90, "Last 90 days"))
_PROBLEM = re.compile(r'^campaigns\[0\] "all" conversion_events\[0\]\.?(?P<field>\w*)[^:]*: (?P<text>.*)$', re.DOTALL)
_SHOWN = {"deadline": "window", "products": "only", "apps": "only"}


@dataclass(frozen=True, slots=True)
class Period:
    """A period that one click chooses."""

    label: str
    address: str
    now: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, and what is wrong with it."""

    kind: str
    name: str
    only: Sequence[str]
    window: str
    from_: str
    to: str
    count: str
    timezone: str
    periods: Sequence[Period] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)
    """By field; what belongs to none stands under an empty name."""
    kinds: Sequence[tuple[str, str]] = KINDS
    counts: Sequence[tuple[str, str]] = COUNTS

    @property
    def listed(self) -> str:
        """What it may be limited to, in one word; empty if to nothing."""
        return LISTED.get(self.kind, "")

    @property
    def places(self) -> Sequence[str]:
        """The fields for products or apps: those that are filled, and one more."""
        return [*self.only, ""] if len(self.only) < MOST_LISTED else self.only

    @property
    def body(self) -> bytes:
        """The question as the API takes it."""
        event: dict[str, Any] = {"kind": self.kind, "deadline": self.window}
        if self.kind == "custom":
            event["name"] = self.name
        elif self.only:
            event[LISTS[self.kind]] = list(self.only)
        said = {"conversion_event": event, "from": self.from_ or None, "to": self.to or None, "count": self.count}
        return json.dumps(said).encode()

    def address(self, **more: str) -> str:
        """Return the address of this question."""
        said = {"kind": self.kind, "name": self.name, "window": self.window, "from": self.from_, "to": self.to}
        return link(PATH, **{**said, "count": self.count, **more}) + "".join(
            link("", only=one).replace("?", "&", 1) for one in self.only
        )


def read(visit: Visit, timezone: str) -> Asked:
    """Return what the address asks for; where it says nothing, purchases of the whole time."""
    kind = visit.asked("kind")
    count = visit.asked("count")
    kind = kind if kind in dict(KINDS) else KINDS[0][0]
    only = [one.strip() for one in visit.query.get("only", ()) if one.strip()] if kind in LISTS else []
    asked = Asked(
        kind=kind,
        name=visit.asked("name").strip() if kind == "custom" else "",
        only=list(dict.fromkeys(only))[:MOST_LISTED],
        window=visit.asked("window", WINDOW).strip(),
        from_=visit.asked("from").strip(),
        to=visit.asked("to").strip(),
        count=count if count in dict(COUNTS) else COUNTS[0][0],
        timezone=timezone,
    )
    return _with(asked, periods=_periods(asked, visit.now))


def refused(asked: Asked, message: str) -> Asked:
    """Return the form with what is wrong beside its fields."""
    wrong: dict[str, str] = {}
    for line in message.split("\n"):
        found = _PROBLEM.match(line)
        name = _SHOWN.get(found["field"], found["field"]) if found else line.partition(" ")[0]
        text = found["text"] if found else line
        place = name if name in (*FIELDS, "only") else ""
        wrong[place] = f"{wrong[place]} {text}" if place in wrong else text
    return _with(asked, wrong=wrong)


def _periods(asked: Asked, now: int) -> list[Period]:
    today = (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=now)).astimezone(ZoneInfo(asked.timezone)).date()
    found = []
    for days, label in PERIODS:
        first = (today - timedelta(days=days - 1)).isoformat()
        of = _with(asked, from_=first, to="")
        found.append(Period(label, of.address(), asked.from_ == first and not asked.to))
    whole = _with(asked, from_="", to="")
    return [*found, Period("Whole time", whole.address(), not asked.from_ and not asked.to)]


def _with(asked: Asked, **more: Any) -> Asked:
    said = {name: getattr(asked, name) for name in ("kind", "name", "only", "window", "from_", "to", "count")}
    return Asked(**{**said, "timezone": asked.timezone, "periods": asked.periods, "wrong": asked.wrong, **more})
