"""The Braze-compatible `/users/track`: what is good, what is not and how it says so (BRAZE_API in rules 33 to 35)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.bodies import Policy, RequestError
from afterword.intake.braze import NO_DATA, read_track
from afterword.intake.braze_users import REQUIRED
from tests.intake.requests import (
    AT,
    RECEIVED_AT,
    TRACK_EVENT,
    TRACK_PURCHASE,
    TRACK_SESSION,
    encoded,
    facts,
    nested,
)

GOOD: dict[str, dict[str, Any]] = {
    "attributes": {"external_id": "u", "country": "DE"},
    "events": TRACK_EVENT,
    "purchases": TRACK_PURCHASE,
    "sessions": TRACK_SESSION,
}


def test_everything_good_is_counted_by_array() -> None:
    track = read_track(encoded({name: [good] for name, good in GOOD.items()}), RECEIVED_AT)
    assert track.status == 201
    assert track.answer == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 1,
        "purchases_processed": 1,
        "sessions_processed": 1,
    }
    events = [
        {"item": 1, "user_id": "u", "kind": "custom", "occurred_at": AT, "once": False, "name": "seen"},
        {"item": 2, "user_id": "u", "kind": "purchase", "occurred_at": AT, "once": False, "product_id": "p"}
        | {"price": "19.99", "currency": "EUR"},
        {"item": 3, "user_id": "u", "kind": "session", "occurred_at": AT, "once": False, "app_id": "ios"}
        | {"app_version": "1.2"},
    ]
    attributes = [{"item": 0, "user_id": "u", "values": {"country": "DE"}}]
    assert facts(track.accepted) == {"events": events, "attributes": attributes}


def case(array: str, item: object, reason: Reason, error_type: str, sentence: str) -> Any:
    return pytest.param(array, item, reason, error_type, sentence, id=f"{array}-{sentence[:50]}")


def without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


BAD_OBJECTS = [
    *(
        case(name, without(good, "external_id"), Reason.MISSING_FIELD, REQUIRED, f"the user is missing: {REQUIRED}")
        for name, good in GOOD.items()
    ),
    *(
        case(name, {**good, "external_id": {}}, Reason.BAD_TYPE, "'external_id' is not valid",
             "external_id {} must be text or an integer")
        for name, good in GOOD.items()
    ),
    *(
        case(name, 5, Reason.BAD_TYPE, f"'{name}' is not valid", "the item is not a JSON object")
        for name in GOOD
    ),
    *(
        case(name, without(GOOD[name], "time"), Reason.MISSING_FIELD, "'time' is required", "time is missing")
        for name in ("events", "purchases", "sessions")
    ),
    case("events", without(TRACK_EVENT, "name"), Reason.MISSING_FIELD, "'name' is required", "name is missing"),
    case("events", {**TRACK_EVENT, "name": "n" * 256}, Reason.TOO_LONG, "'name' is not valid",
         "name has 256 characters, must be at most 255"),
    case("events", {**TRACK_EVENT, "time": "2024-12-01"}, Reason.AMBIGUOUS_TIME, "'time' is not valid",
         'time "2024-12-01" is a date without a time; '
         "write it with one and an offset, for example 2024-12-01T09:30:00Z"),
    case("events", {**TRACK_EVENT, "time": 1733045400}, Reason.BAD_TIME, "'time' is not valid",
         "time 1733045400 is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z"),
    case("events", {**TRACK_EVENT, "time": "2025-01-02T00:00:00Z"}, Reason.IN_FUTURE, "'time' is not valid",
         'time "2025-01-02T00:00:00Z" is 86400 s after its receipt, must be at most 300 s'),
    case("events", {**TRACK_EVENT, "properties": []}, Reason.BAD_PROPERTIES, "'properties' is not valid",
         "properties [] is not a JSON object"),
    case("events", {**TRACK_EVENT, "properties": {"$a": 1}}, Reason.BAD_PROPERTIES, "'properties' is not valid",
         'properties has the name "$a", must not begin with "$"'),
    case("events", {**TRACK_EVENT, "properties": {"a" * 256: 1}}, Reason.TOO_LONG, "'properties' is not valid",
         "properties has a name of 256 characters, must be at most 255"),
    case("events", {**TRACK_EVENT, "properties": json.loads(nested(101))}, Reason.BAD_PROPERTIES,
         "'properties' is not valid", "properties has more than 100 levels of objects and lists"),
    case("events", {**TRACK_EVENT, "properties": {"a": "x" * 102_400}}, Reason.TOO_LARGE,
         "'properties' is not valid", "properties has 102409 bytes, must be at most 102400"),
    case("events", {**TRACK_EVENT, "event_id": False}, Reason.BAD_TYPE, "'event_id' is not valid",
         "event_id false must be text or an integer"),
    *(
        case("purchases", without(TRACK_PURCHASE, name), Reason.MISSING_FIELD, f"'{name}' is required",
             f"{name} is missing")
        for name in ("product_id", "price", "currency")
    ),
    *(
        case("purchases", {**TRACK_PURCHASE, "quantity": quantity}, Reason.BAD_AMOUNT, "'quantity' is not valid",
             f"quantity {quantity} must be a whole number from 1 to 100")
        for quantity in (0, 101, 1.5)
    ),
    case("purchases", {**TRACK_PURCHASE, "price": -1}, Reason.BAD_AMOUNT, "'price' is not valid",
         "price -1 is negative; money given back is a refund event"),
    case("purchases", {**TRACK_PURCHASE, "price": "a"}, Reason.BAD_AMOUNT, "'price' is not valid",
         'price "a" is not an amount; expected a decimal below 1,000,000,000,000 with at most 6 decimals'),
    case("purchases", {**TRACK_PURCHASE, "currency": "EURO"}, Reason.BAD_CURRENCY, "'currency' is not valid",
         'currency "EURO" is not a currency code; expected three letters, for example EUR'),
    case("attributes", {"external_id": "u", "$a": 1}, Reason.BAD_PROPERTIES, "'attributes' is not valid",
         'attributes has the name "$a", must not begin with "$"'),
    case("attributes", {"external_id": "u", "a": "x" * 102_400}, Reason.TOO_LARGE, "'attributes' is not valid",
         "attributes has 102408 bytes, must be at most 102400"),
]  # fmt: skip


@pytest.mark.parametrize(("array", "item", "reason", "error_type", "sentence"), BAD_OBJECTS)
def test_a_bad_object_is_named_in_the_answer_and_its_neighbours_are_kept(
    array: str, item: object, reason: Reason, error_type: str, sentence: str
) -> None:
    good = GOOD[array]
    track = read_track(encoded({array: [good, item, good]}), RECEIVED_AT)
    kind = "attributes" if array == "attributes" else "events"
    assert [(each.item, each.kind, each.reason, each.message) for each in track.accepted.rejected] == [
        (1, kind, reason, sentence)
    ]
    assert [fact["item"] for fact in facts(track.accepted)[kind]] == [0, 2]
    assert track.status == 201
    assert track.answer == {
        "message": "success",
        f"{array}_processed": 2,
        "errors": [{"type": error_type, "input_array": array, "index": 1}],
    }


def test_a_request_without_anything_good_is_a_bad_request() -> None:
    assert read_track(b"{}", RECEIVED_AT).answer == {"message": NO_DATA}
    track = read_track(encoded({"purchases": [{**TRACK_PURCHASE, "quantity": 0}], "events": []}), RECEIVED_AT)
    assert track.status == 400
    errors = [{"type": "'quantity' is not valid", "input_array": "purchases", "index": 0}]
    assert track.answer == {"message": NO_DATA, "errors": errors}
    assert [each.item for each in track.accepted.rejected] == [0]


@pytest.mark.parametrize(
    ("named", "user"),
    [
        ({"external_id": "u"}, "u"),
        ({"external_id": 17}, "17"),
        ({"external_id": -(2**70)}, str(-(2**70))),
        ({"external_id": "", "email": "Ann@Example.com"}, "~email/ann@example.com"),
        ({"external_id": None, "phone": "+491"}, "~phone/+491"),
        ({"braze_id": "b"}, "~braze/b"),
        ({"user_alias": {"alias_name": "n", "alias_label": "l"}}, "~alias/l/n"),
        ({"user_alias": {"alias_name": "b/c", "alias_label": "a"}}, "~alias/a/b/c"),
        ({"user_alias": {"alias_name": "c", "alias_label": "a/b"}}, "~alias/a%2Fb/c"),
        ({"user_alias": {"alias_name": 5, "alias_label": "50%"}}, "~alias/50%25/5"),
        ({"external_id": "u", "email": "ann@example.com", "phone": "1"}, "u"),
    ],
)
def test_ways_to_name_a_user(named: dict[str, Any], user: str) -> None:
    event = {**without(TRACK_EVENT, "external_id"), **named, "_update_existing_only": True}
    attributes = {**named, "a": 1}
    accepted = read_track(encoded({"events": [event], "attributes": [attributes]}), RECEIVED_AT).accepted
    assert [fact.user_id for fact in accepted.events] == [user]
    assert [fact.user_id for fact in accepted.attributes] == [user]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"user_alias": {"alias_name": "n"}}, Reason.MISSING_FIELD),
        ({"user_alias": "n"}, Reason.BAD_TYPE),
        ({"user_alias": {"alias_name": "n" * 200, "alias_label": "l" * 200}}, Reason.TOO_LONG),
        ({"email": []}, Reason.BAD_TYPE),
    ],
)
def test_a_user_who_is_named_wrongly(named: dict[str, Any], reason: Reason) -> None:
    [refused] = read_track(
        encoded({"events": [without(TRACK_EVENT, "external_id") | named]}), RECEIVED_AT
    ).accepted.rejected
    assert refused.reason is reason


def test_attributes_are_what_does_not_name_the_user() -> None:
    item = {"external_id": "u", "email": "a@b.c", "age": 5, "plan": None, "_update_existing_only": True}
    [fact] = facts(read_track(encoded({"attributes": [item]}), RECEIVED_AT).accepted)["attributes"]
    assert fact["values"] == {"email": "a@b.c", "age": 5, "plan": None}


def test_only_an_event_id_makes_two_equal_items_one() -> None:
    body = encoded({"events": [TRACK_EVENT, {**TRACK_EVENT, "event_id": "e"}, {**TRACK_EVENT, "event_id": 5}]})
    accepted = read_track(body, RECEIVED_AT).accepted
    assert [(event.event_id, event.once) for event in accepted.events] == [(None, False), ("e", True), ("5", True)]


def test_properties_and_prices_stay_as_they_were_written() -> None:
    text = '{"total": 1.50, "note": "\\u00e9", "huge": 1e400}'
    purchase = json.dumps({**TRACK_PURCHASE, "properties": 0, "price": 1}).replace(
        '"properties": 0', f'"properties": {text}'
    )
    body = '{"purchases": [' + purchase.replace('"price": 1', '"price": 19.90') + "]}"
    [event] = read_track(body.encode(), RECEIVED_AT).accepted.events
    assert (event.price, bytes(event.properties).decode()) == ("19.90", text)


def test_items_are_numbered_through_all_arrays_in_their_order() -> None:
    body = {"purchases": [TRACK_PURCHASE] * 2, "events": [TRACK_EVENT, {}], "attributes": [GOOD["attributes"]]}
    accepted = read_track(encoded(body), RECEIVED_AT).accepted
    assert [fact.item for fact in accepted.attributes] == [0]
    assert [(event.item, event.kind) for event in accepted.events] == [(1, "custom"), (3, "purchase"), (4, "purchase")]
    assert [each.item for each in accepted.rejected] == [2]


@pytest.mark.parametrize(
    ("body", "policy", "sentence"),
    [
        ({"events": [TRACK_EVENT] * 76}, Policy(), "events has 76 objects, must be at most 75"),
        (
            {"events": [TRACK_EVENT] * 200, "purchases": [{}] * 26},
            Policy(track_each=None, track_in_all=225),
            "the request has 226 objects, must be at most 225",
        ),
        ({"events": {}}, Policy(), "events must be a list"),
        ({"attributes": "x"}, Policy(), "attributes must be a list"),
        ([], Policy(), "the body must be a JSON object"),
        (None, Policy(), "the body must be a JSON object"),
    ],
)
def test_a_request_that_cannot_be_used_is_one_sentence(body: object, policy: Policy, sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_track(encoded(body), RECEIVED_AT, policy)
    assert str(caught.value) == sentence


def test_as_many_objects_as_are_allowed() -> None:
    body = encoded({name: [good] * 75 for name, good in GOOD.items()})
    assert read_track(body, RECEIVED_AT).processed == dict.fromkeys(GOOD, 75)
    one_array = encoded({"events": [TRACK_EVENT] * 225, "purchases": None})
    processed = read_track(one_array, RECEIVED_AT, Policy(track_each=None, track_in_all=225)).processed
    assert processed == {"events": 225}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-02-15 00:00:00 -0500", 1_550_206_800_000_000),
        ("2019-02-15T00:00:00-5:00", 1_550_206_800_000_000),
        ("2019-02-15T05:00:00.1234567891Z", 1_550_206_800_123_456),
        ("2019-02-15T05:00:00:123Z", 1_550_206_800_123_000),
        ("2019-02-15T05:00:00", 1_550_206_800_000_000),
    ],
)
def test_times_as_real_senders_write_them(text: str, expected: int) -> None:
    [event] = read_track(encoded({"events": [{**TRACK_EVENT, "time": text}]}), RECEIVED_AT).accepted.events
    assert event.occurred_at == expected


def test_a_time_within_the_allowed_skew_is_kept_as_it_is() -> None:
    body = encoded({"sessions": [{**TRACK_SESSION, "time": "2025-01-01T00:05:00Z"}]})
    assert read_track(body, RECEIVED_AT).accepted.events[0].occurred_at == RECEIVED_AT + 300_000_000
    assert read_track(body, RECEIVED_AT, Policy(skew_seconds=0)).status == 400


def test_unknown_fields_are_ignored() -> None:
    body = {"events": [{**TRACK_EVENT, "colour": {"a": [1]}}], "partner": "x", "campaigns": [1]}
    assert read_track(encoded(body), RECEIVED_AT).answer == {"message": "success", "events_processed": 1}
