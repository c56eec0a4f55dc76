"""Orders in Segment's protocol: an order becomes one purchase per product, a refund what it gives back of them.

The id of a purchase is `ORDER#PRODUCT#N`, N counting the lines of that product in the order from 1: a later refund,
which lists its products in whatever order, can name the line without knowing the order. In the product's part `%` and
`#` are written `%25` and `%23`, so that no two lines share an id. An order without products is one purchase, and its
id is the order's.

What a refund gives back:

- its products, each with a price: price times quantity of each, named by the rule above. If its total is less than
  their sum, only the total was given back, and is spread over them by amount. If it is more (it holds shipping
  and taxes, which are in no purchase), the products' own prices count: a refund never gives back what was not booked.
- one product without a price: the total, of that product.
- otherwise the total, of the order as a whole: `refund_of` is the order's id. That is the purchase of an order
  without products. How the total of an order with products is spread over its lines cannot be known from the
  refund alone; until something does that, such a refund is counted as unmatched (rule 28), not lost.
- neither prices nor a total: rejected, nobody knows how much was given back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from afterword.errors import Reason
from afterword.intake.accepted import Event
from afterword.intake.segment_values import (
    Fields,
    Unusable,
    amount_of,
    check_product,
    currency_of,
    fields_of,
    json_of,
    needed,
    price_text,
    quantity_of,
    shown,
    text_of,
)
from afterword.model import EventKind
from afterword.money import minor_units

MAX_PRODUCTS = 1000
MAX_ORDER_BYTES = 512 * 1024
"""Each event of an order repeats the order's properties: so much may come of one message of 32 KB."""

_AMOUNTS = ("revenue", "subtotal", "total")
"""What an order without products is worth, the first that is there: purchases are without shipping and taxes."""
_MILLIONTH = Decimal("0.000001")


@dataclass(slots=True)
class Sales:
    """The events of one order or refund, and those of its lines that cannot be used."""

    events: list[Event] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    size: int = 0
    """Bytes of the properties of all events."""

    def add(self, event: Event, properties: Fields) -> None:
        """Add an event with its properties."""
        event.properties = json_of(properties)
        self.size += len(bytes(event.properties or b""))
        if self.size > MAX_ORDER_BYTES:
            what = "the properties of the order, repeated for each of its products, have more than"
            raise Unusable(Reason.TOO_LARGE, f"{what} {MAX_ORDER_BYTES} bytes")
        self.events.append(event)


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    """Where it stands, for sentences: `properties.products[0]`."""
    product: Fields
    product_id: str | None
    event_id: str | None
    """The id of its purchase."""


def purchases_of(base: Event, properties: Fields, currency: str | None) -> Sales:
    """Return the purchases of an order.

    Args:
        base: an event with what the message says of every event in it; its `event_id` is that of the message.
        properties: of the message.
        currency: that of orders which name none.

    """
    base = _with_order(base, properties)
    code = needed(currency_of(properties.get("currency"), "properties.currency") or currency, "currency", "a purchase")
    order = {name: value for name, value in properties.items() if name != "products"}
    products = _products_of(properties)
    sales = Sales()
    if not products:
        name = _amount_name(properties, "revenue")
        event = _with_id(base, base.order_id or base.event_id)
        sales.add(_purchase(event, properties.get(name), 1, f"properties.{name}", code), order)
    for line in _lines_of(products, base, sales):
        try:
            event = msgspec.structs.replace(_with_id(base, line.event_id), product_id=line.product_id)
            quantity = quantity_of(line.product.get("quantity"), f"{line.name}.quantity")
            event = _purchase(event, line.product.get("price"), quantity, f"{line.name}.price", code)
        except Unusable as unusable:
            sales.unusable.append(unusable)
        else:
            sales.add(event, order | line.product)
    return sales


def _purchase(base: Event, price: object, quantity: int, name: str, currency: str) -> Event:
    amount = amount_of(price, name)
    if amount is None:
        raise Unusable(Reason.MISSING_FIELD, f"{name} is missing, which a purchase must have")
    if amount < 0:
        raise Unusable(Reason.BAD_AMOUNT, f"{name} {shown(price)} is negative; money given back is a refund event")
    check_product(amount, quantity, name)
    kind = EventKind.PURCHASE.label
    return msgspec.structs.replace(base, kind=kind, price=price_text(amount), quantity=quantity, currency=currency)


def _with_id(base: Event, event_id: str | None) -> Event:
    return msgspec.structs.replace(base, event_id=event_id, once=base.once or event_id is not None)


def _amount_name(properties: Fields, otherwise: str) -> str:
    return next((name for name in _AMOUNTS if properties.get(name) not in (None, "")), otherwise)


def _with_order(base: Event, properties: Fields) -> Event:
    return msgspec.structs.replace(base, order_id=text_of(properties.get("order_id"), "properties.order_id"))


def _products_of(properties: Fields) -> list[object]:
    products = properties.get("products")
    if products is None:
        return []
    if not isinstance(products, list):
        raise Unusable(Reason.BAD_PROPERTIES, f"properties.products {shown(products)} is not a list")
    if len(products) > MAX_PRODUCTS:
        what = f"properties.products has {len(products)} products, must be at most {MAX_PRODUCTS}"
        raise Unusable(Reason.TOO_LARGE, what)
    return products


