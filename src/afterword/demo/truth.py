"""What is true about the demo data by the way it was made, without asking the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VariantTruth:
    """One row of a variant table. Counts are in the unit of the campaign's counting."""

    exposed: int
    converted: Mapping[str, int]
    """Letter of the conversion event to the units that converted."""
    pending: Mapping[str, int]
    """Letter to the units whose window is still open at `DemoTruth.as_of_us` and that have not converted."""
    revenue_cents: int = 0
    """Purchases in the primary window less their refunds, in hundredths of the reporting currency."""


@dataclass(frozen=True, slots=True)
class CampaignTruth:
    """One campaign or Canvas."""

    variants: Mapping[str, VariantTruth]
    received: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(variant, step) to the step messages received."""
    step_converted: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """(variant, step, letter) to the conversions that the step gets the credit for."""
    after_open: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(variant, letter) to the conversions before which the person had opened the message; empty if not known."""
    after_click: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """The same for clicks."""


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """All campaigns, and what the files hold."""

    campaigns: Mapping[str, CampaignTruth]
    as_of_us: int
    """The latest time among the facts, in microseconds since 1970 (rule 40)."""
    repetitions: int
    """Rows that repeat another row, id and all (rule 33)."""
    rejected: Mapping[str, int]
    """Reason code to the rows that cannot be used (rule 35)."""
