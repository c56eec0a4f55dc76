"""The real e-mail test: turns the published hillstrom.csv into facts and asks Afterword what it did.

    python examples/hillstrom.py path/to/hillstrom.csv [results directory]

The file says what each of 64,000 customers did within two weeks of the e-mail, but not when. Facts have
times, so this program invents them: every outcome gets a time inside the two weeks, spread by the row
number. The counts and the money do not depend on these times; everything about time (days, delays) does,
and means nothing here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb

import afterword
from afterword import Campaign, Channel, ConversionEvent, ConversionKind, Definitions, Variant, Workspace

TWO_WEEKS = 14 * 86_400

DEFINITIONS = Definitions(
    workspace=Workspace(timezone="UTC", currency="USD"),
    campaigns=(
        Campaign(
            id="email-test",
            kind="campaign",
            name="Men's or women's merchandise",
            channels=(Channel.EMAIL,),
            variants=(
                Variant("mens", 3333, name="Mens E-Mail"),
                Variant("womens", 3333, name="Womens E-Mail"),
                Variant("control", 3334, name="No E-Mail", control=True),
            ),
            conversion_events=(
                ConversionEvent(ConversionKind.PURCHASE, TWO_WEEKS),
                ConversionEvent(ConversionKind.SESSION, TWO_WEEKS),
            ),
        ),
    ),
)

# One customer per row. All get the e-mail (or none) at the same moment. Who visits does so 7919 x row number
# minutes later, modulo two weeks (a prime step spreads them evenly); who buys does it ten minutes after that.
CUSTOMERS = """
    CREATE TABLE customers AS
    SELECT
        'row-' || row_number() OVER () AS user_id,
        CASE segment WHEN 'Mens E-Mail' THEN 'mens' WHEN 'Womens E-Mail' THEN 'womens' ELSE 'control' END AS variant_id,
        TIMESTAMPTZ '2008-03-03 14:00:00+00' AS exposed_at,
        exposed_at + to_minutes(7919 * row_number() OVER () % (14 * 24 * 60 - 10)) AS visited_at,
        visit = '1' AS visited,
        conversion = '1' AS bought,
        spend::DECIMAL(12, 2) AS spent
    FROM read_csv($path, header = true, all_varchar = true)
"""
EXPOSURES = """
    SELECT user_id, 'email-test' AS campaign_id, variant_id, exposed_at FROM customers
"""
EVENTS = """
    SELECT user_id, 'session' AS kind, visited_at AS occurred_at, NULL AS price, NULL AS currency
    FROM customers WHERE visited
    UNION ALL
    SELECT user_id, 'purchase', visited_at + INTERVAL 10 MINUTE, spent, 'USD' FROM customers WHERE bought
"""


def write_facts(source: Path, directory: Path) -> tuple[Path, Path]:
    """Write the exposures and events of the published file as Parquet; return where they are."""
    exposures, events = directory / "exposures.parquet", directory / "events.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(CUSTOMERS, {"path": str(source)})
        connection.sql(EXPOSURES).write_parquet(str(exposures))
        connection.sql(EVENTS).write_parquet(str(events))
    return exposures, events


def main(source: str, out: str | None = None) -> None:
    """Print the report of the published file."""
    print("The file has no times: every outcome is given one inside the two weeks.")
    with tempfile.TemporaryDirectory() as directory:
        exposures, events = write_facts(Path(source), Path(directory))
        results = afterword.run(DEFINITIONS, exposures=exposures, events=events, out=out)
        print(results.report("email-test"))


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python examples/hillstrom.py path/to/hillstrom.csv [results directory]")
    main(*sys.argv[1:])
