"""How old exposures were at their conversions: exact quartiles, and the `Delays` of each variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from afterword.model import LETTERS, Campaign
from afterword.reports.sql import Columns, Ints, among, fetch
from afterword.reports.units import members
from afterword.stats.delays import Delays, without_trailing_zeros

HOUR_SECONDS = 3600
HOURS = 1 + 30 * 24
"""Hours of age that a conversion can have: a deadline is at most 30 days, and it is inclusive."""


@dataclass(frozen=True, slots=True)
class ConversionHours(Columns):
    """Query `conversion_hours`."""

    variant: Ints
    letter: Ints
    hour: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class ConversionAges(Columns):
    """Query `conversion_ages`."""

    letter: Ints
    variant: Ints
    hour: Ints
    age: Ints


@dataclass(frozen=True, slots=True)
class ObservedHours(Columns):
    """Query `observed_hours`."""

    variant: Ints
    unconverted: Ints
    hour: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class Wanted:
    """One quartile to look up: the conversion number `rank` (from 0) of some variants within an hour of age."""

    campaign: int
    scope: int
    letter: int
    quartile: int
    hour: int
    rank: int


Bucket = tuple[int, int, int]
"""(campaign, letter, hour of age)."""

Quartiles = dict[tuple[int, int, int], list[float]]
"""(campaign, scope, letter) -> p25, median, p75 in seconds."""


def last_hour(deadline_seconds: int) -> int:
    """The last hour of a window; the very end of the window counts in it."""
    return -(-deadline_seconds // HOUR_SECONDS) - 1


def hour_histograms(hours: ConversionHours, campaigns: tuple[Campaign, ...]) -> list[Ints]:
    """Per campaign an array [variant, letter, hour] of conversions."""
    histograms = []
    for index, campaign in enumerate(campaigns):
        mine = hours.of(index)
        longest = max((event.deadline_seconds for event in campaign.conversion_events), default=0)
        shape = (len(campaign.variants), len(campaign.conversion_events), 1 + longest // HOUR_SECONDS)
        histogram = np.zeros(shape, dtype=np.int64)
        histogram[mine.variant, mine.letter, mine.hour] = mine.n
        histograms.append(histogram)
    return histograms


def ages_in(con: duckdb.DuckDBPyConnection, buckets: Sequence[Bucket]) -> ConversionAges:
    """Look the conversions of some hours of age up in the derived tables."""
    campaign, letter, hour = (list(column) for column in zip(*buckets, strict=True))
    return fetch(con, ConversionAges, "conversion_ages", campaign=campaign, letter=letter, hour=hour)


def quartiles(
    look_up: Callable[[Sequence[Bucket]], ConversionAges], histograms: list[Ints], campaigns: tuple[Campaign, ...]
) -> Quartiles:
    """Exact quartiles of the time to convert, per campaign, scope and letter.

    Quartile q is the conversion of rank ceil(q n) by age (`quantile_disc`). The histogram tells the hour of
    age that it falls into; only the conversions of those hours are then looked at one by one: `look_up` finds
    those of some buckets, which it gets in order.
    """
    wanted = [want for index, campaign in enumerate(campaigns) for want in _wanted(histograms[index], index, campaign)]
    if not wanted:
        return {}
    buckets = sorted({(want.campaign, want.letter, want.hour) for want in wanted})
    ages = look_up(buckets)
    # One integer per conversion sorts by campaign, letter, age and keeps the variant in the lowest four bits.
    bucket_keys = _bucket_key(ages.campaign, ages.letter, ages.hour)
    keys = np.sort((bucket_keys << 36) | ((ages.age - ages.hour * HOUR_SECONDS * 1_000_000) << 4) | ages.variant)
    found: Quartiles = {}
    for want in wanted:
        bucket = (want.campaign * 4 + want.letter) * 1024 + want.hour
        low, high = np.searchsorted(keys, [bucket << 36, (bucket + 1) << 36])
        variants = members(campaigns[want.campaign], want.scope)
        rows = keys[low:high]
        rows = rows[among(variants)[rows & 15]]
        age = want.hour * HOUR_SECONDS * 1_000_000 + ((int(rows[want.rank]) >> 4) & 0xFFFF_FFFF)
        found.setdefault((want.campaign, want.scope, want.letter), []).append(age / 1_000_000)
    return found


def _bucket_key(campaign: Ints, letter: Ints, hour: Ints) -> Ints:
    return (campaign * 4 + letter) * 1024 + hour


def _wanted(histogram: Ints, index: int, campaign: Campaign) -> list[Wanted]:
    wanted = []
    for scope in range(len(campaign.variants) + 2):
        per_letter = histogram[members(campaign, scope)].sum(axis=0)
        for letter, by_hour in enumerate(per_letter):
            reached = np.cumsum(by_hour)
            n = int(reached[-1])
            for quartile in (1, 2, 3) if n else ():
                position = -(-quartile * n // 4) - 1
                hour = int(np.searchsorted(reached, position, side="right"))
                rank = position - int(reached[hour] - by_hour[hour])
                wanted.append(Wanted(index, scope, letter, quartile, hour, rank))
    return wanted


def delays(histogram: Ints, observed: ObservedHours, campaign: Campaign) -> list[list[Delays]]:
    """The delays of each variant and letter (contract: hours of age, both ends of a window inclusive)."""
    return [
        [
            _delays(histogram[variant, letter], observed, variant, letter, last_hour(event.deadline_seconds))
            for letter, event in enumerate(campaign.conversion_events)
        ]
        for variant in range(len(campaign.variants))
    ]


def _delays(by_hour: Ints, observed: ObservedHours, variant: int, letter: int, last: int) -> Delays:
    converted = _up_to(by_hour, np.arange(len(by_hour)), last)
    at_risk: NDArray[np.bool_] = (
        (observed.variant == variant) & ((observed.unconverted >> letter) & 1 == 1) & (observed.hour >= 0)
    )
    left = _up_to(observed.n[at_risk], observed.hour[at_risk], last)
    remaining = np.cumsum((left + converted)[::-1])[::-1]
    return Delays(tuple(without_trailing_zeros(remaining.tolist())), tuple(without_trailing_zeros(converted.tolist())))


def _up_to(counts: Ints, hours: Ints, last: int) -> Ints:
    """Counts per hour 0..last; what is later counts in the last."""
    return np.bincount(np.minimum(hours, last), weights=counts, minlength=last + 1).astype(np.int64)


def letters_of(campaign: Campaign) -> str:
    """The letters that a campaign uses: `ABC` for three conversion events."""
    return LETTERS[: len(campaign.conversion_events)]
