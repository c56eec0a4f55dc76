"""Recommended ecommerce events: an order is a purchase per product, and money given back is a refund of each."""

from __future__ import annotations

from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.braze import read_track
from tests.intake.requests import AT, RECEIVED_AT, TIME, encoded, facts

LAMP = {"product_id": "lamp", "price": 20.50, "quantity": 2}
BULB = {"product_id": "bulb", "price": 3, "quantity": 200}
GIFT = {"product_id": "gift", "price": 0}
ORDER = {"order_id": "o-1", "currency": "usd", "products": [LAMP, BULB, LAMP, GIFT], "total_value": 682}


def order_event(name: str, properties: object, **more: Any) -> dict[str, Any]:
    return {"external_id": "u", "name": f"ecommerce.{name}", "time": TIME, "properties": properties, **more}


def read(*events: dict[str, Any]) -> list[dict[str, Any]]:
    track = read_track(encoded({"events": events}), RECEIVED_AT)
    assert track.answer == {"message": "success", "events_processed": len(events)}
    return [dict(fact) for fact in facts(track.accepted).get("events", ())]


def test_an_order_is_a_purchase_per_product_with_the_order_as_repetition_key() -> None:
    purchases = read(order_event("order_placed", ORDER, app_id="shop"))
    head = {"item": 0, "user_id": "u", "kind": "purchase", "occurred_at": AT, "order_id": "o-1", "app_id": "shop"}
    head |= {"currency": "USD"}
    assert purchases == [
        {**head, "event_id": "o-1#lamp#1", "product_id": "lamp", "price": "20.5", "quantity": 2, "properties": LAMP},
        {**head, "event_id": "o-1#bulb#1", "product_id": "bulb", "price": "3", "quantity": 200, "properties": BULB},
        {**head, "event_id": "o-1#lamp#2", "product_id": "lamp", "price": "20.5", "quantity": 2, "properties": LAMP},
        {**head, "event_id": "o-1#gift#1", "product_id": "gift", "price": "0", "properties": GIFT},
    ]


def test_an_order_without_products_is_one_purchase() -> None:
    properties = {"order_id": 7, "currency": "EUR", "total_value": 12.30}
    [purchase] = read(order_event("order_placed", properties))
    assert (purchase["event_id"], purchase["price"], purchase["properties"]) == ("7", "12.3", properties)
    assert "product_id" not in purchase


def test_what_is_given_back_names_the_purchases_of_the_order() -> None:
    refunds = read(order_event("order_refunded", {**ORDER, "products": [{**LAMP, "quantity": 1}, GIFT]}))
    head = {"item": 0, "user_id": "u", "kind": "refund", "occurred_at": AT, "order_id": "o-1", "currency": "USD"}
    refund = {"product_id": "lamp", "price": "20.5", "refund_of": "o-1#lamp#1"}
    assert refunds == [{**head, **refund, "event_id": f"o-1#lamp#1#{AT}"}]


def test_an_order_can_be_refunded_in_pieces_but_cancelled_once() -> None:
    part = {**ORDER, "products": [{**LAMP, "quantity": 1}]}
    later = {"time": "2024-12-02T09:30:00Z"}
    refunds = read(*(order_event("order_refunded", part, **more) for more in ({}, {}, later)))
    assert len({refund["event_id"] for refund in refunds}) == 2
    [named] = read(order_event("order_refunded", part, event_id="r-5"))
    assert (named["event_id"], named["refund_of"]) == ("o-1#lamp#1#r-5", "o-1#lamp#1")
    cancelled = read(*(order_event("order_cancelled", ORDER, **more) for more in ({}, later)))
    assert {refund["event_id"] for refund in cancelled} == {"o-1#lamp#1", "o-1#bulb#1", "o-1#lamp#2"}


@pytest.mark.parametrize(
    ("properties", "reason", "sentence"),
    [
        (None, Reason.MISSING_FIELD, "properties is missing"),
        ([], Reason.BAD_PROPERTIES, "properties [] is not a JSON object"),
        ({**ORDER, "order_id": ""}, Reason.MISSING_FIELD, "properties.order_id is missing"),
        ({**ORDER, "currency": None}, Reason.MISSING_FIELD, "properties.currency is missing"),
        ({**ORDER, "products": {}}, Reason.BAD_PROPERTIES, "properties.products must be a list"),
        ({**ORDER, "products": [LAMP, {}]}, Reason.MISSING_FIELD, "properties.products[1]: product_id is missing"),
        ({**ORDER, "products": [5]}, Reason.BAD_TYPE, "properties.products[0]: the item is not a JSON object"),
        ({"order_id": "o", "currency": "EUR"}, Reason.MISSING_FIELD, "properties.total_value is missing"),
        (
            {"order_id": "o", "currency": "EUR", "total_value": -1},
            Reason.BAD_AMOUNT,
            "properties.total_value -1 is negative; money given back is a refund event",
        ),
        (
            {**ORDER, "products": [{**LAMP, "quantity": 0}]},
            Reason.BAD_AMOUNT,
            "properties.products[0]: quantity 0 must be a whole number from 1 to 1,000,000",
        ),
        (
            {**ORDER, "order_id": "o" * 250},
            Reason.TOO_LONG,
            "properties.products[0]: the id made of order_id and product_id has 257 characters, must be at most 255",
        ),
    ],
)
def test_an_order_that_cannot_be_read_is_rejected_as_a_whole(properties: object, reason: Reason, sentence: str) -> None:
    track = read_track(encoded({"events": [order_event("order_placed", properties)]}), RECEIVED_AT)
    assert [(each.reason, each.message) for each in track.accepted.rejected] == [(reason, sentence)]
    assert track.accepted.events == []
    assert [error["index"] for error in track.answer["errors"]] == [0]
