"""What has been seen, and who did what, asked over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, instant, purchase

PLAN = {"properties": {"seen_plan": "gold", "size": 1.50}}


@pytest.fixture(scope="module")
def known(shared: Served) -> Client:
    client = shared.clients[0]
    events: list[dict[str, Any]] = [
        {"user_id": f"seen-{number}", "kind": "custom", "name": "Seen here", "occurred_at": instant(60), **PLAN}
        for number in range(3)
    ]
    events.append(purchase("seen-0", product_id="seen-tea"))
    assert client.post("/api/events", {"events": events}).json()["accepted"] == len(events)
    client.loaded()
    return client


def items(client: Client, path: str) -> list[dict[str, Any]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_names_come_with_counts_and_typos_with_none(known: Client) -> None:
    (found,) = items(known, "/api/seen/events?q=seen+h")
    assert (found["name"], found["count"]) == ("Seen here", 3)
    assert items(known, "/api/seen/events?q=sen+here") == []
    assert [one["name"] for one in items(known, "/api/seen/products?q=seen-")] == ["seen-tea"]


def test_properties_and_values_come_as_they_were_sent(known: Client) -> None:
    found = items(known, "/api/seen/properties?name=Seen+here")
    assert {(one["name"], one["count"], *one["kinds"]) for one in found} == {
        ("seen_plan", 3, "text"), ("size", 3, "number"),
    }  # fmt: skip
    assert [one["value"] for one in items(known, "/api/seen/values?property=seen_plan")] == ["gold"]
    assert [one["value"] for one in items(known, "/api/seen/values?property=size&name=Seen+here")] == [1.5]


def test_values_of_few_users_are_for_keys_that_list_persons(shared: Served, known: Client) -> None:
    reader = shared.client(shared.make_key("api.read"))
    assert items(reader, "/api/seen/values?property=seen_plan") == []
    assert len(items(reader, "/api/seen/properties?q=seen_plan")) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("values", "property is missing"),
        ("values?property=a..b", 'property is "a..b"'),
        ("nothing", 'what is "nothing"'),
        ("events?limit=0", "limit"),
    ],
)
def test_what_cannot_be_asked_is_said(known: Client, path: str, said: str) -> None:
    answer = known.get(f"/api/seen/{path}")
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_shares_of_those_who_were_seen(known: Client) -> None:
    asked = [
        {"kind": "custom", "name": "Seen here", "deadline": "1 day", "where": [
            {"property": "size", "op": ">", "value": 1}
        ]},
        {"kind": "purchase", "products": ["seen-tea"], "deadline": "7 days"},
        {"kind": "message_click", "deadline": "7 days"},
    ]  # fmt: skip
    answer = known.post("/api/seen/shares", {"conversion_events": asked})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [one["users"] for one in told["conversion_events"]] == [3, 1, None]
    assert told["conversion_events"][1]["share"] == 1 / told["seen"]
    assert told["conversion_events"][1]["conversion_event"] == {
        "kind": "purchase", "products": ["seen-tea"], "deadline": 604_800,
    }  # fmt: skip


def test_a_conversion_event_that_is_none_is_named_by_its_place(known: Client) -> None:
    asked = [{"kind": "purchase", "deadline": "1 day"}, {"kind": "purchas", "deadline": "1 day"}]
    answer = known.post("/api/seen/shares", {"conversion_events": asked})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith('conversion_events[1].kind: unknown kind "purchas"')
    assert known.post("/api/seen/shares", {"conversion_events": asked[:1] * 9}).status_code == 400
