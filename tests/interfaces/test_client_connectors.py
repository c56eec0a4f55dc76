"""What connectors of data warehouses ask: lists page by page until nothing comes, and series over months in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from afterword.model import Campaign, Variant
from tests.interfaces.braze_world import CAMPAIGN, World, bought, exposed, happened, world

FIRST, LAST = date(2025, 11, 3), date(2026, 3, 10)
RECENT = date(2026, 2, 25)
"""Where a connector begins that asks for each day alone."""
CANVAS = CAMPAIGN | {"id": "welcome", "name": "Welcome", "steps": [{"id": "hello", "name": "Hello"}]}
OTHERS = 203


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Months of a campaign and a Canvas, and many campaigns in which nothing happens."""
    with world(tmp_path_factory.mktemp("data"), "America/New_York") as found:
        for campaign in (CAMPAIGN, CANVAS):
            found.launched(campaign)
        for n in range(OTHERS):
            other = Campaign(f"c{n:03}", "campaign", f"Other {n}", (Variant("a", 10_000),))
            found.data.metadata.campaigns.create(other, found.now + 1_000_000 * (n + 1))
        exposures, events = [], []
        for n, day in enumerate(days(FIRST, LAST - timedelta(days=5), 3)):
            variant = ("a", "b", "control")[n % 3]
            for of in ("spring", "welcome"):
                exposures.append(exposed(f"x-{of}-{n}", f"u{n}", variant, f"{day}T15:00:00Z", of, channel="email"))
            events.append(bought(f"p{n}", f"u{n}", f"{day + timedelta(days=n % 3)}T16:00:00Z", "2.50"))
            events.append(happened(f"e{n}", f"u{n}", "custom", f"{day}T23:30:00Z", name=("Signed Up", "Viewed")[n % 2]))
        found.facts(exposures=exposures, events=events)
        yield found


def days(first: date, last: date, step: int) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=step)


def until_empty(found: World, path: str, of: str, **parameters: Any) -> list[Any]:
    """Page until a page has nothing."""
    listed: list[Any] = []
    for page in count():
        part = found.ask(path, page=page, **parameters)[of]
        assert len(part) <= 250
        if not part:
            return listed
        listed += part
    raise AssertionError


def until_short(found: World, path: str, of: str, **parameters: Any) -> list[Any]:
    """Page until a page has less than two entries, the first page without its number."""
    listed: list[Any] = []
    for page in count():
        part = found.ask(path, **parameters, **({"page": page} if page else {}))[of]
        listed += part
        if len(part) < 2:
            return listed
    raise AssertionError


@pytest.mark.parametrize("paged", [until_empty, until_short])
def test_lists_are_read_to_their_end(warehouse: World, paged: Callable[..., list[Any]]) -> None:
    campaigns = paged(warehouse, "/campaigns/list", "campaigns", **{"last_edit.time[gt]": "2019-01-01"})
    assert sorted(one["id"] for one in campaigns) == sorted(["spring", *(f"c{n:03}" for n in range(OTHERS))])
    assert [one["id"] for one in paged(warehouse, "/canvas/list", "canvases")] == ["welcome"]
    assert sorted(paged(warehouse, "/events/list", "events")) == ["Signed Up", "Viewed"]
    assert paged(warehouse, "/segments/list", "segments") == []
    assert paged(warehouse, "/feed/list", "cards", **{"last_edit.time[gt]": "2019-01-01"}) == []


def test_a_second_sync_lists_what_was_edited_since_the_last_edit_of_the_first(warehouse: World) -> None:
    campaigns = until_empty(warehouse, "/campaigns/list", "campaigns", sort_direction="desc")
    newest = campaigns[0]["last_edited"]
    since = {"last_edit.time[gt]": newest}
    assert until_empty(warehouse, "/campaigns/list", "campaigns", **since) == []
    before = campaigns[5]["last_edited"]
    again = until_empty(warehouse, "/campaigns/list", "campaigns", **{"last_edit.time[gt]": before})
    assert [one["id"] for one in again] == [one["id"] for one in reversed(campaigns[:5])]


def sliced(found: World, path: str, step: int, since: date = FIRST, **parameters: Any) -> list[dict[str, Any]]:
    """Read all days to the last one in slices of so many days."""
    rows: list[dict[str, Any]] = []
    for first in days(since, LAST, step):
        last = min(first + timedelta(days=step - 1), LAST)
        answer = found.ask(path, ending_at=last.isoformat(), length=(last - first).days + 1, **parameters)
        part = answer["data"]["stats"] if isinstance(answer["data"], dict) else answer["data"]
        assert [row["time"] for row in part] == [day.isoformat() for day in days(first, last, 1)]
        rows += part
    return rows


def test_a_campaign_is_the_same_day_by_day_and_in_slices(warehouse: World) -> None:
    rows, weekly = (sliced(warehouse, "/campaigns/data_series", step, campaign_id="spring") for step in (100, 30))
    assert rows == weekly
    daily = sliced(warehouse, "/campaigns/data_series", 1, RECENT, campaign_id="spring")
    assert daily == rows[-len(daily) :]
    variants = warehouse.ask("/api/campaigns/spring/report")["campaigns"][0]["variants"]
    for name, letter in (("conversions", "A"), ("conversions1", "B")):
        everybody = sum(one["conversions"][letter]["converted"] for one in variants)
        control = sum(one["conversions"][letter]["converted"] for one in variants if one["control"])
        assert sum(row[name] for row in rows) == sum(row[f"{name}_by_send_time"] for row in rows) == everybody - control
        assert sum(entry[name] for row in rows for entry in row["messages"]["email"]) == everybody > control > 0
    exposed = sum(one["exposed"] for one in variants if not one["control"])
    assert sum(row["unique_recipients"] for row in rows) == exposed


def test_a_canvas_is_the_same_day_by_day_and_in_slices(warehouse: World) -> None:
    asked: dict[str, Any] = {"canvas_id": "welcome", "include_variant_breakdown": "true"}
    rows, others = (sliced(warehouse, "/canvas/data_series", step, **asked) for step in (14, 13))
    assert rows == others
    daily = sliced(warehouse, "/canvas/data_series", 1, RECENT, **asked)
    assert daily == rows[-len(daily) :]
    variants = warehouse.ask("/api/campaigns/welcome/report")["campaigns"][0]["variants"]
    everybody = sum(one["conversions"]["A"]["converted"] for one in variants)
    assert sum(one["conversions"] for row in rows for one in row["variant_stats"].values()) == everybody > 0


def test_what_users_did_is_read_over_months(warehouse: World) -> None:
    sums = {}
    for event in until_empty(warehouse, "/events/list", "events"):
        rows = sliced(warehouse, "/events/data_series", 100, event=event, unit="day")
        daily = sliced(warehouse, "/events/data_series", 1, RECENT, event=event)
        assert daily == rows[-len(daily) :]
        sums[event] = sum(row["count"] for row in rows)
    assert sums == {"Signed Up": 21, "Viewed": 20}
    new = sliced(warehouse, "/kpi/new_users/data_series", 100)
    assert sum(row["new_users"] for row in new) == 41


def test_details_are_there_for_all_that_is_listed(warehouse: World) -> None:
    for one in until_empty(warehouse, "/campaigns/list", "campaigns")[-10:]:
        assert warehouse.ask("/campaigns/details", campaign_id=one["id"])["name"] == one["name"]
