"""Which rows look alike: keys of derived rows, and back from counted keys to the columns that queries give.

A key packs what a query in `queries/` groups by; the query of the same name says what is counted, and a test holds the
two together. Times are between 1970 and 2200, so 18 bits hold a day, also in zones where 1970 has not begun.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I8, I32, I64, NEVER, U8, Int, compiled_without_allocation, inlinable
from afterword.attribution.derive import Rows
from afterword.reports import ages, series, steps, units
from afterword.reports.grouping import Cells
from afterword.reports.sql import sorted_columns
from afterword.reports.tables import Outcomes

HOUR = 3_600_000_000
DAY_BITS = 18
CAMPAIGNS = 1 << 16
"""Keys have room for so many campaigns, and for so many steps in each."""
REPEATED, TOTAL, WITH_CONTROL = 16, 32, 33
"""Scopes: variants 0..15, the same plus 16 for units that a total may see twice, and the totals."""


class Known(NamedTuple):
    """What is known of the definitions, by campaign (queries `report_campaigns`, `report_variants`)."""

    as_of: int
    per_exposure: NDArray[np.bool_]
    deadline: I64
    """(C, 4) microseconds; 0 for a letter that the campaign does not have."""
    longest: I64
    last_hour: I64
    control: NDArray[np.bool_]
    """(C, 16) by variant."""


class Recipients(NamedTuple):
    """Columns of the derived rows; a unit's rows are neighbours."""

    campaign: I32
    variant: I32
    user: I32
    channel: I8
    exposure: I64
    first_exposed_at: I64
    first_day: I32
    last_exposed_at: I64
    latest: U8
    converted: U8
    unit_converted: U8
    variants_seen: U8


class Exposures(NamedTuple):
    """Columns of the derived rows."""

    campaign: I32
    variant: I32
    exposed_at: I64
    exposed_day: I32
    superseded_at: I64
    outcome: I8
    at_risk: U8
    converted: U8
    first: U8


@inlinable
def _state(known: Known, campaign: Int, first: Int, last: Int, latest: Int, converted: Int) -> int:
    """Eight bits: pending letters (as `recipient_cells` says), then matured ones."""
    matured = 15
    if first + known.longest[campaign] > known.as_of:
        for letter in range(4):
            if first + known.deadline[campaign, letter] > known.as_of:
                matured ^= 1 << letter
    pending = 0
    if latest and last + known.longest[campaign] > known.as_of:
        for letter in range(4):
            if last + known.deadline[campaign, letter] > known.as_of:
                pending |= 1 << letter
    return (pending & (15 ^ int(converted))) << 4 | matured


@inlinable
def _unit_key(campaign: Int, scope: Int, day: Int, several: Int, converted: Int, state: Int) -> Int:
    where = (np.int64(campaign) << 6 | scope) << DAY_BITS | (day + 1)
    return (where << 1 | several) << 12 | int(converted) << 8 | state


@compiled_without_allocation
def unit_keys(known: Known, r: Recipients, keys: I64) -> None:
    """Fill in the keys of units by variant (query `recipient_cells`)."""
    for one in range(r.campaign.shape[0]):
        first, last, several = r.first_exposed_at[one], r.last_exposed_at[one], int(r.variants_seen[one] > 1)
        state = _state(known, r.campaign[one], first, last, r.latest[one], r.unit_converted[one])
        keys[one] = _unit_key(r.campaign[one], r.variant[one], r.first_day[one], several, r.converted[one], state)


@inlinable
def _total_key(known: Known, r: Recipients, row: Int, end: Int, scope: Int) -> Int:
    campaign = r.campaign[row]
    first, last, day, latest, own, unit = NEVER, -NEVER, 1 << DAY_BITS, 0, 0, 0
    for one in range(row, end):
        if scope == WITH_CONTROL or not known.control[campaign, r.variant[one]]:
            first, last = min(first, r.first_exposed_at[one]), max(last, r.last_exposed_at[one])
            day = min(day, int(r.first_day[one]))
            latest |= int(r.latest[one])
            own |= int(r.converted[one])
            unit |= int(r.unit_converted[one])
    if first == NEVER:
        return -1
    return _unit_key(campaign, scope, day, 1, own, _state(known, campaign, first, last, latest, unit))


