"""Small bars beside rates, all of a column on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 96
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class RateBar:
    """A rate with its interval, in units of a drawing WIDTH wide."""

    low: float
    at: float
    high: float


def rate_bars(rates: Sequence[Mapping[str, Any] | None]) -> list[RateBar | None]:
    """Return a bar for each rate that is there; they begin at zero and end at the highest bound of them all."""
    highest = max((one["interval"][1] for one in rates if one and one["interval"]), default=0.0) or 1.0

    def place(value: float) -> float:
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * value / highest, 1)

    return [
        RateBar(place(one["interval"][0]), place(one["rate"]), place(one["interval"][1]))
        if one and one["interval"]
        else None
        for one in rates
    ]
