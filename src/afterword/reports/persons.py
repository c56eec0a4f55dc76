"""What persons did by the time they came of age: the sums on which comparisons rest (rules 17 and 40).

A person who was exposed to one variant of a campaign only enters once, on the calendar day (of the workspace's time
zone) of the first exposure plus the metric's deadline, with what had happened by then, and never changes: `y`, over
`m` units. The covariate `x` is what the same person did in the 14 days before the first exposure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import fsum
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from afterword.reports.sql import Ints
from afterword.stats.sums import Sums

REVENUE = "revenue"
WINSORISED = "revenue_winsorised"
"""Revenue with what each person earned counted up to a cap; there where the campaign has one."""
UNSUBSCRIBES, COMPLAINTS, BOUNCES = GUARDRAILS = ("unsubscribes", "complaints", "bounces")
"""Persons with at least one such event of the campaign's messages, not by a machine, within the primary window."""
SUMS = tuple(one.name for one in fields(Sums))

Days: TypeAlias = Sequence[tuple[int, Sums]]
"""Days since 1970 with the persons who came of age on each, in order; a day on which nobody did is left out."""


class DaySums(Sequence[tuple[int, Sums]]):
    """`Days` as columns."""

    def __init__(self, days: Ints, columns: NDArray[np.float64]) -> None:
        """Take the days and the fields of `Sums`, in their order: (10, days)."""
        self.days = days
        self.columns = columns

    def __len__(self) -> int:
        return len(self.days)

    @overload
    def __getitem__(self, place: int) -> tuple[int, Sums]: ...

    @overload
    def __getitem__(self, place: slice) -> DaySums: ...

    def __getitem__(self, place: int | slice) -> tuple[int, Sums] | DaySums:
        if isinstance(place, slice):
            return DaySums(self.days[place], self.columns[:, place])
        n, *sums = self.columns[:, place].tolist()
        return int(self.days[place]), Sums(int(n), *sums)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DaySums):
            return NotImplemented
        return np.array_equal(self.days, other.days) and np.array_equal(self.columns, other.columns)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"DaySums({list(self)})"

    def total(self, until: int | None = None) -> Sums:
        """Return the sums over all days, or those up to a day; each is the float nearest to the sum of the days'."""
        end = len(self.days) if until is None else int(np.searchsorted(self.days, until, side="right"))
        n, *sums = (fsum(column) for column in self.columns[:, :end].tolist())
        return Sums(int(n), *sums)


NO_DAYS = DaySums(np.zeros(0, np.int64), np.zeros((len(SUMS), 0)))


@dataclass(frozen=True, slots=True)
class PersonDays:
    """One campaign's persons of a single variant, by day."""

    metrics: Sequence[Mapping[str, DaySums]] = ()
    """By variant, as in the definition: the days of each letter that the campaign has, of `REVENUE`, of `GUARDRAILS`,
    and of `WINSORISED` where the campaign has a cap.

    All are there, with no day where nobody has come of age. A letter's `y` counts the units (of `m`) that had
    converted, revenue's is money in the reporting currency, a guardrail's is 1 or 0. `x` is 0 for guardrails.
    """
    first_exposed: Sequence[Sequence[tuple[int, int]]] = ()
    """By variant: days since 1970 and how many persons were first exposed on each, of age or not."""
    unconverted: Sequence[Mapping[str, int]] = ()
    """By variant: millionths per currency of revenue that has no rate and is therefore in no sum."""

    def of(self, variant: int, metric: str) -> DaySums:
        """Return the days of one variant and metric."""
        return self.metrics[variant][metric]

    def total(self, variant: int, metric: str, until: int | None = None) -> Sums:
        """Return the sums over all days, or those up to a day."""
        return self.of(variant, metric).total(until)
