"""Property filters as SQL conditions (rule 5).

Every condition is TRUE or FALSE, never NULL. Values are quoted by `store.sql`; the input columns are
those of the normalised events (`properties` is a JSON object or NULL).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from afterword.model import Op, PropertyFilter
from afterword.store.sql import literal

NUMBER = "DECIMAL(38, 18)"
"""Numbers compare as decimals of up to 20 digits before the point and 18 after it."""

_COLUMNS = {
    "$price": ("price", True),
    "$quantity": ("quantity", True),
    "$currency": ("currency", False),
    "$product_id": ("product_id", False),
    "$app_id": ("app_id", False),
    "$app_version": ("app_version", False),
}
_SQL_OPS = {Op.GT: ">", Op.GE: ">=", Op.LT: "<", Op.LE: "<="}


def filter_condition(filter_: PropertyFilter) -> str:
    """Return the SQL condition under which an event meets the filter."""
    if filter_.property.startswith("$"):
        return _column_condition(filter_)
    path = json_path(filter_.property)
    if "[]" not in filter_.property:
        return _quantified(filter_, lambda test: test(f"json_extract(properties, {literal(path)})"))
    elements = f"json_extract(properties, {literal(path)})"
    return _quantified(filter_, lambda test: f"len(list_filter({elements}, lambda element: {test('element')})) > 0")


def json_path(path: str) -> str:
    """Return DuckDB's JSON path for a dotted path: `cart.items[].sku` is `$."cart"."items"[*]."sku"`.

    A key that is a star would be taken for "any key", so such a path is written as a JSON pointer.
    """
    if "*" in path.split("."):
        return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path.split("."))
    parts = []
    for part in path.split("."):
        name = part.rstrip("[]")
        depth = part.count("[]")
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'."{escaped}"' + "[*]" * depth)
    return "$" + "".join(parts)


def _quantified(filter_: PropertyFilter, over: Callable[[Callable[[str], str]], str]) -> str:
    """Apply a test to the value or to any element; `!=` and `not_exists` hold where none does."""
    op, value = filter_.op, filter_.value
    if op in (Op.EXISTS, Op.NOT_EXISTS):
        found = f"coalesce({over(_is_there)}, false)"
        return found if op is Op.EXISTS else f"NOT {found}"
    if op is Op.IN:
        values = value if isinstance(value, tuple) else (value,)
        return f"coalesce({over(lambda v: _any_of(v, values))}, false)"
    if op is Op.CONTAINS:
        return f"coalesce({over(lambda v: _contains(v, value))}, false)"
    if op in (Op.EQ, Op.NE):
        equal = f"coalesce({over(lambda v: _compare(v, '=', value))}, false)"
        return equal if op is Op.EQ else f"NOT {equal}"
    return f"coalesce({over(lambda v: _compare(v, _SQL_OPS[op], value))}, false)"


def _is_there(json: str) -> str:
    return f"coalesce(json_type({json}) <> 'NULL', false)"


def _any_of(json: str, values: tuple[object, ...]) -> str:
    return "(" + " OR ".join(_compare(json, "=", value) for value in values) + ")"


def _contains(json: str, value: object) -> str:
    return f"coalesce(json_type({json}) = 'VARCHAR' AND contains({json} ->> '$', {literal(str(value))}), false)"


def _compare(json: str, op: str, value: object) -> str:
    """Compare a JSON value with a literal of the same type; FALSE across types (rule 5)."""
    if isinstance(value, bool):
        if op != "=":
            return "false"
        return f"coalesce(json_type({json}) = 'BOOLEAN' AND CAST({json} AS VARCHAR) = '{str(value).lower()}', false)"
    if isinstance(value, int | Decimal):
        value = Decimal(value)
        number = f"CAST({json} AS VARCHAR)"
        exact = f"TRY_CAST({number} AS {NUMBER}) {op} CAST('{value:f}' AS {NUMBER})"
        # Beyond the decimals only the order of magnitude is left to compare.
        rough = f"TRY_CAST({number} AS DOUBLE) {op} CAST('{value:f}' AS DOUBLE)"
        return (
            f"coalesce(CASE WHEN json_type({json}) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') "
            f"THEN coalesce({exact}, {rough}) END, false)"
        )
    return f"coalesce(json_type({json}) = 'VARCHAR' AND ({json} ->> '$') {op} {literal(str(value))}, false)"


def _column_condition(filter_: PropertyFilter) -> str:
    column, numeric = _COLUMNS[filter_.property]
    op, value = filter_.op, filter_.value
    if op is Op.EXISTS:
        return f"({column} IS NOT NULL)"
    if op is Op.NOT_EXISTS:
        return f"({column} IS NULL)"
    if op is Op.CONTAINS:
        return "false" if numeric else f"coalesce(contains({column}, {literal(str(value))}), false)"
    values = value if isinstance(value, tuple) else (value,)
    sql_op = _SQL_OPS.get(op, "=")
    tests = [_compare_column(column, numeric, sql_op, each) for each in values]
    met = "coalesce(" + " OR ".join(tests) + ", false)"
    return f"NOT {met}" if op is Op.NE else met


def _compare_column(column: str, numeric: bool, op: str, value: object) -> str:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if numeric != is_number or isinstance(value, bool):
        return "false"
    if isinstance(value, int | Decimal):
        value = Decimal(value)
        return f"CAST({column} AS {NUMBER}) {op} CAST('{value:f}' AS {NUMBER})"
    return f"{column} {op} {literal(str(value))}"
