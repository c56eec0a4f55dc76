"""Compiled sorting of a part's rows by user and time, ties by id (rules 8, 13, 14, 18)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I32, I64, U8, Int, compiled, compiled_without_allocation, inlinable
from afterword.attribution.runs import Column, Text

BY_INSERTION = 48
"""So few rows are sorted by insertion."""


class Ties(NamedTuple):
    """What puts rows of one user and one instant in order: `before`, then the id, then `after`."""

    before: I32
    offsets: I64
    data: U8
    names: I32
    """Which of the texts is the row's id; empty if each row has its own, in their order."""
    after: I32
    rank: I32
    """What `after` stands for; empty if it speaks for itself."""


def id_ties(ids: Text) -> Ties:
    """Return the order by id alone."""
    same: I32 = np.zeros(len(ids.offsets) - 1, np.int32)
    empty: I32 = np.empty(0, np.int32)
    return Ties(same, ids.offsets, ids.data, empty, same, empty)


class Ordered(NamedTuple):
    """Rows in order of user and time."""

    rows: I32
    offsets: I64
    """Where each user's rows begin."""
    time: I64
    """The times, in order."""


def order_rows(rows: I32, user: I32, time: I64, ties: Ties, first: int, users: int) -> Ordered:
    """Bring rows into order of (user, time, ties).

    Args:
        rows: which rows.
        user: every row's user.
        time: every row's time.
        ties: what decides between rows of one user and one time.
        first: the first user.
        users: how many there are.

    """
    ordered, longest = _by_user(rows, user, time, first, users)
    spare, spare_time = np.empty(2 * longest, np.int32), np.empty(longest, np.int64)
    _sort_users(ordered, time, ties, spare, spare_time)
    return ordered


@compiled
def _by_user(rows: I32, user: I32, time: I64, first: int, users: int) -> tuple[Ordered, int]:
    """Bring rows into order of user (a counting sort); return also the most rows that one user has."""
    starts = np.zeros(users + 1, np.int64)
    for row in rows:
        starts[user[row] - first + 1] += 1
    longest = 0
    for u in range(users):
        longest = max(longest, starts[u + 1])
        starts[u + 1] += starts[u]
    place = starts[:-1].copy()
    order = np.empty(rows.shape[0], np.int32)
    times = np.empty(rows.shape[0], np.int64)
    for row in rows:
        u = user[row] - first
        order[place[u]] = row
        times[place[u]] = time[row]
        place[u] += 1
    return Ordered(order, starts, times), longest


def _sort_all_users(ordered: Ordered, time: I64, ties: Ties, spare: I32, spare_time: I64) -> None:
    """Sort every user's rows, with room to spare for two copies of the longest user's rows."""
    for u in range(ordered.offsets.shape[0] - 1):
        low, high = ordered.offsets[u], ordered.offsets[u + 1]
        if high - low > 1:
            _sort_by_time(ordered, low, high, time, ties, spare, spare_time)
            _sort_ties(ordered, low, high, time, ties, spare)


_sort_users = compiled_without_allocation(_sort_all_users)


@inlinable
def _sort_by_time(ordered: Ordered, low: Int, high: Int, time: I64, ties: Ties, spare: I32, spare_time: I64) -> None:
    """Sort one user's rows by time.

    Facts mostly arrive in order of time. Those that do not are taken out, sorted by themselves, and merged in
    again from the end. A fact that stays where it is came before the late ones of its time, so equal times keep
    their order.
    """
    latest = ordered.time[low]
    kept, late = low + 1, 0
    for i in range(low + 1, high):
        now, row = ordered.time[i], ordered.rows[i]
        if now >= latest:
            latest = now
            ordered.time[kept] = now
            ordered.rows[kept] = row
            kept += 1
        else:
            spare[late] = row
            late += 1
    if late == 0:
        return
    _sort(spare, 0, late, True, time, ties, spare, late)
    for k in range(late):
        spare_time[k] = time[spare[k]]
    kept -= 1
    late -= 1
    place = high - 1
    while late >= 0:
        if kept >= low and ordered.time[kept] > spare_time[late]:
            ordered.time[place] = ordered.time[kept]
            ordered.rows[place] = ordered.rows[kept]
            kept -= 1
        else:
            ordered.time[place] = spare_time[late]
            ordered.rows[place] = spare[late]
            late -= 1
        place -= 1


