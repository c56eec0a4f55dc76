"""Exchange rates of the workspace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("date", sa.Text, nullable=False),
        sa.Column("rate", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("currency", "date", name="pk_exchange_rates"),
    )
