"""Verdicts as sentences, with the margin by which an event missed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from afterword.attribution.explain import Judged, Verdict
from afterword.model import ConversionEvent, ConversionKind, EventKind, Op, PropertyFilter
from afterword.workspace.wording import describe_event, sentence

SECOND = 1_000_000
DAY = 86_400
EXPOSED_AT = 1_000_000_000_000_000
NOTHING: dict[str, Any] = dict.fromkeys(
    ("product_id", "app_id", "app_version", "from_version", "price", "currency", "name", "properties", "refund_of")
)


def event_row(kind: EventKind, **columns: Any) -> dict[str, Any]:
    return {**NOTHING, "kind": int(kind), "quantity": 1, "machine": False, **columns}


def said(verdict: Verdict, after: int, row: dict[str, Any], event: ConversionEvent, *unmet: int) -> str:
    judged = Judged("A", 0, verdict, 0, EXPOSED_AT + after, unmet)
    return sentence(judged, event, EXPOSED_AT, row, "purchase p-81")


PURCHASE = ConversionEvent(ConversionKind.PURCHASE, 3 * DAY, products=("sku-1",))
BOUGHT = event_row(EventKind.PURCHASE, product_id="sku-1", price=Decimal("49.900000"), currency="EUR")


@pytest.mark.parametrize(
    ("verdict", "after", "words"),
    [
        pytest.param(Verdict.TOO_LATE, (3 * DAY + 7500) * SECOND, "came 2 h 5 min after the deadline", id="late"),
        pytest.param(Verdict.TOO_LATE, 3 * DAY * SECOND + 1, "came 1 µs after the deadline", id="just-late"),
        pytest.param(Verdict.TOO_LATE, 3 * DAY * SECOND + 2500, "came 2.5 ms after the deadline", id="milliseconds"),
        pytest.param(Verdict.TOO_LATE, (3 * DAY + 1) * SECOND + 500_000, "came 1.5 s after the deadline", id="half"),
        pytest.param(Verdict.BEFORE_EXPOSURE, -DAY * SECOND, "came 1 day before the exposure", id="before"),
        pytest.param(Verdict.CONVERTED, 0, "came at the very moment of the exposure", id="at-once"),
        pytest.param(Verdict.CONVERTED, 60 * SECOND, "came 1 minute after the exposure", id="converted"),
        pytest.param(Verdict.ALREADY_CONVERTED, -SECOND, "had converted before this exposure", id="by-an-earlier-one"),
        pytest.param(Verdict.ALREADY_CONVERTED, SECOND, "came when the user had converted already", id="second-event"),
    ],
)
def test_margins_are_told(verdict: Verdict, after: int, words: str) -> None:
    assert said(verdict, after, BOUGHT, PURCHASE) == f"purchase p-81 {words}"


def test_the_product_is_told_as_it_was() -> None:
    row = BOUGHT | {"product_id": "SKU-1"}
    assert said(Verdict.FILTER_NOT_MET, 5, row, PURCHASE) == 'purchase p-81: product "SKU-1", asked for sku-1'


@pytest.mark.parametrize(
    ("where", "properties", "words"),
    [
        pytest.param(("cart.total", Op.GE, 50), {"cart": {"total": 49.9}}, "cart.total is 49.9", id="nested"),
        pytest.param(("cart.total", Op.GE, 50), {"cart": {}}, "cart.total is missing", id="missing"),
        pytest.param(("plan", Op.EQ, 5), {"plan": "5"}, 'plan is "5"', id="text-is-no-number"),
        pytest.param(("items[].sku", Op.EQ, 1), {"items": [{"sku": 2}, {"sku": 3}]}, "items[].sku is 2, 3", id="array"),
        pytest.param(("gift", Op.EQ, True), {"gift": None}, "gift is null", id="null"),
        pytest.param(("$price", Op.GE, 50), {}, "$price is 49.90", id="column"),
        pytest.param(("$app_id", Op.EXISTS, None), {}, "$app_id is missing", id="missing-column"),
    ],
)
def test_what_a_filter_found_is_told(where: tuple[str, Op, object], properties: object, words: str) -> None:
    event = ConversionEvent(ConversionKind.PURCHASE, DAY, where=(PropertyFilter(*where),))
    told = said(Verdict.FILTER_NOT_MET, 5, BOUGHT | {"properties": json.dumps(properties)}, event, 0)
    assert told.startswith(f"purchase p-81: {words}, asked for {where[0]} ")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param(BOUGHT | {"quantity": 3}, "bought sku-1 for 49.90 EUR x 3", id="purchase"),
        pytest.param(
            event_row(EventKind.REFUND, price=Decimal("1.234500"), refund_of="p-1"),
            "was refunded 1.2345 for purchase p-1",
            id="refund",
        ),
        pytest.param(
            event_row(EventKind.SESSION, app_id="ios", app_version="1.2"),
            "opened the app ios, version 1.2",
            id="session",
        ),
        pytest.param(
            event_row(EventKind.UPGRADE, from_version="1.2", app_version="1.3"),
            "upgraded the app from 1.2 to 1.3",
            id="upgrade",
        ),
        pytest.param(event_row(EventKind.CUSTOM, name="rated"), "did rated", id="custom"),
        pytest.param(event_row(EventKind.MESSAGE_OPEN, machine=True), "message open by a machine", id="machine"),
    ],
)
def test_events_are_told(row: dict[str, Any], words: str) -> None:
    assert describe_event(row) == words
