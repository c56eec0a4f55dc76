"""Braze-compatible reads of Canvases, against what a person counts from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.braze_world import World, bought, exposed, world

CANVAS: dict[str, Any] = {
    "id": "welcome",
    "kind": "canvas",
    "name": "Welcome",
    "channels": ["email"],
    "tags": ["onboarding"],
    "variants": [{"id": "main", "name": "Main", "share": 80}, {"id": "control", "share": 20, "control": True}],
    "steps": [{"id": "hello", "name": "Hello"}, {"id": "tips"}],
    "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
}
CONVERSIONS = [f"conversions{letter}{by}" for letter in ("", 1, 2, 3) for by in ("", "_by_entry_time")]
UNKNOWN = ("opens", "unique_opens", "clicks", "unique_clicks", "unsubscribes", "bounces", "delivered", "reported_spam")


def step_message(message: str, user: str, step: str, at: str) -> dict[str, Any]:
    return {"message_id": message, "user_id": user, "campaign_id": "welcome", "step_id": step, "received_at": at}


@pytest.fixture(scope="module")
def welcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("data")) as found:
        found.launched(CANVAS)
        found.facts(
            exposures=[
                exposed("x1", "ann", "main", "2026-03-01T10:00:00Z", "welcome"),
                exposed("x2", "bob", "main", "2026-03-02T10:00:00Z", "welcome"),
                exposed("x3", "cid", "control", "2026-03-01T10:00:00Z", "welcome"),
            ],
            step_messages=[
                step_message("m1", "ann", "hello", "2026-03-01T11:00:00Z"),
                step_message("m2", "ann", "tips", "2026-03-02T11:00:00Z"),
                step_message("m3", "bob", "hello", "2026-03-02T11:00:00Z"),
            ],
            events=[
                bought("p1", "ann", "2026-03-02T12:00:00Z", "10"),  # after the tips
                bought("p2", "bob", "2026-03-02T10:30:00Z", "5"),  # before any step
                bought("p3", "cid", "2026-03-02T10:30:00Z", "1"),
            ],
        )
        yield found


def stats(**others: Any) -> dict[str, Any]:
    return {"revenue": 0.0} | dict.fromkeys(CONVERSIONS, 0) | others


def step(sent: int, **others: Any) -> dict[str, Any]:
    return stats(**others) | {"messages": {"email": [{"sent": sent} | dict.fromkeys(UNKNOWN)]}}


def test_a_series_is_what_a_person_counts(welcome: World) -> None:
    asked: dict[str, Any] = {
        "include_variant_breakdown": "true",
        "include_step_breakdown": "true",
        "include_deleted_step_data": "false",
        **{"canvas_id": "welcome", "length": 2, "ending_at": "2026-03-02"},
    }
    answer = welcome.ask("/canvas/data_series", **asked)
    main = stats(revenue=15.0, conversions=2, conversions_by_entry_time=1, entries=1)
    assert answer == {
        "data": {
            "name": "Welcome",
            "stats": [
                {
                    "time": "2026-03-01",
                    "total_stats": stats(conversions_by_entry_time=1, entries=1),
                    "variant_stats": {
                        "main": {"name": "Main", **stats(conversions_by_entry_time=1, entries=1)},
                        "control": {"name": "Control Group", **stats(conversions_by_entry_time=1, entries=1)},
                    },
                    "step_stats": {
                        "hello": {"name": "Hello", **step(1)},
                        "tips": {"name": "tips", **step(0, conversions_by_entry_time=1)},
                    },
                },
                {
                    "time": "2026-03-02",
                    "total_stats": main,
                    "variant_stats": {
                        "main": {"name": "Main", **main},
                        "control": {"name": "Control Group", **stats(revenue=1.0, conversions=1, entries=0)},
                    },
                    "step_stats": {
                        "hello": {"name": "Hello", **step(1)},
                        "tips": {"name": "tips", **step(1, revenue=10.0, conversions=1)},
                    },
                },
            ],
        },
        "message": "success",
    }


def test_a_summary_is_the_days_together(welcome: World) -> None:
    asked: dict[str, Any] = {"canvas_id": "welcome", "starting_at": "2026-03-01", "ending_at": "2026-03-02"}
    whole = welcome.ask("/canvas/data_summary", **asked)
    total = stats(revenue=15.0, conversions=2, conversions_by_entry_time=2, entries=2)
    assert whole == {"data": {"name": "Welcome", "total_stats": total}, "message": "success"}
    days = welcome.ask("/canvas/data_series", **asked)["data"]["stats"]
    assert [set(day) for day in days] == [{"time", "total_stats"}] * 2


@pytest.mark.parametrize("path", ["/canvas/data_series", "/canvas/data_summary"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({}, "length is required", id="neither-length-nor-start"),
        pytest.param({"length": 15}, 'length is "15", must be a whole number from 1 to 14', id="too-long"),
        pytest.param(
            {"starting_at": "2026-02-16", "ending_at": "2026-03-02"},
            "starting_at is 2026-02-16, must not be after ending_at, 2026-03-02, and at most 13 days before it",
            id="15-days",
        ),
        pytest.param(
            {"starting_at": "2026-03-03", "ending_at": "2026-03-02"},
            "starting_at is 2026-03-03, must not be after ending_at, 2026-03-02, and at most 13 days before it",
            id="it-ends-before-it-begins",
        ),
        pytest.param(
            {"length": 1, "include_step_breakdown": "yes"},
            'include_step_breakdown is "yes", must be true or false',
            id="neither-true-nor-false",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(welcome: World, path: str, parameters: dict[str, Any], message: str) -> None:
    assert welcome.ask(path, 400, canvas_id="welcome", **parameters) == {"message": message}


@pytest.mark.parametrize("path", ["/canvas/details", "/canvas/data_series", "/canvas/data_summary"])
def test_an_unknown_canvas_is_a_bad_request(welcome: World, path: str) -> None:
    message = "canvas_id must be a string of the Canvas api identifier"
    assert welcome.ask(path, 400, canvas_id="other", length=1) == {"message": message}
    message = "campaign_id must be a string of the campaign api identifier"
    assert welcome.ask("/campaigns/details", 400, campaign_id="welcome") == {"message": message}


def test_lists_and_details_say_what_the_definition_says(welcome: World) -> None:
    [listed] = welcome.ask("/canvas/list")["canvases"]
    edited = "2026-03-10T12:00:00+00:00"
    assert listed == {"id": "welcome", "last_edited": edited, "name": "Welcome", "tags": ["onboarding"]}
    assert welcome.ask("/campaigns/list")["campaigns"] == []
    assert welcome.ask("/canvas/details", canvas_id="welcome") == {
        "created_at": edited,
        "updated_at": edited,
        "archived": False,
        "draft": False,
        "enabled": True,
        "name": "Welcome",
        "description": "",
        "schedule_type": None,
        "channels": ["email"],
        "first_sent": "2026-03-01T10:00:00+00:00",
        "last_sent": "2026-03-02T10:00:00+00:00",
        "first_entry": "2026-03-01T10:00:00+00:00",
        "last_entry": "2026-03-02T10:00:00+00:00",
        "tags": ["onboarding"],
        "conversion_behaviors": [{"type": "Makes Any Purchase", "window": 259_200}],
        "variants": [
            {"id": "main", "name": "Main", "type": "variant", "percentage": 80.0},
            {"id": "control", "name": "control", "type": "control", "percentage": 20.0},
        ],
        "steps": [
            {"id": "hello", "name": "Hello", "channels": ["email"]},
            {"id": "tips", "name": "tips", "channels": ["email"]},
        ],
        "message": "success",
    }


def test_a_page_of_a_campaign_does_not_hide_the_lists(welcome: World) -> None:
    assert "campaigns" in welcome.ask("/campaigns/list")
    assert welcome.client.get("/campaigns/welcome").headers["location"] == "/campaign?id=welcome"


def test_the_client_from_the_package_index_can_write_and_export(welcome: World) -> None:
    client = pytest.importorskip("braze.client", reason="the package braze-client is not installed")
    braze = client.BrazeClient(api_key=welcome.key, api_url=str(welcome.client.base_url).rstrip("/"))
    event = {"external_id": "real", "name": "Viewed", "time": "2026-03-01T10:00:00Z"}
    told = braze.user_track(attributes=[{"external_id": "real", "first_name": "Rea"}], events=[event])
    assert (told["success"], told["status_code"], told["events_processed"]) == (True, 201, 1)
    welcome.facts()
    found = braze.user_export(external_ids=["real"], fields_to_export=["first_name", "custom_events"])
    assert found["success"]
    [user] = found["users"]
    assert (user["external_id"], user["first_name"], user["custom_events"][0]["count"]) == ("real", "Rea", 1)
    with pytest.raises(client.BrazeClientError, match="external_ids has 51 items"):
        braze.user_export(external_ids=[str(n) for n in range(51)])
    with pytest.raises(client.BrazeInternalServerError):
        braze.campaign_trigger_schedule_create("welcome", {"time": "2026-03-01T10:00:00Z"})
    assert braze.user_delete(["real"])["deleted"] == 1
