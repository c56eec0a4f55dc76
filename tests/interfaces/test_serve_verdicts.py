"""Verdicts of a running server: pinned plans, changed definitions, and the same answer by every door."""

from __future__ import annotations

import json
import math

import pytest

from afterword.interfaces.cli import main
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase

PLAN = {"plan": "always_valid", "alpha": 0.1, "smallest_effect": "5%", "minimum_sample": 2, "rule": "every_other"}
PLAN |= {"multiple_testing": "holm"}
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


def test_how_many_users_it_takes_is_the_same_by_every_door(
    client: Client, shared: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/api/campaigns/sized/plan"
    assert client.post("/api/campaigns", campaign("sized", analysis=PLAN)).status_code == 201
    unknown = client.get(path)
    assert unknown.status_code == 400
    assert "the rate is not known" in unknown.json()["message"]
    before = client.get(f"{path}?rate=0.25").json()
    assert (before["rate_from"], before["collected"], before["effect"]["relative"]) == ("given", None, 0.05)
    assert client.post("/api/campaigns/sized/launch").status_code == 200
    client.post("/api/exposures", exposures([f"sized-{n}" for n in range(8)], ago=FIVE_DAYS, of="sized"))
    client.post("/api/exposures", exposures([f"sized-{n}" for n in range(8, 12)], "control", FIVE_DAYS, "sized"))
    client.post("/api/events", {"events": [purchase(f"sized-{n}", ago=FIVE_DAYS - 60) for n in (3, 9)]})
    client.loaded()
    told = client.get(path).json()
    assert (told["rate"], told["rate_from"]) == (0.25, "control")
    assert told["variants"] == [
        {**one, "of_age": of_age} for one, of_age in zip(before["variants"], (8, 4), strict=True)
    ]
    assert told["users"] == sum(one["users"] for one in told["variants"]) == before["users"]
    assert told["users_per_day"] == pytest.approx(12 / 5)
    assert told["days"] == math.ceil(told["users"] / (12 / 5) + 3)
    assert told["collected"]["missing_users"] == told["users"] - 12
    assert main(["plan", "sized", "--data", str(shared.data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told
    assert main(["plan", "--shares", "50,50", "--alpha", "0.1", "--rate", "25%", "--effect", "5%", "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert [one["users"] for one in alone["variants"]] == [one["users"] for one in told["variants"]]
    assert main(["plan", "--rate", "0.25"]) == 2
    assert capsys.readouterr().err == '--rate is "0.25", must be a percentage with its sign, such as 3%\n'
    for extreme in ("rate=1e-300", "per_day=1e-300", "difference=1e-320", "effect=1e300", "power=1e-300"):
        assert client.get(f"{path}?{extreme}").status_code in (200, 400)
    wrong = client.get(f"{path}?rate=3%25")
    assert wrong.status_code == 400
    assert wrong.json()["message"] == 'rate is "3%", must be a number above 0 and below 1, such as 0.03'
    assert client.get("/api/campaigns/nowhere/plan").status_code == 404
