"""Assignment: the bucket table of every share epoch; global holdouts."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from afterword.store.bucket_tables import Buckets, first_buckets, next_buckets, packed

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables, and fill in the buckets of what was launched before."""
    buckets = op.create_table(
        "buckets",
        sa.Column("campaign_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("variants", sa.Text, nullable=False),
        sa.Column("codes", sa.LargeBinary, nullable=False),
        sa.Column("moved", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_buckets_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_buckets"),
    )
    op.create_table(
        "holdouts",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("share", sa.Integer, nullable=False),
        sa.Column("from_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_holdouts"),
    )
    # What makes the tables may change one day; nobody has been assigned by those of an older database yet.
    for row in _buckets_of_launched(op.get_bind()):
        op.execute(sa.insert(buckets).values(**row))


def _buckets_of_launched(connection: sa.Connection) -> list[dict[str, object]]:
    found = connection.execute(sa.text("SELECT id, definition FROM campaigns"))
    definitions = {row.id: row.definition for row in found}
    epochs = connection.execute(sa.text("SELECT campaign_id, number, shares FROM shares ORDER BY campaign_id, number"))
    rows: list[dict[str, object]] = []
    home: Buckets | None = None
    last: Buckets | None = None
    for campaign_id, number, text in epochs:
        variants = json.loads(definitions[campaign_id])["variants"]
        control = {variant["id"] for variant in variants if variant.get("control")}
        shares = {name: share for name, share in json.loads(text).items() if name not in control}
        if number == 1 or last is None or home is None:
            home = last = first_buckets(campaign_id, shares)
        else:
            last = next_buckets(last, shares, home)
        rows.append({"campaign_id": campaign_id, "number": number, **packed(last)})
    return rows
