"""Values in Segment's messages: times, money, text, and the sentence where one is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.segment_values import (
    Unusable,
    amount_of,
    check_depth,
    price_text,
    quantity_of,
    text_of,
    time_of,
    version_of,
)
from tests.intake.segment_world import event, micros, plain, rejection, track


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2024-12-01T09:30:00Z", "2024-12-01T09:30:00Z", id="z"),
        pytest.param("2024-12-01T09:30:00.123Z", "2024-12-01T09:30:00.123Z", id="milliseconds"),
        pytest.param("2024-12-01T09:30:00.1234567Z", "2024-12-01T09:30:00.123456Z", id="cut"),
        pytest.param("2024-12-01T09:30:00.999999999+00:00", "2024-12-01T09:30:00.999999Z", id="nanoseconds"),
        pytest.param("2024-12-01T10:30:00+01:00", "2024-12-01T09:30:00Z", id="offset"),
        pytest.param("2024-12-01 04:00:00 -0530", "2024-12-01T09:30:00Z", id="blanks"),
        pytest.param("2024-12-01T04:30:00-5:00", "2024-12-01T09:30:00Z", id="short-offset"),
        pytest.param("20241201t093000z", "2024-12-01T09:30:00Z", id="basic"),
        pytest.param("2024-12-01T09:30Z", "2024-12-01T09:30:00Z", id="no-seconds"),
        pytest.param("2024-12-01T09:30:00,5Z", "2024-12-01T09:30:00.5Z", id="comma"),
        pytest.param("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", id="first"),
        pytest.param("2200-12-31T23:59:59.999999Z", "2200-12-31T23:59:59.999999Z", id="last"),
    ],
)
def test_times(text: str, instant: str) -> None:
    assert time_of(text, "timestamp") == micros(instant)


@pytest.mark.parametrize(
    ("value", "reason", "what"),
    [
        pytest.param("2024-12-01", Reason.AMBIGUOUS_TIME, "is a date without a time", id="date"),
        pytest.param("2024-12-01T09:30:00", Reason.BAD_TIME, "has no offset", id="no-offset"),
        pytest.param("yesterday", Reason.BAD_TIME, "is not a time", id="word"),
        pytest.param("2024-13-01T09:30:00Z", Reason.BAD_TIME, "is not a time", id="month"),
        pytest.param("2024-12-01T09:30:00+16:00", Reason.BAD_TIME, "is not a time", id="far-offset"),
        pytest.param("0001-01-01T00:00:00+10:00", Reason.BAD_TIME, "is not a time", id="before-all-times"),
        pytest.param("1969-12-31T23:59:59Z", Reason.BAD_TIME, "is not between the years 1970 and 2200", id="1969"),
        pytest.param("2201-01-01T00:00:00Z", Reason.BAD_TIME, "is not between the years 1970 and 2200", id="2201"),
        pytest.param("２０２４-12-01T09:30:00Z", Reason.BAD_TIME, "is not a time", id="other-digits"),
        pytest.param(1733045400, Reason.BAD_TIME, "is not a time", id="number"),
        pytest.param(True, Reason.BAD_TIME, "timestamp true is not a time", id="truth"),
        pytest.param({"a": 1}, Reason.BAD_TIME, 'timestamp {"a":1} is not a time', id="object"),
    ],
)
def test_what_is_no_time(value: Any, reason: Reason, what: str) -> None:
    with pytest.raises(Unusable) as caught:
        time_of(value, "timestamp")
    assert caught.value.reason is reason
    assert what in caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Decimal("19.99"), "19.99", id="number"),
        pytest.param(19, "19", id="integer"),
        pytest.param("19.990000000", "19.99", id="text-with-zeros"),
        pytest.param("+.5", "0.5", id="no-digit-before"),
        pytest.param(Decimal("1E+3"), "1000", id="exponent"),
        pytest.param("1.5e-6", None, id="too-fine"),
        pytest.param(Decimal("0.000001"), "0.000001", id="millionth"),
        pytest.param(Decimal("0.30000000000000004"), None, id="noise-of-a-float"),
        pytest.param(Decimal("999999999999.999999"), "999999999999.999999", id="highest"),
        pytest.param(10**12, None, id="too-high"),
        pytest.param(10**4000, None, id="far-too-high"),
        pytest.param(Decimal("1E+999999"), None, id="enormous"),
        pytest.param(Decimal("1E-999999"), None, id="tiny"),
        pytest.param(Decimal("-0.0"), "0", id="minus-zero"),
        pytest.param(Decimal("1." + "0" * 500), "1", id="zeros"),
        pytest.param(Decimal("1." + "3" * 500), None, id="digits"),
        pytest.param("1_000", None, id="underscore"),
        pytest.param("$5", None, id="sign"),
        pytest.param("NaN", None, id="nan"),
        pytest.param(True, None, id="truth"),
        pytest.param([], None, id="list"),
    ],
)
def test_amounts_are_exact(value: Any, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Unusable) as caught:
            amount_of(value, "price")
        assert caught.value.reason is Reason.BAD_AMOUNT
        return
    amount = amount_of(value, "price")
    assert amount is not None
    assert price_text(amount) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 1), ("", 1), (3, 3), ("3", 3), (Decimal("3.0"), 3), ("3.00", 3), (1_000_000, 1_000_000)],
)
def test_quantities(value: Any, expected: int) -> None:
    assert quantity_of(value, "quantity") == expected


@pytest.mark.parametrize(
    "value", [0, -1, 1_000_001, True, Decimal("1.5"), "1.5", "x", "٣", [1], Decimal("1E+99999"), Decimal("1E-99999")]
)
def test_what_is_no_quantity(value: Any) -> None:
    with pytest.raises(Unusable):
        quantity_of(value, "quantity")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("x" * 256, Reason.TOO_LONG, id="long"),
        pytest.param(10**300, Reason.TOO_LONG, id="long-integer"),
        pytest.param("a\0b", Reason.BAD_TYPE, id="nul"),
        pytest.param(Decimal("1.5"), Reason.BAD_TYPE, id="fraction"),
        pytest.param(True, Reason.BAD_TYPE, id="truth"),
        pytest.param({"a": [1]}, Reason.BAD_TYPE, id="object"),
    ],
)
def test_what_is_no_text(value: Any, reason: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        text_of(value, "userId")
    assert caught.value.reason is reason


def test_texts() -> None:
    assert text_of("x" * 255, "userId") == "x" * 255
    assert text_of("😀" * 255, "userId") == "😀" * 255
    assert (text_of(-7, "userId"), text_of("", "userId"), text_of(None, "userId")) == ("-7", None, None)


@pytest.mark.parametrize("value", [Decimal("1E+99999"), Decimal("1E-99999"), True, [1]])
def test_what_is_no_version(value: Any) -> None:
    with pytest.raises(Unusable):
        version_of(value, "properties.version")


def test_depth_is_bounded() -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for level in range(levels):
            value = [value] if level % 2 else {"a": value}
        return value

    check_depth(nested(100))
    with pytest.raises(Unusable):
        check_depth(nested(101))


@pytest.mark.parametrize(
    ("fields", "reason", "sentence"),
    [
        pytest.param(
            {"event": ""}, "missing_field", "event is missing, which a track call must have", id="event-missing"
        ),
        pytest.param({"event": ["x"]}, "bad_type", 'event ["x"] must be text or an integer', id="event-no-text"),
        pytest.param(
            {"event": "x" * 256}, "too_long", "event has 256 characters, must be at most 255", id="event-too-long"
        ),
        pytest.param(
            {"userId": {"id": 5}}, "bad_type", 'userId {"id":5} must be text or an integer', id="user-no-text"
        ),
        pytest.param({"messageId": True}, "bad_type", "messageId true must be text or an integer", id="id-no-text"),
        pytest.param(
            {"properties": "x" * 70},
            "bad_properties",
            f'properties "{"x" * 60}…" is not a JSON object',
            id="properties",
        ),
        pytest.param({"context": "web"}, "bad_type", 'context "web" is not a JSON object', id="context"),
        pytest.param({"context": {"app": 5}}, "bad_type", "context.app 5 is not a JSON object", id="app"),
        pytest.param(
            {"context": {"device": {"id": [1]}}},
            "bad_type",
            "context.device.id [1] must be text or an integer",
            id="device",
        ),
        pytest.param(
            {"timestamp": "soon"},
            "bad_time",
            'timestamp "soon" is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z',
            id="time",
        ),
        pytest.param(
            {"sentAt": "soon"},
            "bad_time",
            'sentAt "soon" is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z',
            id="sent-at",
        ),
    ],
)
def test_a_message_is_rejected_with_a_sentence(fields: dict[str, Any], reason: str, sentence: str) -> None:
    assert rejection(track("x") | fields) == (reason, sentence)


def test_traits_without_a_usable_name() -> None:
    sent = {"type": "identify", "userId": "ann"}
    assert rejection(sent | {"traits": {"x" * 256: 1}})[0] == "too_long"
    assert rejection(sent | {"traits": {"a\0": 1}})[0] == "bad_properties"


def test_text_that_databases_mind_is_kept_in_properties() -> None:
    found = event(track("x", {"nul": "a\0b", "emoji": "😀", "quote": "'\"\\"}))
    assert plain(found.properties) == {"nul": "a\0b", "emoji": "😀", "quote": "'\"\\"}
    assert b"\0" not in bytes(found.properties)
