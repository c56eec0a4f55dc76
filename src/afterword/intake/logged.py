"""Facts that come in the form of the log: `afterword import` has checked them row by row, here their types are proven.

What a row of a file may be is said in `facts`; no other client has a use for this form.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from afterword.intake.accepted import Accepted, Attributes, Event, Exposure, Merge, Rejected, StepMessage
from afterword.intake.amounts import MAX_QUANTITY
from afterword.intake.bodies import DECODE_ERRORS, NOTHING, RequestError
from afterword.intake.times import END
from afterword.intake.typed import Id, Text
from afterword.model import Channel, EventKind, Outcome

Item = Annotated[int, Meta(ge=0)]
Time = Annotated[int, Meta(ge=0, lt=END)]
Price = Annotated[str, Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")]
Label = Annotated[str, Meta(pattern=f"^({'|'.join(kind.label for kind in EventKind)})$")]


class _Event(Event, forbid_unknown_fields=True):
    item: Item
    user_id: Id
    kind: Label
    occurred_at: Time
    event_id: Id | None = None
    name: Text | None = None
    product_id: Text | None = None
    order_id: Text | None = None
    app_id: Text | None = None
    app_version: Text | None = None
    from_version: Text | None = None
    device_id: Text | None = None
    price: Price | None = None
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] = 1
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    campaign_id: Text | None = None
    channel: Channel | None = None
    exposure_id: Text | None = None
    properties: Raw = NOTHING
    refund_of: Text | None = None


class _Exposure(Exposure, forbid_unknown_fields=True):
    item: Item
    user_id: Id
    campaign_id: Id
    exposed_at: Time
    exposure_id: Id | None = None
    variant_id: Text | None = None
    channel: Channel | None = None
    trigger_event_id: Text | None = None
    outcome: Outcome | None = None


class _StepMessage(StepMessage, forbid_unknown_fields=True):
    item: Item
    user_id: Id
    campaign_id: Id
    step_id: Id
    received_at: Time
    message_id: Id | None = None
    exposure_id: Text | None = None


class _Attributes(Attributes, forbid_unknown_fields=True):
    item: Item
    user_id: Id
    values: dict[Text, Any]


class _Merge(Merge, forbid_unknown_fields=True):
    item: Item
    from_user_id: Id
    to_user_id: Id


class _Rejected(Rejected, forbid_unknown_fields=True):
    item: Item


class _Accepted(msgspec.Struct, forbid_unknown_fields=True):
    events: list[_Event] = []
    exposures: list[_Exposure] = []
    step_messages: list[_StepMessage] = []
    attributes: list[_Attributes] = []
    merges: list[_Merge] = []
    rejected: list[_Rejected] = []


_DECODER = msgspec.json.Decoder(_Accepted)


def read_logged(body: bytes, rows: int) -> Accepted:
    """Return what a body in the form of the log holds, which must be so many rows.

    Raises:
        RequestError: it is none.

    """
    try:
        found = _DECODER.decode(body)
    except DECODE_ERRORS as error:
        raise RequestError(f"the rows are not in the form of the log: {error}") from error
    lists = {name: getattr(found, name) for name in found.__struct_fields__}
    if (count := sum(map(len, lists.values()))) != rows:
        raise RequestError(f"the body has {count} rows, must have {rows}")
    return Accepted(**lists)
