"""Intelligent Selection through the door of a server: decide, accept, pause, and the schedule."""

from __future__ import annotations

import json
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest

from afterword.intake.definitions import parse_definitions
from afterword.interfaces.cli import main
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

USERS = 40
HOUR = 3600
LONG_AGO = 5 * 24 * HOUR
VARIANTS = [
    {"id": "a", "share": 45},
    {"id": "b", "share": 45},
    {"id": "control", "control": True, "share": 10},
]
SETTINGS = {"mode": "intelligent", "training_users": 20, "training_conversions": 5}


def filled(client: Client, of: str, **selection: Any) -> str:
    """A campaign with 40 users of each variant, all windows closed; of `b` half have bought, of `a` two."""
    client.launch(campaign(of, variants=VARIANTS, selection=SETTINGS | selection))
    fill(client, of)
    return f"/api/campaigns/{of}/selection"


def fill(client: Client, of: str) -> None:
    for variant, buyers in (("a", 2), ("b", USERS // 2)):
        users = [f"{of}-{variant}-{number}" for number in range(USERS)]
        assert client.post("/api/exposures", exposures(users, variant, LONG_AGO, of)).status_code == 201
        bought = [purchase(user, LONG_AGO - HOUR, event_id=f"buy-{user}") for user in users[:buyers]]
        assert client.post("/api/events", {"events": bought}).status_code == 201
    client.loaded()


def shares(client: Client, of: str) -> dict[str, float]:
    return {one["id"]: one["share"] for one in client.get(f"/api/campaigns/{of}").json()["variants"]}


def acted(client: Client, path: str, **asked: Any) -> dict[str, Any]:
    answered = client.post(path, asked)
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


def test_a_decision_is_made_applied_and_shown(client: Client) -> None:
    path = filled(client, "chosen")
    before = client.get(path).json()
    assert (before["stage"], before["decision"], before["decisions"]) == (None, None, [])
    assert before["due_at"] is not None
    found = acted(client, path, action="decide", seed=11)
    decision = found["decision"]
    assert decision["number"] == 1
    assert decision["shares"]["b"] > 80
    assert decision["shares"]["control"] == 10
    assert decision["shares_before"] == {"a": 45, "b": 45, "control": 10}
    assert decision["seed"] == 11
    assert decision["replays"]
    assert decision["cause"] == "request"
    assert decision["applied_at"] is not None
    assert '"b" ' in decision["reason"]
    assert shares(client, "chosen") == decision["shares"]
    assert client.get(path).json()["decision"] == decision
    assert found["due_at"] >= before["due_at"]


def test_a_decision_may_wait_until_it_is_accepted(client: Client) -> None:
    path = filled(client, "waiting", automatic=False)
    waiting = acted(client, path, action="decide")["decision"]
    assert waiting["applied_at"] is None
    assert shares(client, "waiting")["a"] == 45
    accepted = acted(client, path, action="accept", decision=1)["decision"]
    assert accepted["applied_at"] is not None
    assert shares(client, "waiting") == waiting["shares"]


def test_old_decisions_stay_and_are_shown_by_number(client: Client) -> None:
    path = filled(client, "kept")
    acted(client, path, action="decide", seed=1)
    acted(client, path, action="decide", seed=2)
    found = client.get(f"{path}?decision=1&limit=1").json()
    assert found["decision"]["seed"] == 1
    assert [one["number"] for one in found["decisions"]] == [2]
    assert client.get(f"{path}?decision=9").status_code == 404
    refused = client.post(path, {"action": "accept", "decision": 1})
    assert refused.status_code == 200  # it was applied when it was made
    acted(client, path, action="decide", apply=False)
    acted(client, path, action="decide", apply=False)
    refused = client.post(path, {"action": "accept", "decision": 3})
    assert refused.status_code == 409
    assert "is not the newest, which is 4" in refused.text


def test_it_can_be_paused(client: Client) -> None:
    path = filled(client, "paused")
    paused = acted(client, path, action="pause")
    assert paused["paused_at"] is not None
    assert paused["due_at"] is None
    assert acted(client, path, action="resume")["paused_at"] is None


def test_what_cannot_be_decided_is_said(client: Client) -> None:
    alone = [{"id": "a", "share": 90}, {"id": "b", "share": 0}, VARIANTS[2]]
    client.launch(campaign("lonely", variants=alone, selection=SETTINGS))
    path = "/api/campaigns/lonely/selection"
    refused = client.post(path, {"action": "decide"})
    assert refused.status_code == 409
    assert "has 1 variant with a message and a share above 0, must have at least 2" in refused.text
    assert client.post("/api/campaigns/nobody/selection", {"action": "decide"}).status_code == 404
    wrong = client.post(path, {"action": "pause", "seed": 4})
    assert wrong.status_code == 400
    assert "seed belongs to action decide, not to pause" in wrong.text
    assert client.post(path, {"action": "dance"}).status_code == 400
    assert client.post(path, {"action": "accept"}).status_code == 404
    assert client.post("/api/campaigns", campaign("drafted", variants=VARIANTS, selection=SETTINGS)).status_code == 201
    assert client.post("/api/campaigns/drafted/selection", {"action": "decide"}).status_code == 409


def test_a_campaign_with_fixed_shares_is_not_decided_on(client: Client, shared: Served) -> None:
    client.launch(campaign("fixed", variants=VARIANTS))
    fill(client, "fixed")
    path = "/api/campaigns/fixed/selection"
    refused = client.post(path, {"action": "decide", "apply": True})
    assert refused.status_code == 409
    sentence = '"fixed" has fixed shares: for decisions on them its definition must say selection: {mode: intelligent}'
    assert refused.json()["message"] == sentence
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as err:
        code = main(["select", "fixed", "--data", str(shared.data)])
    assert (code, err.getvalue()) == (2, f"{sentence}\n")
    for action in ("pause", "resume", "accept"):
        refused = client.post(path, {"action": action})
        assert (refused.status_code, refused.json()["message"]) == (409, sentence)
    told = client.get(path).json()
    assert (told["decisions"], told["paused_at"]) == ([], None)
    assert shares(client, "fixed")["a"] == 45


def test_reading_needs_less_than_deciding(client: Client, shared: Served) -> None:
    path = filled(client, "guarded")
    reader = shared.client(shared.make_key("api.read"))
    assert reader.get(path).status_code == 200
    assert reader.post(path, {"action": "decide"}).status_code == 403


def test_the_command_line_goes_through_the_server(client: Client, shared: Served) -> None:
    filled(client, "commanded")
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = main(["select", "commanded", "--data", str(shared.data), "--seed", "3", "--apply", "--json"])
    assert code == 0, err.getvalue()
    assert json.loads(out.getvalue())["applied_at"] is not None
    assert shares(client, "commanded")["b"] > 80


@pytest.mark.slow  # the schedule is tested at times of our own in tests/selection; this is the real clock and a restart
def test_what_became_due_while_no_server_ran_is_decided_when_one_starts(serving: Serving) -> None:
    served = serving()
    client = served.start()
    client.launch(campaign("warm-up"))
    assert served.stop() == 0
    definitions = parse_definitions({"campaigns": [campaign("due", variants=VARIANTS, selection=SETTINGS)]}, "test")
    launched = time.time_ns() // 1000 - 13 * HOUR * 1_000_000
    with open_metadata(served.data / FILE_NAME) as metadata:
        metadata.campaigns.create(definitions.campaigns[0], launched)
        metadata.campaigns.launch("due", launched)
    client = served.start()
    wait_for(lambda: bool(client.get("/api/campaigns/due/selection").json()["decisions"]), 60)
    found = client.get("/api/campaigns/due/selection").json()
    assert found["decision"]["cause"] == "schedule"
    assert found["decision"]["stage"] == "training"
    assert shares(client, "due")["a"] == 45
    assert served.stop() == 0
