"""Campaigns over /api: defined, changed, launched, stopped, and what facts that came before make of that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, campaign, exposures, instant, purchase


def variant(report: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return next(dict(one) for one in report["variants"] if one["id"] == name)


def test_a_campaign_from_its_definition_to_its_report(client: Client) -> None:
    created = client.post("/api/campaigns", campaign("life", description="Once more"))
    assert created.status_code == 201
    assert (created.json()["status"], created.json()["description"]) == ("draft", "Once more")
    assert client.get("/api/campaigns/life/report").status_code == 409
    assert client.post("/api/campaigns/life/launch").json()["status"] == "running"
    assert client.get("/api/campaigns/life/report").status_code == 200
    assert client.post("/api/campaigns/life/archive").status_code == 409
    assert client.post("/api/campaigns/life/stop").json()["status"] == "stopped"
    assert client.post("/api/campaigns/life/archive").json()["status"] == "archived"
    assert client.get("/api/campaigns/life/report").status_code == 200
    assert client.get("/api/campaigns/life").json()["status"] == "archived"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["spring/summer", "/", "50%2Foff", "a/report", "été / 夏"])
def test_ids_may_have_slashes(client: Client, name: str) -> None:
    path = f"/api/campaigns/{quote(name, safe='')}"
    client.post("/api/campaigns", campaign(name))
    assert client.get(path).json()["id"] == name
    assert client.put(path, campaign(name, name="Another name")).json()["name"] == "Another name"
    assert client.post(f"{path}/launch").status_code == 200
    client.post("/api/exposures", exposures([f"slash-{name}"], of=name))
    client.loaded()
    assert variant(client.report(quote(name, safe="")))["exposed"] == 1
    assert client.get(f"{path}/explain?user={quote(f'slash-{name}', safe='')}").status_code == 200
    assert client.post(f"{path}/stop").json()["status"] == "stopped"
    assert client.get(f"{path}/nothing").status_code == 404


def test_exposures_that_came_before_the_definition_wait_for_it(client: Client) -> None:
    client.post("/api/exposures", exposures(["early-1", "early-2"], of="early"))
    client.post("/api/exposures", exposures(["early-3"], "control", of="early"))
    client.post("/api/events", {"events": [purchase("early-1"), purchase("early-3")]})
    client.loaded()
    assert client.get("/api/campaigns/early/report").status_code == 404
    client.post("/api/campaigns", campaign("early"))
    assert client.get("/api/campaigns/early/report").status_code == 409
    client.post("/api/campaigns/early/launch")
    report = client.report("early")
    counted = {one["id"]: (one["exposed"], one["conversions"]["A"]["converted"]) for one in report["variants"]}
    assert counted == {"a": (2, 1), "control": (1, 1)}


def test_a_change_is_counted_again_at_once(client: Client) -> None:
    client.launch(campaign("change"))
    client.post("/api/exposures", exposures(["change-1"], of="change", ago=7200))
    client.post("/api/events", purchase("change-1", ago=60))
    client.loaded()
    before = client.report("change")
    assert variant(before)["conversions"]["A"]["converted"] == 1
    shorter = campaign("change", conversion_events=[{"kind": "purchase", "deadline": "1 hour"}])
    changed = client.put("/api/campaigns/change", shorter)
    assert changed.status_code == 200
    assert changed.json()["redefined"] is True or changed.json()["version"] != before["definition_version"]
    after = client.report("change")
    assert variant(after)["conversions"]["A"]["converted"] == 0
    assert after["definition_version"] != before["definition_version"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"conversion_events": [{"kind": "purchase", "deadline": "31 days"}]}, 400),
        ({"conversion_events": [{"kind": "purchase", "deadline": "1 day"}] * 5}, 400),
        ({"variants": []}, 400),
        ({"id": ""}, 400),
        ({"nonsense": 7}, 400),
        ({"kind": "letter"}, 400),
        ({"description": 7}, 400),
    ],
)
def test_a_bad_definition_is_400_in_words(client: Client, change: dict[str, Any], status: int) -> None:
    answer = client.post("/api/campaigns", campaign("bad") | change)
    assert answer.status_code == status
    assert len(answer.json()["message"]) > 10


def test_what_cannot_be_is_refused(client: Client) -> None:
    client.post("/api/campaigns", campaign("taken"))
    assert client.post("/api/campaigns", campaign("taken")).status_code == 409
    assert client.put("/api/campaigns/taken", campaign("other")).status_code == 400
    assert client.put("/api/campaigns/none", campaign("none")).status_code == 404
    for verb in ("launch", "stop", "archive", "report"):
        method = "GET" if verb == "report" else "POST"
        assert client.send(method, f"/api/campaigns/none/{verb}").status_code == 404
    assert "did you mean" in client.get("/api/campaigns/takem").json()["message"]


def test_a_canvas_is_a_campaign_with_steps(client: Client) -> None:
    definition = campaign("welcome", steps=[{"id": "hello"}, {"id": "tips"}])
    client.launch(definition)
    client.post("/api/exposures", exposures(["canvas-1"], of="welcome"))
    step = {"user_id": "canvas-1", "campaign_id": "welcome", "step_id": "hello", "received_at": instant(1800)}
    assert client.post("/api/step-messages", step).json()["accepted"] == 1
    client.post("/api/events", purchase("canvas-1"))
    client.loaded()
    steps = client.report("welcome")["steps"]
    assert {one["id"]: (one["recipients"], one["conversions"]["A"]) for one in steps} == {
        "hello": (1, 1),
        "tips": (0, 0),
    }


@pytest.mark.slow
def test_the_list_has_all_campaigns(serving: Serving) -> None:
    served = serving()
    client = served.start()
    names = {f"c-{n:03}" for n in range(230)}
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda name: client.post("/api/campaigns", campaign(name)).status_code, names)) == {201}
    assert {one["id"] for one in client.get("/api/campaigns").json()["campaigns"]} == names
    served.stop()
    client = served.start()
    assert len(client.get("/api/campaigns").json()["campaigns"]) == 230
