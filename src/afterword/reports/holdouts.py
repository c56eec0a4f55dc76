"""What all messaging brought, from the two sides of a holdout: those who got no message, and everyone else.

Both sides are persons whom the workspace knew before the period's end, whether they were messaged or not, and what
they did in the calendar period counts, whatever campaign it was after.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afterword.money import minor_units
from afterword.reports.exchange import Money
from afterword.stats import means, rates
from afterword.stats.means import Estimate
from afterword.stats.rates import Counts, Interval
from afterword.stats.sums import Sums

HELD_OUT, EVERYONE_ELSE = "held_out", "everyone_else"
SPLIT_ALPHA = 0.001
"""Below this the sides do not have the sizes that chance gives them."""


@dataclass(slots=True)
class Side:
    """One side of a holdout."""

    known: int = 0
    converted: int = 0
    """Persons who did the event."""
    revenue: Sums = field(default_factory=Sums)
    """Per person, in the reporting currency."""
    money: Money = field(default_factory=Money)
    """The exact sum."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Both sides, and who is on neither."""

    held_out: Side
    everyone_else: Side
    across: int
    """Persons of merged ids of which some are held out and some not."""
    in_others: int
    """Persons whom another holdout of the time held out."""


def holdout_report(measured: Measured, share: int, currency: str, *, ended: bool) -> dict[str, Any]:
    """Return the two sides, their difference and what all messaging brought; `share` is in hundredths of a percent."""
    held, rest = measured.held_out, measured.everyone_else
    group, control = Counts(rest.known, rest.converted), Counts(held.known, held.converted)
    revenue = means.welch(means.mean(rest.revenue), means.mean(held.revenue))
    apart = rates.difference(group, control)
    split = _split(held.known, rest.known, share)
    return {
        "currency": currency,
        "groups": {HELD_OUT: _side(held, currency), EVERYONE_ELSE: _side(rest, currency)},
        "conversions": {
            "difference": apart,
            "interval": _interval(rates.newcombe(group, control)),
            "lift": rates.lift(group, control),
            "lift_interval": _interval(rates.lift_interval(group, control)),
            "p_value": rates.p_value(group, control),
            "incremental": _times(apart, rest.known),
            "incremental_interval": _interval(rates.newcombe(group, control), rest.known),
        },
        "revenue": {
            "difference": revenue.difference,
            "interval": _interval(revenue.interval),
            "lift": revenue.relative,
            "lift_interval": _interval(revenue.relative_interval),
            "p_value": revenue.p_value,
            "incremental": _amount(_times(revenue.difference, rest.known), currency),
            "incremental_interval": _amounts(_interval(revenue.interval, rest.known), currency),
        },
        "left_out": {"merged_across": measured.across, "in_other_holdouts": measured.in_others},
        "split": split,
        "warnings": _warnings(split, ended=ended),
    }


def _side(side: Side, currency: str) -> dict[str, Any]:
    counts = Counts(side.known, side.converted)
    each: Estimate | None = means.mean(side.revenue)
    return {
        "known": side.known,
        "converted": side.converted,
        "rate": rates.rate(counts),
        "interval": _interval(rates.wilson(counts)),
        "revenue": side.money.amount(currency),
        "unconverted": side.money.apart(),
        "purchases": side.money.purchases,
        "revenue_per_person": None if each is None else each.value,
        "revenue_sums": {"n": side.revenue.n, "y": side.revenue.y, "yy": side.revenue.yy},
    }


def _split(held: int, rest: int, share: int) -> dict[str, Any]:
    """Whether the sides have the sizes that the share gives: a two-sided z-test of one proportion."""
    n, p = held + rest, share / 10_000
    if not n:
        return {"expected_share": p, "share": None, "p_value": None}
    z = (held - n * p) / math.sqrt(n * p * (1 - p))
    return {"expected_share": p, "share": held / n, "p_value": math.erfc(abs(z) / math.sqrt(2))}


def _warnings(split: Mapping[str, Any], *, ended: bool) -> list[str]:
    found = []
    if split["p_value"] is not None and split["p_value"] < SPLIT_ALPHA:
        found.append(
            f"{split['share']:.2%} of the known persons are held out where {split['expected_share']:.2%} were drawn: "
            "one side became known more easily than the other, so the difference is not that of messaging alone"
        )
    if not ended:
        found.append("the period has not ended: the intervals are for one look, when it has")
    return found


def _times(value: float | None, n: int) -> float | None:
    return None if value is None else value * n


def _interval(interval: Interval | None, n: int = 1) -> list[float | None] | None:
    """Return both ends, None for one that has no bound."""
    if interval is None:
        return None
    return [end * n if math.isfinite(end) else None for end in (interval.low, interval.high)]


def _amount(value: float | None, currency: str) -> str | None:
    return None if value is None else f"{value:.{minor_units(currency)}f}"


def _amounts(values: list[float | None] | None, currency: str) -> list[str | None] | None:
    return None if values is None else [_amount(value, currency) for value in values]
