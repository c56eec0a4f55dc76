"""What persons did by the time they came of age: the sums on which comparisons rest (rules 17 and 40).

A person who was exposed to one variant of a campaign only enters once, on the calendar day (of the workspace's time
zone) of the first exposure plus the metric's deadline, with what had happened by then, and never changes: `y`, over
`m` units. The covariate `x` is what the same person did in the 14 days before the first exposure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TypeAlias

from afterword.stats.sums import Sums

REVENUE = "revenue"
UNSUBSCRIBES, COMPLAINTS, BOUNCES = GUARDRAILS = ("unsubscribes", "complaints", "bounces")
"""Persons with at least one such event of the campaign's messages, not by a machine, within the primary window."""

Days: TypeAlias = Sequence[tuple[int, Sums]]
"""Days since 1970 with the persons who came of age on each, in order; a day on which nobody did is left out."""


@dataclass(frozen=True, slots=True)
class PersonDays:
    """One campaign's persons of a single variant, by day."""

    metrics: Sequence[Mapping[str, Days]] = ()
    """By variant, as in the definition: the days of each letter that the campaign has, of `REVENUE`, of `GUARDRAILS`.

    All are there, with no day where nobody has come of age. A letter's `y` counts the units (of `m`) that had
    converted, revenue's is money in the reporting currency, a guardrail's is 1 or 0. `x` is 0 for guardrails.
    """
    first_exposed: Sequence[Sequence[tuple[int, int]]] = ()
    """By variant: days since 1970 and how many persons were first exposed on each, of age or not."""
    unconverted: Sequence[Mapping[str, int]] = field(default_factory=tuple)
    """By variant: millionths per currency of revenue that has no rate and is therefore in no sum."""

    def of(self, variant: int, metric: str) -> Days:
        """Return the days of one variant and metric."""
        return self.metrics[variant][metric]

    def total(self, variant: int, metric: str, until: int | None = None) -> Sums:
        """Return the sums over all days, or those up to a day."""
        days = self.of(variant, metric)
        return reduce(add, (sums for day, sums in days if until is None or day <= until), Sums())
