"""Bodies of requests in Segment's protocol: taken apart whatever is in them, answered as the protocol has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterword.intake.segment import Call, Policy, Received, read_batch, read_message
from tests.intake.segment_world import NOW, SECOND, batch, content, facts, message, read, track

GOOD = b'{"type":"track","event":"good","userId":"ann","messageId":"%d","timestamp":"2024-12-01T09:30:00Z"}'


def among_neighbours(text: bytes) -> Received:
    """Read a batch with a message between two good ones."""
    return read_batch(b'{"batch":[' + b",".join([GOOD % 1, text, GOOD % 2]) + b'],"sentAt":null}', NOW)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b"", "the body is not JSON: input data was truncated", id="empty"),
        pytest.param(b"batch=1", "the body is not JSON: invalid character (byte 0)", id="form"),
        pytest.param(b"\xff\xfe", "the body is not JSON: invalid character (byte 0)", id="bytes"),
        pytest.param(
            b"[]", 'the body must be a JSON object with a list "batch": expected `object`, got `array`', id="list"
        ),
        pytest.param(
            b"{}",
            'the body must be a JSON object with a list "batch": object missing required field `batch`',
            id="no-batch",
        ),
        pytest.param(
            b'{"batch":{}}',
            'the body must be a JSON object with a list "batch": expected `array`, got `object` - at `$.batch`',
            id="batch-no-list",
        ),
        pytest.param(
            b'{"batch":[],"sentAt":"soon"}',
            'sentAt "soon" is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z',
            id="sent-at",
        ),
        pytest.param(b'{"batch":[],"context":5}', "context 5 is not a JSON object", id="context"),
        pytest.param(
            b'{"batch":[],"context":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
            "the message is nested more than 100 levels deep",
            id="deep-context",
        ),
        pytest.param(
            b'{"batch":[]}' + b" " * 500 * 1024, "the body has 512012 bytes, must be at most 512000", id="large"
        ),
        pytest.param(
            b'{"batch":[' + b"1," * 20_000 + b"1]}", "the batch has 20001 messages, must be at most 20000", id="many"
        ),
    ],
)
def test_a_body_that_is_no_batch_is_refused(body: bytes, sentence: str) -> None:
    received = read_batch(body, NOW)
    assert (received.status, received.answer) == (400, {"code": "invalid_request", "message": sentence})
    assert received.accepted.rejected == []


def test_an_empty_batch_is_a_success() -> None:
    assert read_batch(b'{"batch":[]}', NOW).answer == {"success": True}


@pytest.mark.parametrize(
    ("text", "reason", "sentence"),
    [
        pytest.param(b"5", "bad_type", "the message 5 is not a JSON object", id="number"),
        pytest.param(b"null", "bad_type", "the message null is not a JSON object", id="null"),
        pytest.param(b"{}", "missing_field", "type is missing, which every message of a batch must have", id="empty"),
        pytest.param(
            b'{"type":"trak"}',
            "bad_kind",
            'type "trak" is not one of track, identify, page, screen, group, alias, did you mean "track"?',
            id="kind",
        ),
        pytest.param(
            b'{"type":[1]}',
            "bad_kind",
            "type [1] is not one of track, identify, page, screen, group, alias",
            id="kind-no-text",
        ),
        pytest.param(
            b'{"a":"' + b"x" * 32761 + b'"}',
            "too_large",
            "the message has 32769 bytes, must be at most 32768",
            id="32k",
        ),
        pytest.param(
            b'{"a":"\\ud83d"}', "bad_type", "the message is not JSON: it holds half of a surrogate pair", id="surrogate"
        ),
        pytest.param(b'{"a":"\xff"}', "bad_type", "the message is not JSON: it is not UTF-8", id="utf-8"),
        pytest.param(b'{"a":NaN}', "bad_type", "the message is not JSON: invalid character", id="nan"),
        pytest.param(b'{"a":"\x01"}', "bad_type", "the message is not JSON: invalid character", id="control"),
        pytest.param(
            b'{"a":1e99999999999999999999}',
            "bad_type",
            "the message is not JSON: it holds a number that is out of range",
            id="exponent",
        ),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "bad_type", "the message is not JSON: integer", id="digits"),
        pytest.param(
            b'{"a":' + b"[" * 120 + b"]" * 120 + b"}",
            "bad_properties",
            "the message is nested more than 100 levels deep",
            id="deep",
        ),
        pytest.param(
            b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}",
            "bad_type",
            "the message is not JSON: it is nested more than 100 levels deep",
            id="very-deep",
        ),
        pytest.param(b"", "bad_type", "the message is not JSON: input data was truncated", id="nothing"),
        pytest.param(b'{"a":"]},{[" NaN}', "bad_type", "the message is not JSON: ", id="brackets-in-text"),
        pytest.param(b'{"a":"\\"]" NaN}', "bad_type", "the message is not JSON: ", id="escaped-quote"),
    ],
)
def test_a_message_that_cannot_be_used_leaves_its_neighbours(text: bytes, reason: str, sentence: str) -> None:
    received = among_neighbours(text)
    assert (received.status, received.answer) == (200, {"success": True})
    assert [event.event_id for event in received.accepted.events] == ["1", "2"]
    (rejected,) = received.accepted.rejected
    assert (rejected.item, rejected.kind, rejected.reason.value) == (1, "events", reason)
    assert rejected.message.startswith(sentence)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"", id="nothing-closes"),
        pytest.param(b"]", id="no-end"),
        pytest.param(b']} "', id="more"),
        pytest.param(b'],"x":NaN}', id="rest-no-json"),
        pytest.param(b'\\"' * 200_000, id="quotes"),
        pytest.param(b"[" * 400_000, id="brackets"),
    ],
)
def test_a_body_that_is_broken_outside_its_messages_is_refused(tail: bytes) -> None:
    received = read_batch(b'{"batch":[' + GOOD % 1 + b",NaN" + tail, NOW)
    assert (received.status, received.answer["code"]) == (400, "invalid_request")


def test_a_batch_in_which_another_list_is_called_batch() -> None:
    body = b'{"x":{"batch":[1]},"batch":[NaN],"y":"batch"}'
    assert len(read_batch(body, NOW).accepted.rejected) == 1
    assert read_batch(b'{"batch":[ ],"x":{"y":"\\ud800"}}', NOW).status == 400


def single(call: str, sent: dict[str, Any]) -> Received:
    return read_message(call, json.dumps(sent).encode(), NOW)


def test_a_single_call_needs_no_type() -> None:
    received = single("track", {"userId": "ann", "event": "x", "timestamp": "2024-12-01T09:30:00Z"})
    assert (received.status, received.answer) == (200, {"success": True})
    assert [event.name for event in received.accepted.events] == ["x"]
    assert single("page", {"type": "track", "userId": "ann"}).accepted.events[0].kind == "session"


def test_a_single_call_that_cannot_be_used_is_answered_with_the_reason() -> None:
    received = single("track", {"event": "x"})
    sentence = "userId is missing, and so is anonymousId: a message must have one"
    assert (received.status, received.answer) == (400, {"code": "missing_field", "message": sentence})
    assert [rejected.message for rejected in received.accepted.rejected] == [sentence]


@pytest.mark.parametrize("body", [b"", b"[]", b"x=1", b"\xff", b'{"a":NaN}', b'{"x":"' + b"y" * 33_000 + b'"}'])
@pytest.mark.parametrize("call", list(Call))
def test_a_single_body_that_is_no_message_is_refused(call: str, body: bytes) -> None:
    received = read_message(call, body, NOW)
    assert (received.status, received.answer["code"]) == (400, "invalid_request")
    assert received.accepted.rejected == []


def test_a_single_order_with_a_bad_line_is_a_success() -> None:
    properties = {"order_id": "o", "products": [{"price": 1}, {"price": "x"}]}
    received = single("track", track("Order Completed", properties))
    assert (received.status, len(received.accepted.events), len(received.accepted.rejected)) == (200, 1, 1)


def test_the_key_in_the_body_is_handed_on_and_not_kept() -> None:
    sent = {"userId": "ann", "event": "x", "writeKey": "secret"}
    for received in (single("track", sent), read_batch(batch(track("x"), writeKey="secret"), NOW)):
        assert received.write_key == "secret"
        assert "secret" not in repr(received)
        assert b"secret" not in msgspec.json.encode(received.accepted)
    assert single("track", {"writeKey": 5}).write_key is None


def test_a_retry_has_the_same_content() -> None:
    sent = [
        track("x", {"b": 1, "a": 2}),
        track("x", messageId=None),
        track("x", messageId=None),
        track("Order Completed", {"order_id": "o", "products": [{"price": 1}, {"price": 2}]}),
        track("Order Refunded", {"order_id": "o", "total": 1}, messageId=None),
        message("page", messageId="m-2"),
    ]
    first = facts(*sent, sentAt="2024-12-01T11:59:00Z")
    again = facts(*sent, sentAt="2024-12-01T12:59:00Z", received_at=NOW + 3601 * SECOND)
    assert content(first) == content(again)
    assert first.events != again.events
    ids = [event.event_id for event in first.events]
    assert len(set(ids)) == len(ids) == 7
    assert None not in ids


def test_without_an_id_and_a_time_nothing_is_a_repetition() -> None:
    (found,) = facts(track("x", messageId=None, timestamp=None)).events
    assert (found.event_id, found.once, found.corrected) == (None, False, True)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        yield con


def row_of(database: duckdb.DuckDBPyConnection, query: str, received: Received) -> tuple[Any, ...]:
    ((*row,),) = database.execute(query, [msgspec.json.encode(received.accepted).decode()]).fetchall()
    return tuple(row)


def test_what_is_accepted_can_be_read_by_the_database(database: duckdb.DuckDBPyConnection) -> None:
    text = "a\0b😀'\"\\\u2028"
    received = read(
        track(text.replace("\0", ""), {text: [text, 1e300, 2**63, {"x": None}]}),
        message("identify", traits={text.replace("\0", ""): text}),
        track("Order Completed", {"order_id": text.replace("\0", ""), "total": "19.99"}),
        {"type": text},
    )
    row = row_of(
        database,
        """
        SELECT json_valid(f), json_extract_string(f, '$.events[0].name'), json_keys(f, '$.events[0].properties'),
            json_extract_string(f, '$.events[1].price')::DECIMAL(18, 6), json_keys(f, '$.attributes[0].values')
        FROM (SELECT $1::JSON AS f)""",
        received,
    )
    assert row[0] is True
    assert row[1:3] == (text.replace("\0", ""), [text])
    assert (str(row[3]), row[4]) == ("19.990000", [text.replace("\0", "")])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2024-12-01T09:30:00Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["Order Completed", "Order Refunded", "Application Opened", "Application Updated", "x"])
PRODUCTS = st.lists(
    st.fixed_dictionaries({}, optional={"product_id": VALUES, "sku": VALUES, "price": VALUES, "quantity": VALUES})
    | VALUES,
    max_size=3,
)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "order_id": st.just("o") | VALUES,
        "products": PRODUCTS | VALUES,
        "currency": st.just("EUR") | VALUES,
        "total": st.integers(-5, 50) | VALUES,
        "revenue": VALUES,
        "version": VALUES,
        "previous_version": VALUES,
        "url": VALUES,
        "referrer": VALUES,
    },
)
CONTEXTS = st.fixed_dictionaries({}, optional=dict.fromkeys(["app", "device", "page", "traits"], VALUES))
TIMES = st.just("2024-12-01T09:30:00Z") | VALUES
MESSAGES = VALUES | st.fixed_dictionaries(
    {"type": st.sampled_from(list(Call))},
    optional={
        "event": NAMES | VALUES,
        "userId": st.just("ann") | VALUES,
        "anonymousId": VALUES,
        "previousId": st.just("anon") | VALUES,
        "groupId": VALUES,
        "messageId": VALUES,
        "timestamp": TIMES,
        "originalTimestamp": TIMES,
        "sentAt": TIMES,
        "receivedAt": TIMES,
        "properties": PROPERTIES | VALUES,
        "context": CONTEXTS | VALUES,
        "traits": VALUES,
    },
)


def read_items(received: Received) -> set[int]:
    """The messages that became something."""
    accepted = received.accepted
    kinds: list[list[Any]] = [accepted.events, accepted.attributes, accepted.merges, accepted.rejected]
    return {fact.item for kind in kinds for fact in kind}


@settings(max_examples=100)
@given(messages=st.lists(MESSAGES, max_size=5))
def test_any_message_is_read_or_rejected_or_said_to_be_nothing(
    database: duckdb.DuckDBPyConnection, messages: list[Any]
) -> None:
    # Python's own encoder: it writes NaN and halves of surrogate pairs, as real clients do.
    body = json.dumps({"batch": [track("good"), *messages, track("good", messageId="m-2")]}).encode()
    received = read_batch(body, NOW, Policy())
    assert received.status == 200
    items = read_items(received)
    assert {0, len(messages) + 1} <= {event.item for event in received.accepted.events if event.name == "good"}
    assert len(items) + sum(received.unread.values()) == len(messages) + 2
    assert row_of(database, "SELECT json_valid($1)", received) == (True,)


@given(st.sampled_from(list(Call)), MESSAGES)
def test_any_single_message_is_answered(call: Call, sent: Any) -> None:
    received = read_message(call, json.dumps(sent).encode(), NOW)
    assert received.status in (200, 400)
    assert ("success" in received.answer) == (received.status == 200)
    assert isinstance(received.answer.get("message", ""), str)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_answered(start: bytes, rest: bytes) -> None:
    for body in (start, b'{"batch":[' + start + rest, b'{"batch":[' + start + b"]" + rest + b"}"):
        assert read_batch(body, NOW).status in (200, 400)
        assert read_message("track", body, NOW).status in (200, 400)
