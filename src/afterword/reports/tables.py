"""What a report is made of: the results of all queries, however they were counted."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.reports import ages, series, steps, units
from afterword.reports.persons import PersonDays
from afterword.reports.revenue import CampaignRevenue
from afterword.reports.sql import Columns, Ints


@dataclass(frozen=True, slots=True)
class Outcomes(Columns):
    """Query `outcomes`."""

    variant: Ints
    outcome: Ints
    n: Ints
    first_at: Ints
    last_at: Ints


@dataclass(frozen=True, slots=True)
class Tables:
    """The results of all queries, over all campaigns. Rows that look alike may be counted in several of them."""

    units: units.UnitTables
    outcomes: Outcomes
    exposed_days: series.ExposedDays
    observed: ages.ObservedHours
    conversion_days: series.ConversionDays
    histograms: list[Ints]
    quartiles: ages.Quartiles
    steps: steps.StepTables
    revenue: list[CampaignRevenue]
    persons: list[PersonDays]
