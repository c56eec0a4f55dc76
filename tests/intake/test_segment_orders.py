"""Orders and refunds of Segment's protocol: purchases, and what is given back of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.intake.accepted import Event
from afterword.intake.segment import Policy
from tests.intake.segment_world import facts, plain, read, rejection, track

MONOPOLY = {"product_id": "p-1", "sku": "45790-32", "name": "Monopoly", "price": 19, "quantity": 1}
UNO = {"product_id": "p-2", "sku": "46493-32", "name": "Uno", "price": 3, "quantity": 2}


def order(*products: Any, **properties: Any) -> dict[str, Any]:
    right = {"order_id": "o-1", "currency": "USD", "products": list(products)} | properties
    return track("Order Completed", {name: value for name, value in right.items() if value is not None})


def refund(*products: Any, **properties: Any) -> dict[str, Any]:
    right = {"order_id": "o-1", "currency": "USD", "products": list(products)} | properties
    sent = {name: value for name, value in right.items() if value is not None}
    return track("Order Refunded", sent, messageId="r-1")


def money(event: Event) -> tuple[str | None, str | None, int]:
    return event.event_id, event.price, event.quantity


def given_back(event: Event) -> tuple[str | None, str | None, int]:
    return event.refund_of, event.price, event.quantity


def test_an_order_is_one_purchase_per_product() -> None:
    first, second = facts(order(MONOPOLY, UNO, coupon="hasbros", total=27.5)).events
    assert (money(first), money(second)) == (("o-1#p-1#1", "19", 1), ("o-1#p-2#1", "3", 2))
    assert {(e.kind, e.order_id, e.currency, e.item) for e in (first, second)} == {("purchase", "o-1", "USD", 0)}
    assert (first.product_id, second.product_id) == ("p-1", "p-2")
    properties = {"order_id": "o-1", "currency": "USD", "coupon": "hasbros", "total": 27.5}
    assert plain(second.properties) == properties | UNO


@pytest.mark.parametrize(
    ("products", "ids"),
    [
        pytest.param([{"product_id": "a"}, {"product_id": "a"}], ["o-1#a#1", "o-1#a#2"], id="twice"),
        pytest.param([{"product_id": "a"}, {"product_id": "b"}, {"product_id": "a"}], None, id="counted-per-product"),
        pytest.param([{"sku": "s"}, {"id": "i"}, {}], ["o-1#s#1", "o-1#i#1", "o-1##1"], id="other-names"),
        pytest.param([{"product_id": 7}], ["o-1#7#1"], id="integer"),
        pytest.param([{"product_id": "50%#x"}], ["o-1#50%25%23x#1"], id="escaped"),
    ],
)
def test_ids_of_purchases(products: list[dict[str, Any]], ids: list[str] | None) -> None:
    found = [e.event_id for e in facts(order(*({"price": 1} | product for product in products))).events]
    assert found == (ids or ["o-1#a#1", "o-1#b#1", "o-1#a#2"])


def test_an_order_id_that_is_an_integer() -> None:
    (found,) = facts(order(UNO, order_id=1001)).events
    assert (found.order_id, found.event_id) == ("1001", "1001#p-2#1")


def test_without_an_order_id_the_message_is_the_order() -> None:
    assert [e.event_id for e in facts(order(MONOPOLY, order_id=None)).events] == ["m-1#p-1#1"]
    assert [e.event_id for e in facts(order(order_id=None, revenue=5)).events] == ["m-1"]


def test_without_any_id_equal_orders_are_two() -> None:
    sent = order(UNO, order_id=None) | {"messageId": None, "timestamp": None}
    (found,) = facts(sent).events
    assert (found.event_id, found.once) == (None, False)


@pytest.mark.parametrize(
    ("properties", "price"),
    [
        pytest.param({"revenue": 25, "subtotal": 22.5, "total": 30}, "25", id="revenue"),
        pytest.param({"revenue": None, "subtotal": 22.5, "total": 30}, "22.5", id="subtotal"),
        pytest.param({"total": "30.00"}, "30", id="total"),
        pytest.param({"total": 30, "products": None}, "30", id="no-list"),
        pytest.param({"total": 0}, "0", id="nothing"),
    ],
)
def test_an_order_without_products_is_one_purchase(properties: dict[str, Any], price: str) -> None:
    (found,) = facts(order(**properties)).events
    assert (money(found), found.product_id) == (("o-1", price, 1), None)


@pytest.mark.parametrize(
    ("currency", "default", "expected"),
    [
        pytest.param("eur", "USD", "EUR", id="capitals"),
        pytest.param(None, "USD", "USD", id="of-the-protocol"),
        pytest.param(None, "EUR", "EUR", id="of-the-policy"),
        pytest.param(None, None, "missing_field", id="none"),
        pytest.param("euro", "USD", "bad_currency", id="bad"),
        pytest.param(5, "USD", "bad_currency", id="no-text"),
    ],
)
def test_currency(currency: Any, default: str | None, expected: str) -> None:
    accepted = facts(order(UNO, currency=currency), policy=Policy(currency=default))
    assert [e.currency for e in accepted.events] + [r.reason.value for r in accepted.rejected] == [expected]


@pytest.mark.parametrize(
    ("line", "reason", "sentence"),
    [
        pytest.param(
            {"price": None},
            "missing_field",
            "properties.products[1].price is missing, which a purchase must have",
            id="no-price",
        ),
        pytest.param(
            {"price": "1,50"},
            "bad_amount",
            'properties.products[1].price "1,50" is not an amount; expected a decimal below 1,000,000,000,000 '
            "with at most 6 decimals",
            id="no-amount",
        ),
        pytest.param(
            {"price": -1},
            "bad_amount",
            "properties.products[1].price -1 is negative; money given back is a refund event",
            id="negative",
        ),
        pytest.param(
            {"quantity": 0},
            "bad_amount",
            "properties.products[1].quantity 0 must be a whole number from 1 to 1,000,000",
            id="quantity",
        ),
        pytest.param(
            {"price": 10**11, "quantity": 10},
            "bad_amount",
            "properties.products[1].price 100000000000 times quantity 10 must be below 1,000,000,000,000",
            id="product",
        ),
        pytest.param(
            {"product_id": ["x"]},
            "bad_type",
            'properties.products[1].product_id ["x"] must be text or an integer',
            id="product-id",
        ),
        pytest.param(
            {"product_id": "x" * 252},
            "too_long",
            "the id of properties.products[1] with its order's has 258 characters, must be at most 255",
            id="long-id",
        ),
    ],
)
def test_a_bad_line_is_rejected_alone(line: dict[str, Any], reason: str, sentence: str) -> None:
    accepted = facts(order(MONOPOLY, {"product_id": "bad", "price": 1} | line, UNO))
    assert [e.event_id for e in accepted.events] == ["o-1#p-1#1", "o-1#p-2#1"]
    assert [(r.item, r.kind, r.reason.value, r.message) for r in accepted.rejected] == [(0, "events", reason, sentence)]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        pytest.param({"products": {"0": UNO}}, "bad_properties", id="products-no-list"),
        pytest.param({"products": [5]}, "bad_properties", id="product-no-object"),
        pytest.param({"order_id": {"a": 1}}, "bad_type", id="order-id"),
        pytest.param({"order_id": "x" * 256}, "too_long", id="long-order-id"),
        pytest.param({}, "missing_field", id="no-amount"),
        pytest.param({"revenue": True}, "bad_amount", id="no-number"),
        pytest.param({"products": [{"price": 1}] * 1001}, "too_large", id="too-many-products"),
        pytest.param({"x": "y" * 20_000, "products": [{"price": 1}] * 500}, "too_large", id="repeated-too-often"),
    ],
)
def test_orders_that_cannot_be_used(properties: dict[str, Any], reason: str) -> None:
    assert rejection(order(**properties))[0] == reason


def test_products_are_given_back_where_they_were_bought() -> None:
    (found,) = facts(refund(UNO)).events
    assert (found.event_id, found.kind, found.product_id, found.order_id) == ("r-1#1", "refund", "p-2", "o-1")
    assert (given_back(found), found.currency) == (("o-1#p-2#1", "3", 2), "USD")
    bought = {e.event_id for e in facts(order(MONOPOLY, UNO)).events}
    assert {e.refund_of for e in facts(refund(UNO, MONOPOLY)).events} == bought


@pytest.mark.parametrize(
    ("products", "properties", "expected"),
    [
        pytest.param([MONOPOLY, UNO], {}, [("o-1#p-1#1", "19", 1), ("o-1#p-2#1", "3", 2)], id="products"),
        pytest.param(
            [MONOPOLY, UNO], {"total": 30}, [("o-1#p-1#1", "19", 1), ("o-1#p-2#1", "3", 2)], id="total-with-shipping"
        ),
        pytest.param([MONOPOLY, UNO], {"total": 10}, [("o-1#p-1#1", "7.6", 1), ("o-1#p-2#1", "2.4", 1)], id="a-part"),
        pytest.param(
            [{"product_id": p, "price": 5} for p in "abc"],
            {"total": 10},
            [("o-1#a#1", "3.34", 1), ("o-1#b#1", "3.33", 1), ("o-1#c#1", "3.33", 1)],
            id="cents",
        ),
        pytest.param(
            [{"product_id": p, "price": 500} for p in "ab"],
            {"total": 101, "currency": "JPY"},
            [("o-1#a#1", "51", 1), ("o-1#b#1", "50", 1)],
            id="yen",
        ),
        pytest.param(
            [{"product_id": p, "price": 5} for p in "ab"],
            {"total": "0.000003"},
            [("o-1#a#1", "0.000002", 1), ("o-1#b#1", "0.000001", 1)],
            id="millionths",
        ),
        pytest.param([MONOPOLY, {"product_id": "gift", "price": 0}], {}, [("o-1#p-1#1", "19", 1)], id="free-product"),
        pytest.param([{"product_id": "p-1"}], {"total": 5}, [("o-1#p-1#1", "5", 1)], id="one-product-without-price"),
        pytest.param([{"product_id": "a"}, UNO], {"total": 5}, [("o-1", "5", 1)], id="prices-not-known"),
        pytest.param([], {"total": 5}, [("o-1", "5", 1)], id="total-only"),
        pytest.param([], {"total": 5, "revenue": 4}, [("o-1", "4", 1)], id="as-the-order-is-worth"),
    ],
)
def test_what_is_given_back(products: list[Any], properties: dict[str, Any], expected: list[Any]) -> None:
    assert [given_back(e) for e in facts(refund(*products, **properties)).events] == expected


def test_the_total_alone_names_the_purchase_of_an_order_without_products() -> None:
    (bought,) = facts(order(total=30)).events
    (found,) = facts(refund(total=30)).events
    assert (found.refund_of, found.event_id, found.order_id) == (bought.event_id, "r-1", "o-1")


def test_a_refund_without_a_currency_is_in_that_of_its_purchase() -> None:
    (found,) = facts(refund(UNO, currency=None)).events
    assert found.currency is None


@pytest.mark.parametrize(
    ("products", "properties", "reason", "sentence"),
    [
        pytest.param(
            [],
            {},
            "missing_field",
            "properties.total is missing, and so are prices of products: a refund must say how much was given back",
            id="no-amount",
        ),
        pytest.param(
            [UNO],
            {"order_id": None},
            "missing_field",
            "properties.order_id is missing, which a refund must have",
            id="no-order",
        ),
        pytest.param(
            [],
            {"total": -5},
            "bad_amount",
            "properties.total -5 must be more than 0 for a refund",
            id="negative",
        ),
        pytest.param([], {"total": 0}, "bad_amount", "properties.total 0 must be more than 0 for a refund", id="zero"),
        pytest.param(
            [UNO],
            {"total": 0},
            "bad_amount",
            "the refund gives nothing back; its amount must be more than 0",
            id="nothing",
        ),
        pytest.param(
            [UNO, 5], {}, "bad_properties", "properties.products[1] 5 is not a JSON object", id="one-bad-spoils-all"
        ),
    ],
)
def test_refunds_that_cannot_be_used(
    products: list[Any], properties: dict[str, Any], reason: str, sentence: str
) -> None:
    assert rejection(refund(*products, **properties)) == (reason, sentence)


cents = st.integers(0, 10**6)


@given(
    prices=st.lists(st.tuples(cents, st.integers(1, 9)), min_size=1, max_size=8),
    total=st.decimals("0.000001", 10**6, places=6),
)
def test_what_is_given_back_is_the_total_or_the_products(prices: list[tuple[int, int]], total: Decimal) -> None:
    products = [
        {"product_id": str(number), "price": f"{price}e-2", "quantity": quantity}
        for number, (price, quantity) in enumerate(prices)
    ]
    whole = Decimal(sum(price * quantity for price, quantity in prices)) / 100
    events = read(refund(*products, total=str(total))).accepted.events
    amounts = {event.refund_of: Decimal(event.price or 0) * event.quantity for event in events}
    assert sum(amounts.values()) == min(whole, total)
    for number, (price, quantity) in enumerate(prices):
        assert amounts.get(f"o-1#{number}#1", 0) <= Decimal(price * quantity) / 100
