"""What exchange rates look like."""

from __future__ import annotations

from typing import Annotated, TypedDict

from msgspec import Meta

Day = Annotated[str, Meta(examples=["2026-03-31"])]
Currency = Annotated[str, Meta(pattern="^[A-Za-z]{3}$", examples=["USD"])]
Rate = Annotated[str, Meta(description="above 0, with at most 12 decimals, as text", examples=["0.92"])]


class ExchangeRate(TypedDict):
    """One unit of a currency in the reporting currency, on a day."""

    date: Day
    currency: Currency
    rate: Rate


class NewRates(TypedDict):
    """Rates to be taken; those of the same currency and day are replaced."""

    rates: list[ExchangeRate]


class TakenRates(TypedDict):
    """What became of them."""

    added: int
    replaced: int
    same: int


class RemovedRates(TypedDict):
    """What was removed."""

    removed: int


class CurrencyConverted(TypedDict):
    """Purchases in a currency other than the reporting one."""

    currency: str
    rates: int
    first: str | None
    last: str | None
    purchases: int
    without: Annotated[int, Meta(description="on days without a rate that is at most 7 days old: shown apart")]


class AllRates(TypedDict):
    """All rates, and what they do."""

    currency: Annotated[str, Meta(description="the reporting currency")]
    rates: list[ExchangeRate]
    currencies: list[CurrencyConverted]
