"""What is still to come: how many of the open windows will convert before they close (rule 40).

From a life table (`Delays`) alone. Of the exposures that have reached an age unconverted, so many converted in the next
hour: these shares are known for every age that somebody has passed, and each open window still has the hours before it
that its age leaves. Nothing is said of ages that nobody has passed: the forecast names the age up to which it goes.

What it takes for granted: exposures of later days take as long to convert as those of earlier days did, and a window is
left before its end (by `as_of`, or by a later exposure that takes over) for reasons that have nothing to do with
converting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from afterword.stats.delays import Delays
from afterword.stats.rates import LEVEL, Counts, Interval, z_of

PASSED = 30
"""So many exposures must have passed an hour of age unconverted before a forecast rests on it."""


@dataclass(frozen=True, slots=True)
class Survival:
    """The share still unconverted at the end of an hour of age; the interval is None where nothing has converted."""

    hour: int
    share: float
    error: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The rate that present recipients will have reached when their windows have closed.

    `rate` and `interval` are of the recipients of today: `more` conversions expected of those pending, besides those
    already there. `hours` is the age up to which the forecast goes. Where that is not the whole deadline (`complete` is
    false) conversions later than that are left out, and the rate can only be higher.
    """

    rate: float
    interval: Interval
    more: float
    hours: int
    complete: bool


@dataclass(frozen=True, slots=True)
class _Hour:
    """One hour of age: exposure hours at risk, the share that converted, and how many were left in the course of it."""

    exposed: float
    hazard: float
    left: float


def kaplan_meier(delays: Delays, level: float = LEVEL) -> tuple[Survival, ...]:
    """Kaplan and Meier's curve with Greenwood's error and the interval on the log(-log) scale, hour by hour.

    S^exp(-+ z g / ln S) with g^2 = sum d / (r (r - d)), so that the interval stays within 0 and 1. Kaplan and Meier
    (1958), JASA 53, 457-481; Greenwood, M. (1926), The natural duration of cancer; Kalbfleisch and Prentice, The
    Statistical Analysis of Failure Time Data, 2nd edition (2002), section 1.4.
    """
    curve: list[Survival] = []
    variance = 0.0
    at_risk, converted = delays.at_risk, delays.converted
    for hour, share in enumerate(delays.survival()):
        r = at_risk[hour] if hour < len(at_risk) else 0
        d = converted[hour] if hour < len(converted) else 0
        variance += d / (r * (r - d)) if r > d else 0.0
        interval = None
        if 0 < share < 1:
            spread = math.exp(z_of(level) * math.sqrt(variance) / -math.log(share))
            interval = Interval(share**spread, share ** (1 / spread))
        curve.append(Survival(hour, share, share * math.sqrt(variance), interval))
    return tuple(curve)