def _lines_of(products: list[object], base: Event, sales: Sales) -> list[_Line]:
    """Return the lines that can be named; the others are noted as unusable."""
    lines = []
    seen: Counter[str | None] = Counter()
    for index, product in enumerate(products):
        name = f"properties.products[{index}]"
        try:
            fields = fields_of(product, name)
            product_id = _product_id(fields, name)
            seen[product_id] += 1
            event_id = _line_id(base.order_id or base.event_id, product_id, seen[product_id], name)
        except Unusable as unusable:
            sales.unusable.append(unusable)
        else:
            lines.append(_Line(name, fields, product_id, event_id))
    return lines


def _product_id(product: Fields, name: str) -> str | None:
    """Return a product's id, else its SKU, else what the protocol's first version calls its id."""
    found = (text_of(product.get(key), f"{name}.{key}") for key in ("product_id", "sku", "id"))
    return next((value for value in found if value is not None), None)


def _line_id(order: str | None, product_id: str | None, number: int, name: str) -> str | None:
    if order is None:
        return None
    product = (product_id or "").replace("%", "%25").replace("#", "%23")
    return text_of(f"{order}#{product}#{number}", f"the id of {name} with its order's")


def refunds_of(base: Event, properties: Fields) -> Sales:
    """Return what a refund gives back, as the text at the top of this module says.

    Args:
        base: an event with what the message says of every event in it; its `event_id` is that of the message.
        properties: of the message.

    """
    base = _with_order(base, properties)
    needed(base.order_id, "properties.order_id", "a refund")
    # Without a currency it is that of the purchase.
    currency = currency_of(properties.get("currency"), "properties.currency")
    base = msgspec.structs.replace(base, kind=EventKind.REFUND.label, currency=currency)
    name = _amount_name(properties, "total")
    total = _given_back(properties.get(name), f"properties.{name}")
    order = {key: value for key, value in properties.items() if key != "products"}
    sales = Sales()
    # Its lines come from one sum, so one that cannot be used spoils all.
    lines = _lines_of(_products_of(properties), msgspec.structs.replace(base, event_id=None), sales)
    if sales.unusable:
        raise sales.unusable[0]
    prices = [_given_back(line.product.get("price"), f"{line.name}.price") for line in lines]
    quantities = [quantity_of(line.product.get("quantity"), f"{line.name}.quantity") for line in lines]
    known = [price for price in prices if price is not None]
    if lines and len(known) == len(lines):
        shares = _shares(lines, known, quantities, total, currency)
    elif len(lines) == 1 and total is not None:
        shares = [(total, 1)]
    elif total is not None:
        return _of_whole_order(base, total, f"properties.{name}", order)
    else:
        what = "properties.total is missing, and so are prices of products: a refund must say how much was given back"
        raise Unusable(Reason.MISSING_FIELD, what)
    for number, (line, (price, quantity)) in enumerate(zip(lines, shares, strict=True), 1):
        if price:  # what was free gives nothing back
            event = msgspec.structs.replace(
                base,
                event_id=_numbered(base.event_id, number),
                product_id=line.product_id,
                price=price_text(price),
                quantity=quantity,
                refund_of=line.event_id,
            )
            sales.add(event, order | line.product)
    if not sales.events:
        raise Unusable(Reason.BAD_AMOUNT, "the refund gives nothing back; its amount must be more than 0")
    return sales


def _of_whole_order(base: Event, total: Decimal, name: str, order: Fields) -> Sales:
    if not total:
        raise Unusable(Reason.BAD_AMOUNT, f"{name} 0 must be more than 0 for a refund")
    sales = Sales()
    sales.add(msgspec.structs.replace(base, price=price_text(total), refund_of=base.order_id), order)
    return sales


def _numbered(message_id: str | None, number: int) -> str | None:
    return None if message_id is None else text_of(f"{message_id}#{number}", "the id of the message with its line")


def _given_back(value: object, name: str) -> Decimal | None:
    amount = amount_of(value, name)
    if amount is not None and amount < 0:
        raise Unusable(Reason.BAD_AMOUNT, f"{name} {shown(value)} must be more than 0 for a refund")
    return amount


def _shares(
    lines: list[_Line], prices: list[Decimal], quantities: list[int], total: Decimal | None, currency: str | None
) -> list[tuple[Decimal, int]]:
    """Return price and quantity that are given back of each line."""
    for line, price, quantity in zip(lines, prices, quantities, strict=True):
        check_product(price, quantity, f"{line.name}.price")
    amounts = [price * quantity for price, quantity in zip(prices, quantities, strict=True)]
    whole = sum(amounts, Decimal(0))
    if total is None or total >= whole:
        return list(zip(prices, quantities, strict=True))
    return [(amount, 1) for amount in _spread(total, amounts, currency)]


def _spread(total: Decimal, amounts: list[Decimal], currency: str | None) -> list[Decimal]:
    """Spread a total by amount; the parts sum exactly to it, and are whole cents if all the amounts are.

    In units, the share of a line is total x amount / sum, cut; the units that are left go one each to the lines that
    lost most, the earlier first.
    """
    cent = Decimal(1).scaleb(-minor_units(currency or ""))
    unit = _MILLIONTH if any(amount % cent for amount in (total, *amounts)) else cent
    units = int(total / unit)
    weights = [int(amount / _MILLIONTH) for amount in amounts]
    parts, lost = zip(*(divmod(units * weight, sum(weights)) for weight in weights), strict=True)
    left = units - sum(parts)
    first = sorted(range(len(parts)), key=lambda line: -lost[line])[:left]
    return [(part + (line in first)) * unit for line, part in enumerate(parts)]
