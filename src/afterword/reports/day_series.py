"""Series of one campaign for charts: any range of its days, zeros among them, and sums from its first day on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from afterword.errors import UserError, nearest
from afterword.model import LETTERS, Campaign
from afterword.reports.exchange import amount, exact
from afterword.reports.report import described_events
from afterword.reports.series import EPOCH, Axis, CampaignDays
from afterword.reports.sql import Ints
from afterword.reports.units import TOTAL, ScopeUnits, members

MAX_DAYS = 3_660
"""Ten years and some days."""
TOTALS = ("total", "total_with_control")


def day_of(at: int, timezone: str) -> date:
    """Return the day on which a time, in epoch microseconds, falls in a time zone."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(timezone)).date()


@dataclass(frozen=True, slots=True)
class AskedSeries:
    """Which part of a campaign's days is asked for."""

    first: date | None = None
    """The campaign's first day if None."""
    last: date | None = None
    """The day of `as_of` if None."""
    by_exposure: bool = False
    """Conversions and revenue on the day of their exposure instead of their own."""
    event: str | None = None
    """A letter; all if None."""
    variant: str | None = None
    """A variant, `total` or `total_with_control`; all if None."""


@dataclass(frozen=True, slots=True)
class DaySeries:
    """What was counted of a campaign, by day."""

    days: CampaignDays
    scopes: Sequence[ScopeUnits]
    """Its variants, the total, the total with control."""

    def as_json(self, asked: AskedSeries, today: date) -> dict[str, Any]:
        """Return the part that is asked for.

        Args:
            asked: which part.
            today: the day of `as_of` in the workspace's time zone.

        Raises:
            UserError: no such variant or conversion event, or no such range of days.

        """
        campaign = self.days.campaign
        letters, wanted = _letters(campaign, asked.event), _scopes(campaign, asked.variant)
        axis = self._axis(asked, (today - EPOCH) // timedelta(days=1))
        first, size = self._range(axis, asked, today)
        numbers = _Numbers(self, axis, by_exposure=asked.by_exposure)
        cut = slice(first - axis.first, first - axis.first + size)
        variants, totals = ({name: numbers.entry(scope, letters, cut) for name, scope in of.items()} for of in wanted)
        return {
            "campaign": campaign.id,
            "timezone": self.days.timezone,
            "currency": self.days.currency,
            "counting": campaign.counting.value,
            "denominator": campaign.counting.denominator,
            "by": "exposure" if asked.by_exposure else "conversion",
            "conversion_events": [described_events(campaign)[letter] for letter in letters],
            "days": axis.days()[cut],
            "variants": variants,
            **totals,
        }

    def _axis(self, asked: AskedSeries, today: int) -> Axis:
        """Return the campaign's days and all that are asked for."""
        own = self.days.axis()
        edges = [(day - EPOCH) // timedelta(days=1) for day in (asked.first, asked.last) if day is not None]
        return Axis.over([own.first, own.first + own.count - 1] if own.count else [], [today, *edges])

    def _range(self, axis: Axis, asked: AskedSeries, today: date) -> tuple[int, int]:
        """Return the first day (since 1970) and how many are asked for."""
        own = self.days.axis()
        start = EPOCH + timedelta(days=own.first) if own.count else today
        last = asked.last or max(today, start)
        first = asked.first or min(start, last)
        size = (last - first).days + 1
        if size < 1:
            raise UserError(f"from is {first}, must not be after to, {last}")
        if size > MAX_DAYS:
            raise UserError(
                f"from {first} to {last} are {size:,} days, must be at most {MAX_DAYS:,}: name fewer with from and to"
            )
        return (first - EPOCH) // timedelta(days=1), size


class _Numbers:
    """The numbers of all scopes over an axis."""

    def __init__(self, series: DaySeries, axis: Axis, *, by_exposure: bool) -> None:
        days, campaign = series.days, series.days.campaign
        self._axis, self._days = axis, days
        variants = len(campaign.variants)
        counted = days.conversions.exposed_day if by_exposure else days.conversions.converted_day
        shape = (variants, len(campaign.conversion_events))
        self._converted = axis.numbers(
            days.conversions.variant, days.conversions.letter, counted, days.conversions.n, shape
        )
        rows = np.where(days.exposed.scope >= 0, days.exposed.scope, variants + (days.exposed.scope != TOTAL))
        self._recipients = axis.numbers(rows, np.zeros_like(rows), days.exposed.day, days.exposed.n, (variants + 2, 1))
        self._first = [_by_day(axis, scope) for scope in series.scopes]
        self._ledger = days.revenue.by_exposure_day if by_exposure else days.revenue.by_day

    def entry(self, scope: int, letters: Sequence[int], cut: slice) -> dict[str, Any]:
        """Return the series of one scope."""
        variants, currency = members(self._days.campaign, scope), self._days.currency
        converted = self._converted[variants].sum(axis=0)
        earned, apart = self._axis.money(self._ledger, variants)
        exposed = self._first[scope]
        return {
            "exposed": exposed[cut].tolist(),
            "recipients": self._recipients[scope, 0][cut].tolist(),
            "conversions": {LETTERS[letter]: converted[letter][cut].tolist() for letter in letters},
            "revenue": [amount(money, currency) for money in earned[cut]],
            "revenue_unconverted": {
                code: [exact(money, code) for money in days[cut]] for code, days in sorted(apart.items())
            },
            "cumulative": {
                "exposed": np.cumsum(exposed)[cut].tolist(),
                "conversions": {LETTERS[letter]: np.cumsum(converted[letter])[cut].tolist() for letter in letters},
                # Summed before it is rounded, so that the last one is the report's (rule 27).
                "revenue": [amount(money, currency) for money in list(accumulate(earned))[cut]],
            },
        }


def _by_day(axis: Axis, scope: ScopeUnits) -> Ints:
    """Return the units of a scope by the day of their first exposure."""
    numbers = np.zeros(axis.count, np.int64)
    for day, n in zip(scope.first_days.days, scope.first_days.n, strict=True):
        numbers[day - axis.first] += n
    return numbers


def _letters(campaign: Campaign, event: str | None) -> list[int]:
    known = LETTERS[: len(campaign.conversion_events)]
    if event is None:
        return list(range(len(known)))
    if event not in known or len(event) != 1:
        has = f"has {', '.join(known)}" if known else "has no conversion events"
        raise UserError(f'unknown conversion event "{event}", {campaign.id} {has}')
    return [known.index(event)]


def _scopes(campaign: Campaign, variant: str | None) -> tuple[dict[str, int], dict[str, int]]:
    """Return the variants and the totals that are asked for, with the place of each among the scopes."""
    variants = {one.id: place for place, one in enumerate(campaign.variants)}
    totals = {name: place for place, name in enumerate(TOTALS, start=len(variants))}
    if variant is None:
        return variants, totals
    if variant in variants:
        return {variant: variants[variant]}, {}
    if variant in totals:
        return {}, {variant: totals[variant]}
    raise UserError(f'unknown variant "{variant}" of {campaign.id}{nearest(variant, [*variants, *totals])}')
