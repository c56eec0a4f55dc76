"""The chance that the best of several arms is shown to be better than each of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

NORMAL = NormalDist()
_REACH, _STEP = 8.0, 0.05


@dataclass(frozen=True, slots=True)
class Rival:
    """An arm that the best is better than: the standard error of its estimate, and how far ahead counts as shown."""

    error: float
    half_width: float


def chance_of_best(effect: float, error: float, rivals: Sequence[Rival]) -> float:
    """The chance that an arm's estimate is ahead of each rival's by more than the rival's half-width.

    The arm is truly ahead of all by `effect`, and `error` is the standard error of its own estimate, which all its
    differences share: given it they are independent, so that the chance is the mean of prod Phi((effect + error z -
    half_width_j) / error_j) over a standard normal z. By the trapezoidal rule, which is exact to rounding for so smooth
    a function. With one rival it is Phi((effect - half_width) / sqrt(error^2 + error_1^2)).
    """
    if not rivals:
        raise ValueError("rivals is empty: with nobody to be better than, nothing can be shown")
    if len(rivals) == 1:
        return NORMAL.cdf((effect - rivals[0].half_width) / math.hypot(error, rivals[0].error))
    steps = round(2 * _REACH / _STEP)
    points = [_REACH * (2 * step / steps - 1) for step in range(steps + 1)]
    found = math.fsum(
        NORMAL.pdf(z) * math.prod(NORMAL.cdf((effect + error * z - one.half_width) / one.error) for one in rivals)
        for z in points
    )
    return min(1.0, found * _STEP)
