"""One pass over users' events and exposures that shares out credit over campaigns, in six views at once.

All but the first share one whole out over the exposures that had the event in their window, in billionths: the k-th
of them gets what the first k are due, rounded down, less what the first k - 1 are due, rounded down. So every share is
less than a billionth from what it is due, and they sum to one exactly, whatever the weights. Money is shared in the
same parts, and since those are whole numbers no part of it is ever rounded (decision 0054).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I32, I64, U8, Int, compiled, inlinable

WHOLE = 1_000_000_000
"""One event's credit, in billionths."""
VIEWS = ("every", "first", "last", "linear", "position", "time_decay")
EVERY, FIRST, LAST, LINEAR, POSITION, TIME_DECAY = 0, 1, 2, 3, 4, 5
ENDS_SHARE = 400_000_000
"""What the first and the last exposure get by position, if there are others between them."""
HALF_LIFE_SECONDS = 7 * 86_400
WEIGHT_BITS = 30
HOUR_SECONDS = 3_600
MICROSECONDS = 1_000_000
LIMB_BITS = 31
LIMB = (1 << LIMB_BITS) - 1
LIMBS = 3
"""A sum of money is kept in parts of 31 bits, the highest with the sign and all the rest: it has over 100 bits."""


class Events(NamedTuple):
    """What users did, in order of user, time and event id."""

    user: I64
    at: I64
    day: I32
    wanted: U8
    """Whether it is the chosen event."""
    money: I32
    """Which sum of money it belongs to; -1 for none."""
    amount: I64
    """What it brought, in millionths."""
    triggers: I64
    """Where the exposures that it triggered begin in `Triggered`; one longer than the rest."""


class Touches(NamedTuple):
    """Exposures to a message, in order of user, time and exposure id (rule 13)."""

    user: I64
    at: I64
    campaign: I32


class Triggered(NamedTuple):
    """Before which exposure of a campaign an event stands that triggered it (rule 9)."""

    campaign: I32
    at: I64


class Credited(NamedTuple):
    """What was counted. Money has two places behind those of the campaigns: what had a touch, and what had none."""

    every: I64
    """By campaign: events, or users if each counts once."""
    credit: I64
    """By view and campaign, in billionths."""
    money: I64
    """By view, campaign, sum of money, and limb, in billionths of millionths."""
    days: I64
    """By campaign and day: the events that it had the last touch of."""
    untouched_days: I64
    """By day: the events, or users, that had no touch."""
    counts: I64
    """How many had a touch, and how many had none."""


def no_credit(campaigns: int, sums: int, days: int) -> Credited:
    """Return zeros."""
    return Credited(
        every=np.zeros(campaigns, np.int64),
        credit=np.zeros((len(VIEWS), campaigns), np.int64),
        money=np.zeros((len(VIEWS), campaigns + 2, sums, LIMBS), np.int64),
        days=np.zeros((campaigns, days), np.int64),
        untouched_days=np.zeros(days, np.int64),
        counts=np.zeros(2, np.int64),
    )


def whole(limbs: Sequence[int]) -> int:
    """Return the sum that limbs stand for."""
    low, middle, high = (int(limb) for limb in limbs)
    return low + (middle << LIMB_BITS) + (high << (2 * LIMB_BITS))


@cache
def decay_weights() -> tuple[I64, I64]:
    """Return 2^(-age / 7 days) for whole hours up to 30 days and for the seconds of an hour, in 2^-30.

    By decimals and not by the machine's exponential, so that shares are the same everywhere.
    """
    context = Context(prec=40, rounding=ROUND_HALF_EVEN)

    def weight(seconds: int) -> int:
        power = context.power(Decimal(2), context.divide(Decimal(-seconds), Decimal(HALF_LIFE_SECONDS)))
        return int((power * (1 << WEIGHT_BITS)).to_integral_value(ROUND_HALF_EVEN, context))

    hours: I64 = np.array([weight(hour * HOUR_SECONDS) for hour in range(30 * 24 + 1)], np.int64)
    seconds: I64 = np.array([weight(second) for second in range(HOUR_SECONDS)], np.int64)
    return hours, seconds


@compiled
def share_out(
    events: Events,
    touches: Touches,
    triggered: Triggered,
    window: Int,
    once_per_user: bool,
    weights: tuple[I64, I64],
    into: Credited,
) -> None:
    """Share out all events over the touches of their windows.

    Args:
        events: see there.
        touches: see there.
        triggered: see there.
        window: how long after an exposure an event still counts, in microseconds, that moment included (rule 8).
        once_per_user: of the chosen event only each user's first one that had a touch is shared out (rules 14 and 15).
        weights: by age, of `decay_weights`.
        into: what is added to.

    """
    seen = np.full(into.every.shape[0], -1, np.int64)
    paid = np.full(into.every.shape[0], -1, np.int64)
    chosen = np.empty(64, np.int64)
    shares = np.empty((6, 64), np.int64)
    start, low, end = 0, 0, 0
    is_done, is_waiting, first_day = False, False, 0
    for i in range(events.user.shape[0]):
        user, at = events.user[i], events.at[i]
        if i == 0 or user != events.user[i - 1]:
            if is_waiting:
                into.untouched_days[first_day] += 1
                into.counts[1] += 1
            is_done, is_waiting = False, False
            while end < touches.user.shape[0] and touches.user[end] < user:
                end += 1
            start, low = end, end
        while end < touches.user.shape[0] and touches.user[end] == user and touches.at[end] <= at:
            end += 1
        while low < end and touches.at[low] < at - window:
            low += 1
        if chosen.shape[0] < end - start:
            chosen = np.empty(2 * (end - start), np.int64)
            shares = np.empty((6, 2 * (end - start)), np.int64)
        n = _choose(i, window, (start, low, end), events, touches, triggered, chosen)
        if n and (events.money[i] >= 0 or (events.wanted[i] and not is_done)):
            _weigh(at, n, chosen, touches, weights, shares)
        if events.wanted[i]:
            mark = user if once_per_user else i
            for k in range(n):
                campaign = touches.campaign[chosen[k]]
                if seen[campaign] != mark:
                    seen[campaign] = mark
                    into.every[campaign] += 1
            if n == 0 and not once_per_user:
                into.untouched_days[events.day[i]] += 1
                into.counts[1] += 1
            elif n == 0 and not is_done and not is_waiting:
                is_waiting, first_day = True, events.day[i]
            elif n > 0 and not is_done:
                is_done, is_waiting = once_per_user, False
                _credit(n, chosen, shares, touches, events.day[i], into)
        if events.money[i] >= 0:
            _pay(i, n, chosen, shares, events, touches, paid, into)
    if is_waiting:
        into.untouched_days[first_day] += 1
        into.counts[1] += 1


