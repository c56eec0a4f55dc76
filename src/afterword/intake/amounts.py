"""Prices and quantities, exactly (rule 27): millionths of the currency, never a binary float."""

from __future__ import annotations

from afterword.errors import Reason
from afterword.intake.columns import Check, Form, Raw, Value, value_name

DECIMALS = 6
MAX_QUANTITY = 1_000_000
SMALL = 1_000_000
"""No quantity makes a price below this one too much."""
PLAIN = r"[+-]?([0-9]{1,12}(\.[0-9]{0,6}0*)?|\.[0-9]{1,6}0*)"
EXPONENT = r"[+-]?([0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12})[eE][+-]?(0?[0-9]|1[0-2])"
WHOLE = r"\+?[0-9]{1,7}(\.0*)?"


def price_value(raw: Raw) -> Value:
    """A price as DECIMAL(18,6), NULL where it is not exactly that."""
    if is_small(raw):
        return Value(f"{raw.sql}::DECIMAL(18, 6)")
    value = value_name(raw.name)
    bad = Check(
        Reason.BAD_AMOUNT,
        f"{value} IS NULL AND {raw.present}",
        raw.says("is not an amount; expected a decimal below 1,000,000,000,000 with at most 6 decimals"),
    )
    return Value(_price_sql(raw), (bad,))


def is_small(raw: Raw) -> bool:
    """Return whether all prices are known to be exact and from 0 to less than a million: nothing can be wrong."""
    if raw.form is Form.DECIMAL and int(raw.type_name.rstrip(")").rpartition(",")[2]) > DECIMALS:
        return False
    return raw.form in (Form.DECIMAL, Form.INTEGER) and raw.proof.within(0, SMALL - 1)


def _price_sql(raw: Raw) -> str:
    if raw.is_text:
        text = raw.text
        exact = f"TRY_CAST({text} AS DECIMAL(38, 24))"
        return (
            f"CASE {_inexact(raw)}WHEN regexp_full_match({text}, '{PLAIN}') THEN TRY_CAST({text} AS DECIMAL(18, 6)) "
            f"WHEN regexp_full_match({text}, '{EXPONENT}') THEN {_if_exact(exact)} END"
        )
    if raw.form is Form.INTEGER:
        return f"TRY_CAST({raw.sql} AS DECIMAL(18, 6))"
    if raw.form is Form.DECIMAL:
        return _if_exact(raw.sql)
    if raw.form is Form.FLOAT:
        return _float_sql(raw)
    return "NULL::DECIMAL(18, 6)"


def _inexact(raw: Raw) -> str:
    """A JSON number of more than 15 digits has gone through a binary float and may not be what the file said."""
    if raw.json_type is None:
        return ""
    digits = f"strlen(replace(ltrim({raw.sql}, '-0.'), '.', ''))"
    return f"WHEN {raw.json_type} = 'DOUBLE' AND {digits} > 15 THEN NULL "


def _if_exact(decimal: str) -> str:
    """Return the SQL of a decimal with 6 decimals, NULL if it has more (a cast alone would round)."""
    rounded = f"TRY_CAST({decimal} AS DECIMAL(18, 6))"
    return f"CASE WHEN {rounded} = {decimal} THEN {rounded} END"


def _float_sql(raw: Raw) -> str:
    """A binary float stands for the shortest decimal that reads back as itself.

    A decimal of at most 15 digits that reads back as the float is that shortest one, so no text is needed:
    6 decimals below 10^9, 3 decimals below 10^12.
    """
    if raw.type_name == "FLOAT":  # its own shortest decimal, not that of the double it would become
        text = f"{raw.sql}::VARCHAR"
        return f"CASE WHEN regexp_full_match({text}, '{PLAIN}') THEN TRY_CAST({text} AS DECIMAL(18, 6)) END"
    x = raw.sql
    fine = f"TRY_CAST({x} AS DECIMAL(18, 6))"
    coarse = f"TRY_CAST({x} AS DECIMAL(15, 3))"
    return (
        f"CASE WHEN abs({x}) < 1e9 THEN CASE WHEN {fine}::DOUBLE = {x} THEN {fine} END "
        f"WHEN abs({x}) < 1e12 AND {coarse}::DOUBLE = {x} THEN {coarse}::DECIMAL(18, 6) END"
    )


def quantity_value(raw: Raw) -> Value:
    """A whole number from 1 to a million; missing is 1."""
    if raw.form is Form.INTEGER and raw.proof.within(1, MAX_QUANTITY):
        return Value(f"coalesce({raw.sql}::INTEGER, 1)")
    value = value_name(raw.name)
    bad = Check(
        Reason.BAD_AMOUNT,
        f"NOT coalesce({value} BETWEEN 1 AND {MAX_QUANTITY}, FALSE)",
        raw.says("must be a whole number from 1 to 1,000,000"),
    )
    return Value(f"CASE WHEN {raw.absent} THEN 1 ELSE {_whole_sql(raw)} END::INTEGER", (bad,))


def _whole_sql(raw: Raw) -> str:
    if raw.is_text:
        return f"CASE WHEN regexp_full_match({raw.text}, '{WHOLE}') THEN TRY_CAST({raw.text} AS DECIMAL(18, 6)) END"
    if raw.form in (Form.INTEGER, Form.DECIMAL, Form.FLOAT):
        whole = f"TRY_CAST({raw.sql} AS INTEGER)"
        return whole if raw.form is Form.INTEGER else f"CASE WHEN {whole} = {raw.sql} THEN {whole} END"
    return "NULL"


MAX_MILLIONTHS = 10**18 - 1
