"""From what the sweep found to derived rows: integers for the reports, ids for the result files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, I64
from afterword.attribution.days import Calendar
from afterword.attribution.histories import History
from afterword.attribution.persons import Money, Persons, Purchases, Results, find_persons
from afterword.attribution.runs import Text
from afterword.attribution.sorting import order_rows, taken
from afterword.attribution.streams import (
    PER_USER,
    Exposures,
    Found,
    Rules,
    Walk,
    new_found,
    new_state,
)
from afterword.attribution.sweep import sweep_compiled
from afterword.model import LETTERS as LETTER_NAMES
from afterword.model import Channel

Rows = dict[str, NDArray[Any]]

CHANNEL_ORDER: I32 = np.array([len(Channel), *(sorted(Channel).index(channel) for channel in Channel)], np.int32)
"""By channel + 1: its place when sorted by name, none last."""
LETTERS = 4


@dataclass(frozen=True)
class Named:
    """Derived rows with the ids of their exposures and events."""

    rows: Rows
    exposure_id: Text
    event_id: Text


@dataclass(frozen=True)
class Derived:
    """What one part of the users yields; the keys of the rows are the columns of the derived tables."""

    conversions: Named
    credited: Named
    recipients: Rows
    exposures: Rows
    received: Rows
    persons: Rows
    """Persons who were exposed to one variant of a campaign, and what they had done at a fixed age (`persons`)."""
    person_money: Rows
    """Single purchases of those of them whose `apart` is set."""
    channel_unclear: I64
    """Rows of opens and clicks to be rejected: nobody says their channel."""
    without_exposure: I64
    """Rows of step messages to be rejected."""


@dataclass(frozen=True)
class Refunds:
    """What was refunded, by the row of the purchase, in ascending order of rows."""

    purchase: I64
    amount: I64

    def of(self, rows: I64) -> I64:
        """Return what was refunded of each purchase."""
        if not len(self.purchase):
            return np.zeros(len(rows), np.int64)
        place = np.minimum(np.searchsorted(self.purchase, rows), len(self.purchase) - 1)
        return np.where(self.purchase[place] == rows, self.amount[place], 0)


def run_sweep(history: History, rules: Rules) -> tuple[Found, list[Rows], list[Rows]]:
    """Sweep a part; return the arrays by exposure, and the conversions and credited rows found."""
    exposures, events = history.exposures, history.events
    most = int(np.diff(exposures.offsets).max(initial=1))
    pairs = np.diff(events.offsets) * np.minimum(np.diff(exposures.offsets), len(rules.counting))
    room = max(len(exposures.time), 4 * most, 1024)
    found = new_found(room, max(room, int(pairs.max(initial=1))), len(exposures.time), len(history.steps.time))
    state = new_state(rules)
    walk = Walk(rules, events, exposures, history.steps, history.shifts, state, found)
    conversions: list[Rows] = []
    credited: list[Rows] = []
    user = 0
    while True:
        user = sweep_compiled(user, history.users, walk, None)
        finished = user == history.users
        conversions.append(_taken(found, "conversion_", int(found.size[0]), copy=not finished))
        credited.append(_taken(found, "credited_", int(found.size[1]), copy=not finished))
        if finished:
            return found, conversions, credited
        found.size[:2] = 0


def _taken(found: Found, prefix: str, size: int, *, copy: bool) -> Rows:
    columns = {name.removeprefix(prefix): getattr(found, name) for name in Found._fields if name.startswith(prefix)}
    return {name: column[:size].copy() if copy else column[:size] for name, column in columns.items()}


def _joined(parts: list[Rows]) -> Rows:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def derive(history: History, rules: Rules, calendar: Calendar, refunds: Refunds, home: int) -> Derived:
    """Sweep one part and return its derived rows.

    Args:
        history: the part.
        rules: the sweep's tables.
        calendar: the workspace's days.
        refunds: what was refunded.
        home: the number of the reporting currency, -2 if no purchase has it.

    """
    found, *parts = run_sweep(history, rules)
    conversions, credited = map(_joined, parts)
    persons, money = _persons(history, rules, calendar, conversions, credited, refunds, home)
    x = history.exposures
    exposed = _Exposed(
        np.repeat(
            np.arange(history.first_user, history.first_user + history.users, dtype=np.int32), np.diff(x.offsets)
        ),
        history.exposure_facts["row"],
        calendar.days(x.time),
    )
    return Derived(
        _conversions(history, rules, calendar, conversions, exposed),
        _credited(history, calendar, credited, exposed, refunds),
        _recipients(history, calendar, found, exposed),
        _exposures(history, found, exposed),
        _received(history, calendar, found, exposed),
        persons,
        money,
        history.event_facts.at("row", history.channel_unclear),
        history.step_facts.at("row", np.flatnonzero(found.step_exposure < 0).astype(np.int32)),
    )


@dataclass(frozen=True)
class _Exposed:
    """What derived rows say of their exposures."""

    user: I32
    row: I64
    day: I32

    def columns(self, exposures: Exposures, places: I32) -> Rows:
        """Return the columns that tell of the exposures at `places`."""
        return {
            "campaign": taken(exposures.campaign, places),
            "variant": taken(exposures.variant, places),
            "channel": taken(exposures.channel, places),
            "user": taken(self.user, places),
            "exposure": taken(self.row, places),
            "exposed_day": taken(self.day, places),
        }


def _in_result_order(history: History, exposed: _Exposed, found: Rows, key: I32) -> Rows:
    """Return what was found in order of user, key, channel, exposure id and event; by key comes later."""
    exposure = found["exposure"]
    channel = CHANNEL_ORDER[taken(history.exposures.channel, exposure) + 1]
    ties = history.exposure_facts.ties(exposure, channel, found["event"])
    rows: I32 = np.arange(len(exposure), dtype=np.int32)
    user = taken(exposed.user, exposure)
    order = order_rows(rows, user, key.astype(np.int64), ties, history.first_user, history.users).rows
    return {name: taken(column, order) for name, column in found.items()}


def _conversions(history: History, rules: Rules, calendar: Calendar, c: Rows, exposed: _Exposed) -> Named:
    x = history.exposures
    if not (rules.counting == PER_USER).all():
        # Otherwise there is one conversion per user and letter: they are in order.
        key = taken(x.campaign, c["exposure"]) * np.int32(LETTERS) + c["letter"]
        c = _in_result_order(history, exposed, c, key)
    exposure, event = c["exposure"], c["event"]
    rows = exposed.columns(x, exposure) | {
        "letter": c["letter"],
        "step": c["step"],
        "exposed_at": taken(x.time, exposure),
        "converted_at": c["time"],
        "converted_day": calendar.days(c["time"]),
        "event": history.event_facts.at("row", event),
        "after_open": c["flags"] & 1,
        "after_click": c["flags"] >> 1,
    }
    return Named(rows, history.exposure_facts.id_text(exposure), history.event_facts.id_text(event))


def _credited(history: History, calendar: Calendar, c: Rows, exposed: _Exposed, refunds: Refunds) -> Named:
    x, facts = history.exposures, history.event_facts
    c = _in_result_order(history, exposed, c, taken(x.campaign, c["exposure"]))
    exposure, event = c["exposure"], c["event"]
    time, row = taken(history.events.time, event), facts.at("row", event)
    rows = exposed.columns(x, exposure) | {
        "step": c["step"],
        "event": row,
        "occurred_at": time,
        "occurred_day": calendar.days(time),
        "amount": facts.at("value", event),
        "refunded": refunds.of(row),
        "currency": facts.at("label", event),
    }
    return Named(rows, history.exposure_facts.id_text(exposure), facts.id_text(event))


def _persons(
    history: History, rules: Rules, calendar: Calendar, conversions: Rows, credited: Rows, refunds: Refunds, home: int
) -> tuple[Rows, Rows]:
    facts = history.event_facts
    found = Results(
        conversions["exposure"], conversions["time"], conversions["letter"], credited["exposure"], credited["event"]
    )
    value, label, row = (facts.columns[name] for name in ("value", "label", "row"))
    purchases = Purchases(facts.order, value, label, row, refunds.purchase, refunds.amount, home)
    people, money = find_persons(history, rules, found, purchases)
    return _people(history, calendar, people), _money(history, calendar, people, money)


def _people(history: History, calendar: Calendar, people: Persons) -> Rows:
    letters = {
        f"{name}_{letter.lower()}": getattr(people, name)[:, place].copy()
        for name in ("y", "m", "x")
        for place, letter in enumerate(LETTER_NAMES)
    }
    return {
        "campaign": people.campaign,
        "variant": people.variant,
        "user": people.user + np.int32(history.first_user),
        "first_exposed_at": people.first,
        "first_day": calendar.days(people.first),
        **letters,
        "earned": people.earned,
        "earned_before": people.earned_before,
        "apart": people.apart,
        "guards": people.guards,
    }


def _money(history: History, calendar: Calendar, people: Persons, money: Money) -> Rows:
    facts = history.event_facts
    return {
        "campaign": taken(people.campaign, money.person),
        "user": taken(people.user, money.person) + np.int32(history.first_user),
        "currency": facts.at("label", money.event),
        "occurred_day": calendar.days(taken(history.events.time, money.event)),
        "before": money.before,
        "net": money.net,
    }


def _recipients(history: History, calendar: Calendar, found: Found, exposed: _Exposed) -> Rows:
    r = _taken(found, "recipient_", int(found.size[2]), copy=False)
    return {
        "campaign": r["campaign"],
        "variant": r["variant"],
        "user": r["user"] + np.int32(history.first_user),
        "channel": r["channel"],
        "exposure": _numbered(r["exposure"], exposed.row),
        "first_exposed_at": r["first"],
        "first_day": calendar.days(r["first"]),
        "last_exposed_at": r["last"],
        "latest": r["latest"],
        "converted": r["converted"],
        "unit_converted": r["unit"],
        "variants_seen": r["seen"],
    }


def _numbered(exposure: I32, row: I64) -> I64:
    """Return the exposures' rows, -1 for none."""
    numbers: I64 = np.full(len(exposure), -1, np.int64)
    own = exposure >= 0
    numbers[own] = row[exposure[own]]
    return numbers


def _exposures(history: History, found: Found, exposed: _Exposed) -> Rows:
    x = history.exposures
    return {
        "exposure": exposed.row,
        "campaign": x.campaign,
        "variant": x.variant,
        "user": exposed.user,
        "channel": x.channel,
        "exposed_at": x.time,
        "exposed_day": exposed.day,
        "superseded_at": found.exposure_superseded,
        "outcome": history.exposure_facts["outcome"],
        "at_risk": found.exposure_at_risk,
        "converted": found.exposure_converted,
        "first": found.exposure_first,
    }


def _received(history: History, calendar: Calendar, found: Found, exposed: _Exposed) -> Rows:
    rows = np.flatnonzero(found.step_exposure >= 0).astype(np.int32)
    exposure = found.step_exposure[rows]
    time = history.step_facts.at("time", rows)
    return {
        "campaign": history.steps.campaign[rows],
        "variant": history.exposures.variant[exposure],
        "step": history.steps.step[rows],
        "user": exposed.user[exposure],
        "exposure": exposed.row[exposure],
        "received_at": time,
        "received_day": calendar.days(time),
    }
