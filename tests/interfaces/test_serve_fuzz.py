"""Bodies that nobody should send, against the running server: never a fault or a hang, and good neighbours are kept."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, instant

EXAMPLES = 60
SECONDS = 5.0
"""For one answer, on a busy machine."""
NUMBERS = itertools.count()

hostile_text = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "a\x00b", "\ud800", "\U0001f600", "x" * 300, "x" * 70_000, "$price", "NaN", "\u202e"]),
    st.sampled_from(
        ["2026-02-30T00:00:00Z", "0000-00-00", "9999-12-31T23:59:59Z", "-1", "1e999", "2019-02-15 0:0:0 -5"]
    ),
)
hostile_number = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -0.0, 1e-320, 999_999_999_999.999999]),
)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


hostile = st.recursive(
    st.one_of(
        st.none(), st.booleans(), hostile_number, hostile_text, st.sampled_from([deep(99), deep(150), deep(500)])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(hostile_text, inner, max_size=4)),
    max_leaves=8,
)


def item(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An item of the right form in which some fields are wrong, and some are missing or added."""
    changed = {name: st.one_of(st.just(value), st.just(value), hostile) for name, value in fields.items()}
    mandatory = st.fixed_dictionaries({}, optional=changed)
    return st.builds(lambda base, more: {**base, **more}, mandatory, st.dictionaries(hostile_text, hostile, max_size=1))


NATIVE = {
    "user_id": "u", "kind": "purchase", "occurred_at": instant(60), "event_id": "e", "price": "1.50", "currency": "EUR",
    "quantity": 2, "properties": {"a": {"b": [1, "x"]}}, "product_id": "p", "name": "n", "machine": False,
    "refund_of": "e", "channel": "email", "app_version": "1.2",
}  # fmt: skip
BRAZE = {
    "external_id": "u", "user_alias": {"alias_name": "a", "alias_label": "b"}, "name": "n", "time": instant(60),
    "product_id": "p", "currency": "EUR", "price": 1.5, "quantity": 2, "properties": {"a": [1]}, "app_id": "x",
}  # fmt: skip
SEGMENT = {
    "type": "track", "userId": "u", "anonymousId": None, "messageId": "m", "event": "Order Completed",
    "timestamp": instant(60), "context": {"traits": {"a": 1}, "app": {"version": "1"}, "device": {"id": "d"}},
    "properties": {"order_id": "o", "currency": "EUR", "products": [{"product_id": "p", "price": 1, "quantity": 2}]},
    "traits": {"plan": "pro"}, "previousId": "v", "groupId": "g",
}  # fmt: skip


def encoded(value: Any) -> bytes:
    """JSON as Python writes it: with NaN, huge integers and lone surrogates, which others refuse."""
    return json.dumps(value, ensure_ascii=True).encode()


Quick = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def send(client: Client, path: str, body: bytes) -> Any:
    began = time.monotonic()
    answer = client.post(path, body)
    assert answer.status_code < 500, (answer.status_code, answer.text, body[:2000])
    assert time.monotonic() - began < SECONDS, body[:2000]
    return answer


def name() -> str:
    return f"fuzz-{next(NUMBERS)}"


@Quick
@given(items=st.lists(item(NATIVE), max_size=4))
def test_events_keep_their_good_neighbours(client: Client, items: list[dict[str, Any]]) -> None:
    user = name()
    good = {"user_id": user, "kind": "session", "occurred_at": instant(60)}
    answer = send(client, "/api/events", encoded({"events": [*items, good]}))
    assert answer.status_code == 201, answer.text
    assert len(items) not in [each["item"] for each in answer.json()["rejected"]]
    assert answer.json()["accepted"] + len(answer.json()["rejected"]) == len(items) + 1


@Quick
@given(
    arrays=st.fixed_dictionaries(
        {},
        optional={
            "attributes": st.lists(item(BRAZE), max_size=2),
            "events": st.lists(item(BRAZE), max_size=3),
            "purchases": st.lists(item(BRAZE), max_size=3),
        },
    )
)
def test_track_keeps_its_good_neighbours(client: Client, arrays: dict[str, list[dict[str, Any]]]) -> None:
    user = name()
    good = {"external_id": user, "time": instant(60)}
    answer = send(client, "/users/track", encoded({**arrays, "sessions": [good]}))
    assert answer.status_code == 201, answer.text
    assert answer.json()["sessions_processed"] == 1
    for each in answer.json().get("errors", ()):
        assert each["input_array"] in arrays
        assert each["index"] < len(arrays[each["input_array"]])


