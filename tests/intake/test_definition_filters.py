"""Rule 5: property filters."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from afterword.errors import DefinitionError
from afterword.model import (
    Op,
    PropertyFilter,
)
from tests.intake.definition_data import EXAMPLE, Data, filter_data, load, problems_of, read_filter


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(("a", "=", "x"), ("a", Op.EQ, "x"), id="equal"),
        pytest.param(("a", "!=", 1), ("a", Op.NE, 1), id="not-equal"),
        pytest.param(("a", ">", 1.5), ("a", Op.GT, Decimal("1.5")), id="greater"),
        pytest.param(("a", "<=", "x"), ("a", Op.LE, "x"), id="texts-have-an-order"),
        pytest.param(("a", "in", ["x", 1, True]), ("a", Op.IN, ("x", 1, True)), id="in"),
        pytest.param(("a", "exists", None), ("a", Op.EXISTS, None), id="exists"),
        pytest.param(("a", "not_exists", None), ("a", Op.NOT_EXISTS, None), id="not-exists"),
        pytest.param(("a", "contains", "x"), ("a", Op.CONTAINS, "x"), id="contains"),
        pytest.param(("cart.items[].sku", "=", "x"), ("cart.items[].sku", Op.EQ, "x"), id="any-element"),
        pytest.param(("tags[]", "=", "x"), ("tags[]", Op.EQ, "x"), id="list-of-scalars"),
        pytest.param(("a b-c/$d", "=", "x"), ("a b-c/$d", Op.EQ, "x"), id="keys-hold-anything"),
        pytest.param(("$price", ">=", 49.9), ("$price", Op.GE, Decimal("49.9")), id="price"),
        pytest.param(("$product_id", "=", 17), ("$product_id", Op.EQ, "17"), id="text-column-takes-the-text"),
        pytest.param(("$currency", "in", ["eur"]), ("$currency", Op.IN, ("EUR",)), id="currency-in-capitals"),
        pytest.param(("a", "=", {"number": "0.50"}), ("a", Op.EQ, Decimal("0.5")), id="spelled-number"),
    ],
)
def test_filters(fields: tuple[str, str, object], expected: tuple[str, Op, object]) -> None:
    path, op, value = fields
    assert read_filter(property=path, op=op, value=value) == PropertyFilter(*expected)


def test_text_columns_take_numbers_as_the_file_writes_them(tmp_path: Path) -> None:
    text = EXAMPLE.replace("{property: cart.total", "{property: $app_version").replace("value: 50", "value: 1.10")
    assert load(tmp_path, text).campaigns[0].conversion_events[1].where[0].value == "1.10"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({"op": "exists"}, "property: property is missing", id="no-property"),
        pytest.param({"property": "a"}, "op: op is missing, must be one of =, !=", id="no-op"),
        pytest.param({"property": "a", "op": "=="}, 'op: unknown op "==", did you mean "="?', id="unknown-op"),
        pytest.param({"property": "a", "op": "exists", "value": 1}, "value: exists takes no value", id="exists"),
        pytest.param({"property": "a", "op": "<"}, "value: value is missing, < needs one", id="no-value"),
        pytest.param(
            {"property": "a", "op": "=", "value": None}, "value: value is missing, = needs one (to ask", id="null"
        ),
        pytest.param({"property": "a", "op": "in", "value": "x"}, 'value: value is "x", in needs a list', id="in-text"),
        pytest.param({"property": "a", "op": "in", "value": []}, "value: value is an empty list, in needs", id="in-[]"),
        pytest.param({"property": "a", "op": "in", "value": [[]]}, "value: value is a list, must be a text", id="in"),
        pytest.param({"property": "a", "op": "=", "value": [1]}, "value: value is a list, must be a text", id="list"),
        pytest.param({"property": "a", "op": "=", "value": {"x": 1}}, "value: value is a mapping, must", id="mapping"),
        pytest.param({"property": "a", "op": ">", "value": True}, "value: value is true, > compares num", id="order"),
        pytest.param({"property": "a", "op": "contains", "value": 5}, "value: value is 5, contains needs", id="num"),
        pytest.param(
            {"property": "a", "op": "contains", "value": ""}, 'value: value is "", contains needs a text of', id="empty"
        ),
        pytest.param({"property": "a", "op": "=", "value": float("nan")}, "value: value is nan, must be", id="nan"),
        pytest.param({"property": "a", "op": "=", "value": "\udc00"}, "value: value is not valid Unicode", id="half"),
        pytest.param({"property": "a", "op": "=", "value": 10**20}, "value: value is 1000000000", id="21-digits"),
        pytest.param({"property": "a", "op": "=", "value": 1e300}, "value: value is 1e+300, numbers", id="large"),
        pytest.param({"property": "a", "op": "=", "value": 1e-19}, "value: value is 1e-19, numbers", id="19-decimals"),
        pytest.param({"property": "a", "op": "=", "vale": 1}, ': unknown key "vale", did you mean "value"?', id="key"),
        pytest.param({"property": "a..b", "op": "exists"}, 'property: property is "a..b", must be', id="empty-part"),
        pytest.param({"property": ".a", "op": "exists"}, 'property: property is ".a", must be', id="leading-dot"),
        pytest.param({"property": "a[0]", "op": "exists"}, 'property: property is "a[0]", must be', id="index"),
        pytest.param({"property": "[].a", "op": "exists"}, 'property: property is "[].a", must be', id="no-name"),
        pytest.param({"property": "a[]b", "op": "exists"}, 'property: property is "a[]b", must be', id="no-dot"),
        pytest.param(
            {"property": "$prise", "op": "exists"}, 'property: unknown column "$prise", did you mean "$price"?', id="$"
        ),
        pytest.param({"property": "$price", "op": "=", "value": "5"}, 'value: value is "5", $price is', id="price"),
        pytest.param({"property": "$price", "op": "contains", "value": "5"}, "value: $price is a number", id="digits"),
        pytest.param({"property": "$app_id", "op": "=", "value": True}, "value: value is true, $app_id is", id="app"),
        pytest.param({"property": "$app_id", "op": "contains", "value": ""}, 'value: value is "", con', id="app-empty"),
        pytest.param(
            {"property": "$currency", "op": "=", "value": "EURO"}, 'value: currency is "EURO", must', id="currency"
        ),
    ],
)
def test_wrong_filter_is_refused(fields: Data, problem: str) -> None:
    place = 'campaigns[0] "c" conversion_events[0].where[0]'
    found = problems_of({"campaigns": [filter_data(**fields)]})
    assert found[0].startswith(place + (problem if problem.startswith(":") else f".{problem}"))


@pytest.mark.parametrize("written", ["1e999999999", "1e-999999999", "1e99999999999999999999", "9" * 5_000])
def test_numbers_of_any_size_are_refused_without_being_written_out(tmp_path: Path, written: str) -> None:
    with pytest.raises(DefinitionError, match=r"value: value is [19]"):
        load(tmp_path, EXAMPLE.replace("value: 50", f"value: {written}"))