@compiled_without_allocation
def total_keys(known: Known, r: Recipients, keys: I64) -> None:
    """Fill in the keys of units in the totals, a unit's two keys at its first row (query `several_cells`); else -1."""
    for row in range(keys.shape[0]):
        keys[row] = -1
    row = 0
    while row < r.campaign.shape[0]:
        end = row + 1
        while (
            end < r.campaign.shape[0]
            and r.user[end] == r.user[row]
            and r.campaign[end] == r.campaign[row]
            and r.channel[end] == r.channel[row]
            and r.exposure[end] == r.exposure[row]
        ):
            end += 1
        keys[2 * row] = _total_key(known, r, row, end, TOTAL)
        keys[2 * row + 1] = _total_key(known, r, row, end, WITH_CONTROL)
        row = end


@compiled_without_allocation
def exposure_keys(known: Known, x: Exposures, hours: I64, days: I64, outcomes: I64) -> None:
    """Fill in the keys of exposures (queries `observed_hours`, `exposed_days`) and count outcomes (query `outcomes`).

    Exposures on whose day their unit may have had another get -1 in `days`.
    `outcomes` is (campaign, variant, outcome + 1, [count, first time, last time]).
    """
    for one in range(x.campaign.shape[0]):
        campaign, variant, time = np.int64(x.campaign[one]), np.int64(x.variant[one]), x.exposed_at[one]
        until, outcome = x.superseded_at[one], x.outcome[one] + 1
        hour = (known.as_of - time) // HOUR if until == NEVER else (until - time + HOUR - 1) // HOUR - 1
        hour = min(hour, known.last_hour[campaign])
        unconverted = int(x.at_risk[one]) & (15 ^ int(x.converted[one]))
        hours[one] = ((campaign << 4 | variant) << 4 | unconverted) << 16 | (hour + 1)
        lone = known.per_exposure[campaign] or (x.first[one] and until == NEVER)
        days[one] = (campaign << 6 | variant) << (DAY_BITS + 3) | (x.exposed_day[one] + 1) << 3 if lone else -1
        outcomes[campaign, variant, outcome, 0] += 1
        outcomes[campaign, variant, outcome, 1] = min(outcomes[campaign, variant, outcome, 1], time)
        outcomes[campaign, variant, outcome, 2] = max(outcomes[campaign, variant, outcome, 2], time)


def repeated_day_keys(x: Rows, rows: I64, scope: Any, per_channel: NDArray[np.bool_]) -> I64:
    """Keys of exposures on whose day their unit may have had another (query `exposed_days`)."""
    campaign, day, channel = (x[name][rows].astype(np.int64) for name in ("campaign", "exposed_day", "channel"))
    channel[~per_channel[campaign]] = -1  # only once per channel it is part of the unit
    key: I64 = ((campaign << 6 | scope) << DAY_BITS | (day + 1)) << 3 | (channel + 1)
    return key


class ConversionKeys(NamedTuple):
    """Keys for the queries `conversion_days`, `conversion_hours` and `conversion_marks`."""

    days: I64
    hours: I64
    marks: I64


def conversion_keys(c: Rows) -> ConversionKeys:
    """Return the keys of conversions."""
    what = c["campaign"].astype(np.int64) << 6 | c["variant"] << 2 | c["letter"]
    later = c["converted_day"] - c["exposed_day"]
    step = c["step"].astype(np.int64) + 1
    return ConversionKeys(
        (what << DAY_BITS | (c["exposed_day"] + 1)) << 6 | later,
        what << 16 | (c["converted_at"] - c["exposed_at"]) // HOUR,
        (what << 17 | step) << 2 | c["after_open"] << 1 | c["after_click"],
    )


