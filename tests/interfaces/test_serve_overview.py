"""The overview: headlines of all campaigns, and one total in which nobody counts twice."""

from __future__ import annotations

from typing import Any

from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, campaign, exposures, purchase, wait_for


def overview(client: Client) -> dict[str, Any]:
    answer = client.get("/api/overview")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_an_empty_workspace_has_an_overview(serving: Serving) -> None:
    told = overview(serving().start())
    assert told["campaigns"] == []
    assert (told["total"]["converted"], told["total"]["revenue"]["amount"]) == (0, "0.00")


def test_headlines_are_those_of_the_reports_and_the_total_counts_once(serving: Serving) -> None:
    client = serving().start()
    for name in ("first", "second"):
        client.launch(campaign(name))
        client.post("/api/exposures", exposures(["ann", "ben"], of=name, ago=3_600))
        client.post("/api/exposures", exposures(["cleo"], "control", of=name, ago=3_600))
    client.post("/api/campaigns", campaign("draft"))
    bought = purchase("ann")
    client.post("/api/events", {"events": [bought, purchase("cleo")]})
    client.loaded()
    wait_for(lambda: overview(client)["total"]["converted"] == 1, 20)
    told = overview(client)
    assert told["total"]["sum_of_campaigns"] == {"converted": 2}
    assert told["total"]["revenue"]["purchases"] == 1
    by_id = {one["id"]: one for one in told["campaigns"]}
    assert by_id["draft"]["results"] is None
    for name in ("first", "second"):
        report, headline = client.report(name), by_id[name]["results"]
        primary = report["total"]["conversions"]["A"]
        assert headline["recipients"] == report["total"]["persons"] == 2
        assert (headline["rate"], headline["interval"]) == (primary["rate"], primary["interval"])
        assert headline["revenue"]["amount"] == told["total"]["revenue"]["amount"]
        assert headline["verdict"]["sentence"] == report["verdict"]["sentence"]
        assert headline["incremental_revenue"] == report["incremental"]["metrics"]["revenue"]["incremental"]
        assert by_id[name]["status"] == "running"
    assert client.post("/api/campaigns/first/stop").status_code == 200
    wait_for(lambda: {one["id"]: one["status"] for one in overview(client)["campaigns"]}["first"] == "stopped", 20)
