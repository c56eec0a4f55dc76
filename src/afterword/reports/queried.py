"""What a report is made of, by SQL from the derived tables in one go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import duckdb

from afterword.model import LETTERS, Campaign, Counting, Definitions
from afterword.reports import ages, series, steps, units
from afterword.reports.person_count import query_persons
from afterword.reports.revenue import load_revenue
from afterword.reports.sql import fetch, query
from afterword.reports.tables import Outcomes, Tables


def query_tables(con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of_us: int) -> Tables:
    """Run all queries; `con` holds the derived tables."""
    campaigns = definitions.campaigns
    describe(con, campaigns)
    histograms = ages.hour_histograms(fetch(con, ages.ConversionHours, "conversion_hours"), campaigns)
    return Tables(
        units=units.load_units(con, campaigns, as_of_us),
        outcomes=fetch(con, Outcomes, "outcomes"),
        exposed_days=fetch(con, series.ExposedDays, "exposed_days"),
        observed=fetch(con, ages.ObservedHours, "observed_hours", as_of=as_of_us),
        conversion_days=fetch(con, series.ConversionDays, "conversion_days"),
        histograms=histograms,
        quartiles=ages.quartiles(partial(ages.ages_in, con), histograms, campaigns),
        steps=steps.load_steps(con),
        revenue=load_revenue(con, len(campaigns), definitions.workspace.currency),
        persons=query_persons(con, definitions, as_of_us),
    )


def describe(con: duckdb.DuckDBPyConnection, campaigns: Sequence[Campaign]) -> None:
    """Tell the database what the queries must know of the definitions."""
    deadlines = [[event.deadline_seconds for event in campaign.conversion_events] for campaign in campaigns]
    per_letter = {
        f"deadline_{letter.lower()}": [d[i] * 1_000_000 if i < len(d) else 0 for d in deadlines]
        for i, letter in enumerate(LETTERS)
    }
    con.execute(
        query("report_campaigns"),
        {
            "campaign": list(range(len(campaigns))),
            "per_exposure": [campaign.counting is Counting.ONCE_PER_EXPOSURE for campaign in campaigns],
            "per_channel": [campaign.counting is Counting.ONCE_PER_CHANNEL for campaign in campaigns],
            **per_letter,
            "longest": [max(d, default=0) * 1_000_000 for d in deadlines],
            "last_hour": [max((ages.last_hour(seconds) for seconds in d), default=0) for d in deadlines],
        },
    )
    variants = [(c, v, variant.control) for c, one in enumerate(campaigns) for v, variant in enumerate(one.variants)]
    con.execute(
        query("report_variants"),
        {
            "campaign": [campaign for campaign, _, _ in variants],
            "variant": [variant for _, variant, _ in variants],
            "control": [control for _, _, control in variants],
        },
    )
