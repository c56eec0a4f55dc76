from __future__ import annotations

import re

import pytest

from afterword.reports.sql import names, query
from tests.reports.derived import empty_tables

VALUES: dict[str, object] = {
    "as_of": 1,
    "currency": "EUR",
    "campaigns": [0],
    "campaign": [0],
    "variant": [0],
    "control": [True],
    "per_exposure": [False],
    "per_channel": [False],
    "longest": [1],
    "last_hour": [1],
    "letter": [0],
    "hour": [0],
    "currencies": ["EUR"],
    "first": 1,
    "last": 1,
    **{f"deadline_{letter}": [1] for letter in "abcd"},
}
FIRST = ["report_campaigns", "report_variants", "revenue_cells"]
"""These make tables that others read."""


def parameters_of(name: str) -> dict[str, object]:
    return {parameter: VALUES[parameter] for parameter in re.findall(r"\$(\w+)", query(name))}


@pytest.mark.parametrize("name", names())
def test_every_query_binds_its_parameters_and_plans(name: str) -> None:
    con = empty_tables()
    for needed in FIRST:
        con.execute(query(needed), parameters_of(needed) or None)
    assert con.execute("EXPLAIN " + query(name), parameters_of(name) or None).fetchall()


@pytest.mark.parametrize("name", names())
def test_every_query_says_what_it_is(name: str) -> None:
    assert query(name).startswith("-- ")
