"""Facts of every dialect: what each is answered, and that the report has the right numbers."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.interfaces.serving import Client, campaign, exposures, instant, purchase, wait_for


def row(client: Client, name: str, variant: str = "a") -> dict[str, Any]:
    client.loaded()
    return next(dict(one) for one in client.report(name)["variants"] if one["id"] == variant)


def told(client: Client, name: str, variant: str = "a") -> tuple[int, list[int], dict[str, float]]:
    """Return how many were exposed, how many converted on A, B, ..., and the revenue of each currency."""
    found = row(client, name, variant)
    converted = [one["converted"] for one in found["conversions"].values()]
    return found["exposed"], converted, {name: float(x) for name, x in found["revenue"]["unconverted"].items()}


FOUR = [
    {"kind": "purchase", "deadline": "3 days"},
    {"kind": "custom", "name": "added", "deadline": "1 day", "where": [{"property": "n", "op": ">=", "value": 2}]},
    {"kind": "session", "deadline": "2 days"},
    {"kind": "upgrade", "deadline": "3 days"},
]


def test_afterwords_own_dialect(client: Client) -> None:
    client.launch(campaign("native", conversion_events=FOUR))
    assert client.post("/api/exposures", exposures([f"n{i}" for i in range(5)], of="native")).json()["accepted"] == 5
    session = {"kind": "session", "occurred_at": instant(60), "app_id": "ios"}
    events = [
        purchase("n0", quantity=2),
        {"user_id": "n1", "kind": "custom", "name": "added", "occurred_at": instant(60), "properties": {"n": 2}},
        {"user_id": "n2", "kind": "custom", "name": "added", "occurred_at": instant(60), "properties": {"n": 1}},
        {"user_id": "n3", **session, "occurred_at": instant(9000), "app_version": "1.9"},
        {"user_id": "n3", **session, "app_version": "1.10"},
        {"user_id": "n4", "kind": "nonsense", "occurred_at": instant(60)},
        {"user_id": "n4", "kind": "purchase", "occurred_at": instant(-3600), "price": 1, "currency": "EUR"},
        7,
    ]
    answer = client.post("/api/events", {"events": events})
    assert answer.status_code == 201
    assert answer.json()["accepted"] == 5
    assert [(one["item"], one["reason"]) for one in answer.json()["rejected"]] == [
        (5, "bad_kind"),
        (6, "in_future"),
        (7, "bad_type"),
    ]
    assert told(client, "native") == (5, [1, 1, 1, 1], {"EUR": 19.0})


@pytest.mark.parametrize("form", ["object", "list", "one", "ndjson"])
def test_items_come_in_every_form(client: Client, form: str) -> None:
    name = f"form-{form}"
    client.launch(campaign(name))
    client.post("/api/exposures", exposures([name], of=name))
    one = purchase(name)
    bodies = {"object": {"events": [one]}, "list": [one], "one": one, "ndjson": json.dumps(one).encode() + b"\n\n"}
    kind = "application/x-ndjson" if form == "ndjson" else "application/json"
    assert client.post("/api/events", bodies[form], Content_Type=kind).json()["accepted"] == 1
    assert told(client, name) == (1, [1], {"EUR": 9.5})


def test_braze_counts_the_good_and_names_the_bad(client: Client) -> None:
    client.launch(campaign("braze", conversion_events=FOUR))
    client.post("/api/exposures", exposures([f"b{i}" for i in range(4)] + ["17"], of="braze"))
    at = instant(60)
    bought = {"product_id": "p", "currency": "EUR", "price": 2.5, "time": at}
    sent = {
        "attributes": [{"external_id": "b0", "city": "Berlin"}, {"city": "nobody"}],
        "events": [
            {"external_id": "b0", "name": "added", "time": at, "properties": {"n": 5}},
            {"external_id": "b1", "time": at},
            {"external_id": 17, "name": "added", "time": at, "properties": {"n": 2.0}},
        ],
        "purchases": [
            {"external_id": "b1", **bought, "quantity": 2},
            {"external_id": "b1", **bought, "quantity": 0},
            {"external_id": "b2", **bought},
            {"external_id": "b2", **bought},
        ],
        "sessions": [{"external_id": "b3", "app_id": "ios", "time": at, "app_version": "2"}],
    }
    answer = client.post("/users/track", sent)
    assert answer.status_code == 201
    assert answer.json() == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 2,
        "purchases_processed": 3,
        "sessions_processed": 1,
        "errors": [
            {
                "type": "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required",
                "input_array": "attributes",
                "index": 1,
            },
            {"type": "'name' is required", "input_array": "events", "index": 1},
            {"type": "'quantity' is not valid", "input_array": "purchases", "index": 1},
        ],
    }
    assert answer.headers["x-ratelimit-limit"] == "3000"
    assert told(client, "braze") == (5, [2, 2, 1, 0], {"EUR": 10.0})


def test_braze_with_nothing_good_is_400(client: Client) -> None:
    answer = client.post("/users/track", {"events": [{"name": "x"}], "purchases": []})
    assert answer.status_code == 400
    message = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
    assert answer.json()["message"] == message
    assert len(answer.json()["errors"]) == 1


def test_braze_takes_225_objects_in_all_and_no_more(client: Client) -> None:
    events = [{"external_id": "many", "name": "x", "time": instant(60)}] * 225
    assert client.post("/users/track", {"events": events}).json()["events_processed"] == 225
    answer = client.post("/users/track", {"events": events, "attributes": [{"external_id": "many"}]})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "the request has 226 objects, must be at most 225",
    )


def test_braze_merges_join_histories(client: Client) -> None:
    client.launch(campaign("merge"))
    client.post("/api/exposures", exposures(["m-old"], of="merge"))
    client.post("/api/events", purchase("m-new"))
    update = {"identifier_to_merge": {"external_id": "m-old"}, "identifier_to_keep": {"external_id": "m-new"}}
    assert client.post("/users/merge", {"merge_updates": [update]}).json() == {"message": "success"}
    assert told(client, "merge") == (1, [1], {"EUR": 9.5})


@pytest.mark.parametrize("path", ["/campaigns/trigger/send", "/canvas/trigger/send", "/messages/send"])
def test_what_would_send_is_501_and_says_what_to_do(client: Client, path: str) -> None:
    answer = client.post(path, {"campaign_id": "x"})
    assert answer.status_code == 501
    assert "report the exposures" in answer.json()["message"]


def message(kind: str, user: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "userId": user, "messageId": f"{user}-{number}", "timestamp": instant(60), **fields}


def test_segment_in_a_batch_with_its_quirks(client: Client) -> None:
    client.launch(campaign("segment", conversion_events=FOUR))
    client.post("/api/exposures", exposures([f"s{i}" for i in range(4)], of="segment"))
    products = [{"product_id": "a", "price": 3, "quantity": 2}, {"product_id": "b", "price": "4.50"}]
    order = {"order_id": "o-1", "currency": "EUR", "total": 10.5, "products": products}
    app = {"app": {"namespace": "com.example", "version": "3.1"}, "device": {"id": "d"}}
    batch = [
        message("track", "s0", 1, event="Order Completed", properties=order, anonymousId=None),
        message("track", "s1", 1, event="added", properties={"n": 2}),
        message("track", "s2", 1, event="Application Opened", context=app),
        message("identify", "s3", 1, context={"traits": {"plan": "pro"}}),
        message("group", "s3", 2, groupId="g"),
        {"type": "nonsense", "userId": "s3"},
        {"type": "track", "userId": "s3"},
        7,
    ]
    body = json.dumps({"batch": batch, "sentAt": instant()}).encode()
    sent = [
        client.post("/v1/batch", body, Content_Type="application/x-www-form-urlencoded"),
        client.post("/v1/batch", gzip.compress(body), Content_Encoding="gzip", Content_Type="application/json"),
    ]
    assert [(one.status_code, one.json()) for one in sent] == [(200, {"success": True})] * 2
    # The second is a retry, known by its ids.
    assert told(client, "segment") == (4, [1, 1, 1, 0], {"EUR": 10.5})


def test_segment_single_calls(client: Client) -> None:
    client.launch(campaign("calls", conversion_events=FOUR))
    client.post("/api/exposures", exposures(["call-1", "call-2"], of="calls"))
    calls: dict[str, dict[str, Any]] = {
        "track": {"event": "added", "properties": {"n": 3}},
        "identify": {"traits": {"plan": "pro"}},
        "page": {"properties": {"url": "https://example.org/a"}},
        "screen": {"name": "Home"},
        "group": {"groupId": "g"},
    }
    for number, (kind, fields) in enumerate(calls.items()):
        answer = client.post(f"/v1/{kind}", message("ignored", "call-1", number, **fields))
        assert (answer.status_code, answer.json()) == (200, {"success": True}), kind
    assert client.post("/v1/alias", {"previousId": "call-2", "userId": "call-3"}).json() == {"success": True}
    bad = client.post("/v1/track", {"userId": "call-1"})
    assert (bad.status_code, set(bad.json())) == (400, {"code", "message"})
    assert told(client, "calls") == (2, [0, 1, 1, 0], {})


def test_clock_skew_of_a_client_is_corrected(client: Client) -> None:
    """A client whose clock is a day ahead: what it did a minute before it sent happened a minute before it came."""
    client.launch(campaign("skew", conversion_events=FOUR))
    client.post("/api/exposures", exposures(["skewed"], of="skew"))
    ahead = {"originalTimestamp": instant(-86_400 + 60), "sentAt": instant(-86_400)}
    one = {"type": "track", "userId": "skewed", "event": "added", "properties": {"n": 2}, "messageId": "skew-1"}
    assert client.post("/v1/batch", {"batch": [one | ahead], "sentAt": instant(-86_400)}).status_code == 200
    assert told(client, "skew")[1][1] == 1


def test_a_repetition_is_once_and_a_conflict_is_rejected(client: Client) -> None:
    client.launch(campaign("twice"))
    client.post("/api/exposures", exposures(["twice"], of="twice"))
    one = purchase("twice", event_id="twice-1")
    for each in (one, one, {**one, "price": "1.00"}):
        assert client.post("/api/events", each).status_code == 201
    assert told(client, "twice") == (1, [1], {"EUR": 9.5})
    # A report without new facts may be some seconds old.
    wait_for(lambda: client.get("/api/report").json()["facts"]["rejected"].get("id_conflict", 0) >= 1, 15)


def test_equal_items_without_ids_are_told_apart_within_a_request_alone(client: Client) -> None:
    client.launch(campaign("equal"))
    client.post("/api/exposures", exposures(["equal"], of="equal"))
    one = purchase("equal")
    for _ in range(2):
        assert client.post("/api/events", [one, one]).json()["accepted"] == 2
    assert told(client, "equal") == (1, [1], {"EUR": 19.0})
