"""The recommended ecommerce events: an order is a purchase per product, and what is given back is a refund of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Raw

from afterword.errors import Reason
from afterword.intake import steps
from afterword.intake.accepted import Event
from afterword.intake.bodies import DECODE_ERRORS, list_of, object_of
from afterword.intake.steps import Draft, Fault, draft_of

PLACED = "ecommerce.order_placed"
REFUNDED = "ecommerce.order_refunded"
CANCELLED = "ecommerce.order_cancelled"
ORDER_EVENTS = frozenset({PLACED, REFUNDED, CANCELLED})


@dataclass(frozen=True, slots=True)
class Head:
    """What all facts of one order event have in common."""

    item: int
    user_id: str
    occurred_at: int
    name: str
    app_id: str | None


@dataclass(frozen=True, slots=True)
class _Line:
    purchase_id: str
    product_id: str | None
    price: str
    quantity: int
    properties: Raw
    """What was sent of this product alone: all of the order with each of its products would grow with their square."""


def order_events(draft: Draft, head: Head) -> list[Event]:
    """Return the purchases or refunds of an order event; what is wrong is noted on the draft."""
    draft.need("properties")
    properties = steps.properties(draft, "properties")
    if properties is None or draft.faults:
        return []
    order = Draft(object_of(properties))
    order.need("order_id")
    order.need("currency")
    order_id, currency = steps.identifier(order, "order_id"), steps.currency(order, "currency")
    kind = "purchase" if head.name == PLACED else "refund"
    lines = list(_lines(order, order_id or "", kind, properties))
    draft.faults.extend(Fault(fault.reason, "properties", f"properties.{fault.message}") for fault in order.faults)
    if order_id is None:
        return []
    return [_event(head, line, kind, order_id, currency) for line in lines]


def _event(head: Head, line: _Line, kind: str, order_id: str, currency: str | None) -> Event:
    event_id = line.purchase_id
    if head.name == REFUNDED:  # an order may be refunded piece by piece, but cancelled only once
        event_id = f"{event_id}#{head.occurred_at}"
    return Event(
        head.item, head.user_id, kind, head.occurred_at, event_id, product_id=line.product_id, order_id=order_id,
        app_id=head.app_id, price=line.price, quantity=line.quantity, currency=currency,
        properties=line.properties if kind == "purchase" else None,
        refund_of=line.purchase_id if kind == "refund" else None,
    )  # fmt: skip


def _lines(order: Draft, order_id: str, kind: str, properties: Raw) -> Iterator[_Line]:
    """Yield the lines of an order: its products, or the order as one if it names none."""
    products = _products(order)
    if not products:
        order.need("total_value")
        whole = Draft({"price": order.fields.get("total_value", Raw(b"null"))})
        line = _line(whole, order_id, None, kind, properties)
        order.faults.extend(
            Fault(fault.reason, "total_value", fault.message.replace("price", "total_value", 1))
            for fault in whole.faults
        )
        if line is not None:
            yield line
        return
    counts: Counter[str] = Counter()
    for index, raw in enumerate(products):
        product = draft_of(raw)
        if not product.faults:
            product.need("product_id")
            product.need("price")
        product_id = steps.identifier(product, "product_id") or ""
        counts[product_id] += 1
        line = _line(product, f"{order_id}#{product_id}#{counts[product_id]}", product_id, kind, raw)
        order.faults.extend(
            Fault(fault.reason, "products", f"products[{index}]: {fault.message}") for fault in product.faults
        )
        if line is not None:
            yield line


def _products(order: Draft) -> list[Raw]:
    if order["products"] is None:
        return []
    try:
        return list_of(order.fields["products"])
    except DECODE_ERRORS:
        order.fault(Reason.BAD_PROPERTIES, "products", "products must be a list")
        return []


def _line(draft: Draft, purchase_id: str, product_id: str | None, kind: str, properties: Raw) -> _Line | None:
    exact, quantity = steps.price(draft, "price"), steps.quantity()(draft, "quantity")
    if kind == "refund" and exact == 0:  # what was free is not given back
        return None
    steps.check_amount(draft, kind, exact, quantity)
    steps.check_length(draft, "order_id with product_id", purchase_id)
    price = steps.price_text(draft["price"], exact)
    return None if price is None else _Line(purchase_id, product_id, price, quantity, properties)
