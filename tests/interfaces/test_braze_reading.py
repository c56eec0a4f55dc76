"""Braze-compatible reads of campaigns, against what a person counts from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from afterword.model import Campaign, Variant
from afterword.store.permissions import Permission
from tests.interfaces.braze_world import CAMPAIGN, World, bought, exposed, happened, world

CONVERSIONS = [f"conversions{letter}{by}" for letter in ("", 1, 2, 3) for by in ("", "_by_send_time")]
EMAIL = (
    *("sent", "opens", "unique_opens", "clicks", "unique_clicks", "unsubscribes", "bounces", "delivered"),
    "reported_spam",
)
COUNTERS = {
    "email": EMAIL,
    "push": ["sent", "direct_opens", "total_opens", "bounces", "body_clicks"],
    "webhook": ["sent", "errors"],
    "in_app": ["impressions", "clicks", "first_button_clicks", "second_button_clicks"],
}
DETAILS = {
    *("created_at", "updated_at", "archived", "draft", "enabled", "name", "description", "schedule_type", "channels"),
    *("first_sent", "last_sent", "tags", "messages", "conversion_behaviors", "message"),
}
NAMES = {"in_app": "trigger_in_app_message"}


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A campaign in Berlin: days begin at 23:00 UTC in winter."""
    with world(tmp_path_factory.mktemp("data"), "Europe/Berlin") as found:
        found.launched(CAMPAIGN)
        found.say("/api/campaigns", CAMPAIGN | {"id": "draft", "name": "Never launched"})
        found.facts(exposures=EXPOSURES, events=EVENTS)
        yield found


EXPOSURES = [
    exposed("x1", "ann", "a", "2026-03-01T10:00:00Z", channel="email"),
    exposed("x2", "ann", "a", "2026-03-01T11:00:00Z"),  # the campaign has one channel only
    exposed("x3", "bob", "b", "2026-03-01T22:59:59Z"),
    exposed("x4", "bob", "b", "2026-03-01T23:00:00Z"),  # the next day in Berlin
    exposed("x5", "cid", "control", "2026-03-01T10:00:00Z"),
    exposed("x6", "dan", "a", "2026-03-02T10:00:00Z", outcome="bounced"),
    exposed("x7", "eve", "a", "2026-03-02T10:00:00Z", outcome="sent"),
    exposed("x8", "fay", "a", "2026-03-02T10:00:00Z", outcome="capped"),
]
EVENTS = [
    bought("p1", "ann", "2026-03-02T23:30:00Z", "10.10"),  # the 3rd in Berlin, back to the 1st
    bought("p2", "ann", "2026-03-03T10:00:00Z", "0.20"),
    bought("p3", "cid", "2026-03-01T12:00:00Z", "5"),
    bought("p4", "bob", "2026-03-02T10:00:00Z", "7", quantity=2),
    happened("r1", "bob", "refund", "2026-03-05T10:00:00Z", refund_of="p4", price="3", currency="EUR"),
    happened("s1", "eve", "custom", "2026-03-02T11:00:00Z", name="Signed Up"),
    happened("o1", "ann", "message_open", "2026-03-01T12:00:00Z", campaign_id="spring"),
    happened("o2", "ann", "message_open", "2026-03-02T12:00:00Z", campaign_id="spring", machine=True),
    happened("o3", "ann", "message_open", "2026-03-02T12:00:00Z", campaign_id="spring", exposure_id="x1"),
    happened("c1", "bob", "message_click", "2026-03-02T09:00:00Z", campaign_id="spring"),
    happened("c2", "bob", "message_click", "2026-03-02T09:30:00Z", campaign_id="spring", machine=True),
    happened("d1", "zoe", "message_delivered", "2026-03-02T09:00:00Z", campaign_id="spring"),  # never exposed
]