def forecast(
    delays: Delays,
    deadline_seconds: int,
    counts: Counts | None = None,
    *,
    pending: int | None = None,
    level: float = LEVEL,
) -> Forecast | None:
    """The rate that the recipients will have reached at the deadline; None without recipients or an hour passed.

    With the hazard h(a) of hour a (converted / exposures at risk, those that left within the hour counting half, as
    actuaries do: Cutler and Ederer 1958, Journal of Chronic Diseases 8, 699-712), a window left open at age a converts
    with probability q(a) = 1 - prod over later hours of (1 - h). `more` is the sum of q over the open windows.

    Its uncertainty has two parts, put together as the square root of the sum of squares on either side. What is not
    known of the hazards: `more` is close to a weighted sum of the conversions seen per hour, for which Fay and Feuer
    (1997), Statistics in Medicine 16, 791-801, give gamma limits that hold also where none has been seen. And chance:
    the variance q (1 - q) of each open window.

    `counts` are the recipients and how many of them have converted (default: every exposure is a recipient). `pending`
    is how many of them have an open window; without it all that left the table before the deadline are taken to have.
    """
    last = -(-deadline_seconds // 3600) - 1
    of = counts or Counts(delays.at_risk[0] if delays.at_risk else 0, sum(delays.converted))
    hours = _reach(delays, last)
    if not of.n or not hours:
        return None
    table = _table(delays, hours, last)
    left = math.fsum(hour.left for hour in table) + _left_later(delays, hours, last)
    scale = 1.0 if pending is None or not left else min(1.0, pending / left)
    more, noise, weights = _expected(table, scale)
    low, high = _limits(more, noise, weights, level)
    open_windows = scale * left if pending is None else min(pending, of.n - of.converted)
    return Forecast(
        rate=min(1.0, (of.converted + more) / of.n),
        interval=Interval((of.converted + low) / of.n, min(1.0, (of.converted + min(high, open_windows)) / of.n)),
        more=more,
        hours=hours,
        complete=hours == last + 1,
    )


def _reach(delays: Delays, last: int) -> int:
    """How many hours of age have been passed by `PASSED` exposures each."""
    for hour in range(last):
        if len(delays.at_risk) <= hour + 1 or delays.at_risk[hour + 1] < PASSED:
            return hour
    # Nobody is at risk after the last hour, so that to have entered it must do.
    return last + 1 if len(delays.at_risk) > last and delays.at_risk[last] >= PASSED else last


def _table(delays: Delays, hours: int, last: int) -> list[_Hour]:
    table = []
    for hour in range(hours):
        r, d = delays.at_risk[hour], delays.converted[hour] if hour < len(delays.converted) else 0
        following = delays.at_risk[hour + 1] if hour + 1 < len(delays.at_risk) else 0
        # In the last hour windows end, with all of it behind them.
        left = r - d - following if hour < last else 0
        exposed = r - left / 2
        table.append(_Hour(exposed, d / exposed, left))
    return table


def _left_later(delays: Delays, hours: int, last: int) -> int:
    """Windows left open beyond the hours that are known, of whom nothing more is said."""
    if hours > last:
        return 0
    return delays.at_risk[hours] - sum(delays.converted[hours:]) if hours < len(delays.at_risk) else 0


def _expected(table: list[_Hour], scale: float) -> tuple[float, float, list[tuple[float, float]]]:
    """The conversions to come, the variance of their number by chance, and per hour (weight, conversions seen).

    The derivative of the expected number by the hazard of hour k is the number of windows that reach k, times the
    probability not to convert later, and one conversion seen in hour k makes the hazard larger by 1 / exposed.
    """
    after = [1.0] * (len(table) + 1)
    for k in range(len(table) - 1, -1, -1):
        after[k] = after[k + 1] * max(0.0, 1 - table[k].hazard)
    more, noise, reaching = 0.0, 0.0, 0.0
    weights = []
    for k, hour in enumerate(table):
        half = math.sqrt(max(0.0, 1 - hour.hazard))
        open_windows = scale * max(0.0, hour.left)
        q = 1 - half * after[k + 1]
        more += open_windows * q
        noise += open_windows * q * (1 - q)
        weights.append(((reaching + open_windows / 2) * after[k + 1] / hour.exposed, hour.hazard * hour.exposed))
        reaching = (reaching + open_windows) * (1 - hour.hazard)
    return more, noise, weights


def _limits(more: float, noise: float, weights: list[tuple[float, float]], level: float) -> tuple[float, float]:
    z, largest = z_of(level), max(weight for weight, _ in weights)
    if not largest:
        return more, more
    variance = math.fsum(weight * weight * seen for weight, seen in weights)
    low = _gamma(more, variance, -z) if variance else 0.0
    high = _gamma(more + largest, variance + largest * largest, z)
    # Chance is about as large as the number itself, so its part belongs to the limit and not to the middle.
    below, above = (noise * low / more, noise * high / more) if more else (0.0, high)
    return (
        max(0.0, more - math.hypot(more - low, z * math.sqrt(below))),
        more + math.hypot(high - more, z * math.sqrt(above)),
    )


def _gamma(mean: float, variance: float, z: float) -> float:
    """The quantile at z normal errors of a gamma distribution, by Wilson and Hilferty (1931), PNAS 17, 684-688."""
    ninth = variance / (9 * mean * mean)
    return mean * max(0.0, 1 - ninth + z * math.sqrt(ninth)) ** 3
