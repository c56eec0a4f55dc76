"""The numbers of one campaign by calendar day, as they were counted and summed into what answers are made of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from afterword.model import Campaign, Channel
from afterword.reports.exchange import ONE

ALL_MESSAGED = -1
"""In place of a variant: all variants with a message, each user once."""
RECIPIENTS, EXPOSURES, SENT, FAILED, RECEIVED = "recipients", "exposures", "sent", "failed", "received"
"""Measures; the others are `converted()`, and the kinds of events about messages, alone and with `first_of()`."""


def converted(letter: int, *, by_exposure: bool = False) -> str:
    """Return the measure of conversions on a conversion event, by their own day or by the day of exposure."""
    return f"converted by exposure {letter}" if by_exposure else f"converted {letter}"


def first_of(kind: str) -> str:
    """Return the measure that counts the first of a kind of news for each exposure."""
    return f"first {kind}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of one day."""

    variant: int
    """Its place in the definition, or `ALL_MESSAGED`."""
    channel: int
    """The code of the channel, -1 for none."""
    step: int
    """Its place in the definition, -1 for none."""
    measure: str
    day: date
    n: int


@dataclass(frozen=True, slots=True)
class Earned:
    """Revenue of one day of purchase, in 10^-18 of the reporting currency: exact (rule 27)."""

    variant: int
    channel: int
    step: int
    day: date
    amount: int


@dataclass(slots=True)
class Sums:
    """What one part of a campaign counts, by day."""

    counts: Counter[tuple[str, date]] = field(default_factory=Counter)
    money: Counter[date] = field(default_factory=Counter)

    def count(self, measure: str, days: Iterable[date]) -> int:
        """Return the sum over some days."""
        return sum(self.counts[measure, day] for day in days)

    def revenue(self, days: Iterable[date]) -> float:
        """Return the sum over some days: exact until it becomes the nearest float."""
        return sum(self.money[day] for day in days) / ONE


@dataclass(frozen=True)
class DailyNumbers:
    """All that a campaign's days count."""

    campaign: Campaign
    cells: Sequence[Cell] = ()
    earned: Sequence[Earned] = ()
    reported: frozenset[tuple[str, int]] = frozenset()
    """Kinds of news about messages that were ever received, with the channel; -1 where this campaign's name none."""
    used: frozenset[int] = frozenset()
    """The channels of all exposures, on whatever day, -1 for none."""

    @cached_property
    def messaged(self) -> frozenset[int]:
        """The variants with a message."""
        return frozenset(place for place, variant in enumerate(self.campaign.variants) if not variant.control)

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """The channels to be listed, by code: those of the definition, and those that facts name; -1 for none."""
        defined = {list(Channel).index(channel) for channel in self.campaign.channels}
        seen = {cell.channel for cell in self.cells if cell.variant != ALL_MESSAGED and cell.measure != RECEIVED}
        found = defined | self.used | seen
        return tuple(sorted(found - {-1})) + ((-1,) if -1 in found or not found else ())

    def is_reported(self, kind: str, channel: int) -> bool:
        """Return whether anybody ever reports this kind of news of a channel."""
        return (kind, channel) in self.reported or (kind, -1) in self.reported

    @cached_property
    def total(self) -> Sums:
        """All variants with a message."""
        sums = Sums()
        for cell in self.cells:
            apart = cell.variant == ALL_MESSAGED
            if apart or (cell.variant in self.messaged and cell.measure != RECIPIENTS):
                sums.counts[cell.measure, cell.day] += cell.n
        for one in self.earned:
            if one.variant in self.messaged:
                sums.money[one.day] += one.amount
        return sums

    @cached_property
    def by_variant(self) -> Mapping[int, Sums]:
        """Each variant over all channels; recipients are those of single channels and not summed here."""
        sums: defaultdict[int, Sums] = defaultdict(Sums)
        for cell in self.cells:
            if cell.measure != RECIPIENTS:
                sums[cell.variant].counts[cell.measure, cell.day] += cell.n
        for one in self.earned:
            sums[one.variant].money[one.day] += one.amount
        return sums

    @cached_property
    def by_channel(self) -> Mapping[tuple[int, int], Sums]:
        """Each variant on each channel."""
        sums: defaultdict[tuple[int, int], Sums] = defaultdict(Sums)
        for cell in self.cells:
            sums[cell.variant, cell.channel].counts[cell.measure, cell.day] += cell.n
        for one in self.earned:
            sums[one.variant, one.channel].money[one.day] += one.amount
        return sums

    @cached_property
    def by_step(self) -> Mapping[int, Sums]:
        """Each step over all variants with a message; -1 is what happened outside of any."""
        sums: defaultdict[int, Sums] = defaultdict(Sums)
        for cell in self.cells:
            if cell.variant in self.messaged:
                sums[cell.step].counts[cell.measure, cell.day] += cell.n
        for one in self.earned:
            if one.variant in self.messaged:
                sums[one.step].money[one.day] += one.amount
        return sums


def days_until(last: date, count: int) -> list[date]:
    """Return so many days, the last of them `last`, oldest first."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]
