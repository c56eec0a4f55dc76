"""Credit over all campaigns over HTTP, and what cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, campaign, exposures, instant, purchase, wait_for

BOUGHT_TEA = {"kind": "purchase", "deadline": "3 days", "products": ["credited tea"]}
ASKED = "/api/attribution"


@pytest.fixture(scope="module")
def credited(shared: Served) -> Client:
    """Two campaigns reached one who bought, another bought without a message."""
    client = shared.clients[0]
    for name in ("credited-1", "credited-2"):
        client.launch(campaign(name))
    client.post("/api/exposures", exposures(["credited-ann"], of="credited-1", ago=7_200))
    client.post("/api/exposures", exposures(["credited-ann"], of="credited-2", ago=3_600))
    events = [purchase(user, product_id="credited tea") for user in ("credited-ann", "credited-bob")]
    assert client.post("/api/events", {"events": events}).json()["accepted"] == 2
    client.loaded()
    return client


def finished(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(ASKED, body)
    assert answer.status_code in (200, 202), answer.text
    place = answer.headers["location"]
    wait_for(lambda: client.get(place).json()["state"] not in ("waiting", "running"), 60)
    told: dict[str, Any] = client.get(place).json()
    assert told["state"] == "done", told["failure"]
    return told


def test_credit_is_shared_out_and_counted_once(credited: Client) -> None:
    told = finished(credited, {"conversion_event": BOUGHT_TEA, "from": instant(86_400)})
    found = told["result"]
    assert (found["total"]["conversions"], found["total"]["touched"], found["total"]["untouched"]) == (2, 1, 1)
    views = {one["id"]: one["views"] for one in found["campaigns"] if one["id"].startswith("credited-")}
    assert {name: one["every"]["conversions"] for name, one in views.items()} == {"credited-1": "1", "credited-2": "1"}
    assert {name: one["last"]["conversions"] for name, one in views.items()} == {"credited-1": "0", "credited-2": "1"}
    assert {name: one["linear"]["conversions"] for name, one in views.items()} == {
        "credited-1": "0.5",
        "credited-2": "0.5",
    }
    again = credited.post(ASKED, {"conversion_event": BOUGHT_TEA, "from": told["from"]})
    assert again.json() == told


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "conversion_event is missing"),
        ({"conversion_event": "purchase"}, "conversion_event is missing"),
        ({"conversion_event": {"kind": "purchase", "deadline": "31 days"}}, "must be at most 30 days"),
        ({"conversion_event": {"kind": "upgrade", "deadline": "1 day"}}, "cannot be credited over campaigns"),
        ({"conversion_event": BOUGHT_TEA, "count": "sessions"}, 'count is "sessions", must be users or events'),
        ({"conversion_event": BOUGHT_TEA, "from": "2026-02-02", "to": "2026-02-01"}, "from is after to"),
        ({"conversion_events": [BOUGHT_TEA]}, 'did you mean "conversion_event"'),
    ],
)
def test_a_question_that_cannot_be_is_400_in_words(credited: Client, body: Any, sentence: str) -> None:
    answer = credited.post(ASKED, body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_an_exploration_is_no_question_of_credit(credited: Client) -> None:
    body = {"conversion_events": [BOUGHT_TEA]}
    exploration = credited.post("/api/campaigns/credited-1/explore", body).json()["id"]
    assert credited.get(f"{ASKED}/{exploration}").status_code == 404
    question = credited.post(ASKED, {"conversion_event": BOUGHT_TEA}).json()["id"]
    assert credited.get(f"/api/explorations/{question}").status_code == 404
