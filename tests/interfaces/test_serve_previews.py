"""What a definition would measure, before it is launched and before a change of it is adopted (rule 6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

COFFEE = {"kind": "purchase", "deadline": "1 hour", "products": ["preview-coffee"]}
LATER = {"kind": "purchase", "deadline": "7 days", "products": ["preview-coffee"]}
NEVER = {"kind": "custom", "name": "never_seen", "deadline": "7 days"}


@pytest.fixture(scope="module")
def previewed(shared: Served) -> Client:
    """A campaign of four in which two bought coffee, one of them within an hour; a stranger bought some, too."""
    client = shared.clients[0]
    client.launch(campaign("previewed", conversion_events=[COFFEE]))
    client.post("/api/exposures", exposures([f"pre-{number}" for number in range(3)], of="previewed", ago=86_400))
    client.post("/api/exposures", exposures(["pre-3"], "control", of="previewed", ago=86_400))
    bought = [("pre-0", 86_000.0), ("pre-1", 3_600.0), ("pre-3", 3_600.0), ("pre-stranger", 60.0)]
    events = [purchase(user, ago, product_id="preview-coffee") for user, ago in bought]
    assert client.post("/api/events", {"events": events}).json()["accepted"] == len(events)
    client.loaded()
    return client


def preview(client: Client, definition: dict[str, Any]) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []

    def done() -> bool:
        answer = client.post("/api/preview", definition)
        assert answer.status_code in (200, 202), answer.text
        answers.append(answer.json())
        return answer.status_code == 200

    wait_for(done, 60)
    return answers[-1]


def numbers(measured: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(one["converted"], round(one["rate"], 3)) for one in measured]


def test_a_draft_without_exposures_is_previewed_from_the_last_days(previewed: Client) -> None:
    told = preview(previewed, campaign("preview-draft", conversion_events=[LATER, NEVER]))
    assert [one["users"] for one in told["conversion_events"]] == [4, 0]
    assert (told["exploration"], told["effect"]) == (None, None)
    assert previewed.get("/api/campaigns/preview-draft").status_code == 404


def test_a_change_is_shown_beside_what_stands_and_adopts_nothing(previewed: Client) -> None:
    before = previewed.get("/api/campaigns/previewed").json()
    told = preview(previewed, campaign("previewed", conversion_events=[LATER, NEVER]))
    effect = told["effect"]
    assert effect["exposed"] == 3
    assert numbers(effect["was"]) == [(1, 0.333)]
    assert numbers(effect["becomes"]) == [(2, 0.667), (0, 0.0)]
    assert effect["was"][0]["conversion_event"]["deadline"] == 3_600
    assert previewed.get("/api/campaigns/previewed").json() == before
    place = f"/api/explorations/{told['exploration']['id']}"
    assert previewed.get(place).json()["result"]["beside"]["as_of"] == effect["as_of"]


def test_what_stands_is_what_the_report_says(previewed: Client) -> None:
    effect = preview(previewed, campaign("previewed", conversion_events=[LATER]))["effect"]
    report = previewed.report("previewed")
    assert numbers(effect["was"]) == [(report["total"]["conversions"]["A"]["converted"], 0.333)]


def test_a_definition_that_counts_the_same_has_nothing_beside_it(previewed: Client) -> None:
    effect = preview(previewed, campaign("previewed", name="Another name", conversion_events=[COFFEE]))["effect"]
    assert effect["was"] is None
    assert numbers(effect["becomes"]) == [(1, 0.333)]


def test_a_definition_that_is_wrong_is_refused(previewed: Client) -> None:
    answer = previewed.post(
        "/api/preview", campaign("previewed", conversion_events=[{**COFFEE, "deadline": "31 days"}])
    )
    assert answer.status_code == 400
    assert "deadline" in answer.json()["message"]
