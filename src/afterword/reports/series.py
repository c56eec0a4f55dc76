"""Daily series of one campaign: conversions and revenue by their own day and by the day of exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from afterword.model import LETTERS, Campaign
from afterword.reports.exchange import amount, exact
from afterword.reports.revenue import CampaignRevenue, Ledger
from afterword.reports.sql import Columns, Ints
from afterword.reports.units import TOTAL, FirstDays, ScopeUnits, members

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ConversionDays(Columns):
    """Query `conversion_days`; days are days since 1970 in the workspace's time zone."""

    variant: Ints
    letter: Ints
    exposed_day: Ints
    converted_day: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class ExposedDays(Columns):
    """Query `exposed_days`; scope is a variant, -1 (total) or -2 (total with control)."""

    scope: Ints
    day: Ints
    n: Ints


def iso_day(day: int) -> str:
    """A day since 1970 as ISO 8601."""
    return (EPOCH + timedelta(days=day)).isoformat()


@dataclass(frozen=True, slots=True)
class Axis:
    """The days that all series of a campaign run over, without gaps."""

    first: int
    count: int

    @classmethod
    def over(cls, *days: Ints | Sequence[int]) -> Axis:
        """From the earliest to the latest of all these days."""
        filled = [column for column in days if len(column)]
        if not filled:
            return cls(0, 0)
        first, last = min(int(np.min(column)) for column in filled), max(int(np.max(column)) for column in filled)
        return cls(first, last - first + 1)

    def days(self) -> list[str]:
        """The days as ISO 8601."""
        return [iso_day(self.first + offset) for offset in range(self.count)]

    def numbers(self, rows: Ints, columns: Ints, days: Ints, n: Ints, shape: tuple[int, int]) -> Ints:
        """Sums as an array [row, column, day]."""
        array = np.zeros((*shape, self.count), dtype=np.int64)
        np.add.at(array, (rows, columns, days - self.first), n)
        return array

    def money(self, ledger: Ledger, variants: Sequence[int]) -> tuple[list[int], dict[str, list[int]]]:
        """Revenue per day, summed over some variants: what could be converted, and by currency what could not."""
        converted = [0] * self.count
        apart: dict[str, list[int]] = {}
        for (variant, day), money in ledger.items():
            if variant in variants:
                place = day - self.first
                converted[place] += money.converted
                for currency, amount in money.unconverted.items():
                    apart.setdefault(currency, [0] * self.count)[place] += amount
        return converted, apart


@dataclass(frozen=True, slots=True)
class CampaignDays:
    """Everything by day that a campaign's series are made of."""

    campaign: Campaign
    conversions: ConversionDays
    exposed: ExposedDays
    revenue: CampaignRevenue
    currency: str
    timezone: str

    def axis(self) -> Axis:
        """The days of this campaign, from its first exposure to the last thing that counts."""
        return Axis.over(
            self.exposed.day,
            self.conversions.converted_day,
            self.conversions.exposed_day,
            [day for _, day in self.revenue.by_day],
            [day for _, day in self.revenue.by_exposure_day],
        )

    def by_day(self) -> dict[str, Any]:
        """Conversions and revenue by the day on which they happened."""
        axis = self.axis()
        counts = self._counts(axis, self.conversions.converted_day)
        return self._by_scope(axis, lambda scope: self._entry(axis, counts, self.revenue.by_day, scope))

    def by_exposure_day(self) -> dict[str, Any]:
        """Recipients, conversions and revenue by the day of the exposure that they go back to."""
        axis = self.axis()
        counts = self._counts(axis, self.conversions.exposed_day)
        variants = len(self.campaign.variants)
        rows = np.where(self.exposed.scope >= 0, self.exposed.scope, variants + (self.exposed.scope != TOTAL))
        exposed = axis.numbers(rows, np.zeros_like(rows), self.exposed.day, self.exposed.n, (variants + 2, 1))[:, 0]
        return self._by_scope(
            axis,
            lambda scope: {
                "exposed": exposed[scope].tolist(),
                **self._entry(axis, counts, self.revenue.by_exposure_day, scope),
            },
        )

    def _counts(self, axis: Axis, days: Ints) -> Ints:
        shape = (len(self.campaign.variants), len(self.campaign.conversion_events))
        return axis.numbers(self.conversions.variant, self.conversions.letter, days, self.conversions.n, shape)

    def _entry(self, axis: Axis, counts: Ints, ledger: Ledger, scope: int) -> dict[str, Any]:
        variants = members(self.campaign, scope)
        sums = counts[variants].sum(axis=0)
        converted, apart = axis.money(ledger, variants)
        return {
            "conversions": {LETTERS[letter]: row.tolist() for letter, row in enumerate(sums)},
            "revenue": [amount(money, self.currency) for money in converted],
            "revenue_unconverted": {
                currency: [exact(money, currency) for money in days] for currency, days in sorted(apart.items())
            },
        }

    def _by_scope(self, axis: Axis, entry: Any) -> dict[str, Any]:
        variants = self.campaign.variants
        return {
            "timezone": self.timezone,
            "days": axis.days(),
            "variants": {variant.id: entry(index) for index, variant in enumerate(variants)},
            "total": entry(len(variants)),
            "total_with_control": entry(len(variants) + 1),
        }


def by_first_exposure_day(campaign: Campaign, scopes: Sequence[ScopeUnits], timezone: str) -> dict[str, Any]:
    """Units by the day of their first exposure: how many, how many matured, how many of both converted."""
    entries = [_first_days(units.first_days) for units in scopes]
    count = len(campaign.variants)
    return {
        "timezone": timezone,
        "variants": {variant.id: entries[index] for index, variant in enumerate(campaign.variants)},
        "total": entries[count],
        "total_with_control": entries[count + 1],
    }


def _first_days(first: FirstDays) -> dict[str, Any]:
    return {
        "days": [iso_day(day) for day in first.days],
        "n": first.n,
        "conversions": {
            LETTERS[letter]: {
                "converted": first.converted[letter],
                "matured_n": first.matured_n[letter],
                "matured_converted": first.matured_converted[letter],
            }
            for letter in range(len(first.converted))
        },
    }