class Credits:
    """Keys of credited purchases (query `revenue_cells`); step and currency share a number, as a key has no room.

    So do the weeks between exposure and purchase that go beyond the 63 days of the key: a purchase that says what
    exposure it triggered is credited at that exposure's time (rule 9), and its own may be any.
    """

    _FAR = 1 << 12
    """Added to far days, which are multiples of 64 and may be negative; 18 bits hold the sum."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def keys(self, c: Rows) -> I64:
        """Return the keys of credited purchases."""
        if not len(c["step"]):
            return np.zeros(0, np.int64)
        later = c["occurred_day"] - c["exposed_day"]
        kind = ((c["step"].astype(np.int64) + 1) << 28 | c["currency"]) << 18 | (later >> 6) + self._FAR
        # Mostly there are no steps and one currency, and nothing to sort.
        kinds, place = np.unique(kind, return_inverse=True) if np.ptp(kind) else (kind[:1], 0)
        numbers = np.array([self._numbers.setdefault(one, len(self._numbers)) for one in kinds.tolist()], np.int64)
        where = c["campaign"].astype(np.int64) << 4 | c["variant"]
        key: I64 = ((numbers[place] << 20 | where) << DAY_BITS | (c["exposed_day"] + 1)) << 6 | (later & 63)
        return key

    def rows(self, cells: Cells) -> Rows:
        """Return the columns of the table that the query `counted_revenue_cells` reads."""
        key, purchases, upper, lower = cells.filled()
        kind = np.fromiter(self._numbers, np.int64, len(self._numbers))[key >> (DAY_BITS + 26)]
        where = key >> (DAY_BITS + 6) & 0xFFFFF
        day = _day(key >> 6)
        later = ((kind & 0x3FFFF) - self._FAR) * 64 + (key & 63)
        integers = {"campaign": where >> 4, "variant": where & 15, "step": (kind >> 46) - 1}
        integers |= {"currency": kind >> 18 & 0xFFFFFFF, "exposed_day": day, "occurred_day": day + later}
        sums = {"purchases": purchases, "upper": upper, "lower": lower}
        return {name: column.astype(np.int32) for name, column in integers.items()} | sums


def _day(key: I64) -> I64:
    return (key & ((1 << DAY_BITS) - 1)) - 1


def _scope(scope: I64) -> I64:
    """As queries name scopes."""
    named = np.where(scope == TOTAL, units.TOTAL, np.where(scope == WITH_CONTROL, units.WITH_CONTROL, scope))
    return np.where((scope >= REPEATED) & (scope < TOTAL), scope - REPEATED, named)


def units_of(cells: Cells) -> units.Cells:
    """Return the result of the query `recipient_cells` or `several_cells`."""
    key, n = cells.filled()
    where = key >> (DAY_BITS + 13)
    masks = key >> 12 & 1, _day(key >> 13), key >> 8 & 15, key >> 4 & 15, key & 15
    return sorted_columns(units.Cells, where >> 6, _scope(where & 63), *masks, n)


def outcomes_of(counts: I64) -> Outcomes:
    """Return the result of the query `outcomes`."""
    campaign, variant, outcome = np.nonzero(counts[..., 0])
    n, first, last = counts[campaign, variant, outcome].T
    return Outcomes(campaign, variant, outcome - 1, n, first, last)


def exposed_days_of(lone: Cells, repeated: Cells, control: NDArray[np.bool_]) -> series.ExposedDays:
    """Return the result of the query `exposed_days`: units that no total sees twice are added to the totals here."""
    key, n = lone.filled()
    campaign, scope, day = key >> (DAY_BITS + 9), key >> (DAY_BITS + 3) & 63, _day(key >> 3)
    messaged = ~control[campaign, scope]
    key, counted, _ = repeated.filled()
    parts = [
        (campaign, scope, day, n),
        (campaign, np.full_like(scope, units.WITH_CONTROL), day, n),
        (campaign[messaged], np.full_like(scope[messaged], units.TOTAL), day[messaged], n[messaged]),
        (key >> (DAY_BITS + 9), _scope(key >> (DAY_BITS + 3) & 63), _day(key >> 3), counted),
    ]
    return sorted_columns(series.ExposedDays, *(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def observed_hours_of(cells: Cells) -> ages.ObservedHours:
    """Return the result of the query `observed_hours`."""
    key, n = cells.filled()
    hour = (key & 0xFFFF) - 1
    return sorted_columns(ages.ObservedHours, key >> 24, key >> 20 & 15, key >> 16 & 15, hour, n)


def conversion_days_of(cells: Cells) -> series.ConversionDays:
    """Return the result of the query `conversion_days`."""
    key, n = cells.filled()
    what, day = key >> (DAY_BITS + 6), _day(key >> 6)
    return sorted_columns(series.ConversionDays, what >> 6, what >> 2 & 15, what & 3, day, day + (key & 63), n)


def conversion_hours_of(cells: Cells) -> ages.ConversionHours:
    """Return the result of the query `conversion_hours`."""
    key, n = cells.filled()
    what = key >> 16
    return sorted_columns(ages.ConversionHours, what >> 6, what >> 2 & 15, what & 3, key & 0xFFFF, n)


def conversion_marks_of(cells: Cells) -> steps.Marks:
    """Return the result of the query `conversion_marks`."""
    key, n = cells.filled()
    what, step = key >> 19, (key >> 2 & 0x1FFFF) - 1
    return sorted_columns(steps.Marks, what >> 6, what >> 2 & 15, what & 3, step, key >> 1 & 1, key & 1, n)
