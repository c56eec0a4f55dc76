"""Afterword's own dialect: shapes of bodies, every reason of rejection, and the answer (rules 33 to 35)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.bodies import Policy, RequestError
from afterword.intake.native import Items, read_events, read_exposures, read_step_messages
from tests.intake.requests import AT, EVENT, EXPOSURE, OPEN, PURCHASE, RECEIVED_AT, STEP, encoded, facts, nested

READERS: Mapping[str, Callable[[bytes, str | None, int], Items]] = {
    "events": read_events,
    "exposures": read_exposures,
    "step_messages": read_step_messages,
}
GOOD = {"events": EVENT, "exposures": EXPOSURE, "step_messages": STEP}
NDJSON = "application/x-ndjson"


def case(kind: str, item: object, reason: Reason, sentence: str) -> Any:
    return pytest.param(kind, item, reason, sentence, id=sentence[:60])


BAD_ITEMS = [
    case("events", 5, Reason.BAD_TYPE, "the item is not a JSON object"),
    case("events", [], Reason.BAD_TYPE, "the item is not a JSON object"),
    case("events", {**EVENT, "name": "\ud800"}, Reason.BAD_TYPE, "the item is not valid JSON"),
    case("events", {**EVENT, "user_id": ""}, Reason.MISSING_FIELD, "user_id is missing"),
    case("events", {**EVENT, "kind": None}, Reason.MISSING_FIELD, "kind is missing"),
    case("events", {"user_id": "u", "kind": "session"}, Reason.MISSING_FIELD, "occurred_at is missing"),
    case(
        "events",
        {**EVENT, "kind": "custom"},
        Reason.MISSING_FIELD,
        "name is missing, which a custom event must have",
    ),
    case("events", {**EVENT, "user_id": 1.5}, Reason.BAD_TYPE, "user_id 1.5 must be text or an integer"),
    case("events", {**EVENT, "app_id": True}, Reason.BAD_TYPE, "app_id true must be text or an integer"),
    case("events", {**EVENT, "device_id": ["a"]}, Reason.BAD_TYPE, 'device_id ["a"] must be text or an integer'),
    case("events", {**EVENT, "machine": "yes"}, Reason.BAD_TYPE, 'machine "yes" must be true or false'),
    case(
        "events",
        {**EVENT, "occurred_at": 1733045400},
        Reason.BAD_TIME,
        "occurred_at 1733045400 is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z",
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "1969-12-31T23:59:59Z"},
        Reason.BAD_TIME,
        'occurred_at "1969-12-31T23:59:59Z" is not between the years 1970 and 2200',
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "2024-12-01"},
        Reason.AMBIGUOUS_TIME,
        'occurred_at "2024-12-01" is a date without a time; '
        "write it with one and an offset, for example 2024-12-01T09:30:00Z",
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "2025-01-01T00:05:00.000001Z"},
        Reason.IN_FUTURE,
        'occurred_at "2025-01-01T00:05:00.000001Z" is 301 s after its receipt, must be at most 300 s',
    ),
    case(
        "events",
        {**EVENT, "kind": "purchse"},
        Reason.BAD_KIND,
        'kind "purchse" is not one of session, purchase, refund, custom, upgrade, message_delivered, '
        "message_bounced, message_impression, message_open, message_click, message_unsubscribe, "
        'message_complaint, did you mean "purchase"?',
    ),
    case(
        "events",
        {**PURCHASE, "price": "1.2345678"},
        Reason.BAD_AMOUNT,
        'price "1.2345678" is not an amount; expected a decimal below 1,000,000,000,000 with at most 6 decimals',
    ),
    case(
        "events",
        {**PURCHASE, "price": -1},
        Reason.BAD_AMOUNT,
        "price -1 is negative; money given back is a refund event",
    ),
    case(
        "events",
        {**PURCHASE, "kind": "refund", "refund_of": "p", "price": 0},
        Reason.BAD_AMOUNT,
        "price 0 must be more than 0 for a refund",
    ),
    case(
        "events",
        {**PURCHASE, "quantity": 1_000_001},
        Reason.BAD_AMOUNT,
        "quantity 1000001 must be a whole number from 1 to 1,000,000",
    ),
    case(
        "events",
        {**PURCHASE, "price": "500000000000", "quantity": 2},
        Reason.BAD_AMOUNT,
        'price "500000000000" times quantity 2 must be below 1,000,000,000,000',
    ),
    case(
        "events",
        {**PURCHASE, "currency": "aß"},
        Reason.BAD_CURRENCY,
        'currency "aß" is not a currency code; expected three letters, for example EUR',
    ),
    case("events", {**EVENT, "properties": [1]}, Reason.BAD_PROPERTIES, "properties [1] is not a JSON object"),
    case("events", {**EVENT, "properties": '{"a":'}, Reason.BAD_PROPERTIES, 'properties "{"a":" is not a JSON object'),
    case(
        "events",
        {**EVENT, "properties": nested(101)},
        Reason.BAD_PROPERTIES,
        "properties has more than 100 levels of objects and lists",
    ),
    case(
        "events",
        {**EVENT, "properties": {"a": "x" * 102_392}},
        Reason.TOO_LARGE,
        "properties has 102401 bytes, must be at most 102400",
    ),
    case(
        "events",
        {**EVENT, "user_id": "ü" * 256},
        Reason.TOO_LONG,
        "user_id has 256 characters, must be at most 255",
    ),
    case("events", {**EVENT, "user_id": 10**300}, Reason.TOO_LONG, "user_id has 301 characters, must be at most 255"),
    case(
        "events",
        {**EVENT, "channel": "mail"},
        Reason.UNKNOWN_CHANNEL,
        'channel "mail" is not one of email, push, sms, webhook, in_app, content_card, did you mean "email"?',
    ),
    case("exposures", {**EXPOSURE, "campaign_id": ""}, Reason.MISSING_FIELD, "campaign_id is missing"),
    case(
        "exposures",
        {**EXPOSURE, "outcome": "bouncd"},
        Reason.BAD_TYPE,
        'outcome "bouncd" is not one of sent, bounced, aborted, capped, opted_out, failed, held_out, '
        'did you mean "bounced"?',
    ),
    case("step_messages", {**STEP, "step_id": ""}, Reason.MISSING_FIELD, "step_id is missing"),
]


@pytest.mark.parametrize(("kind", "item", "reason", "sentence"), BAD_ITEMS)
def test_a_bad_item_is_rejected_with_its_reason_and_its_neighbours_are_kept(
    kind: str, item: object, reason: Reason, sentence: str
) -> None:
    good = GOOD[kind]
    read = READERS[kind](encoded({kind: [good, item, good]}), "application/json", RECEIVED_AT)
    assert [(each.item, each.kind, each.reason, each.message) for each in read.accepted.rejected] == [
        (1, kind, reason, sentence)
    ]
    assert [fact["item"] for fact in facts(read.accepted)[kind]] == [0, 2]
    assert (read.sent, read.status) == (3, 201)
    assert read.answer["accepted"] == 2
    assert read.answer["rejected"] == [{"item": 1, "reason": reason.value, "message": sentence}]


def test_every_reason_that_an_item_alone_can_have_is_in_the_table() -> None:
    tested = {param.values[2] for param in BAD_ITEMS}
    # Definitions and other facts decide on these, and neither is known when a request is read.
    later = {Reason.UNKNOWN_CAMPAIGN, Reason.UNKNOWN_VARIANT, Reason.UNKNOWN_STEP}
    later |= {Reason.MISSING_CHANNEL, Reason.NO_EXPOSURE, Reason.ID_CONFLICT}
    assert tested == set(Reason) - later


def test_an_event_has_all_its_columns() -> None:
    item = {
        **{"user_id": 17, "kind": "message_click", "occurred_at": "2024-12-01T09:30:00.123456789Z", "event_id": "e"},
        **{"name": "n", "product_id": "p", "order_id": "o", "app_id": "a", "app_version": "2", "from_version": "1"},
        **{"device_id": "d", "price": 19.990, "quantity": "2.0", "currency": "eur", "campaign_id": "cart"},
        **{"channel": "email", "exposure_id": "x", "machine": 1, "properties": {"a": [1.50]}, "refund_of": "r"},
    }
    body = json.dumps(item).replace("19.99", "19.990").replace("1.5]", "1.50]").encode()
    [event] = read_events(body, None, RECEIVED_AT).accepted.events
    assert bytes(event.properties) == b'{"a": [1.50]}'
    [fact] = facts(read_events(body, None, RECEIVED_AT).accepted)["events"]
    expected = {**item, "user_id": "17", "occurred_at": AT + 123_456, "price": "19.990", "quantity": 2, "item": 0}
    assert fact == {**expected, "currency": "EUR", "machine": True}


def test_exposures_and_step_messages_have_all_their_columns() -> None:
    exposure = {**EXPOSURE, "exposure_id": "x", "channel": "push", "trigger_event_id": "t", "outcome": "sent"}
    [fact] = facts(read_exposures(encoded(exposure), None, RECEIVED_AT).accepted)["exposures"]
    assert fact == {**exposure, "exposed_at": AT, "item": 0}
    step = {**STEP, "message_id": "m", "exposure_id": "x"}
    [fact] = facts(read_step_messages(encoded(step), None, RECEIVED_AT).accepted)["step_messages"]
    assert fact == {**step, "received_at": AT, "item": 0}


def test_items_without_an_id_are_told_apart_by_their_content_and_number() -> None:
    accepted = read_events(encoded([EVENT, EVENT]), None, RECEIVED_AT).accepted
    assert [(event.event_id, event.once) for event in accepted.events] == [(None, True), (None, True)]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("19.99", "19.99"),
        ('"19.99"', "19.99"),
        ("123456789012.123456", "123456789012.123456"),
        ("0.1000000", "0.1"),
        ("1.5e3", "1500"),
        ("1E-6", "0.000001"),
        ('"+5."', "5"),
        ('".5"', "0.5"),
        ("-0.0", "0"),
        ("0e999999999", "0"),
        ("999999999999.999999", "999999999999.999999"),
        *(
            (text, None)
            for text in (
                "1e12",
                "1e400",
                "-1e400",
                "1e9999999",
                "1e-9999999",
                "1e-7",
                "0.30000000000000004",
                "1" + "0" * 400,
            )
        ),
        *((text, None) for text in ("1e99999999999999999999", "true", "[]", "{}", '"1,50"', '"1_000"', '" 1"')),
        *((text, None) for text in ('"NaN"', '"Infinity"', '"\\u0661"', '"1\\n"', '"0x1"')),
    ],
)
def test_prices_stay_what_was_written(written: str, kept: str | None) -> None:
    body = json.dumps({**PURCHASE, "price": "PRICE"}).replace('"PRICE"', written).encode()
    accepted = read_events(body, None, RECEIVED_AT).accepted
    assert [event.price for event in accepted.events] == ([] if kept is None else [kept])
    assert [each.reason for each in accepted.rejected] == ([Reason.BAD_AMOUNT] if kept is None else [])


@pytest.mark.parametrize(
    ("written", "kept"),
    [("3", 3), ('"3"', 3), ("3.0", 3), ("3e2", 300), ("1000000", 1_000_000), ("null", 1), ('""', 1)]
    + [(text, None) for text in ("0", "-1", "1.5", "1e400", "1000001", "1e7", "true", "[3]", '"0x10"', '"٣"')],
)
def test_quantities_are_whole(written: str, kept: int | None) -> None:
    body = json.dumps({**PURCHASE, "quantity": "Q"}).replace('"Q"', written).encode()
    accepted = read_events(body, None, RECEIVED_AT).accepted
    assert [event.quantity for event in accepted.events] == ([] if kept is None else [kept])


SHAPES = [
    pytest.param(encoded({"events": [EVENT, EVENT]}), "application/json", 2, id="object-with-a-list"),
    pytest.param(encoded([EVENT, EVENT]), "application/json; charset=utf-8", 2, id="list"),
    pytest.param(encoded(EVENT), None, 1, id="one-object"),
    pytest.param(b"\xef\xbb\xbf " + encoded([EVENT]), None, 1, id="byte-order-mark"),
    pytest.param(encoded({"events": []}), None, 0, id="no-items"),
    pytest.param(encoded({"events": None}), None, 0, id="null-for-a-list"),
    pytest.param(
        encoded(EVENT) + b"\n\n  \r\n" + encoded(EVENT) + b"\r\n", "Application/X-NDJSON; charset=utf-8", 2, id="lines"
    ),
    pytest.param(b"", NDJSON, 0, id="no-lines"),
]


@pytest.mark.parametrize(("body", "content_type", "count"), SHAPES)
def test_shapes_of_bodies(body: bytes, content_type: str | None, count: int) -> None:
    read = read_events(body, content_type, RECEIVED_AT)
    assert (read.sent, len(read.accepted.events), read.accepted.rejected, read.status) == (count, count, [], 201)


def test_a_line_that_is_no_object_does_not_spoil_the_others() -> None:
    lines = [encoded(EVENT), b"[1]", b'{"user_id":', b'{"user_id":"\\ud800"}', encoded(EVENT)]
    read = read_events(b"\n".join(lines), NDJSON, RECEIVED_AT)
    assert [event.item for event in read.accepted.events] == [0, 4]
    assert {each.reason for each in read.accepted.rejected} == {Reason.BAD_TYPE}
    assert len(read.accepted.rejected) == 3


BAD_BODIES = [
    (b"", "the body is empty, must be a JSON object with a list, a list of objects, or one object"),
    (b"5", "the body must be a JSON object with a list, a list of objects, or one object"),
    (b"[1", "the body is not valid JSON, must be a JSON object with a list, a list of objects, or one object"),
    (b"{}x", "the body is not valid JSON, must be a JSON object with a list, a list of objects, or one object"),
    (b'{"events": {}}', "events must be a list"),
    (b'{"events": "[]"}', "events must be a list"),
    (b'[{"user_id": "\xff"}]', "the body is not UTF-8 (byte 0xFF at position 14)"),
    (b"[" * 5000 + b"]" * 5000, "the body is nested too deeply"),
    (encoded([EVENT] * 10_001), "the request has 10001 events, must be at most 10000"),
]


@pytest.mark.parametrize(("body", "sentence"), BAD_BODIES, ids=[sentence[:40] for _, sentence in BAD_BODIES])
def test_a_body_that_cannot_be_used_is_one_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_events(body, "application/json", RECEIVED_AT)
    assert str(caught.value) == sentence
    assert caught.value.status == 400


def test_unknown_fields_are_ignored_and_noted() -> None:
    body = encoded([{**EVENT, "colour": 1, "userid": "x"}, {**EVENT, "x" * 100: 2}])
    read = read_events(body, None, RECEIVED_AT)
    assert read.notes == (f"events: ignored fields: colour, userid, {'x' * 60}",)
    assert read.answer["notes"] == list(read.notes)
    many = read_events(encoded({**EVENT, **{f"f{n:02}": n for n in range(25)}}), None, RECEIVED_AT)
    assert many.notes[0].endswith("f18, f19 and 5 more")


def test_a_request_of_which_nothing_can_be_used_is_a_bad_request() -> None:
    read = read_events(b"{}", None, RECEIVED_AT)
    assert read.status == 400
    assert read.answer["message"] == "no item can be used"
    assert read.answer["accepted"] == 0


def test_the_allowed_skew_is_the_workspaces() -> None:
    body = encoded({**EVENT, "occurred_at": "2025-01-01T00:01:00Z"})
    assert read_events(body, None, RECEIVED_AT, Policy(skew_seconds=60)).status == 201
    assert read_events(body, None, RECEIVED_AT, Policy(skew_seconds=59)).status == 400


def test_half_a_surrogate_pair_spoils_its_own_item_alone() -> None:
    body = encoded([{**EVENT, "user_id": "\U0001f600"}, {**EVENT, "user_id": "\udc00x"}, {**EVENT, "x": "\\ud800"}])
    read = read_events(body, None, RECEIVED_AT)
    assert [event.user_id for event in read.accepted.events] == ["\U0001f600", "u"]
    assert [each.message for each in read.accepted.rejected] == ["the item is not valid JSON"]


def test_what_became_of_a_message_names_any_campaign() -> None:
    # It may be defined later.
    assert read_events(encoded({**OPEN, "campaign_id": "new"}), None, RECEIVED_AT).status == 201
