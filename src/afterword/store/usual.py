"""Objects of `/users/track` that are logged as they were sent: made facts of in SQL (decision 0037).

`intake.braze_usual.unfolded` says the same in Python; tests compare the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Final

from afterword.store.shapes import EVENTS
from afterword.store.sql import literal

_SHARED_FIELDS: Final = ("external_id", "time", "app_id", "event_id")
_SHARED: Final = {
    "user_id": "external_id",
    "occurred_at": "epoch_us(try_cast(time AS TIMESTAMPTZ))",
    "app_id": "nullif(app_id, '')",
    "properties": "properties",
}
_EVENT: Final = _SHARED | {"kind": "'custom'", "name": "name"}
_PURCHASE: Final = _SHARED | {
    "kind": "'purchase'",
    "product_id": "product_id",
    "price": "try_cast(price AS DECIMAL(18, 6))",
    "quantity": "try_cast(quantity AS INTEGER)",
    "currency": "upper(currency)",
}


@cache
def usual_selects() -> dict[str, str]:
    """Return, by the name of the list, the SELECT of its items from `frames`; see `Shape.completed_sql`."""
    return {
        "usual_events": _select(_EVENT, ("name",)),
        "usual_purchases": _select(_PURCHASE, ("product_id", "price", "quantity", "currency")),
    }


def _select(columns: Mapping[str, str], fields: tuple[str, ...]) -> str:
    form = literal(json.dumps([dict.fromkeys((*_SHARED_FIELDS, *fields), "VARCHAR") | {"properties": "JSON"}]))
    values = [f"CAST({columns.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in EVENTS.columns.items()]
    texts = [f"{name if name in fields else 'NULL::VARCHAR'} AS {name}_text" for name in EVENTS.readable]
    return EVENTS.completed_sql(
        f"""
        SELECT position, arrived_at, CAST(first + number - 1 AS INTEGER) AS item, nullif(event_id, '') AS given,
            {", ".join([*values, *texts])}, nullif(event_id, '') IS NOT NULL AS once, false AS corrected
        FROM (
            SELECT position, arrived_at, first, number, fact.* FROM (
                SELECT position, arrived_at, first, unnest(list) AS fact, generate_subscripts(list, 1) AS number
                FROM (SELECT position, arrived_at, first, TRY(from_json(list, {form})) AS list FROM frames)
            )
        )"""
    )
