"""The sufficient statistics of how long conversions take.

`Delays` is a life table: per hour of age since the exposure, how many exposures came into that hour
unconverted and still under observation, and how many of them converted in it. It is enough for
Kaplan-Meier and hazard estimates, for comparing variants at equal ages (rule 40), and for
forecasting what is still pending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Delays:
    """A histogram by age since exposure, in hours: `at_risk[h]` entered hour h, `converted[h]` converted in it.

    An exposure is at risk from age 0 until it converts, a later exposure takes over, its window ends or
    the facts end. Lists have no zeros at their end; an hour beyond a list counts 0.
    """

    at_risk: tuple[int, ...] = ()
    converted: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for hour, (at_risk, converted) in enumerate(zip_longest(self.at_risk, self.converted, fillvalue=0)):
            if not 0 <= converted <= at_risk:
                raise ValueError(f"hour {hour}: {converted} converted of {at_risk} at risk")

    def survival(self) -> tuple[float, ...]:
        """The share still unconverted at the end of each hour, by Kaplan and Meier.

        S(h) = product over k <= h of (1 - converted[k] / at_risk[k]). Kaplan, E. L. and Meier, P. (1958),
        Nonparametric estimation from incomplete observations, JASA 53, 457-481.
        """
        shares: list[float] = []
        share = 1.0
        for at_risk, converted in zip_longest(self.at_risk, self.converted, fillvalue=0):
            if at_risk:
                share *= 1 - converted / at_risk
            shares.append(share)
        return tuple(shares)


def without_trailing_zeros(values: Sequence[int] | Iterable[int]) -> list[int]:
    """The same numbers up to the last that is not zero."""
    numbers = list(values)
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers
