"""Verdicts of a running server: pinned plans, changed definitions, and the same answer by every door."""

from __future__ import annotations

from tests.interfaces.serving import Client, campaign, exposures, purchase

PLAN = {"plan": "always_valid", "alpha": 0.1, "smallest_effect": "5%", "minimum_sample": 2, "rule": "every_other"}
FIVE_DAYS = 5 * 86_400


def test_the_plan_is_pinned_at_launch(client: Client) -> None:
    definition = campaign("planned", analysis=PLAN)
    client.launch(definition)
    assert client.get("/api/campaigns/planned").json()["analysis"] == PLAN
    refused = client.put("/api/campaigns/planned", campaign("planned", analysis=PLAN | {"alpha": 0.2}))
    assert refused.status_code == 409
    assert "analysis.alpha cannot change after launch" in refused.json()["message"]
    left_out = client.put("/api/campaigns/planned", campaign("planned"))
    assert left_out.status_code == 409
    assert client.put("/api/campaigns/planned", definition | {"name": "Another name"}).status_code == 200


def test_a_verdict_says_for_ever_that_the_definition_was_changed(client: Client) -> None:
    client.launch(campaign("changed-late", analysis=PLAN))
    client.post("/api/exposures", exposures([f"late-{n}" for n in range(4)], of="changed-late", ago=FIVE_DAYS))
    client.post("/api/exposures", exposures([f"late-{n}" for n in range(4, 8)], "control", FIVE_DAYS, "changed-late"))
    client.post("/api/events", {"events": [purchase("late-1", ago=FIVE_DAYS - 60)]})
    client.loaded()
    verdict = client.report("changed-late")["verdict"]
    assert (verdict["redefined"], verdict["because"]) == (False, "few_conversions")
    events = [{"kind": "purchase", "deadline": "2 days"}]
    other = campaign("changed-late", analysis=PLAN, conversion_events=events)
    assert client.put("/api/campaigns/changed-late", other).status_code == 200
    changed = client.report("changed-late")["verdict"]
    assert changed["redefined"] is True
    assert changed["remarks"][-1].startswith("The conversion events were changed after the first exposure")
    back = client.put("/api/campaigns/changed-late", campaign("changed-late", analysis=PLAN))
    assert back.status_code == 200
    assert client.report("changed-late")["verdict"]["redefined"] is True


def test_a_definition_that_changed_before_anybody_was_exposed_is_the_planned_one(client: Client) -> None:
    client.launch(campaign("changed-early", analysis=PLAN))
    events = [{"kind": "purchase", "deadline": "2 days"}]
    other = campaign("changed-early", analysis=PLAN, conversion_events=events)
    assert client.put("/api/campaigns/changed-early", other).status_code == 200
    client.post("/api/exposures", exposures(["early-a"], of="changed-early", ago=-1))
    client.loaded()
    assert client.report("changed-early")["verdict"]["redefined"] is False
