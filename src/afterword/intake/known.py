"""What scans know of the definitions: temporary tables of campaigns, variants and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from afterword.model import Channel, Counting, Definitions

_KNOWN: Mapping[str, Mapping[str, str]] = {
    "intake_campaigns": {
        "campaign_id": "VARCHAR", "campaign": "INTEGER", "only_variant": "INTEGER", "once_per_channel": "BOOLEAN",
        "channels": "INTEGER", "variant_ids": "VARCHAR[]", "step_ids": "VARCHAR[]",
    },
    "intake_variants": {"campaign": "INTEGER", "variant_id": "VARCHAR", "variant": "INTEGER"},
    "intake_steps": {"campaign": "INTEGER", "step_id": "VARCHAR", "step": "INTEGER"},
}  # fmt: skip


CAMPAIGN_NAMES, VARIANT_NAMES, STEP_NAMES = "intake_campaign_ids", "intake_variant_ids", "intake_step_ids"
"""Variables of the connection: ids of campaigns by number, and of their variants and steps by number for each."""


def create_known(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Create the tables that scans look campaigns, variants and steps up in; they are the connection's own.

    The way back, from numbers to ids, are variables.
    """
    channels = list(Channel)
    campaigns: list[dict[str, Any]] = []
    variants: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for index, campaign in enumerate(definitions.campaigns):
        campaigns.append(
            {
                "campaign_id": campaign.id,
                "campaign": index,
                "only_variant": 0 if len(campaign.variants) == 1 else None,
                "once_per_channel": campaign.counting is Counting.ONCE_PER_CHANNEL,
                # A bit each; None: any channel will do, and a comparison with NULL rejects nothing
                "channels": sum(1 << channels.index(channel) for channel in set(campaign.channels)) or None,
                "variant_ids": [variant.id for variant in campaign.variants],
                "step_ids": [step.id for step in campaign.steps],
            }
        )
        for position, variant in enumerate(campaign.variants):
            variants.append({"campaign": index, "variant_id": variant.id, "variant": position})
        for position, step in enumerate(campaign.steps):
            steps.append({"campaign": index, "step_id": step.id, "step": position})
    for name, rows in (("intake_campaigns", campaigns), ("intake_variants", variants), ("intake_steps", steps)):
        columns = {column: [row[column] for row in rows] for column in _KNOWN[name]}
        selected = ", ".join(f"unnest(${column}::{kind}[]) AS {column}" for column, kind in _KNOWN[name].items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {selected}", columns)
    names = {
        CAMPAIGN_NAMES: [campaign.id for campaign in definitions.campaigns],
        VARIANT_NAMES: [[variant.id for variant in campaign.variants] for campaign in definitions.campaigns],
        STEP_NAMES: [[step.id for step in campaign.steps] for campaign in definitions.campaigns],
    }
    for name, ids in names.items():
        depth = "VARCHAR[]" if name == CAMPAIGN_NAMES else "VARCHAR[][]"
        connection.execute(f"SET VARIABLE {name} = ?::{depth}", [ids])