@Quick
@given(items=st.lists(item(SEGMENT), max_size=4), sent_at=st.one_of(st.just(instant()), st.none()))
def test_a_batch_keeps_its_good_neighbours(client: Client, items: list[dict[str, Any]], sent_at: str | None) -> None:
    user = name()
    good = {"type": "track", "userId": user, "event": "Application Opened", "messageId": user, "timestamp": instant(60)}
    answer = send(client, "/v1/batch", encoded({"batch": [*items, good], "sentAt": sent_at}))
    assert (answer.status_code, answer.json()) == (200, {"success": True})


PATHS = (
    "/api/events",
    "/api/exposures",
    "/api/step-messages",
    "/users/track",
    "/v1/batch",
    "/v1/track",
    "/v1/identify",
)
MORE = ("/users/merge", "/users/alias/new", "/users/identify", "/api/campaigns", "/v1/alias")


@Quick
@given(path=st.sampled_from(PATHS + MORE), body=hostile)
def test_any_json_is_answered(client: Client, path: str, body: Any) -> None:
    send(client, path, encoded(body))


@Quick
@given(path=st.sampled_from(PATHS + MORE), key=st.sampled_from(
    ["events", "exposures", "step_messages", "attributes", "purchases", "batch", "merge_updates", "user_aliases",
     "external_ids", "aliases_to_identify", "variants", "id"]
), value=hostile)  # fmt: skip
def test_any_value_of_a_known_field_is_answered(client: Client, path: str, key: str, value: Any) -> None:
    send(client, path, encoded({key: value, "id": "x"}))


MUTATIONS = [b"\xff", b"\xed\xa0\x80", b"\\ud800", b'"', b"\\", b"[" * 50]
HURTING = {
    "lists": b"[" * 20_000,
    "objects": b'{"a":' * 6_000,
    "a-number": b'{"events":[' + b"9" * 20_000 + b"]}",
    "a-text": b'"' + b"\\" * 20_001,
    "an-exponent": b"1e" + b"9" * 9_999,
}


@Quick
@given(path=st.sampled_from(PATHS), data=st.data())
def test_mutated_bytes_are_answered(client: Client, path: str, data: st.DataObject) -> None:
    fields = {"/api": ("events", NATIVE), "/use": ("events", BRAZE), "/v1/": ("batch", SEGMENT)}[path[:4]]
    body = bytearray(encoded({fields[0]: [fields[1]] * 2}))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from(MUTATIONS))
        )
    send(client, path, bytes(body))


@pytest.mark.sampled(5)
@pytest.mark.parametrize("path", PATHS + MORE)
@pytest.mark.parametrize("body", HURTING.values(), ids=HURTING)
def test_what_is_made_to_hurt_a_parser_does_not(client: Client, path: str, body: bytes) -> None:
    assert send(client, path, body).status_code in (400, 413) or path.startswith("/v1/")


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b"1.", b"'x'", b"undefined"])
def test_what_javascript_writes_and_json_has_not(client: Client, text: bytes) -> None:
    """It spoils the request, but for Segment's protocol, whose clients give up the whole batch on an error."""
    for path, form in (("/api/events", b'{"events":[%s]}'), ("/users/track", b'{"events":[%s]}')):
        assert send(client, path, form % text).status_code == 400
    assert send(client, "/v1/batch", b'{"batch":[{"type":"track","x":%s}]}' % text).status_code == 200


def test_all_of_that_was_loaded_and_the_good_are_there(client: Client) -> None:
    """Runs last: what the loader cannot digest would stop it for everybody."""
    client.loaded()
    assert client.http.get("/readyz").status_code == 200
    assert client.get("/api/report").status_code == 200


def test_what_came_through_is_loaded_whole(serving: Serving) -> None:
    """One bad item in a batch of frames that are loaded together harms none of the others."""
    served = serving()
    client = served.start()
    served.fault("slow-load", 1)
    users = {name() for _ in range(40)}
    texts = ["\x00", "\ud800", "\U0001f600", "x" * 300]
    for number, user in enumerate(sorted(users)):
        bad: dict[str, Any] = {
            "user_id": texts[number % 4],
            "kind": "custom",
            "name": texts[number % 3],
            "occurred_at": instant(60),
        }
        bad["properties"] = {texts[number % 2]: texts[number % 4], "deep": deep(number * 3)}
        good = {"user_id": user, "kind": "session", "occurred_at": instant(60)}
        assert send(client, "/api/events", encoded({"events": [bad, good, bad]})).status_code == 201
        send(
            client,
            "/users/track",
            encoded({"attributes": [{"external_id": user, texts[number % 4]: texts[number % 3]}]}),
        )
    served.mend()
    client.loaded()
    assert served.stop() == 0
    served.wait_for_answering()
    with duckdb.connect(str(served.data / "facts.duckdb"), read_only=True) as con:
        found = con.execute("SELECT user_id, count(*) FROM events WHERE kind = 'session' GROUP BY ALL").fetchall()
    assert dict(found) == dict.fromkeys(users, 1)
