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
from afterword.intake.steps import Draft, draft_of

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
    event_id: str | None

    @property
    def kind(self) -> str:
        """The kind of the facts."""
        return "purchase" if self.name == PLACED else "refund"

    def id_of(self, purchase_id: str) -> str:
        """Return the id of a fact about a purchase: an order is cancelled once, but can be refunded piece by piece."""
        return f"{purchase_id}#{self.event_id or self.occurred_at}" if self.name == REFUNDED else purchase_id


@dataclass(frozen=True, slots=True)
class _Line:
    """One product of an order, or the order as one; `purchase_id` is the event id of its purchase."""

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
    products = _products(order)
    if products:
        lines = list(_lines(order, products, order_id or "", head))
    else:
        order.need("total_value")
        whole = _line(order, "total_value", 1, head, order_id or "", None, properties)
        lines = [] if whole is None else [whole]
    draft.take(order, "properties", "properties.")
    if draft.faults or order_id is None:
        return []
    return [_event(head, line, order_id, currency) for line in lines]


def _event(head: Head, line: _Line, order_id: str, currency: str | None) -> Event:
    is_purchase = head.kind == "purchase"
    return Event(
        head.item, head.user_id, head.kind, head.occurred_at, head.id_of(line.purchase_id),
        product_id=line.product_id, order_id=order_id, app_id=head.app_id, price=line.price, quantity=line.quantity,
        currency=currency, properties=line.properties if is_purchase else None,
        refund_of=None if is_purchase else line.purchase_id,
    )  # fmt: skip


def _products(order: Draft) -> list[Raw]:
    if order["products"] is None:
        return []
    try:
        return list_of(order.fields["products"])
    except DECODE_ERRORS:
        order.fault(Reason.BAD_PROPERTIES, "products", "products must be a list")
        return []


def _lines(order: Draft, products: list[Raw], order_id: str, head: Head) -> Iterator[_Line]:
    """Yield a line per product; the same product once more in an order is its second line, whatever stands between."""
    counts: Counter[str] = Counter()
    for index, raw in enumerate(products):
        product = draft_of(raw)
        product.need("product_id")
        product.need("price")
        product_id = steps.identifier(product, "product_id") or ""
        counts[product_id] += 1
        purchase_id = f"{order_id}#{product_id}#{counts[product_id]}"
        quantity = steps.quantity()(product, "quantity")
        line = _line(product, "price", quantity, head, purchase_id, product_id, raw)
        order.take(product, "products", f"products[{index}]: ")
        if line is not None:
            yield line


def _line(
    draft: Draft, price: str, quantity: int, head: Head, purchase_id: str, product_id: str | None, properties: Raw
) -> _Line | None:
    """Return a line whose price is in the field `price`; None if there is nothing to pay, or anything wrong."""
    exact = steps.price(draft, price)
    if head.kind == "refund" and exact == 0:  # what was free is not given back
        return None
    steps.check_amount(draft, price, head.kind, exact, quantity)
    steps.check_length(draft, "the id made of order_id and product_id", head.id_of(purchase_id))
    text = steps.price_text(draft[price], exact)
    return None if text is None else _Line(purchase_id, product_id, text, quantity, properties)
