"""What Alembic runs: the steps, on the connection and within the transaction that it was given."""

from __future__ import annotations

from alembic import context

from afterword.store.metadata_tables import SCHEMA_TABLE, tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables, version_table=SCHEMA_TABLE
)
with context.begin_transaction():
    context.run_migrations()
