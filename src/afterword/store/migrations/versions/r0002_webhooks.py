"""Webhooks: where changes of conversions are sent, and how far each receiver is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("campaigns", sa.Text),
        sa.Column("conversion_events", sa.Text),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("feed", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("sending_to", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("next_attempt", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("paused_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
