"""Intelligent Selection: its decisions, and where it is paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "selection_decisions",
        sa.Column("campaign_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("shares", sa.Text, nullable=False),
        sa.Column("shares_before", sa.Text, nullable=False),
        sa.Column("settled_on", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("applied_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_selection_decisions_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_selection_decisions"),
    )
    op.create_table(
        "selection_pauses",
        sa.Column("campaign_id", sa.Text, nullable=False),
        sa.Column("paused_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_selection_pauses_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_selection_pauses"),
    )