@inlinable
def _sort_ties(ordered: Ordered, low: Int, high: Int, time: I64, ties: Ties, spare: I32) -> None:
    """Sort the rows of each instant by what breaks ties."""
    tie = low
    for i in range(low + 1, high + 1):
        if i == high or ordered.time[i] != ordered.time[tie]:
            if i - tie > 1:
                _sort(ordered.rows, tie, i, False, time, ties, spare, 0)
            tie = i


@inlinable
def _sort(rows: I32, low: Int, high: Int, by_time: bool, time: I64, ties: Ties, spare: I32, at: Int) -> None:
    """Sort `rows[low:high]` by time, or by what breaks ties, with room at `spare[at]`.

    Few rows by insertion, more by merging: whole imports can share an instant.
    """
    block = low
    while block < high:
        end = min(block + BY_INSERTION, high)
        for i in range(block + 1, end):
            row = rows[i]
            k = i - 1
            while k >= block and _before(row, rows[k], by_time, time, ties):
                rows[k + 1] = rows[k]
                k -= 1
            rows[k + 1] = row
        block = end
    width = BY_INSERTION
    while width < high - low:
        for left in range(low, high - width, 2 * width):
            _merge(rows, left, left + width, min(left + 2 * width, high), by_time, time, ties, spare, at)
        width *= 2


@inlinable
def _merge(
    rows: I32, left: Int, middle: Int, right: Int, by_time: bool, time: I64, ties: Ties, spare: I32, at: Int
) -> None:
    """Merge two neighbouring sorted stretches; of equals the left ones come first."""
    first = middle - left
    for k in range(first):
        spare[at + k] = rows[left + k]
    a, b, place = 0, middle, left
    while a < first:
        if b < right and _before(rows[b], spare[at + a], by_time, time, ties):
            rows[place] = rows[b]
            b += 1
        else:
            rows[place] = spare[at + a]
            a += 1
        place += 1


@inlinable
def _before(a: Int, b: Int, by_time: bool, time: I64, ties: Ties) -> bool:
    """Whether row a comes before row b, by time or (both of one time) by what breaks ties."""
    if by_time:
        return bool(time[a] < time[b])
    if ties.before[a] != ties.before[b]:
        return bool(ties.before[a] < ties.before[b])
    named = ties.names.shape[0] > 0
    difference = text_before(ties.offsets, ties.data, ties.names[a] if named else a, ties.names[b] if named else b)
    if difference != 0:
        return bool(difference < 0)
    if ties.rank.shape[0]:
        return bool(ties.rank[ties.after[a]] < ties.rank[ties.after[b]])
    return bool(ties.after[a] < ties.after[b])


@inlinable
def text_before(offsets: I64, data: U8, a: Int, b: Int) -> Int:
    """Compare two strings as bytes: negative, zero or positive."""
    start_a, start_b = offsets[a], offsets[b]
    length_a, length_b = offsets[a + 1] - start_a, offsets[b + 1] - start_b
    for k in range(min(length_a, length_b)):
        difference = np.int64(data[start_a + k]) - np.int64(data[start_b + k])
        if difference != 0:
            return difference
    return length_a - length_b


@compiled
def taken(column: Column, rows: I32) -> Column:
    """Return the column's values at `rows` (NumPy would make wider indices first)."""
    out = np.empty(rows.shape[0], column.dtype)
    for i in range(rows.shape[0]):
        out[i] = column[rows[i]]
    return out
