"""Canvas steps: messages received, conversions and revenue credited to the step received last (rule 18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from afterword.model import LETTERS, Campaign
from afterword.reports.revenue import CampaignRevenue
from afterword.reports.sql import Columns, Ints, among, fetch
from afterword.reports.units import TOTAL, members


@dataclass(frozen=True, slots=True)
class Marks(Columns):
    """Query `conversion_marks`."""

    variant: Ints
    letter: Ints
    step: Ints
    after_open: Ints
    after_click: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class Received(Columns):
    """Query `received_steps`."""

    scope: Ints
    step: Ints
    received: Ints
    recipients: Ints


@dataclass(frozen=True, slots=True)
class StepTables:
    """What steps and message flags are counted from."""

    marks: Marks
    received: Received


def load_steps(con: duckdb.DuckDBPyConnection) -> StepTables:
    """Run the queries."""
    return StepTables(fetch(con, Marks, "conversion_marks"), load_received(con))


def load_received(con: duckdb.DuckDBPyConnection) -> Received:
    """Run the query over the step messages."""
    return fetch(con, Received, "received_steps")


def after_messages(marks: Marks, variants: Sequence[int], letter: int) -> dict[str, int]:
    """Conversions that came after an open, and after a click, of their exposure's message (rule 11)."""
    here = among(variants)[marks.variant] & (marks.letter == letter)
    return {
        "after_open": int((marks.n * marks.after_open)[here].sum()),
        "after_click": int((marks.n * marks.after_click)[here].sum()),
    }


def step_rows(
    tables: StepTables, index: int, campaign: Campaign, revenue: CampaignRevenue, currency: str
) -> list[dict[str, Any]]:
    """One entry per step in the order of the definition: all variants with a message, then each variant."""
    marks, received = tables.marks.of(index), tables.received.of(index)
    count = len(campaign.variants)
    return [
        {
            "id": step.id,
            "name": step.name,
            **_row(marks, received, campaign, revenue, currency, position, count),
            "variants": [
                {"id": variant.id} | _row(marks, received, campaign, revenue, currency, position, scope)
                for scope, variant in enumerate(campaign.variants)
                if not variant.control
            ],
        }
        for position, step in enumerate(campaign.steps)
    ]


def _row(
    marks: Marks, received: Received, campaign: Campaign, revenue: CampaignRevenue, currency: str, step: int, scope: int
) -> dict[str, Any]:
    variants = members(campaign, scope)
    here = (received.step == step) & (received.scope == (scope if scope < len(campaign.variants) else TOTAL))
    mine = np.isin(marks.variant, variants) & (marks.step == step)
    money = revenue.of(variants, [step])
    recipients = int(received.recipients[here].sum())
    return {
        "received": int(received.received[here].sum()),
        "recipients": recipients,
        "conversions": {
            LETTERS[letter]: int(marks.n[mine & (marks.letter == letter)].sum())
            for letter in range(len(campaign.conversion_events))
        },
        "revenue": money.as_json(recipients, currency),
    }
