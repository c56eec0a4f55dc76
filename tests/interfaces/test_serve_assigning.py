"""`POST /api/assign`: deterministic, recorded when asked, and faithful when shares change (rules 29-32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from afterword.intake.definitions import parse_definitions
from afterword.selection.assignment import assign, split_of
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, instant, wait_for

HOUR = 3_600_000_000
SUMMER = 993_945_600_000_000
"""2001-07-01T00:00:00Z"""
VARIANTS = [
    {"id": "a", "share": 45},
    {"id": "b", "share": 45},
    {"id": "control", "control": True, "share": 10},
]


def definition(of: str, **changes: Any) -> dict[str, Any]:
    return campaign(of, **{"variants": VARIANTS, "channels": ["email", "push"], **changes})


def users(of: str, count: int = 400) -> list[str]:
    return [f"{of}-{number}" for number in range(count)]


def asked(client: Client, of: str, ids: Iterable[object], **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/assign", {"campaign_id": of, "users": list(ids), **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def variants_of(told: dict[str, Any]) -> dict[str, str | None]:
    return {each["user_id"]: each["variant_id"] for each in told["assigned"]}


def exposed(client: Client, of: str) -> dict[str, int]:
    client.loaded()
    return {row["id"]: row["exposed"] for row in client.report(of)["variants"]}


def change_shares(client: Client, of: str, **shares: int) -> None:
    changed = [{"id": name, "share": share, "control": name == "control"} for name, share in shares.items()]
    assert client.put(f"/api/campaigns/{of}", definition(of, variants=changed)).status_code == 200


def test_users_get_what_hash_and_buckets_say(client: Client) -> None:
    client.launch(definition("assign-hash"))
    told = asked(client, "assign-hash", [*users("h"), "日本語 🎈", 17])
    [launched] = parse_definitions({"campaigns": [definition("assign-hash")]}, "test").campaigns
    everyone = [*users("h"), "日本語 🎈", "17"]
    assert variants_of(told) == dict(zip(everyone, assign(split_of(launched), everyone), strict=True))
    assert {each["variant_id"] for each in told["assigned"] if each["control"]} == {"control"}
    assert (told["recorded"], told["rejected"], told["notes"]) == (0, [], [])
    assert all(each["held_out"] is None and "exposure_id" not in each for each in told["assigned"])
    assert exposed(client, "assign-hash") == {"a": 0, "b": 0, "control": 0}


def test_recorded_users_are_exposed_control_too(client: Client) -> None:
    client.launch(definition("assign-record"))
    told = asked(client, "assign-record", [*users("r"), "r-0"], record=True, channel="email")
    assert told["recorded"] == 400
    assert len({each["exposure_id"] for each in told["assigned"]}) == 400
    assert exposed(client, "assign-record") == dict(Counter(variants_of(told).values()))


def test_a_time_of_its_own_makes_a_request_repeatable(client: Client) -> None:
    client.launch(definition("assign-time", counting="once_per_exposure"))
    at = instant(60)
    first = asked(client, "assign-time", users("t", 20), record=True, exposed_at=at)
    assert asked(client, "assign-time", users("t", 20), record=True, exposed_at=at) == first
    assert sum(exposed(client, "assign-time").values()) == 20
    asked(client, "assign-time", users("t", 20), record=True)
    assert sum(exposed(client, "assign-time").values()) == 40


def test_an_idempotency_key_makes_a_request_repeatable(client: Client) -> None:
    client.launch(definition("assign-key", counting="once_per_exposure"))
    body = {"campaign_id": "assign-key", "users": users("k", 20), "record": True}
    answers = [client.post("/api/assign", body, Idempotency_Key="assign-key-1") for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert sum(exposed(client, "assign-key").values()) == 20
    other = client.post("/api/assign", {**body, "users": ["else"]}, Idempotency_Key="assign-key-1")
    assert other.status_code == 409


def test_who_was_exposed_keeps_the_variant_when_shares_change(client: Client) -> None:
    client.launch(definition("assign-sticky"))
    before = variants_of(asked(client, "assign-sticky", users("s"), record=True))
    change_shares(client, "assign-sticky", a=10, b=80, control=10)
    # At once: nobody has waited until the exposures are loaded.
    assert variants_of(asked(client, "assign-sticky", users("s"))) == before
    strangers = Counter(variants_of(asked(client, "assign-sticky", users("new", 1000))).values())
    assert strangers["a"] < 150
    assert strangers["b"] > 700
    change_shares(client, "assign-sticky", a=0, b=30, control=10, c=60)
    again = asked(client, "assign-sticky", [*users("s"), *users("new", 1000)], record=True)
    assert {user: one for user, one in variants_of(again).items() if user in before} == before
    assert "a" not in {one for user, one in variants_of(again).items() if user not in before}


def test_nobody_moves_between_control_and_a_message(client: Client) -> None:
    client.launch(definition("assign-control"))
    before = variants_of(asked(client, "assign-control", users("c", 1000)))
    change_shares(client, "assign-control", a=1, b=89, control=10)
    after = variants_of(asked(client, "assign-control", users("c", 1000)))
    crossed = [user for user in before if (before[user] == "control") != (after[user] == "control")]
    assert crossed == []
    assert before != after
    answer = client.put(
        "/api/campaigns/assign-control",
        definition(
            "assign-control", variants=[{"id": "a", "share": 95}, {"id": "control", "control": True, "share": 5}]
        ),
    )
    assert answer.status_code == 409
    assert "the control's share is 5 %, must stay 10 %" in answer.json()["message"]


def test_ids_that_cannot_be_read_are_named_and_the_others_assigned(client: Client) -> None:
    client.launch(definition("assign-bad"))
    told = asked(client, "assign-bad", ["ann", None, "", 1.5, "x" * 300, "ben"], record=True, surprise=1)
    assert [each["user_id"] for each in told["assigned"]] == ["ann", "ben"]
    assert [(each["item"], each["reason"]) for each in told["rejected"]] == [
        (1, "missing_field"),
        (2, "missing_field"),
        (3, "bad_type"),
        (4, "too_long"),
    ]
    assert told["notes"] == ["ignored fields: surprise"]
    answer = client.post("/api/assign", {"campaign_id": "assign-bad", "users": [None]})
    assert (answer.status_code, answer.json()["message"]) == (400, "no user can be used")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({"users": ["ann"]}, "campaign_id is missing", id="no-campaign"),
        pytest.param({"campaign_id": "c"}, "users is missing, must be a list of ids", id="no-users"),
        pytest.param({"campaign_id": "c", "users": "ann"}, "users must be a list", id="no-list"),
        pytest.param({"campaign_id": "c", "users": [], "record": "perhaps"}, "must be true or false", id="record"),
        pytest.param(
            {"campaign_id": "c", "users": [], "channel": "mail"}, 'channel "mail" is not one of', id="channel"
        ),
        pytest.param({"campaign_id": "c", "users": [], "exposed_at": "soon"}, "is not a time", id="time"),
        pytest.param({"campaign_id": "c", "users": ["u"] * 10_001}, "users has 10001 ids, must be at mo", id="many"),
        pytest.param(["ann"], "the body must be a JSON object with campaign_id and users", id="list"),
    ],
)
def test_a_body_that_cannot_be_used(client: Client, body: object, sentence: str) -> None:
    answer = client.post("/api/assign", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_a_channel_must_be_one_of_the_campaigns_and_named_where_each_counts(client: Client) -> None:
    client.launch(definition("assign-channel", counting="once_per_channel"))
    for fields, sentence in (
        ({"channel": "sms"}, 'channel is "sms", must be one of the campaign\'s: email, push'),
        ({}, "channel is missing: this campaign counts once per channel"),
    ):
        body = {"campaign_id": "assign-channel", "users": ["ann"], "record": True, **fields}
        answer = client.post("/api/assign", body)
        assert (answer.status_code, sentence in answer.json()["message"]) == (400, True)
    asked(client, "assign-channel", ["ann"], record=True, channel="push")


def test_only_a_campaign_that_runs_assigns(client: Client) -> None:
    body = {"campaign_id": "assign-state", "users": ["ann"]}
    assert client.post("/api/assign", body).status_code == 404
    client.post("/api/campaigns", definition("assign-state"))
    draft = client.post("/api/assign", body)
    assert draft.status_code == 409
    assert 'campaign "assign-state" is draft, must be running' in draft.json()["message"]
    client.post("/api/campaigns/assign-state/launch")
    assert client.post("/api/assign", body).status_code == 200
    client.post("/api/campaigns/assign-state/stop")
    assert client.post("/api/assign", body).status_code == 409


def test_who_is_held_out_gets_no_variant_and_is_not_exposed(client: Client, shared: Served) -> None:
    client.launch(definition("assign-held"))
    before = variants_of(asked(client, "assign-held", users("u", 1000)))
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        # Over long ago, so that they are in nobody's way.
        metadata.holdouts.create("summer 2001", 1500, SUMMER, SUMMER + HOUR, SUMMER)
        metadata.holdouts.create("autumn 2001", 1500, SUMMER + HOUR, SUMMER + 2 * HOUR, SUMMER)
    told = asked(client, "assign-held", users("u", 1000), record=True, exposed_at="2001-07-01T00:30:00Z")
    held = [each["user_id"] for each in told["assigned"] if each["held_out"]]
    assert 100 < len(held) < 200
    assert {each["held_out"] for each in told["assigned"]} == {None, "summer 2001"}
    assert told["recorded"] == 1000 - len(held)
    assert {user: one for user, one in variants_of(told).items() if user not in held} == {
        user: one for user, one in before.items() if user not in held
    }
    assert sum(exposed(client, "assign-held").values()) == 1000 - len(held)
    assert variants_of(asked(client, "assign-held", users("u", 1000))) == before


@pytest.mark.slow
def test_while_the_other_process_is_away_only_users_of_moved_buckets_wait(serving: Serving) -> None:
    served = serving()
    client = served.start()
    client.launch(definition("assign-away"))
    before = variants_of(asked(client, "assign-away", users("w"), record=True))
    change_shares(client, "assign-away", a=10, b=80, control=10)
    client.loaded()
    served.kill_answering()
    control = [user for user, variant in before.items() if variant == "control"]
    assert set(variants_of(asked(client, "assign-away", control)).values()) == {"control"}
    body = {"campaign_id": "assign-away", "users": users("w")}
    answers: list[httpx.Response] = []

    def back() -> bool:
        answers.append(client.post("/api/assign", body))
        return answers[-1].status_code == 200

    wait_for(back, 60)
    assert all(one.headers["retry-after"] for one in answers[:-1])
    assert variants_of(answers[-1].json()) == before
