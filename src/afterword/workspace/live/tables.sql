-- The derived rows of a running server, in the file of its facts. All of them can be thrown away and derived again, but for
-- the feed of changes, which says what was there before.
-- They are those of `attribution.stored` under keys that last: `campaign` and `user` are numbers given once, `exposure` is
-- the user's number and the exposure's place among the user's exposures to the campaign (a user's rows are replaced
-- together, so it need not outlive them), events have their ids.
CREATE SCHEMA IF NOT EXISTS derived;
-- Up to which position of the log the rows are derived, and as of when; `version` grows with every change. One row.
CREATE TABLE IF NOT EXISTS derived.state (version UBIGINT NOT NULL, as_of BIGINT NOT NULL, position UBIGINT);
INSERT INTO derived.state SELECT 0, 0, NULL WHERE NOT EXISTS (FROM derived.state);
-- `basis` is the hash of all that the campaign's rows depend on besides the facts.
CREATE TABLE IF NOT EXISTS derived.campaigns (campaign INTEGER NOT NULL, campaign_id VARCHAR NOT NULL, basis VARCHAR NOT NULL);
-- Persons with derived rows; ids that were merged into others are aliases.
CREATE TABLE IF NOT EXISTS derived.users ("user" INTEGER NOT NULL, user_id VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS derived.aliases (user_id VARCHAR NOT NULL, person VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS derived.currencies (currency INTEGER NOT NULL, code VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS derived.recipients (campaign INTEGER, variant INTEGER, "user" INTEGER, channel TINYINT,
    exposure BIGINT, first_exposed_at BIGINT, first_day DATE, last_exposed_at BIGINT, latest BOOLEAN,
    converted UTINYINT, unit_converted UTINYINT, variants_seen UTINYINT);
CREATE TABLE IF NOT EXISTS derived.exposures (campaign INTEGER, variant INTEGER, "user" INTEGER, channel TINYINT,
    exposure BIGINT, exposure_id VARCHAR, exposed_at BIGINT, exposed_day DATE, superseded_at BIGINT, outcome TINYINT,
    at_risk UTINYINT, converted UTINYINT, first BOOLEAN);
CREATE TABLE IF NOT EXISTS derived.conversions (campaign INTEGER, letter UTINYINT, "user" INTEGER, exposure BIGINT,
    variant INTEGER, channel TINYINT, step INTEGER, exposed_at BIGINT, exposed_day DATE, converted_at BIGINT,
    converted_day DATE, event_id VARCHAR, after_open BOOLEAN, after_click BOOLEAN);
CREATE TABLE IF NOT EXISTS derived.credited (campaign INTEGER, variant INTEGER, channel TINYINT, step INTEGER,
    "user" INTEGER, exposure BIGINT, exposed_day DATE, event_id VARCHAR, occurred_at BIGINT, occurred_day DATE,
    amount BIGINT, refunded BIGINT, currency INTEGER);
CREATE TABLE IF NOT EXISTS derived.received (campaign INTEGER, variant INTEGER, step INTEGER, "user" INTEGER,
    exposure BIGINT, received_at BIGINT, received_day DATE);
-- Persons who were exposed to one variant of a campaign: what they had done at a fixed age, and before.
CREATE TABLE IF NOT EXISTS derived.persons (campaign INTEGER, variant INTEGER, "user" INTEGER, first_exposed_at BIGINT,
    first_day DATE, y_a INTEGER, y_b INTEGER, y_c INTEGER, y_d INTEGER, m_a INTEGER, m_b INTEGER, m_c INTEGER,
    m_d INTEGER, x_a INTEGER, x_b INTEGER, x_c INTEGER, x_d INTEGER, earned BIGINT, earned_before BIGINT,
    apart BOOLEAN, guards UTINYINT);
CREATE TABLE IF NOT EXISTS derived.person_money (campaign INTEGER, "user" INTEGER, currency INTEGER, occurred_day DATE,
    before BOOLEAN, net BIGINT);
-- The feed: conversions gained and taken back, in the words of the result files, which must not need the rows of then.
-- `sequence` grows for ever.
CREATE TABLE IF NOT EXISTS derived.changes (sequence UBIGINT NOT NULL, changed_at BIGINT NOT NULL, kind VARCHAR NOT NULL,
    conversion_id VARCHAR NOT NULL, campaign_id VARCHAR NOT NULL, conversion_event VARCHAR NOT NULL, user_id VARCHAR NOT NULL,
    exposure_id VARCHAR NOT NULL, variant_id VARCHAR NOT NULL, channel VARCHAR, step_id VARCHAR, exposed_at BIGINT NOT NULL,
    converted_at BIGINT NOT NULL, event_id VARCHAR NOT NULL, after_open BOOLEAN NOT NULL, after_click BOOLEAN NOT NULL,
    definition_version VARCHAR NOT NULL);
-- One row from the first refresh on. `born` is its time, which tells this feed from that of a database that was begun again;
-- `last` is the last sequence number given, and changes up to `gone` are no longer kept.
CREATE TABLE IF NOT EXISTS derived.feed (born BIGINT NOT NULL, last UBIGINT NOT NULL, gone UBIGINT NOT NULL);
-- What the numbers in a campaign's rows stand for. A campaign without such a row has never been told of in the feed.
CREATE TABLE IF NOT EXISTS derived.names (campaign INTEGER NOT NULL, version VARCHAR NOT NULL, variants VARCHAR[] NOT NULL,
    steps VARCHAR[] NOT NULL);
-- Exchange rates are the workspace's; without any, foreign money is shown apart (rule 27).
CREATE TABLE IF NOT EXISTS rates (date DATE, currency VARCHAR, rate DECIMAL(38, 12));
