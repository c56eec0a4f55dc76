from __future__ import annotations

from decimal import Decimal

import pytest

from afterword.reports.exchange import SCALE, Money, Rates, exact, rounded

MONDAY = 20_000


@pytest.mark.parametrize(
    ("numerator", "denominator", "decimals", "text"),
    [
        pytest.param(5, 1000, 2, "0.00", id="half-to-even-down"),
        pytest.param(15, 1000, 2, "0.02", id="half-to-even-up"),
        pytest.param(-5, 1000, 2, "0.00", id="no-minus-zero"),
        pytest.param(-15, 1000, 2, "-0.02", id="negative-half-to-even"),
        pytest.param(25, 10, 0, "2", id="no-minor-units"),
        pytest.param(35, 10, 0, "4", id="no-minor-units-up"),
        pytest.param(1, 3, 6, "0.333333", id="a-third"),
        pytest.param(10**30 + 1, 10, 1, "1" + "0" * 29 + ".1", id="more-digits-than-a-float-or-a-default-decimal"),
    ],
)
def test_rounding_is_once_and_half_to_even(numerator: int, denominator: int, decimals: int, text: str) -> None:
    assert rounded(numerator, denominator, decimals) == text


@pytest.mark.parametrize(
    ("millionths", "currency", "text"),
    [(1_500_000, "CHF", "1.50"), (1_234_567, "CHF", "1.234567"), (2_000_000, "JPY", "2"), (-500_000, "KWD", "-0.500")],
)
def test_an_unconverted_amount_is_not_rounded(millionths: int, currency: str, text: str) -> None:
    assert exact(millionths, currency) == text


@pytest.fixture
def rates() -> Rates:
    return Rates(
        "EUR", [("USD", MONDAY, Decimal("0.9")), ("USD", MONDAY - 3, Decimal("0.8")), ("EUR", MONDAY, Decimal(7))]
    )


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        pytest.param(MONDAY, "0.9", id="the-day-itself"),
        pytest.param(MONDAY + 7, "0.9", id="seven-days-old"),
        pytest.param(MONDAY + 8, None, id="too-old"),
        pytest.param(MONDAY - 1, "0.8", id="the-latest-before"),
        pytest.param(MONDAY - 4, None, id="only-later-ones"),
    ],
)
def test_the_latest_rate_of_at_most_seven_days_counts(rates: Rates, day: int, rate: str | None) -> None:
    assert rates.rate("USD", day) == (None if rate is None else int(Decimal(rate) * 10**12))


def test_the_reporting_currency_is_worth_one_whatever_the_rates_say(rates: Rates) -> None:
    assert rates.rate("EUR", MONDAY) == 10**12


def test_all_digits_of_a_rate_count() -> None:
    rate = Decimal("12345678901234567890123456.123456789012")
    assert Rates("EUR", [("USD", MONDAY, rate)]).rate("USD", MONDAY) == 12345678901234567890123456123456789012


def test_sums_are_converted_then_rounded_once(rates: Rates) -> None:
    # Two days of 0.005 USD: 0.0045 + 0.0040 = 0.0085 EUR, which is 0.01; each rounded alone would be 0.00.
    money = Money()
    rates.book(money, "USD", MONDAY, 5_000)
    rates.book(money, "USD", MONDAY - 3, 5_000)
    assert money.converted == 85 * 10 ** (SCALE - 4)
    assert money.amount("EUR") == "0.01"


def test_what_has_no_rate_stands_apart(rates: Rates) -> None:
    money = Money()
    rates.book(money, "CHF", MONDAY, 2_500_000)
    rates.book(money, "EUR", MONDAY, 1_000_000)
    assert money.as_json(2, "EUR") == {
        "amount": "1.00",
        "unconverted": {"CHF": "2.50"},
        "per_exposed": "0.500000",
        "purchases": 0,
    }


def test_nobody_exposed_has_no_revenue_each() -> None:
    assert Money().per(0, "EUR") is None
