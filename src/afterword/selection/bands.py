"""The rate of each variant over time with its always-valid band, for charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from afterword.model import Campaign
from afterword.reports.person_json import read_json
from afterword.stats.sequential import share_sequence

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Band:
    """What was known at the end of a day."""

    day: str
    n: int
    """Persons of this variant alone whose window had passed."""
    converted: int
    rate: float
    low: float
    high: float


def rate_bands(campaign: Campaign, told: Mapping[str, Any], letter: str) -> dict[str, list[Band]]:
    """Return, by variant, the rate among those whose window had passed by each day on which somebody's did.

    The rates of all variants are of the same age, so they can be compared (rule 40); each band holds the truth on all
    days together, at the level of the campaign's plan.

    Args:
        campaign: its definition.
        told: its part of report.json.
        letter: of a conversion event.

    """
    persons = read_json(told["persons"], campaign)
    alpha = float(campaign.analysis.alpha)
    found: dict[str, list[Band]] = {}
    for place, variant in enumerate(campaign.variants):
        days = persons.of(place, letter)
        bands = found[variant.id] = []
        for day, sums in zip(days.days.tolist(), accumulate(one for _, one in days), strict=True):
            interval = share_sequence(sums, alpha)
            if interval is not None:
                when = (EPOCH + timedelta(days=day)).isoformat()
                bands.append(Band(when, sums.n, round(sums.y), sums.y / sums.m, interval.low, interval.high))
    return found
