"""How long those who convert take: quantiles with intervals, while some are still pending.

Observed times favour the quick as long as windows are open: who will convert late has not done so yet. A life table
(`Delays`) knows who is still under observation, so its quantiles are about all conversions of the window, not those so
far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from afterword.stats.delays import Delays
from afterword.stats.rates import LEVEL, z_of


@dataclass(frozen=True, slots=True)
class TimeQuantile:
    """Within `hours` from the exposure the share had converted, of those who convert in the window; whole hours.

    `low` and `high` are the ends of the interval, rounded to the hours outside it.
    """

    hours: int
    low: int
    high: int


def time_quantile(delays: Delays, share: float, hours: int, level: float = LEVEL) -> TimeQuantile | None:
    """The time by which `share` of the conversions of a window of so many hours have come.

    With F = 1 - S by Kaplan and Meier: the first hour whose F is at least share F(end). The interval holds the hours
    at which a test of F(h) = share F(end) is not refused, its variance by Greenwood's formula with the covariance of
    S(h) and S(end): S(h)^2 g(h) + share^2 S(end)^2 g(end) - 2 share S(h) S(end) g(h), g(h) = sum of converted / (at
    risk (at risk - converted)). Where everybody converts it is the interval of Brookmeyer, R. and Crowley, J. (1982),
    A confidence interval for the median survival time, Biometrics 38, 29-41. None if nobody converted, or nobody has
    been observed to the end of the window.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, must be between 0 and 1")
    if hours < 1:
        raise ValueError(f"hours is {hours}, must be at least 1")
    if len(delays.at_risk) < hours or not any(delays.converted[:hours]):
        return None
    left, spread = _survival(delays, hours)
    end, z = left[-1], z_of(level)
    found = low = high = None
    for hour, (s, g) in enumerate(zip(left, spread, strict=True)):
        apart = (1 - s) - share * (1 - end)
        variance = s * s * g + (share * end) ** 2 * spread[-1] - 2 * share * s * end * g
        if found is None and apart >= -1e-12:
            found = hour
        if abs(apart) <= z * math.sqrt(max(0.0, variance)) + 1e-12:
            low, high = hour if low is None else low, hour
    crossed = hours - 1 if found is None else found  # the last hour reaches the share but for rounding
    # A test at the end of an hour is one at the start of the next, so that hour may hold the quantile too.
    first = crossed if low is None else min(low, crossed)
    last = crossed if high is None else max(high + 1, crossed)
    return TimeQuantile(crossed + 1, first, min(last + 1, hours))


def _survival(delays: Delays, hours: int) -> tuple[list[float], list[float]]:
    """S and Greenwood's sum at the end of each hour; once nobody is left S is 0 and the sum no longer matters."""
    left, spread, s, g = [], [], 1.0, 0.0
    for hour in range(hours):
        at_risk = delays.at_risk[hour]
        converted = delays.converted[hour] if hour < len(delays.converted) else 0
        if at_risk:
            s *= 1 - converted / at_risk
            g += converted / (at_risk * (at_risk - converted)) if converted < at_risk else 0.0
        left.append(s)
        spread.append(g)
    return left, spread
