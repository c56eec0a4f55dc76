"""What each person had done by a fixed age, and before: one row per person and campaign (rules 17 and 40).

Rows are only of persons who were exposed to a single variant. Age counts from the person's first exposure to the
campaign: `y` is what had converted at that time plus the deadline, of `m` units; `x` what the person did in the 14 days
before, on the same conditions. This looks once more over histories that the sweep has gone through, and at what it
found; no rule of credit is said again here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from afterword.attribution.compiled import I8, I32, I64, U8, Int, compiled_without_allocation, inlinable
from afterword.attribution.histories import History
from afterword.attribution.streams import (
    BOUNCED,
    LETTERS,
    OPEN,
    PER_CHANNEL,
    PER_EXPOSURE,
    PURCHASE,
    SLOTS,
    Events,
    Exposures,
    Rules,
    Shifts,
)
from afterword.model import Outcome

LOOKED_BACK = 14 * 86_400 * 1_000_000
"""How long before the first exposure counts as before, in microseconds; its end does not belong to it."""
LARGE = 1 << 53
"""Sums from here on (nine thousand million of the currency) are kept apart, where nothing overflows."""
OUTCOME_BOUNCED = list(Outcome).index(Outcome.BOUNCED)


class Persons(NamedTuple):
    """Persons and campaigns, in order of user and first exposure; the arrays of letters are (persons, 4)."""

    campaign: I32
    variant: I32
    user: I32
    """Counted from the part's first."""
    first: I64
    several: U8
    """1 where the person was exposed to several variants: such rows are left out in the end."""
    y: I32
    m: I32
    x: I32
    earned: I64
    """Millionths of the reporting currency, less refunds, within the revenue window of the first exposure."""
    earned_before: I64
    purchases: I32
    """How many these two are made of."""
    apart: U8
    """1 where all money is in lines of `Money` instead."""
    guards: U8
    """Bits: UNSUBSCRIBED, COMPLAINED, BOUNCED within the primary window of the first exposure."""


class Money(NamedTuple):
    """Purchases of the persons whose money is not all in the reporting currency, or too large for a sum."""

    person: I32
    event: I32
    before: U8
    net: I64


class Purchases(NamedTuple):
    """What purchases are worth: columns of events as they are stored, and where each event's row is."""

    order: I32
    value: I64
    label: I32
    """The currency."""
    row: I64
    refunded_row: I64
    """In ascending order."""
    refunded: I64
    home: int
    """The label of the reporting currency; no purchase has it if there is none."""


class Results(NamedTuple):
    """What the sweep found, as far as it is needed here."""

    conversion_exposure: I32
    conversion_time: I64
    conversion_letter: U8
    credited_exposure: I32
    credited_event: I32


class Look(NamedTuple):
    """Everything that the passes read."""

    rules: Rules
    exposures: Exposures
    outcome: I8
    events: Events
    shifts: Shifts
    found: Results
    purchases: Purchases
    of: I32
    """By exposure: its person."""
    starts: I64
    """Where each user's persons begin."""


def find_persons(history: History, rules: Rules, found: Results, purchases: Purchases) -> tuple[Persons, Money]:
    """Return the persons of one part, and what money of theirs stands in lines."""
    x, size = history.exposures, len(history.exposures.time)
    i32, u8 = np.int32, np.uint8
    look = Look(
        rules, x, history.exposure_facts["outcome"], history.events, history.shifts, found, purchases,
        np.empty(size, i32), np.zeros(history.users + 1, np.int64),
    )  # fmt: skip
    people = Persons(
        np.empty(size, i32), np.empty(size, i32), np.empty(size, i32), np.empty(size, np.int64), np.zeros(size, u8),
        np.zeros((size, LETTERS), i32), np.zeros((size, LETTERS), i32), np.zeros((size, LETTERS), i32),
        np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, i32), np.zeros(size, u8),
        np.zeros(size, u8),
    )  # fmt: skip
    count = _gather(look, np.full(len(rules.counting), -1, i32), np.zeros(size, u8), people)
    _convert(look, people)
    _guard(look, people)
    nothing = _lines(0)
    _earn(look, people, nothing, np.zeros(1, np.int64))
    _look_back(count, look, people, nothing, np.zeros(1, np.int64))
    alone = people.several[:count] == 0
    apart = alone & (people.apart[:count] == 1)
    money = _lines(int(people.purchases[:count][apart].sum()))
    if len(money.net):
        people.earned[:count][apart] = people.earned_before[:count][apart] = 0
        used = np.zeros(1, np.int64)
        _earn(look, people, money, used)
        _look_back(count, look, people, money, used)
    place = np.cumsum(alone, dtype=np.int32) - np.int32(1)
    keep = np.flatnonzero(alone)
    columns: list[Any] = [column[keep] for column in people]
    return Persons(*columns), money._replace(person=place[money.person])


