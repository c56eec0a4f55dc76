"""Contender: reading all columns, and nothing else. Whatever computes results cannot be faster than its reading."""

from __future__ import annotations

from benchmarks.contest import contest, duckdb_on

# Lengths, sums and XOR need every value, where minima could be had from the statistics in the file.
EVENTS = """
SELECT
    sum(strlen(event_id)), sum(strlen(user_id)), sum(strlen(kind)), bit_xor(epoch_us(occurred_at)),
    sum(strlen(name)), sum(strlen(product_id)), sum(strlen(app_id)), sum(strlen(app_version)),
    sum(strlen(device_id)), sum(price), sum(quantity), sum(strlen(currency))
FROM read_parquet(getvariable('events'))
"""
EXPOSURES = """
SELECT
    sum(strlen(exposure_id)), sum(strlen(user_id)), sum(strlen(campaign_id)), sum(strlen(variant_id)),
    bit_xor(epoch_us(exposed_at)), sum(strlen(channel))
FROM read_parquet(getvariable('exposures'))
"""


def main() -> None:
    """Run it."""
    con = duckdb_on(contest(__doc__ or ""))
    for statement in (EVENTS, EXPOSURES):
        print(con.execute(statement).fetchall())


if __name__ == "__main__":
    main()
