"""Money of persons that is not all in the reporting currency: converted purchase by purchase, exactly (rule 27)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb
import numpy as np

from afterword.attribution.compiled import I64
from afterword.attribution.derive import Rows
from afterword.reports.exchange import ONE_RATE, Rates
from afterword.reports.person_cells import CAPPED, DAY_BITS, MONEY
from afterword.reports.sql import query

MILLIONTHS = ONE_RATE
"""Of 10^-18 of the currency in a millionth."""
LINE_COLUMNS = ("campaign", "user", "currency", "occurred_day", "before", "net")
PERSON_COLUMNS = ("campaign", "user")

Products: TypeAlias = list[int]
"""y, x, yy, xx, xy of some persons, in millionths and their squares."""


@dataclass(slots=True)
class Apart:
    """Exact sums of the persons whose purchases are looked at one by one."""

    sums: defaultdict[int, Products] = field(default_factory=lambda: defaultdict(lambda: [0] * 5))
    """By campaign, variant, metric and day, as in `person_cells`."""
    unconverted: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By campaign and variant: millionths of revenue without a rate."""

    def add(self, key: int, y: int, x: int) -> None:
        """Add a person."""
        sums = self.sums[key]
        for place, value in enumerate((y, x, y * y, x * x, x * y)):
            sums[place] += value


def half_even(numerator: int, denominator: int) -> int:
    """Divide and round half to even."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def rates_of(con: duckdb.DuckDBPyConnection, codes: Mapping[int, str], lines: Rows, currency: str) -> Rates:
    """Return the exchange rates that some lines may need."""
    if not len(lines["net"]):
        return Rates(currency)
    days = int(lines["occurred_day"].min()), int(lines["occurred_day"].max())
    used = [codes[number] for number in np.unique(lines["currency"]).tolist()]
    found = con.execute(query("person_rates"), {"currencies": used, "first": days[0], "last": days[1]})
    return Rates(currency, found.fetchall())


def add_apart(
    people: Rows, key: I64, lines: Rows, codes: Mapping[int, str], rates: Rates, caps: Sequence[int | None]
) -> Apart:
    """Convert the lines and add up what each person earned; a person's sum is rounded once, to a millionth.

    Args:
        people: the persons whose money is in lines (columns `PERSON_COLUMNS`).
        key: theirs, as `PersonCells.keys` makes them; -1 for who is not of age.
        lines: all lines (columns `LINE_COLUMNS`).
        codes: of the currencies.
        rates: by which they are converted.
        caps: what a person counts for at most among the capped, by campaign.

    """
    apart = Apart()
    persons = zip(*(people[name].tolist() for name in PERSON_COLUMNS), strict=True)
    keys = {person: one for person, one in zip(persons, key.tolist(), strict=True) if one >= 0}
    totals: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    known: dict[tuple[int, int], int | None] = {}
    columns = (lines[name].tolist() for name in LINE_COLUMNS)
    for campaign, user, currency, day, before, net in zip(*columns, strict=True):
        if (campaign, user) not in keys:
            continue
        if (currency, day) not in known:
            known[currency, day] = rates.rate(codes[currency], day)
        rate = known[currency, day]
        if rate is not None:
            totals[campaign, user][bool(before)] += net * rate
        elif not before:
            apart.unconverted[keys[campaign, user] >> (DAY_BITS + 3)][codes[currency]] += net
    for person, (earned, earned_before) in totals.items():
        y, x = half_even(earned, MILLIONTHS), half_even(earned_before, MILLIONTHS)
        apart.add(keys[person], y, x)
        cap = caps[person[0]]
        if cap is not None:
            apart.add(keys[person] + (CAPPED - MONEY << DAY_BITS), min(y, cap), x)
    return apart
