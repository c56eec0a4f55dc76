"""Contender: reading and `ORDER BY user_id, occurred_at`, with the columns that the sweep needs, thrown away.

By user ids as they are; with --dense by integers that the distinct ids get first; with --hash by a
hash of the id. With --rows the rows carry their number in the file in place of the id of the fact.
"""

from __future__ import annotations

from benchmarks.contest import contest, duckdb_on

CLASSES = """
CREATE TEMP TABLE classes AS
SELECT kind, word, (row_number() OVER ())::SMALLINT AS class
FROM (
    SELECT DISTINCT kind, coalesce(name, product_id, app_id, '') AS word FROM read_parquet(getvariable('events'))
);
CREATE TEMP TABLE versions AS
SELECT app_version, (row_number() OVER ())::SMALLINT AS version
FROM (SELECT DISTINCT app_version FROM read_parquet(getvariable('events')) WHERE app_version IS NOT NULL);
CREATE TEMP TABLE campaigns AS
SELECT campaign_id, (-row_number() OVER ())::SMALLINT AS class FROM (SELECT DISTINCT campaign_id FROM goals);
"""
FACTS = """
CREATE TEMP VIEW facts AS
SELECT
    user_id, epoch_us(occurred_at) AS moment, event_id AS id, file_row_number AS row, class, version,
    hash(device_id) AS device, (price * quantity * 100)::BIGINT AS amount
FROM read_parquet(getvariable('events')) AS events
JOIN classes ON classes.kind = events.kind AND classes.word = coalesce(name, product_id, app_id, '')
LEFT JOIN versions USING (app_version)
UNION ALL
SELECT
    user_id, epoch_us(exposed_at), exposure_id, file_row_number, class, ascii(variant_id), NULL, NULL
FROM read_parquet(getvariable('exposures')) JOIN campaigns USING (campaign_id);
"""
USERS = """
CREATE TEMP TABLE users AS
SELECT user_id, (row_number() OVER ())::INTEGER AS user FROM (
    SELECT user_id FROM read_parquet(getvariable('events'))
    UNION
    SELECT user_id FROM read_parquet(getvariable('exposures'))
);
"""
# Every way to order, with ids and with row numbers; whole statements, so that they can be read and tried.
BY_TEXT = "SELECT user_id, moment, id, class, version, device, amount FROM facts ORDER BY user_id, moment"
BY_TEXT_ROWS = "SELECT user_id, moment, row, class, version, device, amount FROM facts ORDER BY user_id, moment"
BY_HASH = "SELECT hash(user_id) AS key, moment, id, class, version, device, amount FROM facts ORDER BY key, moment"
BY_HASH_ROWS = (
    "SELECT hash(user_id) AS key, moment, row, class, version, device, amount FROM facts ORDER BY key, moment"
)
BY_NUMBER = """
SELECT user, moment, id, class, version, device, amount FROM facts JOIN users USING (user_id) ORDER BY user, moment
"""
BY_NUMBER_ROWS = """
SELECT user, moment, row, class, version, device, amount FROM facts JOIN users USING (user_id) ORDER BY user, moment
"""
BATCH = 100_000


def main() -> None:
    """Run it."""
    given = contest(__doc__ or "", "--dense", "--hash", "--rows")
    con = duckdb_on(given)
    con.execute(CLASSES)
    con.execute(FACTS)
    rows = given.options.rows
    if given.options.dense:
        con.execute(USERS)
        statement = BY_NUMBER_ROWS if rows else BY_NUMBER
    elif given.options.hash:
        statement = BY_HASH_ROWS if rows else BY_HASH
    else:
        statement = BY_TEXT_ROWS if rows else BY_TEXT
    print(sum(batch.num_rows for batch in con.sql(statement).to_arrow_reader(BATCH)))


if __name__ == "__main__":
    main()
