"""What arrives at a running server, as the API tells it: the latest facts, what was refused, and how far it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, exposures, instant, purchase

BAD = "not-a-time-of-olive"


@pytest.fixture(scope="module")
def arrived(shared: Served) -> Client:
    client = shared.clients[0]
    events: list[dict[str, Any]] = [
        purchase("olive", product_id="tea"),
        {"user_id": "olive", "kind": "custom", "name": "signed_up", "occurred_at": instant(30)},
        {"user_id": "olive", "kind": "session", "app_id": "shop", "occurred_at": BAD},
    ]
    client.post("/api/exposures", exposures(["olive"], of="warm"))
    assert client.post("/api/events", {"events": events}).json()["accepted"] == 2
    client.loaded()
    return client


def test_the_latest_facts_come_first_and_name_their_key(arrived: Client) -> None:
    answer = arrived.get("/api/arrivals?limit=3").json()
    told = [(one["kind"], one["name"], one["campaign"], one["user_id"], one["item"]) for one in answer["arrivals"]]
    assert told == [
        ("custom", "signed_up", None, "olive", 1),
        ("purchase", "tea", None, "olive", 0),
        ("exposure", None, "warm", "olive", 0),
    ]
    assert {one["key"] for one in answer["arrivals"]} == {"first admin key"}
    assert {one["position"] for one in answer["arrivals"][:2]} == {answer["loaded_position"] - 1}


def test_a_key_that_lists_no_persons_sees_none(shared: Served, arrived: Client) -> None:
    reader = shared.client(shared.make_key("api.read"))
    answers = [reader.get("/api/arrivals?limit=3"), reader.get("/api/rejections?days=1")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("olive" not in answer.text for answer in answers)
    assert [one["kind"] for one in answers[0].json()["arrivals"]] == ["custom", "purchase", "exposure"]


def test_more_facts_than_the_last_requests_have_are_found(arrived: Client) -> None:
    for number in range(5):
        sent = {"attributes": [{"external_id": f"plain-{number}", "plan": "pro"}]}
        assert arrived.post("/users/track", sent).status_code == 201
    arrived.loaded()
    told = arrived.get("/api/arrivals?limit=3").json()["arrivals"]
    assert [one["kind"] for one in told] == ["custom", "purchase", "exposure"]


def test_what_was_refused_is_counted_by_reason_and_day(arrived: Client) -> None:
    answer = arrived.get("/api/rejections?days=2&examples=1").json()
    (found,) = [one for one in answer["reasons"] if one["reason"] == "bad_time"]
    assert found["count"] == sum(found["days"].values()) >= 1
    assert BAD in found["examples"][0]["message"]
    assert len(found["examples"]) == 1
    assert answer["count"] == sum(one["count"] for one in answer["reasons"])
    assert answer["timezone"] == "UTC"


def test_the_state_says_how_far_it_is(arrived: Client) -> None:
    state = arrived.get("/api/state").json()
    assert (state["ready"], state["message"], state["failure"]) == (True, None, None)
    assert state["durable_position"] == state["loaded_position"] == state["attributed_position"] > 0
    assert arrived.http.get("/api/state").status_code == 401