def _lines(size: int) -> Money:
    return Money(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.uint8), np.empty(size, np.int64))


@compiled_without_allocation
def _gather(look: Look, place: I32, channels: U8, people: Persons) -> int:
    """Find persons and campaigns, and the units that each had at the age of each letter; return how many.

    Args:
        look: `of` and `starts` are filled in.
        place: by campaign, -1: room for where the current user's row is.
        channels: by person, 0: room for a bit per channel seen.
        people: filled in.

    """
    x, rules = look.exposures, look.rules
    count = 0
    for user in range(x.offsets.shape[0] - 1):
        look.starts[user] = count
        for exposure in range(x.offsets[user], x.offsets[user + 1]):
            campaign = x.campaign[exposure]
            one = place[campaign]
            if one < 0:
                one = count
                count += 1
                place[campaign] = one
                people.campaign[one] = campaign
                people.variant[one] = x.variant[exposure]
                people.user[one] = user
                people.first[one] = x.time[exposure]
                is_unit = True
            else:
                is_unit = rules.counting[campaign] == PER_EXPOSURE
                if people.variant[one] != x.variant[exposure]:
                    people.several[one] = 1
            if rules.counting[campaign] == PER_CHANNEL:
                bit = 1 << (x.channel[exposure] + 1)
                is_unit = channels[one] & bit == 0
                channels[one] |= bit
            look.of[exposure] = one
            if is_unit:
                age = x.time[exposure] - people.first[one]
                for letter in range(LETTERS):
                    if age <= rules.deadline[campaign, letter]:
                        people.m[one, letter] += 1
        for exposure in range(x.offsets[user], x.offsets[user + 1]):
            place[x.campaign[exposure]] = -1
    look.starts[x.offsets.shape[0] - 1] = count
    return count


@compiled_without_allocation
def _convert(look: Look, people: Persons) -> None:
    """Count the units that had converted by the age of their letter."""
    found = look.found
    for row in range(found.conversion_exposure.shape[0]):
        one, letter = look.of[found.conversion_exposure[row]], found.conversion_letter[row]
        if found.conversion_time[row] - people.first[one] <= look.rules.deadline[people.campaign[one], letter]:
            people.y[one, letter] += 1


@inlinable
def _doubled(event: Int, campaign: Int, user: Int, events: Events, shifts: Shifts) -> Int:
    """Twice the time at which an event counts in a campaign, less 1 where it is just before its time (rule 9)."""
    if events.shifted[event]:
        for row in range(shifts.offsets[user], shifts.offsets[user + 1]):
            if shifts.event[row] == event and shifts.slot[row] == campaign * SLOTS:
                return 2 * shifts.time[row] - 1
    return 2 * events.time[event]


@compiled_without_allocation
def _guard(look: Look, people: Persons) -> None:
    """Note who unsubscribed, complained or had a message bounce."""
    x, events, rules = look.exposures, look.events, look.rules
    for exposure in range(x.time.shape[0]):
        if look.outcome[exposure] == OUTCOME_BOUNCED:  # a sender may say so with the exposure instead of by an event
            one = look.of[exposure]
            if x.time[exposure] - people.first[one] <= rules.window[people.campaign[one]]:
                people.guards[one] |= BOUNCED
    for user in range(look.starts.shape[0] - 1):
        for event in range(events.offsets[user], events.offsets[user + 1]):
            guard = rules.guard[events.kind[event]]
            if guard == 0:
                continue
            campaign = rules.campaign[events.kind[event]]
            for one in range(look.starts[user], look.starts[user + 1]):
                if people.campaign[one] == campaign:
                    time, first = _doubled(event, campaign, user, events, look.shifts), 2 * people.first[one]
                    if first <= time <= first + 2 * rules.window[campaign]:
                        people.guards[one] |= guard


