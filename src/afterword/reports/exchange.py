"""Exact money: conversion by dated rates and rounding once, half to even (rule 27).

Sums are integers of 10^-18 of a unit: millionths (what facts hold) times rates with 12 decimals, so
nothing is lost before the one rounding at the end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import cache
from typing import Any

import duckdb

from afterword.money import minor_units
from afterword.reports.sql import query

MAX_RATE_AGE_DAYS = 7
RATE_DECIMALS = 12
MILLIONTHS_DECIMALS = 6
SCALE = MILLIONTHS_DECIMALS + RATE_DECIMALS
ONE: int = 10**SCALE
ONE_RATE: int = 10**RATE_DECIMALS
_EXACT = Context(prec=80)


def rounded(numerator: int, denominator: int, decimals: int) -> str:
    """Numerator / denominator as decimal text with so many decimals, rounded half to even."""
    quotient, rest = divmod(numerator * 10**decimals, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        quotient += 1
    sign, digits = ("-" if quotient < 0 else ""), str(abs(quotient)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def exact(millionths: int, currency: str) -> str:
    """An amount in its own currency, not rounded: the minor units, and more decimals only where needed."""
    whole, fraction = rounded(millionths, 1_000_000, MILLIONTHS_DECIMALS).split(".")
    fraction = fraction.rstrip("0").ljust(minor_units(currency), "0")
    return f"{whole}.{fraction}" if fraction else whole


@cache
def zero(currency: str) -> str:
    """Nothing, as text: 0.00."""
    return rounded(0, 1, minor_units(currency))


def amount(converted: int, currency: str) -> str:
    """A sum of 10^-18, rounded once to the currency's minor units."""
    return rounded(converted, ONE, minor_units(currency)) if converted else zero(currency)


@dataclass(slots=True)
class Money:
    """A sum of revenue: what could be converted (in 10^-18), and millionths per currency of what could not."""

    converted: int = 0
    unconverted: dict[str, int] = field(default_factory=dict)
    purchases: int = 0

    def add(self, other: Money) -> None:
        """Add another sum to this one."""
        self.converted += other.converted
        self.purchases += other.purchases
        for currency, amount in other.unconverted.items():
            self.unconverted[currency] = self.unconverted.get(currency, 0) + amount

    def amount(self, currency: str) -> str:
        """The converted part as text."""
        return amount(self.converted, currency)

    def per(self, units: int, currency: str) -> str | None:
        """The converted part per unit, with four decimals more than the currency has; None for no unit."""
        return rounded(self.converted, units * ONE, minor_units(currency) + 4) if units else None

    def as_json(self, units: int, currency: str) -> dict[str, Any]:
        """Revenue as report.json says it: decimal strings."""
        return {
            "amount": self.amount(currency),
            "unconverted": self.apart(),
            "per_exposed": self.per(units, currency),
            "purchases": self.purchases,
        }

    def apart(self) -> dict[str, str]:
        """What has no rate, in its own currencies."""
        return {currency: exact(amount, currency) for currency, amount in sorted(self.unconverted.items())}


class Rates:
    """Dated exchange rates into the reporting currency."""

    def __init__(self, currency: str, rows: Iterable[tuple[str, int, Decimal]] = ()) -> None:
        """Take rows (currency, day as days since 1970, rate); of equal days the last counts."""
        self._currency = currency
        self._days: dict[str, list[int]] = {}
        self._rates: dict[str, list[int]] = {}
        for code, day, rate in sorted(rows):
            self._days.setdefault(code, []).append(day)
            self._rates.setdefault(code, []).append(int(rate.scaleb(RATE_DECIMALS, context=_EXACT)))

    def rate(self, currency: str, day: int) -> int | None:
        """The latest rate (in 10^-12) on or before a day, at most seven days old; 1 for the reporting currency."""
        if currency == self._currency:
            return ONE_RATE
        days = self._days.get(currency, [])
        position = bisect_right(days, day) - 1
        if position < 0 or day - days[position] > MAX_RATE_AGE_DAYS:
            return None
        return self._rates[currency][position]

    def book(self, into: Money, currency: str, day: int, millionths: int, purchases: int = 0) -> None:
        """Add the sum of one currency and day to `into`, converted if there is a rate, else apart."""
        rate = self.rate(currency, day)
        into.purchases += purchases
        if rate is None:
            into.unconverted[currency] = into.unconverted.get(currency, 0) + millionths
        else:
            into.converted += millionths * rate


def load_rates(con: duckdb.DuckDBPyConnection, currency: str) -> Rates:
    """The rates that the credited purchases may need; `revenue_cells` must be there."""
    return Rates(currency, con.execute(query("rates")).fetchall())
