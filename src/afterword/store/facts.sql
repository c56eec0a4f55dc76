-- The facts of a data directory. Appended by the loader, never changed; erasing a person is the only exception (rule 36).
-- Values are as `intake.accepted` has them: times in epoch microseconds, UTC. `position` is that of the request in the
-- log, `item` the place in it, `arrived_at` the time of receipt.
-- The columns that files have too have their names, so that `afterword run` reads an export of these tables.
-- `user_hash` is no content: 32 bits of the hash of user_id, by which a person's facts are found (`user_hashes`).

CREATE TABLE IF NOT EXISTS events (
    event_id VARCHAR NOT NULL, user_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, occurred_at BIGINT NOT NULL,
    name VARCHAR, product_id VARCHAR, order_id VARCHAR, app_id VARCHAR, app_version VARCHAR, from_version VARCHAR,
    device_id VARCHAR, price DECIMAL(18, 6), quantity INTEGER NOT NULL, currency VARCHAR, campaign_id VARCHAR,
    channel VARCHAR, exposure_id VARCHAR, machine BOOLEAN NOT NULL, properties VARCHAR, refund_of VARCHAR,
    digest UBIGINT NOT NULL, position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL,
    user_hash UINTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS exposures (
    exposure_id VARCHAR NOT NULL, user_id VARCHAR NOT NULL, campaign_id VARCHAR NOT NULL, variant_id VARCHAR,
    exposed_at BIGINT NOT NULL, channel VARCHAR, trigger_event_id VARCHAR, outcome VARCHAR,
    digest UBIGINT NOT NULL, position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL,
    user_hash UINTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS step_messages (
    message_id VARCHAR NOT NULL, user_id VARCHAR NOT NULL, campaign_id VARCHAR NOT NULL, step_id VARCHAR NOT NULL,
    received_at BIGINT NOT NULL, exposure_id VARCHAR,
    digest UBIGINT NOT NULL, position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL,
    user_hash UINTEGER NOT NULL
);
ALTER TABLE events ADD COLUMN IF NOT EXISTS user_hash UINTEGER;
ALTER TABLE exposures ADD COLUMN IF NOT EXISTS user_hash UINTEGER;
ALTER TABLE step_messages ADD COLUMN IF NOT EXISTS user_hash UINTEGER;
-- What the DuckDB that made the hashes makes of a certain text: one row.
CREATE TABLE IF NOT EXISTS hashing (probe UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS merges (
    from_user_id VARCHAR NOT NULL, to_user_id VARCHAR NOT NULL,
    position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL
);
-- The latest value of each attribute of a user, as JSON.
CREATE TABLE IF NOT EXISTS attributes (
    user_id VARCHAR NOT NULL, name VARCHAR NOT NULL, value VARCHAR NOT NULL,
    position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL
);
-- Items that cannot be used, with the reason (rule 35).
CREATE TABLE IF NOT EXISTS rejected (
    position UBIGINT NOT NULL, item INTEGER NOT NULL, kind VARCHAR NOT NULL, reason VARCHAR NOT NULL,
    message VARCHAR NOT NULL, arrived_at BIGINT NOT NULL
);
-- People who are to be erased, by all their ids, until they are; facts that come for them after this are refused.
-- `leave` is what stays: "counts" or "nothing".
CREATE TABLE IF NOT EXISTS deletions (
    user_id VARCHAR NOT NULL, position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL,
    leave VARCHAR
);
ALTER TABLE deletions ADD COLUMN IF NOT EXISTS leave VARCHAR;
-- People who are erased from these tables and not yet from the log. `replacement` stands in the person's place, NULL
-- where nothing does; position and item are those of the deletion.
CREATE TABLE IF NOT EXISTS erasures (
    user_id VARCHAR NOT NULL, position UBIGINT NOT NULL, item INTEGER NOT NULL, arrived_at BIGINT NOT NULL,
    replacement VARCHAR, erased_at BIGINT NOT NULL
);
-- Requests in which something about erased people was refused, so that the log is still to be rid of it.
CREATE TABLE IF NOT EXISTS refused (position UBIGINT NOT NULL, arrived_at BIGINT NOT NULL);
-- Whether old blocks of this file may still hold what was erased, and the place of the first such deletion.
CREATE TABLE IF NOT EXISTS old_blocks (position UBIGINT NOT NULL, arrived_at BIGINT NOT NULL);
-- Keyed hashes of erased ids, which refuse later facts (rule 36).
CREATE TABLE IF NOT EXISTS tombstones (hash VARCHAR NOT NULL, erased_at BIGINT NOT NULL);
-- Up to which position of the log everything is loaded, and how many items were repetitions: one row.
CREATE TABLE IF NOT EXISTS loaded (position UBIGINT NOT NULL, repetitions UBIGINT NOT NULL);
