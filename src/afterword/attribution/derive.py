"""From what the sweep found to derived rows: integers for the reports, ids for the result files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I32, I64
from afterword.attribution.days import Calendar
from afterword.attribution.histories import History
from afterword.attribution.runs import Text, take_text
from afterword.attribution.sorting import id_ties, order_rows
from afterword.attribution.streams import (
    PER_USER,
    Found,
    Rules,
    Walk,
    new_found,
    new_state,
)
from afterword.attribution.sweep import sweep_compiled
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
    state = new_state(len(rules.counting))
    walk = Walk(rules, events, exposures, history.steps, history.shifts, state, found)
    conversions: list[Rows] = []
    credited: list[Rows] = []
    user = 0
    while True:
        user = sweep_compiled(user, history.users, walk, None)
        conversions.append(_taken(found, "conversion_", int(found.size[0])))
        credited.append(_taken(found, "credited_", int(found.size[1])))
        found.size[:2] = 0
        if user == history.users:
            return found, conversions, credited


def _taken(found: Found, prefix: str, size: int) -> Rows:
    return {
        name.removeprefix(prefix): getattr(found, name)[:size].copy()
        for name in Found._fields
        if name.startswith(prefix)
    }


def _joined(parts: list[Rows]) -> Rows:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def derive(history: History, rules: Rules, calendar: Calendar, refunds: Refunds) -> Derived:
    """Sweep one part and return its derived rows.

    Args:
        history: the part.
        rules: the sweep's tables.
        calendar: the workspace's days.
        refunds: what was refunded.

    """
    found, conversions, credited = run_sweep(history, rules)
    x = history.exposures
    user_of_exposure = np.repeat(
        np.arange(history.first_user, history.first_user + history.users, dtype=np.int32), np.diff(x.offsets)
    )
    exposed_day = calendar.days(x.time)
    return Derived(
        _conversions(history, rules, calendar, _joined(conversions), user_of_exposure, exposed_day),
        _credited(history, calendar, _joined(credited), user_of_exposure, exposed_day, refunds),
        _recipients(history, calendar, found),
        _exposures(history, found, user_of_exposure, exposed_day),
        _received(history, calendar, found, user_of_exposure),
        history.event_facts["row"][history.channel_unclear],
        history.step_facts["row"][found.step_exposure < 0],
    )


def _in_result_order(key: I64, user: I32, channel: I32, exposure_id: Text, after: I32, users: int) -> I32:
    """Return rows in order of user, key, channel, exposure id, then `after`; by key comes later."""
    ties = id_ties(exposure_id)._replace(before=channel, after=after)
    return order_rows(np.arange(len(key), dtype=np.int32), user, key, ties, 0, users).rows


def _conversions(history: History, rules: Rules, calendar: Calendar, c: Rows, user: I32, exposed_day: I32) -> Named:
    x, exposure, event = history.exposures, c["exposure"], c["event"]
    exposure_id = history.exposure_facts.id_text(exposure)
    event_id = history.event_facts.id_text(event)
    campaign = x.campaign[exposure]
    rows: Rows = {
        "campaign": campaign,
        "letter": c["letter"],
        "user": user[exposure],
        "exposure": history.exposure_facts["row"][exposure],
        "variant": x.variant[exposure],
        "channel": x.channel[exposure],
        "step": c["step"],
        "exposed_at": x.time[exposure],
        "exposed_day": exposed_day[exposure],
        "converted_at": c["time"],
        "converted_day": calendar.days(c["time"]),
        "event": history.event_facts["row"][event],
        "after_open": c["flags"] & 1,
        "after_click": c["flags"] >> 1,
    }
    if (rules.counting == PER_USER).all():
        return Named(rows, exposure_id, event_id)  # one conversion per user and letter: already in order
    key = campaign.astype(np.int64) * LETTERS + c["letter"]
    order = _in_result_order(
        key, rows["user"] - np.int32(history.first_user), CHANNEL_ORDER[rows["channel"] + 1],
        exposure_id, event, history.users,
    )  # fmt: skip
    return _reordered(Named(rows, exposure_id, event_id), order)


def _reordered(named: Named, order: I32) -> Named:
    rows = {name: column[order] for name, column in named.rows.items()}
    exposure_id = Text(*take_text(named.exposure_id.offsets, named.exposure_id.data, order))
    return Named(rows, exposure_id, Text(*take_text(named.event_id.offsets, named.event_id.data, order)))


def _credited(history: History, calendar: Calendar, c: Rows, user: I32, exposed_day: I32, refunds: Refunds) -> Named:
    x, exposure, event = history.exposures, c["exposure"], c["event"]
    facts = history.event_facts
    time = facts["time"][event]
    rows: Rows = {
        "campaign": x.campaign[exposure],
        "variant": x.variant[exposure],
        "channel": x.channel[exposure],
        "step": c["step"],
        "user": user[exposure],
        "exposure": history.exposure_facts["row"][exposure],
        "exposed_day": exposed_day[exposure],
        "event": facts["row"][event],
        "occurred_at": time,
        "occurred_day": calendar.days(time),
        "amount": facts["value"][event],
        "refunded": refunds.of(facts["row"][event]),
        "currency": facts["label"][event],
    }
    named = Named(rows, history.exposure_facts.id_text(exposure), facts.id_text(event))
    order = _in_result_order(
        rows["campaign"].astype(np.int64), rows["user"] - np.int32(history.first_user),
        CHANNEL_ORDER[rows["channel"] + 1], named.exposure_id, event, history.users,
    )  # fmt: skip
    return _reordered(named, order)


def _recipients(history: History, calendar: Calendar, found: Found) -> Rows:
    size = int(found.size[2])
    r = _taken(found, "recipient_", size)
    exposure = r["exposure"]
    numbers: I64 = np.full(size, -1, np.int64)
    numbers[exposure >= 0] = history.exposure_facts["row"][exposure[exposure >= 0]]
    return {
        "campaign": r["campaign"],
        "variant": r["variant"],
        "user": r["user"] + np.int32(history.first_user),
        "channel": r["channel"],
        "exposure": numbers,
        "first_exposed_at": r["first"],
        "first_day": calendar.days(r["first"]),
        "last_exposed_at": r["last"],
        "latest": r["latest"],
        "converted": r["converted"],
        "unit_converted": r["unit"],
        "variants_seen": r["seen"],
    }


def _exposures(history: History, found: Found, user: I32, exposed_day: I32) -> Rows:
    x = history.exposures
    return {
        "exposure": history.exposure_facts["row"],
        "campaign": x.campaign,
        "variant": x.variant,
        "user": user,
        "channel": x.channel,
        "exposed_at": x.time,
        "exposed_day": exposed_day,
        "superseded_at": found.exposure_superseded,
        "outcome": history.exposure_facts["outcome"],
        "at_risk": found.exposure_at_risk,
        "converted": found.exposure_converted,
        "first": found.exposure_first,
    }


def _received(history: History, calendar: Calendar, found: Found, user: I32) -> Rows:
    rows = np.flatnonzero(found.step_exposure >= 0)
    exposure = found.step_exposure[rows]
    time = history.step_facts["time"][rows]
    return {
        "campaign": history.steps.campaign[rows],
        "variant": history.exposures.variant[exposure],
        "step": history.steps.step[rows],
        "user": user[exposure],
        "exposure": history.exposure_facts["row"][exposure],
        "received_at": time,
        "received_day": calendar.days(time),
    }
