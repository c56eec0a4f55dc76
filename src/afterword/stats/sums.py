"""`Sums`: all that means, ratios, their variances and covariate adjustment need to know of many persons.

A person is the unit of analysis (rule 17) and contributes one row: `m` units (1 where a person is counted once,
else its exposures or channels), the outcome `y` over them (how many of the units converted, or the revenue), and
the covariate `x`, what the person did before the first exposure. Sums of disjoint groups of persons add up.
"""

from __future__ import annotations

from dataclasses import dataclass

from afterword.stats.rates import Counts


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over `n` persons; every other field is the sum of the product that its letters name."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    m: float = 0.0
    mm: float = 0.0
    my: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    xm: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        """Of two disjoint groups of persons together."""
        return Sums(
            self.n + other.n,
            self.y + other.y,
            self.yy + other.yy,
            self.m + other.m,
            self.mm + other.mm,
            self.my + other.my,
            self.x + other.x,
            self.xx + other.xx,
            self.xy + other.xy,
            self.xm + other.xm,
        )

    @classmethod
    def of_counts(cls, counts: Counts) -> Sums:
        """Persons with one unit each, of whom some converted; nothing is known of before."""
        n, converted = counts.n, counts.converted
        return cls(n, converted, converted, n, n, converted)
