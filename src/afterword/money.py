"""Money is exact (rule 27): decimals in a currency, rounded once, half to even."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from afterword.errors import UserError

_DEFAULT_MINOR_UNITS = 2
# fmt: off
_MINOR_UNITS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}
# fmt: on
"""ISO 4217's digits after the point, where they are not two."""

_CODE = re.compile(r"[A-Za-z]{3}")
# Sums over many purchases can need more than the 28 digits of the default context.
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


def parse_currency(text: str) -> str:
    """Return a currency's code in capitals; it must be three letters (ISO 4217)."""
    code = text.strip()
    if not _CODE.fullmatch(code):
        raise UserError(f'currency is "{text}", must be a code of three letters such as "EUR"')
    return code.upper()


def minor_units(currency: str) -> int:
    """Return how many digits after the point the currency has: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _MINOR_UNITS.get(currency, _DEFAULT_MINOR_UNITS)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """Round an amount to the currency's minor units, half to even."""
    rounded = amount.quantize(Decimal(1).scaleb(-minor_units(currency)), context=_EXACT)
    return _EXACT.add(rounded, Decimal(0))  # there is no minus zero of money
