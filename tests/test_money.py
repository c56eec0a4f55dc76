"""Rule 27: money is exact, and rounded once, half to even."""

from __future__ import annotations

from decimal import Decimal

import pytest

from afterword.errors import UserError
from afterword.money import minor_units, parse_currency, round_money


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        pytest.param("1.005", "EUR", "1.00", id="half-to-even-down"),
        pytest.param("1.015", "EUR", "1.02", id="half-to-even-up"),
        pytest.param("1.0050000001", "EUR", "1.01", id="more-than-half"),
        pytest.param("-1.005", "EUR", "-1.00", id="negative"),
        pytest.param("7", "EUR", "7.00", id="digits-are-filled-up"),
        pytest.param("100.5", "JPY", "100", id="no-minor-unit"),
        pytest.param("1.00050", "KWD", "1.000", id="three-digits"),
        pytest.param("0.00005", "CLF", "0.0000", id="four-digits"),
        pytest.param("-0.001", "EUR", "0.00", id="no-minus-zero"),
        pytest.param("1" * 40 + ".125", "USD", "1" * 40 + ".12", id="more-digits-than-the-default-context"),
    ],
)
def test_rounding_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert str(round_money(Decimal(amount), currency)) == rounded


@pytest.mark.parametrize(
    ("currency", "digits"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("CLF", 4), ("XYZ", 2)]
)
def test_minor_units(currency: str, digits: int) -> None:
    assert minor_units(currency) == digits


@pytest.mark.parametrize("text", ["eur", "EUR", " Eur "])
def test_currency_is_read_in_capitals(text: str) -> None:
    assert parse_currency(text) == "EUR"


@pytest.mark.parametrize("text", ["", "EU", "EURO", "E1R", "€", "ÄÖÜ"])
def test_what_is_no_currency_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_currency(text)
    assert f'currency is "{text}"' in str(caught.value)