def series(found: World, **parameters: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = found.ask("/campaigns/data_series", campaign_id="spring", **parameters)["data"]
    return data


def numbers(**others: Any) -> dict[str, Any]:
    return {"revenue": 0.0, "unique_recipients": 0} | dict.fromkeys(CONVERSIONS, 0) | others


def letter(variation: str, api_id: str, **others: Any) -> dict[str, Any]:
    known = {"opens", "unique_opens", "clicks", "unique_clicks", "bounces", "delivered", "sent"}
    counters = {name: 0 if name in known else None for name in EMAIL}
    return {"variation_name": variation, "variation_api_id": api_id} | counters | numbers(**others)


def control(**others: Any) -> dict[str, Any]:
    return {"variation_name": "Control Group", "variation_api_id": "control", "enrolled": 0} | numbers(**others)


def test_a_series_is_what_a_person_counts(spring: World) -> None:
    first, second, third = series(spring, length=3, ending_at="2026-03-03")
    assert first == {
        "time": "2026-03-01",
        **numbers(unique_recipients=2, conversions_by_send_time=1),
        "messages": {
            "email": [
                letter("Short", "a", sent=2, unique_recipients=1, opens=1, unique_opens=1, conversions_by_send_time=1),
                letter("Long", "b", sent=1, unique_recipients=1),
                control(enrolled=1, revenue=5.0, unique_recipients=1, conversions=1, conversions_by_send_time=1),
            ]
        },
    }
    assert second == {
        "time": "2026-03-02",
        **numbers(
            unique_recipients=4,
            revenue=11.0,
            conversions=1,
            conversions_by_send_time=1,
            conversions1=1,
            conversions1_by_send_time=1,
        ),
        "messages": {
            "email": [
                letter(
                    "Short",
                    "a",
                    sent=1,
                    bounces=1,
                    unique_recipients=3,
                    opens=2,
                    unique_opens=1,
                    conversions1=1,
                    conversions1_by_send_time=1,
                ),
                letter(
                    "Long",
                    "b",
                    sent=1,
                    unique_recipients=1,
                    clicks=1,
                    unique_clicks=1,
                    revenue=11.0,
                    conversions=1,
                    conversions_by_send_time=1,
                ),
                control(),
            ]
        },
    }
    assert third == {
        "time": "2026-03-03",
        **numbers(revenue=10.3, conversions=1),
        "messages": {"email": [letter("Short", "a", revenue=10.3, conversions=1), letter("Long", "b"), control()]},
    }


@pytest.mark.parametrize(
    ("ending_at", "last"),
    [
        pytest.param(None, "2026-03-10", id="now"),
        pytest.param("2026-03-03", "2026-03-03", id="a-date-is-inclusive"),
        pytest.param("2026-03-03T00:00:00", "2026-03-03", id="without-offset-it-is-the-workspace's"),
        pytest.param("2026-03-02T23:00:00Z", "2026-03-03", id="utc-is-another-day"),
        pytest.param("2026-03-03T01:00:00+05:00", "2026-03-02", id="with-an-offset"),
        pytest.param("2026-03-03 01:00:00 -0500", "2026-03-03", id="as-some-clients-write"),
        pytest.param("2027-01-01", "2027-01-01", id="what-is-to-come-is-empty"),
    ],
)
def test_a_series_ends_on_the_day_of_ending_at(spring: World, ending_at: str | None, last: str) -> None:
    rows = series(spring, length=100, **({} if ending_at is None else {"ending_at": ending_at}))
    assert len(rows) == 100
    assert rows[-1]["time"] == last
    assert [row["time"] for row in rows] == sorted({row["time"] for row in rows})


def test_a_plus_sign_that_was_not_escaped_is_read(spring: World) -> None:
    url = "/campaigns/data_series?campaign_id=spring&length=1&ending_at=2026-03-03T01:00:00+05:00"
    response = spring.client.get(url, headers=spring.headers)
    assert response.json()["data"][0]["time"] == "2026-03-02"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({}, "length is required", id="no-length"),
        pytest.param({"length": ""}, "length is required", id="empty-length"),
        pytest.param({"length": 0}, 'length is "0", must be a whole number from 1 to 100', id="zero"),
        pytest.param({"length": 101}, 'length is "101", must be a whole number from 1 to 100', id="too-long"),
        pytest.param({"length": "7.0"}, 'length is "7.0", must be a whole number from 1 to 100', id="no-integer"),
        pytest.param({"length": "٣"}, 'length is "٣", must be a whole number from 1 to 100', id="other-digits"),
        pytest.param(
            {"length": 3, "ending_at": "yesterday"},
            'ending_at is "yesterday", must be a date or a time such as 2024-12-01T09:30:00Z',
            id="no-time",
        ),
        pytest.param(
            {"length": 3, "ending_at": "2026-02-30"},
            'ending_at is "2026-02-30", must be a date or a time such as 2024-12-01T09:30:00Z',
            id="no-day-of-the-calendar",
        ),
        pytest.param(
            {"length": 3, "ending_at": "0001-01-01"},
            'ending_at is "0001-01-01", must be a date or a time such as 2024-12-01T09:30:00Z',
            id="long-ago",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    spring: World, parameters: dict[str, Any], message: str
) -> None:
    answer = spring.ask("/campaigns/data_series", 400, campaign_id="spring", **parameters)
    assert answer == {"message": message}


@pytest.mark.parametrize("path", ["/campaigns/details", "/campaigns/data_series", "/sends/data_series"])
@pytest.mark.parametrize("parameters", [{}, {"campaign_id": "winter"}, {"campaign_id": "\0"}])
def test_an_unknown_campaign_is_a_bad_request(spring: World, path: str, parameters: dict[str, Any]) -> None:
    message = "campaign_id must be a string of the campaign api identifier"
    assert spring.ask(path, 400, length=3, **parameters) == {"message": message}


def test_a_draft_has_days_without_anything(spring: World) -> None:
    rows = spring.ask("/campaigns/data_series", campaign_id="draft", length=2)["data"]
    assert [row["time"] for row in rows] == ["2026-03-09", "2026-03-10"]
    assert rows[0]["messages"]["email"][0]["sent"] == 0
    assert spring.ask("/campaigns/details", campaign_id="draft")["draft"] is True


def test_details_say_what_the_definition_says(spring: World) -> None:
    details = spring.ask("/campaigns/details", campaign_id="spring")
    assert set(details) == DETAILS
    assert details == {
        "created_at": "2026-03-10T12:00:00+00:00",
        "updated_at": "2026-03-10T12:00:00+00:00",
        "archived": False,
        "draft": False,
        "enabled": True,
        "name": "Spring sale",
        "description": "",
        "schedule_type": None,
        "channels": ["email"],
        "first_sent": "2026-03-01T10:00:00+00:00",
        "last_sent": "2026-03-02T10:00:00+00:00",
        "tags": ["season"],
        "messages": {
            "a": {"channel": "email", "name": "Short"},
            "b": {"channel": "email", "name": "Long"},
            "control": {"type": "control", "name": "control"},
        },
        "conversion_behaviors": [
            {"type": "Makes Any Purchase", "window": 259_200},
            {"type": "Performs Custom Event", "window": 86_400, "custom_event_name": "Signed Up"},
        ],
        "message": "success",
    }


BEHAVIORS = [
    pytest.param({"kind": "session"}, {"type": "Starts Session", "app_ids": None}, id="any-app"),
    pytest.param({"kind": "session", "apps": ["ios"]}, {"type": "Starts Session", "app_ids": ["ios"]}, id="an-app"),
    pytest.param({"kind": "upgrade", "apps": ["ios"]}, {"type": "Upgrades App", "app_ids": ["ios"]}, id="upgrade"),
    pytest.param({"kind": "purchase"}, {"type": "Makes Any Purchase"}, id="any-purchase"),
    pytest.param(
        {"kind": "purchase", "products": ["sku"]}, {"type": "Makes Specific Purchase", "product": "sku"}, id="product"
    ),
    pytest.param(
        {"kind": "custom", "name": "x"}, {"type": "Performs Custom Event", "custom_event_name": "x"}, id="custom"
    ),
    pytest.param({"kind": "message_open"}, {"type": "Opens Email"}, id="open"),
    pytest.param({"kind": "message_click"}, {"type": "Clicks Email"}, id="click"),
]


@pytest.mark.parametrize(("event", "behavior"), BEHAVIORS)
def test_each_kind_of_conversion_event_has_its_word(
    spring: World, event: dict[str, Any], behavior: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = f"kind-{request.node.callspec.id}"
    spring.say("/api/campaigns", CAMPAIGN | {"id": name, "conversion_events": [event | {"deadline": "1 hour"}]})
    details = spring.ask("/campaigns/details", campaign_id=name)
    assert details["conversion_behaviors"] == [behavior | {"window": 3600}]


@pytest.mark.parametrize("channel", COUNTERS)
def test_every_channel_has_all_its_counters(spring: World, channel: str) -> None:
    name = f"only-{channel}"
    spring.say(
        "/api/campaigns", CAMPAIGN | {"id": name, "channels": [channel], "variants": [{"id": "a", "share": 100}]}
    )
    [row] = spring.ask("/campaigns/data_series", campaign_id=name, length=1)["data"]
    assert set(row) == {"time", "unique_recipients", "revenue", "messages", *CONVERSIONS}
    [entry] = row["messages"][NAMES.get(channel, channel)]
    assert set(entry) == {"revenue", "unique_recipients", *CONVERSIONS, *COUNTERS[channel]}
    unknown = {name for name, value in entry.items() if value is None}
    assert unknown == {*COUNTERS[channel]} - {"sent"}


def test_a_send_is_not_known(spring: World) -> None:
    answer = spring.ask("/sends/data_series", 400, campaign_id="spring", length=3, send_id="s-1")
    assert answer["message"].startswith('send_id "s-1" is unknown: exposures do not say which send')
    assert spring.ask("/sends/data_series", 400, campaign_id="spring", length=3) == {"message": "send_id is required"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two hundred campaigns and a Canvas, all of one moment."""
    with world(tmp_path_factory.mktemp("data")) as found:
        for n in range(200):
            found.data.metadata.campaigns.create(_minimal(f"c{n:03}"), found.now + n)
        found.data.metadata.campaigns.archive("c000", found.now + 1_000_000)
        yield found


def _minimal(name: str) -> Campaign:
    return Campaign(name, "campaign", name, (Variant("a", 10_000),))


@pytest.mark.parametrize(
    ("parameters", "first", "count"),
    [
        pytest.param({}, "c001", 100, id="page-0-without-archived"),
        pytest.param({"page": 1}, "c101", 99, id="the-last-page"),
        pytest.param({"page": 2}, None, 0, id="past-the-end"),
        pytest.param({"page": 0, "include_archived": "true"}, "c000", 100, id="with-archived"),
        pytest.param({"page": 1, "include_archived": "True"}, "c100", 100, id="full-last-page"),
        pytest.param({"sort_direction": "desc"}, "c199", 100, id="newest-first"),
        pytest.param({"last_edit.time[gt]": "2026-03-10T12:00:00.000197Z"}, "c198", 2, id="edited-after"),
    ],
)
def test_lists_are_paged(many: World, parameters: dict[str, Any], first: str | None, count: int) -> None:
    answer = many.ask("/campaigns/list", **parameters)
    found = answer["campaigns"]
    assert answer["message"] == "success"
    assert len(found) == count
    assert all(set(one) == {"id", "last_edited", "name", "is_api_campaign", "tags"} for one in found)
    assert (found[0]["id"] if found else None) == first


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"page": -1}, id="negative"),
        pytest.param({"page": "one"}, id="no-number"),
        pytest.param({"include_archived": "maybe"}, id="no-truth"),
        pytest.param({"sort_direction": "up"}, id="no-direction"),
        pytest.param({"last_edit.time[gt]": "soon"}, id="no-time"),
    ],
)
def test_odd_parameters_of_lists_are_refused(many: World, parameters: dict[str, Any]) -> None:
    assert set(many.ask("/campaigns/list", 400, **parameters)) == {"message"}


def test_a_list_of_canvases_has_no_campaigns(many: World) -> None:
    assert many.ask("/canvas/list") == {"canvases": [], "message": "success"}


def test_answers_have_the_headers_and_refusals_of_the_original(spring: World) -> None:
    response = spring.client.get("/campaigns/list", headers=spring.headers)
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(response.headers)
    assert spring.client.get("/campaigns/list").status_code == 401
    other = {"authorization": f"Bearer {spring.key_for(Permission.CANVAS_LIST)}"}
    assert spring.client.get("/canvas/list", headers=other).status_code == 200
    assert spring.client.get("/campaigns/list", headers=other).status_code == 403
