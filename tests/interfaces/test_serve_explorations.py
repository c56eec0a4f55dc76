"""Questions about other conversion events over HTTP, and what they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, campaign, exposures, instant, purchase, wait_for

CAMPAIGN = "explored"
ASKED = f"/api/campaigns/{CAMPAIGN}/explore"
USERS = [f"explored-{number}" for number in range(6)]
BOUGHT_TEA = {"kind": "purchase", "deadline": "30 days", "products": ["tea"]}
OPENED_APP = {"kind": "session", "deadline": "1 hour"}


@pytest.fixture(scope="module")
def explored(shared: Served) -> Client:
    """A campaign of six, of whom three bought tea, which it does not ask for, and two opened the app."""
    client = shared.clients[0]
    client.launch(campaign(CAMPAIGN, conversion_events=[{"kind": "custom", "name": "signed_up", "deadline": "1 day"}]))
    client.post("/api/exposures", exposures(USERS[:4], of=CAMPAIGN, ago=3 * 86_400))
    client.post("/api/exposures", exposures(USERS[4:], "control", of=CAMPAIGN, ago=43_200))
    events = [purchase(user, product_id="tea") for user in USERS[1:5:2]] + [purchase(USERS[0], product_id="coffee")]
    events += [{"user_id": user, "kind": "session", "occurred_at": instant(86_400 * 3 - 60)} for user in USERS[:2]]
    assert client.post("/api/events", {"events": events}).json()["accepted"] == len(events)
    client.loaded()
    return client


def converted(told: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {
        row["id"]: {letter: said["converted"] for letter, said in row["conversions"].items()}
        for row in told["result"]["variants"]
    }


def finished(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(ASKED, body)
    assert answer.status_code in (200, 202), answer.text
    place = answer.headers["location"]
    wait_for(lambda: client.get(place).json()["state"] not in ("waiting", "running"), 60)
    told: dict[str, Any] = client.get(place).json()
    return told


def test_events_that_the_campaign_never_had_are_counted_apart(explored: Client) -> None:
    told = finished(explored, {"conversion_events": [BOUGHT_TEA, OPENED_APP]})
    assert (told["state"], told["exploratory"], told["progress"]) == ("done", True, 1.0)
    assert converted(told) == {"a": {"X1": 2, "X2": 2}, "control": {"X1": 0, "X2": 0}}
    assert [event["letter"] for event in told["result"]["conversion_events"]] == ["X1", "X2"]
    assert [row["exposed"] for row in told["result"]["variants"]] == [4, 2]
    report = explored.report(CAMPAIGN)
    assert [event["letter"] for event in report["conversion_events"]] == ["A"]
    assert {row["conversions"]["A"]["converted"] for row in report["variants"]} == {0}
    again = explored.post(ASKED, {"conversion_events": [BOUGHT_TEA, OPENED_APP]})
    assert again.status_code == 200
    assert again.json() == told


def test_a_period_leaves_other_exposures_out(explored: Client) -> None:
    told = finished(explored, {"conversion_events": [BOUGHT_TEA], "from": instant(2 * 86_400), "to": instant(0)})
    assert [row["exposed"] for row in told["result"]["variants"]] == [0, 2]
    told = finished(explored, {"conversion_events": [BOUGHT_TEA], "from": "2020-01-01", "to": "2020-01-31"})
    assert (told["from"], told["to"]) == ("2020-01-01T00:00:00Z", "2020-01-31T23:59:59.999999Z")
    assert told["result"]["total_with_control"]["exposed"] == 0


def test_an_old_version_can_still_be_reported(explored: Client) -> None:
    explored.launch(campaign("versions", conversion_events=[BOUGHT_TEA]))
    explored.post("/api/exposures", exposures(["version-1"], of="versions"))
    explored.post("/api/events", purchase("version-1", product_id="tea"))
    explored.loaded()
    before = explored.report("versions")
    assert explored.put("/api/campaigns/versions", campaign("versions", conversion_events=[])).status_code == 200
    versions = explored.get("/api/campaigns/versions/versions").json()["versions"]
    assert versions[0]["conversion_events"] == [{**BOUGHT_TEA, "deadline": 30 * 86_400}]
    assert [one["version"] for one in versions] == [
        before["definition_version"],
        explored.report("versions")["definition_version"],
    ]
    place = explored.post("/api/campaigns/versions/explore", {"version": versions[0]["version"]}).headers["location"]
    wait_for(lambda: explored.get(place).json()["state"] == "done", 60)
    told = explored.get(place).json()
    assert told["exploratory"] is False
    for name in ("variants", "total", "definition_version", "conversion_events"):
        assert told["result"][name] == before[name]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "the body is no JSON"),
        (b"[]", "the body must be a JSON object"),
        ({}, "name either conversion_events or a version"),
        ({"conversion_events": [BOUGHT_TEA], "version": "x"}, "name either conversion_events or a version"),
        ({"conversion_events": []}, "must be a list of 1 to 4"),
        ({"conversion_events": [BOUGHT_TEA] * 5}, "must be a list of 1 to 4"),
        ({"conversion_events": [{"kind": "purchase", "deadline": "31 days"}]}, "must be at most 30 days"),
        ({"conversion_events": ["purchase"]}, "conversion_events"),
        ({"conversion_event": [BOUGHT_TEA]}, 'did you mean "conversion_events"'),
        ({"version": "0123456789abcdef"}, "never had version"),
        ({"version": 7}, "never had version"),
        ({"conversion_events": [BOUGHT_TEA], "from": 7}, "from must be a date or a time"),
        ({"conversion_events": [BOUGHT_TEA], "to": "soon"}, 'to is "soon"'),
        ({"conversion_events": [BOUGHT_TEA], "to": "9999-12-31"}, "to is"),
        ({"conversion_events": [BOUGHT_TEA], "from": "2026-02-02", "to": "2026-02-01"}, "from is after to"),
    ],
)
def test_a_question_that_cannot_be_is_400_in_words(explored: Client, body: Any, sentence: str) -> None:
    answer = explored.post(ASKED, body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_what_is_not_there_is_404(explored: Client) -> None:
    assert explored.post("/api/campaigns/none/explore", {"conversion_events": [BOUGHT_TEA]}).status_code == 404
    assert explored.get("/api/campaigns/none/versions").status_code == 404
    assert "ask again" in explored.get("/api/explorations/none").json()["message"]
    explored.post("/api/campaigns", campaign("unlaunched"))
    unlaunched = explored.post("/api/campaigns/unlaunched/explore", {"conversion_events": [BOUGHT_TEA]})
    assert unlaunched.status_code == 409


def test_a_slow_question_holds_up_neither_the_answer_nor_the_results(explored: Client, shared: Served) -> None:
    shared.fault("slow-explore", 4)
    asked = explored.post(ASKED, {"conversion_events": [OPENED_APP]})
    shared.mend("slow-explore")
    assert asked.status_code == 202
    assert asked.json()["state"] == "running"
    explored.post(
        "/api/events", {"user_id": USERS[5], "kind": "custom", "name": "signed_up", "occurred_at": instant(9)}
    )
    explored.loaded()
    report = {row["id"]: row["conversions"]["A"]["converted"] for row in explored.report(CAMPAIGN)["variants"]}
    assert report == {"a": 0, "control": 1}
    wait_for(lambda: explored.get(asked.headers["location"]).json()["state"] == "done", 60)