@inlinable
def _choose(
    i: Int,
    window: Int,
    place: tuple[Int, Int, Int],
    events: Events,
    touches: Touches,
    triggered: Triggered,
    chosen: I64,
) -> Int:
    """Find the touches that have the event in their window, in their order; return how many there are."""
    start, low, end = place
    n = 0
    first, last = events.triggers[i], events.triggers[i + 1]
    if first == last:
        for j in range(low, end):
            chosen[n] = j
            n += 1
        return n
    at = events.at[i]
    earliest = at
    for t in range(first, last):
        earliest = min(earliest, triggered.at[t])
    while low > start and touches.at[low - 1] >= earliest - window:
        low -= 1
    for j in range(low, end):
        until, is_there = at, True
        for t in range(first, last):
            if triggered.campaign[t] == touches.campaign[j]:
                until = triggered.at[t]
                is_there = touches.at[j] < until
        if is_there and touches.at[j] >= until - window:
            chosen[n] = j
            n += 1
    return n


@inlinable
def _weigh(at: Int, n: Int, chosen: I64, touches: Touches, weights: tuple[I64, I64], shares: I64) -> None:
    """Set what each touch gets by each view."""
    hours, seconds = weights
    total = 0
    for k in range(n):
        age = (at - touches.at[chosen[k]]) // MICROSECONDS
        weight = (hours[age // HOUR_SECONDS] * seconds[age % HOUR_SECONDS]) >> WEIGHT_BITS
        shares[TIME_DECAY, k] = weight
        total += weight
    weight, decayed, linear = 0, 0, 0
    for k in range(n):
        weight += shares[TIME_DECAY, k]
        until = _part(weight, total)
        shares[TIME_DECAY, k], decayed = until - decayed, until
        until = WHOLE * (k + 1) // n
        shares[LINEAR, k], linear = until - linear, until
        shares[EVERY, k] = WHOLE
        shares[FIRST, k] = WHOLE if k == 0 else 0
        shares[LAST, k] = WHOLE if k == n - 1 else 0
        shares[POSITION, k] = ENDS_SHARE
        if 0 < k < n - 1:
            middle = WHOLE - 2 * ENDS_SHARE
            shares[POSITION, k] = middle * k // (n - 2) - middle * (k - 1) // (n - 2)
    if n <= 2:
        for k in range(n):
            shares[POSITION, k] = WHOLE // n


@inlinable
def _part(part: Int, total: Int) -> Int:
    """Return WHOLE x part / total, rounded down, three digits at a time: the product would not fit."""
    found, rest = 0, part
    for _ in range(3):
        rest = rest * 1000
        found = found * 1000 + rest // total
        rest = rest % total
    return found


@inlinable
def _credit(n: Int, chosen: I64, shares: I64, touches: Touches, day: Int, into: Credited) -> None:
    into.counts[0] += 1
    into.days[touches.campaign[chosen[n - 1]], day] += 1
    for k in range(n):
        campaign = touches.campaign[chosen[k]]
        for view in range(FIRST, 6):
            into.credit[view, campaign] += shares[view, k]


@inlinable
def _pay(i: Int, n: Int, chosen: I64, shares: I64, events: Events, touches: Touches, paid: I64, into: Credited) -> None:
    """Share out what an event brought."""
    money, amount = events.money[i], events.amount[i]
    behind = into.every.shape[0]
    _add(into.money, EVERY, behind if n else behind + 1, money, amount, WHOLE)
    for k in range(n):
        campaign = touches.campaign[chosen[k]]
        if paid[campaign] != i:
            paid[campaign] = i
            _add(into.money, EVERY, campaign, money, amount, WHOLE)
        for view in range(FIRST, 6):
            if shares[view, k]:
                _add(into.money, view, campaign, money, amount, shares[view, k])


@inlinable
def _add(sums: I64, view: Int, place: Int, money: Int, amount: Int, share: Int) -> None:
    """Add amount x share; a share has 30 bits, so what is done to limbs of 31 stays below 63."""
    low = sums[view, place, money, 0] + (amount & LIMB) * share
    sums[view, place, money, 0] = low & LIMB
    middle = sums[view, place, money, 1] + ((amount >> LIMB_BITS) & LIMB) * share + (low >> LIMB_BITS)
    sums[view, place, money, 1] = middle & LIMB
    sums[view, place, money, 2] += (amount >> (2 * LIMB_BITS)) * share + (middle >> LIMB_BITS)
