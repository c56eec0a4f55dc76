"""Braze-compatible reads of what users did, against what a person counts from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.braze_world import World, bought, happened, world

SERIES = {
    "/events/data_series": "count",
    "/purchases/revenue_series": "revenue",
    "/purchases/quantity_series": "purchase_quantity",
    "/sessions/data_series": "sessions",
    "/kpi/dau/data_series": "dau",
    "/kpi/mau/data_series": "mau",
    "/kpi/new_users/data_series": "new_users",
    "/kpi/uninstalls/data_series": "uninstalls",
}


def session(event: str, user: str, at: str, app: str = "ios") -> dict[str, Any]:
    return happened(event, user, "session", at, app_id=app)


EVENTS = [
    session("s1", "ann", "2026-02-01T10:00:00Z"),
    session("s2", "ann", "2026-03-02T10:00:00Z"),  # 29 days later: her first month runs out
    session("s3", "bob", "2026-03-02T23:30:00Z", "web"),  # the 3rd in Berlin
    session("s4", "bob", "2026-03-03T10:00:00Z"),
    session("s5", "cid", "2026-03-03T10:30:00Z"),
    session("s6", "robert", "2026-03-03T11:00:00Z"),  # is bob
    bought("p1", "ann", "2026-03-02T10:00:00Z", "10.10", quantity=3),
    bought("p2", "dan", "2026-03-03T10:00:00Z", "0.000001", product_id="hat"),
    bought("p3", "dan", "2026-03-03T10:00:00Z", "5", currency="USD"),
    happened("r1", "ann", "refund", "2026-03-04T10:00:00Z", refund_of="p1", price="10.10", currency="EUR"),
    happened("r2", "ann", "refund", "2026-03-05T10:00:00Z", refund_of="p1", price="0.10"),
    happened("e1", "ann", "custom", "2026-03-02T22:59:59Z", name="Viewed", app_id="ios"),
    happened("e2", "ann", "custom", "2026-03-02T23:00:00Z", name="Viewed", app_id="web"),
    happened("e3", "ann", "custom", "2026-03-03T00:10:00Z", name="Viewed"),
    happened("o1", "eve", "message_open", "2026-03-02T10:00:00Z", campaign_id="none"),  # is nothing that eve did
]


@pytest.fixture(scope="module")
def berlin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("data"), "Europe/Berlin") as found:
        found.facts(events=EVENTS)
        merge = {"identifier_to_merge": {"external_id": "robert"}, "identifier_to_keep": {"external_id": "bob"}}
        found.say("/users/merge", {"merge_updates": [merge]})
        found.facts()
        yield found


def values(found: World, path: str, **parameters: Any) -> list[Any]:
    """Return a series that ends on the 4th."""
    asked: dict[str, Any] = {"ending_at": "2026-03-04", "length": 4} | parameters
    rows = found.ask(path, **asked)["data"]
    assert all(set(row) == {"time", SERIES[path]} for row in rows)
    return [row[SERIES[path]] for row in rows]


@pytest.mark.parametrize(
    ("path", "parameters", "expected"),
    [
        pytest.param("/events/data_series", {"event": "Viewed"}, [0, 1, 2, 0], id="events"),
        pytest.param("/events/data_series", {"event": "viewed"}, [0, 0, 0, 0], id="another-name"),
        pytest.param("/events/data_series", {"event": "Viewed", "app_id": "ios"}, [0, 1, 0, 0], id="of-an-app"),
        # 3 x 10.10 - 10.10 - 0.10, on the day of the purchase; dollars have no rate and are no euros
        pytest.param("/purchases/revenue_series", {}, [0.0, 20.1, 0.000001, 0.0], id="revenue"),
        pytest.param("/purchases/revenue_series", {"product": "hat"}, [0.0, 0.0, 0.000001, 0.0], id="revenue-of-one"),
        pytest.param("/purchases/quantity_series", {}, [0, 3, 2, 0], id="quantities"),
        pytest.param("/purchases/quantity_series", {"product": "shoe"}, [0, 3, 1, 0], id="quantities-of-one"),
        pytest.param("/sessions/data_series", {}, [0, 1, 4, 0], id="sessions"),
        pytest.param("/sessions/data_series", {"app_id": "web"}, [0, 0, 1, 0], id="sessions-of-an-app"),
        pytest.param("/kpi/dau/data_series", {}, [0, 1, 2, 0], id="bob-is-one-person"),
        pytest.param("/kpi/mau/data_series", {}, [1, 1, 3, 3], id="a-month-rolls"),
        pytest.param("/kpi/new_users/data_series", {}, [0, 0, 3, 0], id="new-users"),
        pytest.param("/kpi/uninstalls/data_series", {}, [None] * 4, id="nobody-reports-uninstalls"),
    ],
)
def test_a_series_is_what_a_person_counts(
    berlin: World, path: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    assert values(berlin, path, **parameters) == expected


@pytest.mark.parametrize(
    ("ending_at", "expected"),
    [
        pytest.param("2026-03-01", 0, id="before"),
        pytest.param("2026-03-02", 1, id="the-day-itself"),
        pytest.param("2026-03-31", 1, id="the-30th-day"),
        pytest.param("2026-04-01", 0, id="the-31st-day"),
    ],
)
def test_active_in_a_month_is_active_on_one_of_30_days(
    tmp_path_factory: pytest.TempPathFactory, ending_at: str, expected: int
) -> None:
    with world(tmp_path_factory.mktemp("data"), now="2026-05-01T00:00:00Z") as found:
        found.facts(events=[session("s1", "ann", "2026-03-02T10:00:00Z")])
        [row] = found.ask("/kpi/mau/data_series", length=1, ending_at=ending_at)["data"]
        assert row["mau"] == expected


def test_hours_can_be_asked_for(berlin: World) -> None:
    rows = berlin.ask("/events/data_series", event="Viewed", unit="hour", length=3, ending_at="2026-03-03T01:30:00")
    assert rows["data"] == [
        {"time": "2026-03-02T23:00:00", "count": 1},
        {"time": "2026-03-03T00:00:00", "count": 1},
        {"time": "2026-03-03T01:00:00", "count": 1},
    ]


def test_what_no_fact_can_tell_is_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    with world(tmp_path_factory.mktemp("data")) as found:
        found.facts(events=[bought("p1", "ann", "2026-03-09T10:00:00Z", "1")])
        for path in ("/kpi/dau/data_series", "/kpi/mau/data_series", "/sessions/data_series"):
            assert found.ask(path, length=1)["data"] == [{"time": "2026-03-10", SERIES[path]: None}]
        assert found.ask("/kpi/new_users/data_series", length=2)["data"][0]["new_users"] == 1


@pytest.mark.parametrize("path", SERIES)
def test_every_series_has_its_bounds(berlin: World, path: str) -> None:
    event: dict[str, Any] = {"event": "Viewed"} if path.startswith("/events") else {}
    assert berlin.ask(path, 400, **event) == {"message": "length is required"}
    assert berlin.ask(path, 400, length=101, **event)["message"].startswith('length is "101"')
    assert len(berlin.ask(path, length=100, **event)["data"]) == 100
    assert berlin.ask(path, 400, length=1, segment_id="x", **event)["message"].startswith("segment_id is not known")


def test_an_event_must_be_named(berlin: World) -> None:
    assert berlin.ask("/events/data_series", 400, length=1) == {"message": "event is required"}


def test_lists_are_sorted_and_paged(tmp_path_factory: pytest.TempPathFactory) -> None:
    with world(tmp_path_factory.mktemp("data")) as found:
        names = [f"event {n:03}" for n in range(251)]
        at = "2026-03-02T10:00:00Z"
        found.facts(
            events=[happened(f"e{n}", "ann", "custom", at, name=name) for n, name in enumerate(names)]
            + [bought("p1", "ann", at, "1", product_id="hat"), bought("p2", "bob", at, "1", product_id="bag")]
        )
        assert found.ask("/events/list") == {"events": names[:250], "message": "success"}
        assert found.ask("/events/list", page=1)["events"] == names[250:]
        assert found.ask("/events/list", page=2)["events"] == []
        assert found.ask("/purchases/product_list") == {"products": ["bag", "hat"], "message": "success"}
        assert found.ask("/purchases/product_list", page=1)["products"] == []


def test_what_does_not_exist_here_is_an_empty_list(berlin: World) -> None:
    assert berlin.ask("/segments/list", page=0) == {"segments": [], "message": "success"}
    assert berlin.ask("/feed/list") == {"cards": [], "message": "success"}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("data")) as found:
        found.say(
            "/users/track",
            {
                "attributes": [
                    {"external_id": "ann", "first_name": "Ann", "plan": "gold", "pets": ["cat"]},
                    {"external_id": 7, "email": "Seven@example.com"},
                ],
                "events": [
                    {"external_id": "ann", "name": "Viewed", "time": "2026-03-01T10:00:00Z"},
                    {"external_id": "ann", "name": "Viewed", "time": "2026-03-03T10:00:00Z"},
                ],
                "purchases": [
                    {
                        "external_id": "ann",
                        "product_id": "shoe",
                        "currency": code,
                        "price": 10.1,
                        "quantity": 2,
                        "time": "2026-03-02T10:00:00Z",
                    }
                    for code in ("EUR", "USD")
                ],
                "sessions": [{"external_id": "ann", "app_id": "ios", "time": "2026-03-01T09:00:00Z"}],
            },
        )
        alias = {"external_id": "ann", "alias_name": "a/1", "alias_label": "crm/%"}
        found.say("/users/alias/new", {"user_aliases": [alias]})
        found.facts()
        yield found


ANN = {
    "external_id": "ann",
    "user_aliases": [{"alias_name": "a/1", "alias_label": "crm/%"}],
    "first_name": "Ann",
    "custom_attributes": {"plan": "gold", "pets": ["cat"]},
    "custom_events": [
        {"name": "Viewed", "first": "2026-03-01T10:00:00+00:00", "last": "2026-03-03T10:00:00+00:00", "count": 2}
    ],
    "purchases": [
        {"name": "shoe", "first": "2026-03-02T10:00:00+00:00", "last": "2026-03-02T10:00:00+00:00", "count": 2}
    ],
    "apps": [
        {
            "name": "ios",
            "sessions": 1,
            "first_used": "2026-03-01T09:00:00+00:00",
            "last_used": "2026-03-01T09:00:00+00:00",
        }
    ],
    "total_revenue": 20.2,
    "total_revenue_other_currencies": {"USD": 20.2},
}


def exported(found: World, body: dict[str, Any]) -> Any:
    return found.say("/users/export/ids", body, 200)


def test_a_user_is_what_facts_say(people: World) -> None:
    answer = exported(people, {"external_ids": ["ann", "nobody"]})
    assert answer == {"users": [ANN], "invalid_user_ids": ["nobody"], "message": "success"}


def test_only_the_fields_asked_for_are_exported(people: World) -> None:
    answer = exported(people, {"external_ids": ["ann"], "fields_to_export": ["first_name", "random_bucket"]})
    assert answer["users"] == [{"external_id": "ann", "first_name": "Ann"}]


@pytest.mark.parametrize(
    ("body", "external_id"),
    [
        pytest.param({"external_ids": [7]}, "7", id="a-number"),
        pytest.param({"email_address": "seven@EXAMPLE.com"}, "7", id="by-email"),
        pytest.param({"user_aliases": [{"alias_name": "a/1", "alias_label": "crm/%"}]}, "ann", id="by-alias"),
    ],
)
def test_users_can_be_named_otherwise(people: World, body: dict[str, Any], external_id: str) -> None:
    [user] = exported(people, body)["users"]
    assert user["external_id"] == external_id


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nobody-named"),
        pytest.param({"external_ids": "ann"}, id="no-list"),
        pytest.param({"external_ids": [str(n) for n in range(51)]}, id="too-many"),
        pytest.param(["ann"], id="no-object"),
    ],
)
def test_an_export_that_cannot_be_read_is_refused(people: World, body: Any) -> None:
    assert set(people.say("/users/export/ids", body, 400)) == {"message"}