@inlinable
def _book(one: Int, event: Int, before: Int, p: Purchases, people: Persons, lines: Money, used: I64) -> None:
    """Add a purchase to its person's sum, or where lines are filled in and the person needs them, to the lines."""
    row = p.order[event]
    net = p.value[row] - _refunded(p, p.row[row])
    if lines.net.shape[0] == 0:
        total = (people.earned_before[one] if before else people.earned[one]) + net
        people.purchases[one] += 1
        if p.label[row] != p.home or people.apart[one] or not -LARGE < total < LARGE:
            people.apart[one] = 1
        elif before:
            people.earned_before[one] = total
        else:
            people.earned[one] = total
    elif people.apart[one]:
        place = used[0]
        lines.person[place], lines.event[place], lines.before[place], lines.net[place] = one, event, before, net
        used[0] += 1


@inlinable
def _refunded(p: Purchases, row: Int) -> Int:
    """What was given back of the purchase in a row (rule 28)."""
    low, high = 0, p.refunded_row.shape[0]
    while low < high:
        middle = (low + high) // 2
        if p.refunded_row[middle] < row:
            low = middle + 1
        else:
            high = middle
    if low < p.refunded_row.shape[0] and p.refunded_row[low] == row:
        return p.refunded[low]
    return 0


@compiled_without_allocation
def _earn(look: Look, people: Persons, lines: Money, used: I64) -> None:
    """Book the credited purchases that count by the end of the first exposure's revenue window."""
    found = look.found
    for row in range(found.credited_exposure.shape[0]):
        one, event = look.of[found.credited_exposure[row]], found.credited_event[row]
        if not people.several[one]:
            campaign = people.campaign[one]
            time = _doubled(event, campaign, people.user[one], look.events, look.shifts)
            if time <= 2 * (people.first[one] + look.rules.window[campaign]):
                _book(one, event, 0, look.purchases, people, lines, used)


@compiled_without_allocation
def _look_back(count: int, look: Look, people: Persons, lines: Money, used: I64) -> None:
    """Count what each person did before the first exposure, and book what was bought."""
    events, shifts = look.events, look.shifts
    for one in range(count):
        if people.several[one]:
            continue
        user, first = people.user[one], people.first[one]
        event = _begin(events.time, events.offsets[user], events.offsets[user + 1], first - LOOKED_BACK)
        while event < events.offsets[user + 1] and events.time[event] < first:
            _see(one, event, look, people, lines, used)
            event += 1
        for row in range(shifts.offsets[user], shifts.offsets[user + 1]):
            if shifts.time[row] == first and shifts.slot[row] == people.campaign[one] * SLOTS:
                _see(one, shifts.event[row], look, people, lines, used)


@inlinable
def _begin(time: I64, low: Int, high: Int, earliest: Int) -> Int:
    """The first of a user's events that is not before a time."""
    while low < high:
        middle = (low + high) // 2
        if time[middle] < earliest:
            low = middle + 1
        else:
            high = middle
    return low


@inlinable
def _see(one: Int, event: Int, look: Look, people: Persons, lines: Money, used: I64) -> None:
    """Count an event before the first exposure of a person."""
    rules, events = look.rules, look.events
    kind, campaign = events.kind[event], people.campaign[one]
    letters = rules.match[kind, campaign]
    if letters and lines.net.shape[0] == 0:
        met = letters & 15
        if events.upgrade[event] == 1:
            met |= letters >> 4
        # Once per channel, an open or a click whose channel nobody says is rejected.
        unclear = rules.role[kind] >= OPEN and rules.counting[campaign] == PER_CHANNEL and events.channel[event] < 0
        for letter in range(LETTERS):
            if met >> letter & 1 and not unclear:
                people.x[one, letter] += 1
    if rules.role[kind] == PURCHASE:
        _book(one, event, 1, look.purchases, people, lines, used)
