"""What a campaign counts by day, from the derived rows: the report's own queries over the rows of one campaign."""

from __future__ import annotations

import duckdb

from afterword.model import Definitions
from afterword.reports.day_series import DaySeries
from afterword.reports.queried import describe
from afterword.reports.revenue import load_revenue
from afterword.reports.series import CampaignDays, ConversionDays, ExposedDays
from afterword.reports.sql import fetch
from afterword.reports.units import load_units, scope_units
from afterword.workspace.live.state import by_number, read_known

ROWS = ("recipients", "exposures", "conversions", "credited")


def read_series(con: duckdb.DuckDBPyConnection, definitions: Definitions, campaign_id: str, as_of: int) -> DaySeries:
    """Return what was counted; `con` is a cursor of a snapshot.

    Raises:
        NotDerived: the definitions are not those of the last refresh.

    """
    places = by_number(con, definitions)
    number = next(one.number for one in read_known(con) if one.id == campaign_id)
    for name in ROWS:
        # The queries name the tables alone, and a temporary view hides the table of its name.
        con.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM derived.{name} WHERE campaign = {int(number)}"
        )
    describe(con, places.campaigns)
    campaign, currency = places.campaigns[number], definitions.workspace.currency
    days = CampaignDays(
        campaign,
        fetch(con, ConversionDays, "conversion_days").of(number),
        fetch(con, ExposedDays, "exposed_days").of(number),
        load_revenue(con, len(places.campaigns), currency)[number],
        currency,
        definitions.workspace.timezone,
    )
    return DaySeries(days, scope_units(load_units(con, places.campaigns, as_of), number, campaign))
