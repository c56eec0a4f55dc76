"""Compiled steps over a part's ordered rows: what the sweep must know beforehand (rules 9, 18, 20-25, 33)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I8, I32, I64, U8, Int, compiled, inlinable
from afterword.attribution.sorting import Ordered, text_before
from afterword.attribution.streams import (
    CONVERSIONS,
    NAMED_UNKNOWN,
    NOT_NAMED,
    PER_CHANNEL,
    REVENUE,
    SLOTS,
)

N = TypeVar("N", bound=np.generic)

NOT_A_VERSION = -1
SAME_VERSION, UPGRADE, CHANGE, FIRST_VERSION = 0, 1, 2, 3
"""What a session says of its app's version; only UPGRADE can convert."""


@compiled
def number_equals(ordered: Ordered, derived: NDArray[np.bool_], offsets: I64, data: U8) -> I32:
    """Number equal derived ids from 1 (they lie together); 0 for facts that have an id."""
    order, time = ordered.rows, ordered.time
    numbers = np.zeros(order.shape[0], np.int32)
    for u in range(ordered.offsets.shape[0] - 1):
        for i in range(ordered.offsets[u], ordered.offsets[u + 1]):
            if not derived[order[i]]:
                continue
            numbers[i] = 1
            together = i > ordered.offsets[u] and derived[order[i - 1]] and time[i] == time[i - 1]
            if together and text_before(offsets, data, order[i], order[i - 1]) == 0:
                numbers[i] = numbers[i - 1] + 1
    return numbers


@compiled
def append_numbers(offsets: I64, data: U8, numbers: I32) -> tuple[I64, U8]:
    """Return the strings with `-` and the number appended where the number is not 0."""
    longer = np.empty(offsets.shape[0], np.int64)
    longer[0] = 0
    for i in range(numbers.shape[0]):
        digits = 0
        rest = numbers[i]
        while rest > 0:
            digits += 1
            rest //= 10
        longer[i + 1] = longer[i] + offsets[i + 1] - offsets[i] + (digits + 1 if digits else 0)
    out = np.empty(longer[-1], np.uint8)
    for i in range(numbers.shape[0]):
        length = offsets[i + 1] - offsets[i]
        for k in range(length):
            out[longer[i] + k] = data[offsets[i] + k]
        rest = numbers[i]
        place = longer[i + 1] - 1
        while rest > 0:
            out[place] = 48 + rest % 10
            rest //= 10
            place -= 1
        if numbers[i] > 0:
            out[place] = 45
    return longer, out


@compiled
def link_named(user: I32, named: I64, campaign: I32, offsets: I64, x_named: I64, x_campaign: I32) -> I32:
    """Return for each row the user's exposure that it names (by hash and campaign).

    NOT_NAMED where it names none, NAMED_UNKNOWN where the user has no such exposure.
    """
    link = np.full(user.shape[0], NOT_NAMED, np.int32)
    for row in range(user.shape[0]):
        if named[row] == 0:
            continue
        link[row] = NAMED_UNKNOWN
        for x in range(offsets[user[row]], offsets[user[row] + 1]):
            if x_named[x] == named[row] and x_campaign[x] == campaign[row]:
                link[row] = x
                break
    return link


@compiled
def version_changes(offsets: I64, kind: I32, app: I64, label: I32, session: U8, stated_from: I32, shown: I32) -> U8:
    """Return what each event says of its app's version (rules 20-25).

    Args:
        offsets: where each user's events begin; events are in order of (time, id).
        kind: the class of each event.
        app: of each event, a hash of app and device.
        label: of each event, the version's number, -1 for none.
        session: by class, 1 for sessions, 2 for stated upgrades, else 0.
        stated_from: by label, the code of the version before a stated upgrade (see `encode_versions`).
        shown: by label, the code of the version shown.

    """
    said = np.zeros(kind.shape[0], np.uint8)
    longest = 0
    for u in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[u + 1] - offsets[u])
    apps = np.empty(longest, np.int64)
    versions = np.empty(longest, np.int32)
    for u in range(offsets.shape[0] - 1):
        known = 0
        for row in range(offsets[u], offsets[u + 1]):
            role = session[kind[row]]
            if role == 0 or label[row] < 0:
                continue
            now = shown[label[row]]
            at = 0
            while at < known and apps[at] != app[row]:
                at += 1
            if role == 2:
                said[row] = _change(stated_from[label[row]], now)
            else:
                said[row] = FIRST_VERSION if at == known else _change(versions[at], now)
            apps[at] = app[row]
            versions[at] = now
            known = max(known, at + 1)
    return said


@inlinable
def _change(before: Int, now: Int) -> int:
    """Judge a change between two version codes: numeric ones are >= 0 and ordered."""
    if before == now:
        return SAME_VERSION
    if before >= 0 and now >= 0 and now < before:
        return CHANGE
    return UPGRADE


@compiled
def find_shifts(
    x_offsets: I64, x_time: I64, x_campaign: I32, x_channel: I8, x_trigger: I64,
    e_offsets: I64, e_time: I64, e_named: I64, counting: I8,
) -> tuple[I32, I64, I32, I32, U8]:  # fmt: skip
    """Return the events that triggered an exposure not later than themselves (rule 9).

    One row (user, time of the exposure, event, slot, roles) per event and slot: the earliest exposure.
    """
    size = 64
    user, time = np.empty(size, np.int32), np.empty(size, np.int64)
    event, slot, roles = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.uint8)
    count = 0
    for u in range(x_offsets.shape[0] - 1):
        begin = count
        for x in range(x_offsets[u], x_offsets[u + 1]):
            if x_trigger[x] == 0:
                continue
            for e in range(e_offsets[u], e_offsets[u + 1]):
                if e_named[e] != x_trigger[x] or e_time[e] < x_time[x]:
                    continue
                per_channel = counting[x_campaign[x]] == PER_CHANNEL
                for scope in range(2 if per_channel else 1):
                    target = x_campaign[x] * SLOTS + (x_channel[x] + 1 if scope else 0)
                    there = False
                    for k in range(begin, count):
                        there = there or (event[k] == e and slot[k] == target)
                    if there:
                        continue
                    if count == size:
                        size *= 2
                        user, time = _grown(user, size), _grown(time, size)
                        event, slot, roles = _grown(event, size), _grown(slot, size), _grown(roles, size)
                    user[count], time[count], event[count], slot[count] = u, x_time[x], e, target
                    roles[count] = (CONVERSIONS if scope else REVENUE) if per_channel else CONVERSIONS | REVENUE
                    count += 1
    return user[:count], time[:count], event[:count], slot[:count], roles[:count]


@inlinable
def _grown(array: NDArray[N], size: Int) -> NDArray[N]:
    """Return the array with room for `size` elements."""
    larger = np.empty(size, array.dtype)
    larger[: array.shape[0]] = array
    return larger
