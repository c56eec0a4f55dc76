"""The tables of metadata: what people edit, and what is looked up singly.

Times are epoch microseconds. Definitions are JSON text in the form of a definition file
(`afterword.intake.definitions`), not columns: they are read and written whole, and the form is checked in one place.
`migrations` brings a database to these tables; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_TABLE = "afterword_schema"
"""Where the schema's revision stands. Not Alembic's usual name, which another program may use in the same database."""

tables = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

workspace_settings = Table(
    "workspace_settings",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1: there is one row, or none yet
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

exchange_rates = Table(
    "exchange_rates",
    tables,
    Column("currency", Text, primary_key=True),
    Column("date", Text, primary_key=True),  # as ISO 8601 has it
    Column("rate", Text, nullable=False),  # decimal text: the value of one unit in the reporting currency
    Column("changed_at", BigInteger, nullable=False),
)

campaigns = Table(
    "campaigns",
    tables,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # campaign or canvas
    Column("definition", Text, nullable=False),  # JSON, as in a definition file
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("launched_at", BigInteger),  # the first time; null for what was never launched
)

versions = Table(
    "versions",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("version", Text, primary_key=True),
    Column("canonical", Text, nullable=False),  # what `version` is the hash of
    Column("definition", Text, nullable=False),  # JSON: conversion events and counting, as in a definition file
)

adoptions = Table(
    "adoptions",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1: the launch
    Column("version", Text, nullable=False),
    Column("adopted_at", BigInteger, nullable=False),
)

shares = Table(
    "shares",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1: the launch
    Column("shares", Text, nullable=False),  # JSON: variant id -> hundredths of a percent
    Column("changed_at", BigInteger, nullable=False),
)

buckets = Table(
    "buckets",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the shares
    Column("salt", Text, nullable=False),
    Column("variants", Text, nullable=False),  # JSON: a list of ids; the position is the code
    Column("codes", LargeBinary, nullable=False),  # compressed: one byte for each bucket
    Column("moved", LargeBinary, nullable=False),  # compressed: whether the bucket has had several variants
)

holdouts = Table(
    "holdouts",
    tables,
    Column("name", Text, primary_key=True),
    Column("share", Integer, nullable=False),  # hundredths of a percent
    Column("from_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("salt", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

selection_decisions = Table(
    "selection_decisions",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("decided_at", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),  # schedule or request
    Column("stage", Text, nullable=False),
    Column("shares", Text, nullable=False),  # JSON: variant id -> hundredths of a percent
    Column("shares_before", Text, nullable=False),  # likewise: those that the decision was made from
    Column("settled_on", Text),
    Column("document", Text, nullable=False),  # JSON: the whole decision, with its inputs and its seed
    Column("applied_at", BigInteger),
)

selection_pauses = Table(
    "selection_pauses",
    tables,
    Column("campaign_id", Text, ForeignKey(campaigns.c.id), primary_key=True),
    Column("paused_at", BigInteger, nullable=False),
)

keys = Table(
    "keys",
    tables,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("permissions", Text, nullable=False),  # JSON: a list
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the whole key
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

idempotency = Table(
    "idempotency",
    tables,
    Column("key_id", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("status", Integer),  # null as long as the request is being worked on
    Column("answer", LargeBinary),
    Index("ix_idempotency_begun_at", "begun_at"),
)

webhooks = Table(
    "webhooks",
    tables,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("campaigns", Text),  # JSON: a list of ids; null for all
    Column("conversion_events", Text),  # JSON: a list of letters; null for all
    Column("secret", Text, nullable=False),  # as it was shown: what signs must be known
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),  # what is sent, or where to
    Column("feed", BigInteger, nullable=False),  # the feed of changes that the numbers below are of
    Column("position", BigInteger, nullable=False),  # the receiver has had everything up to here
    Column("sending_to", BigInteger),  # the end of the batch that is being sent, the same until it was received
    Column("delivered_at", BigInteger),
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", BigInteger),
    Column("next_attempt", BigInteger),
    Column("last_error", Text),
    Column("paused_at", BigInteger),
)

accounts = Table(
    "accounts",
    tables,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),  # as it was written
    Column("email_key", Text, nullable=False),  # as it is compared
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text),  # its argon2id hash; null for who has not accepted the invitation yet
    Column("invitation", LargeBinary),  # SHA-256 of what the link holds; null when it was used
    Column("invited_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("last_seen_at", BigInteger),
    Index("ix_accounts_email_key", "email_key", unique=True),
)

sign_ins = Table(
    "sign_ins",
    tables,
    # Addresses that nobody has are here as well, so that guesses at them look alike.
    Column("email_hash", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("tried_at", BigInteger, nullable=False),
    Index("ix_sign_ins_tried_at", "tried_at"),
)

sessions = Table(
    "sessions",
    tables,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey(accounts.c.id), nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the whole secret
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),  # to the minute
    Index("ix_sessions_account_id", "account_id"),
)

identities = Table(
    "identities",
    tables,
    # Who somebody is at an OpenID Connect provider: an address may go to somebody else there, a subject never does.
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account_id", Text, ForeignKey(accounts.c.id), nullable=False),
    Column("linked_at", BigInteger, nullable=False),
    Index("ix_identities_account_id", "account_id"),
)

drafts = Table(
    "drafts",
    tables,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),  # JSON: whatever the pages have so far
    Column("revision", Integer, nullable=False),  # from 1
    Column("of", Text, ForeignKey(campaigns.c.id)),  # the campaign that it is to change; null for a new one
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("updated_by", Text, nullable=False),
)

audit = Table(
    "audit",
    tables,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # from 1, in the order of what was done
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # the id of an account, key:ID or command
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON: an object
    Column("user_id", Text),  # of the person that was looked at: nowhere else is one named
)
