"""Adding up persons that look alike: compiled passes over the derived rows `persons`, exact whatever their order.

Counts and their products are integers. So is money, in millionths of the reporting currency: what a person earned is a
number of at most 53 bits here, a product of two has 106 and is added up in four words of 27.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I32, I64, NEVER, U8, Int, compiled_without_allocation, inlinable
from afterword.attribution.days import Calendar
from afterword.attribution.derive import Rows
from afterword.model import LETTERS, Campaign
from afterword.reports.grouping import Cells, N, cell_of, count, filled, is_full, new_cells

DAY_BITS = 18
WORD = 27
MASK = (1 << WORD) - 1
MONEY, CAPPED = len(LETTERS), len(LETTERS) + 1
"""The metrics after the letters: revenue, and the same with what each person earned capped."""
LETTER_SUMS = ("y", "yy", "m", "mm", "my", "x", "xx", "xy", "xm")
MONEY_SUMS = 3 + 2 * 2 + 3 * 4
"""Guardrails, y and x in two words each, yy, xx and xy in four."""


class Aged(NamedTuple):
    """Persons of one part on one metric."""

    key: I64
    """Campaign, variant, metric and day of coming of age; -1 for who is not of age."""
    y: I32
    m: I32
    x: I32


class Earned(NamedTuple):
    """The same for money."""

    key: I64
    earned: I64
    before: I64
    guards: U8


@compiled_without_allocation
def _add_letters(row: int, cells: Cells, rows: Aged) -> int:
    table = cells.table
    for one in range(row, rows.key.shape[0]):
        if is_full(cells):
            return one
        if rows.key[one] < 0:
            continue
        at = cell_of(cells, rows.key[one])
        y, m, x = np.int64(rows.y[one]), np.int64(rows.m[one]), np.int64(rows.x[one])
        table[at, N] += 1
        table[at, N + 1] += y
        table[at, N + 2] += y * y
        table[at, N + 3] += m
        table[at, N + 4] += m * m
        table[at, N + 5] += m * y
        if x:
            table[at, N + 6] += x
            table[at, N + 7] += x * x
            table[at, N + 8] += x * y
            table[at, N + 9] += x * m
    return -1


@inlinable
def _add_product(cells: Cells, at: Int, place: Int, a: Int, b: Int) -> None:
    """Add a product to the four words from a place of a cell on; the highest word has the sign."""
    if a == 0 or b == 0:
        return
    upper_a, lower_a, upper_b, lower_b = a >> WORD, a & MASK, b >> WORD, b & MASK
    low = lower_a * lower_b
    middle = upper_a * lower_b + upper_b * lower_a + (low >> WORD)
    high = upper_a * upper_b + (middle >> WORD)
    cells.table[at, place] += low & MASK
    cells.table[at, place + 1] += middle & MASK
    cells.table[at, place + 2] += high & MASK
    cells.table[at, place + 3] += high >> WORD


@compiled_without_allocation
def _add_money(row: int, cells: Cells, rows: Earned) -> int:
    table = cells.table
    for one in range(row, rows.key.shape[0]):
        if is_full(cells):
            return one
        if rows.key[one] < 0:
            continue
        at = cell_of(cells, rows.key[one])
        y, x, guards = rows.earned[one], rows.before[one], rows.guards[one]
        table[at, N] += 1
        if guards:
            for place in range(3):
                table[at, N + 1 + place] += guards >> place & 1
        if y == 0 and x == 0:
            continue
        table[at, N + 4] += y & MASK
        table[at, N + 5] += y >> WORD
        table[at, N + 6] += x & MASK
        table[at, N + 7] += x >> WORD
        _add_product(cells, at, N + 8, y, y)
        _add_product(cells, at, N + 12, x, x)
        _add_product(cells, at, N + 16, x, y)
    return -1


class PersonCells:
    """Adds up the rows of `persons`, part after part."""

    def __init__(self, campaigns: Sequence[Campaign], timezone: str, as_of: int, caps: Sequence[int | None]) -> None:
        """Count nothing yet; `caps` are millionths of the reporting currency, by campaign."""
        size = max(1, len(campaigns))
        self._deadline = np.zeros((size, CAPPED + 1), np.int64)
        self._known = np.zeros((size, CAPPED + 1), np.bool_)
        self._cap = np.full(size, NEVER)
        for index, campaign in enumerate(campaigns):
            seconds = [event.deadline_seconds for event in campaign.conversion_events]
            self._deadline[index, : len(seconds)] = np.array(seconds, np.int64) * 1_000_000
            self._deadline[index, MONEY:] = campaign.revenue_window_seconds * 1_000_000
            self._known[index, [*range(len(seconds)), MONEY]] = True
            cap = caps[index]
            if cap is not None:
                self._known[index, CAPPED] = True
                self._cap[index] = min(cap, NEVER)
        self._as_of = as_of
        self._timezone = timezone
        self._calendar: Calendar | None = None
        self._span = (NEVER, -NEVER)
        self.letters = new_cells(extra=len(LETTER_SUMS))
        self.money = new_cells(extra=MONEY_SUMS)
        self.first_days = new_cells()

    def add(self, rows: Rows) -> None:
        """Add the next part."""
        if not len(rows["campaign"]):
            return
        what = rows["campaign"].astype(np.int64) << 4 | rows["variant"]
        self.first_days = count(self.first_days, what << DAY_BITS | (rows["first_day"] + 1))
        for place, letter in enumerate(LETTERS.lower()):
            if self._known[:, place].any():
                key = self.keys(rows, place)
                aged = Aged(key, rows[f"y_{letter}"], rows[f"m_{letter}"], rows[f"x_{letter}"])
                self.letters = filled(self.letters, partial(_add_letters, rows=aged))
        earned = Earned(self.keys(rows, MONEY), rows["earned"], rows["earned_before"], rows["guards"])
        self.money = filled(self.money, partial(_add_money, rows=earned))
        if self._known[:, CAPPED].any():
            least = np.minimum(rows["earned"], self._cap[rows["campaign"]])
            capped = earned._replace(key=self.keys(rows, CAPPED), earned=least)
            self.money = filled(self.money, partial(_add_money, rows=capped))

    def keys(self, rows: Rows, metric: int) -> I64:
        """Return campaign, variant, metric and day of coming of age in one number, -1 for who is not of age."""
        campaign = rows["campaign"]
        time = rows["first_exposed_at"] + self._deadline[campaign, metric]
        of_age = (time <= self._as_of) & self._known[campaign, metric]
        what = (campaign.astype(np.int64) << 4 | rows["variant"]) << 3 | metric
        return np.where(of_age, what << DAY_BITS | (self._days(np.minimum(time, self._as_of)) + 1), -1)

    def _days(self, times: I64) -> I32:
        first, last = int(times.min()), int(times.max())
        if self._calendar is None or first < self._span[0] or last > self._span[1]:
            self._span = min(first, self._span[0]), max(last, self._span[1])
            self._calendar = Calendar(self._timezone, *self._span)
        return self._calendar.days(times)
