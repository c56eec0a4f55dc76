"""The page of a campaign says what the API says, and leads to the people behind each number."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import expect

from afterword.reports import wording
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.conftest import Browse, World
from tests.browser.reading_pages import fetch, get
from tests.interfaces.serving import wait_for

DEMO = ("email-test", "update-app", "welcome")
COLUMNS = ["exposed", "audience", "converted", "after_open", "after_click", "rate", "interval", "pending", "revenue"]


def report(world: World, campaign: str) -> dict[str, Any]:
    return world.client.report(campaign)


def rows_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [*told["variants"], told["total"], told["total_with_control"]]


@pytest.mark.parametrize("campaign", DEMO)
def test_numbers_are_those_of_the_api(world: World, campaign: str) -> None:
    told = report(world, campaign)
    for letter in (event["letter"] for event in told["conversion_events"]):
        page = fetch(world, Role.ANALYST, "/campaign", id=campaign, event=letter, chosen="1", columns=COLUMNS)
        _, *lines = page.tables["variants"].texts()
        expected = [
            [
                wording.number(row["exposed"]),
                wording.percent(row["audience_share"], 1),
                wording.number(on["converted"]),
                wording.number(on["after_open"]),
                wording.number(on["after_click"]),
                wording.percent(on["rate"]),
                wording.interval(on["interval"]),
                wording.number(on["pending"]),
                wording.money(row["revenue"]["amount"], told["currency"]),
            ]
            for row in rows_of(told)
            for on in [row["conversions"][letter]]
        ]
        assert [line[1:] for line in lines] == expected
        text = page.text.replace("&#34;", '"').replace("&#39;", "'")
        assert all(sentence in text for sentence in [told["verdict"]["sentence"], *told["verdict"]["remarks"]])
        assert beside_control(told) == re.findall(r">([^<]+)</span> than without the message", text)


def beside_control(told: dict[str, Any]) -> list[str]:
    """What the headline figures say that the message caused: conversions and rate on A, and revenue."""
    if told["incremental"] is None:
        return []
    on_a, money = (told["incremental"]["metrics"][name] for name in ("A", "revenue"))
    words = [
        wording.beside(wording.signed(on_a["incremental"], 0), less="fewer"),
        wording.beside(wording.signed(100 * on_a["difference"], 2), "points"),
        wording.beside(wording.signed_money(float(money["incremental"]), told["currency"])),
    ]
    return words if float(money["incremental"]) or money["incremental_interval"] else words[:2]


def test_numbers_are_those_of_the_command_line(world: World) -> None:
    command = [sys.executable, "-m", "afterword", "report", "welcome", "--data", str(world.served.data), "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    told = said["campaigns"][0] if "campaigns" in said else said
    _, *lines = fetch(world, Role.VIEWER, "/campaign", id="welcome").tables["variants"].texts()
    assert [line[1:3] for line in lines] == [
        [wording.number(row["exposed"]), wording.number(row["conversions"]["A"]["converted"])] for row in rows_of(told)
    ]


def listed(world: World, address: str) -> int:
    answer = get(world, Role.ANALYST, address + "&format=csv")
    assert answer.status_code == 200, answer.text
    return len(answer.text.splitlines()) - 1


def check_lists(world: World, campaign: str, letter: str) -> str:
    columns = ["exposed", "converted", "after_open", "after_click", "pending"]
    page = fetch(world, Role.ANALYST, "/campaign", id=campaign, event=letter, chosen="1", columns=columns)
    numbers = {address: text for address, text in page.links if text.replace(",", "").isdigit()}
    assert len(numbers) > 10
    for path, more in (("messages", {}), ("breakdown", {}), ("breakdown", {"attribute": "country"})):
        part = fetch(world, Role.ANALYST, f"/campaign/{path}", id=campaign, event=letter, **more)
        numbers |= {address: text for address, text in part.links if text.replace(",", "").isdigit()}
    assert {address: f"{listed(world, address):,}" for address in numbers} == numbers
    return " ".join(numbers)


def test_each_number_leads_to_as_many_people(world: World) -> None:
    addresses = check_lists(world, "welcome", "C")
    for one in ("exposures", "received%3A", "reported%3Amessage_open"):
        assert f"state={one}" in addresses
    assert "channel=none" in addresses
    assert "attribute=country" in addresses
    for group in ("variant=story&state=exposed&channel=none", "state=exposed&attribute=country"):
        users = world.client.get(f"/api/campaigns/welcome/users?{group}").json()["users"]
        assert len(users) == listed(world, f"/campaign/users?id=welcome&{group}") > 0
    for nobody in ("channel=mail", "value=NL", "state=exposures&channel=email"):
        assert world.client.get(f"/api/campaigns/welcome/users?{nobody}").status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("campaign", DEMO)
def test_each_number_of_the_demo_leads_to_as_many_people(world: World, campaign: str) -> None:
    for event in report(world, campaign)["conversion_events"]:
        check_lists(world, campaign, event["letter"])


def test_viewers_see_numbers_without_people(world: World) -> None:
    page = fetch(world, Role.VIEWER, "/campaign", id="welcome")
    assert page.status == 200
    assert page.links == []
    assert "/campaign/why" not in page.text
    assert "/campaign/stop" not in page.text
    for path in ("/campaign/users", "/campaign/why"):
        assert fetch(world, Role.VIEWER, path, id="welcome", user="n-0060").status == 403


def test_analysts_ask_for_a_story_on_the_page(world: World, browse: Browse) -> None:
    page = browse(world, Role.ANALYST).open("/campaign?id=welcome")
    page.get_by_label("User id").fill("n-0060")
    page.get_by_role("button", name="Tell the story").press("Enter")
    page.wait_for_url("**/campaign/why?id=welcome&user=n-0060")
    expect(page.locator("#story")).to_contain_text("triggered this exposure")


def test_looking_at_people_enters_the_audit_log(world: World) -> None:
    fetch(world, Role.ANALYST, "/campaign/users", id="welcome", event="A", variant="story", attribute="plan", value="x")
    fetch(world, Role.ANALYST, "/campaign/why", id="welcome", user="n-0060", whole="1")
    with open_metadata(world.served.data / FILE_NAME, create=False) as metadata:
        why, users = metadata.audit.list(limit=2)
    assert (users.action, users.detail["variant"], users.detail["state"]) == ("users.listed", "story", "converted")
    assert (users.detail["attribute"], "value" in users.detail) == ("plan", False)
    assert (why.action, why.user_id) == ("user.explained", "n-0060")


def test_columns_stay_chosen(world: World, browse: Browse) -> None:
    page = browse(world, Role.ANALYST).open("/campaign?id=welcome&chosen=1&columns=rate&columns=audience")
    heads = page.locator("#variants thead th")
    assert heads.all_inner_texts() == ["Variant", "Audience", "Rate"]
    page.goto("/campaign?id=welcome&event=B")
    assert heads.all_inner_texts() == ["Variant", "Audience", "Rate"]


@pytest.mark.parametrize("campaign", DEMO)
def test_why_says_what_explain_says(world: World, campaign: str) -> None:
    (user, *_) = world.client.get(f"/api/campaigns/{campaign}/users").json()["users"]
    said = world.client.get(f"/api/campaigns/{campaign}/explain?user={user['user_id']}").json()
    page = fetch(world, Role.ANALYST, "/campaign/why", id=campaign, user=user["user_id"], whole="1")
    for verdict in said["verdicts"]:
        assert verdict["text"].replace('"', "&#34;") in page.text
    assert len(page.tables[""].rows) == len(said["story"]) + 1
    for code in said["overall"].values():
        assert f'data-verdict="{code}"' in page.text
    assert re.search(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", page.text) is None  # times as the reader writes them


def test_why_of_an_unknown_user_offers_another(world: World) -> None:
    page = fetch(world, Role.ANALYST, "/campaign/why", id="welcome", user="n-006x", whole="1")
    assert page.status == 404
    assert "did you mean" in page.text


def test_who_was_never_exposed_is_told_so_once(world: World) -> None:
    (user, *_) = world.client.get("/api/campaigns/email-test/users").json()["users"]
    page = fetch(world, Role.ANALYST, "/campaign/why", id="welcome", user=user["user_id"], whole="1")
    assert page.text.lower().count("never exposed") == 1
    assert "data-verdict" not in page.text


@pytest.mark.parametrize("campaign", DEMO)
def test_charts_are_drawn_from_tables_with_the_apis_days(world: World, campaign: str) -> None:
    told = report(world, campaign)
    text = get(world, Role.VIEWER, "/campaign/over-time", id=campaign, csv="daily").text
    if campaign == "email-test":
        text_of_two = get(world, Role.VIEWER, "/campaign/over-time", **{
            "id": campaign, "csv": "daily", "from": told["by_day"]["days"][3], "to": told["by_day"]["days"][4]
        }).text  # fmt: skip
        assert text_of_two.splitlines()[1:] == text.splitlines()[4:6]
    _, *lines = [line.split(",") for line in text.splitlines()]
    series = told["by_day"]["total"]["conversions"]["A"]
    shown = [(day, n) for (day, n, _) in lines if n]
    assert shown == [(day, str(n)) for day, n in zip(told["by_day"]["days"], series, strict=True) if not 0 < n < 10]


@pytest.mark.parametrize("campaign", ["email-test", "update-app"])
def test_the_band_ends_at_the_rates_of_the_verdict(world: World, campaign: str) -> None:
    text = get(world, Role.VIEWER, "/campaign/over-time", id=campaign, csv="of-age").text
    _, *last = text.splitlines()[-1].split(",")
    rates = report(world, campaign)["verdict"]["rates"]
    assert last[::3] == [f"{100 * one['rate']:.4g}" for one in rates.values()]
    for rate, low, high in zip(last[::3], last[1::3], last[2::3], strict=True):
        assert float(low) < float(rate) < float(high)


@pytest.mark.slow
def test_what_if_is_what_the_api_explores(world: World, browse: Browse) -> None:
    watched = browse(world, Role.ANALYST)
    page = watched.open("/campaign/what-if?id=update-app&kind=session&deadline=1+day")
    page.locator("#answer-1").wait_for()
    event = {"kind": "session", "deadline": "1 day"}
    asked = world.client.post("/api/campaigns/update-app/explore", {"conversion_events": [event]})
    result = asked.json()["result"]
    texts = [row.split("\t") for row in page.locator("#answer-1 tbody tr").all_inner_texts()]
    assert [row[2].strip() for row in texts] == [
        f"{row['conversions']['X1']['converted']:,}" for row in result["variants"]
    ]
    assert "Exploratory" in page.content()
    watched.check()


def test_what_if_says_at_the_field_what_is_wrong(world: World) -> None:
    page = fetch(world, Role.VIEWER, "/campaign/what-if", id="welcome", kind="custom", deadline="45 days")
    assert page.status == 400
    assert 'id="deadline-error">Deadline is 45 days, must be at most 30 days.' in page.text
    assert 'id="name-error"' in page.text


def explored(world: World, question: str) -> dict[str, Any]:
    wait_for(lambda: bool(world.client.get(f"/api/explorations/{question}").json()["result"]), 60)
    return dict(world.client.get(f"/api/explorations/{question}").json()["result"])


def test_what_if_filters_by_property_as_conversion_events_do(world: World) -> None:
    filters = {"property": "$currency", "op": "=", "value": "EUR", "of": "text"}
    paid = {"kind": "purchase", "deadline": "3 days"}
    several = filters | {"op": "in", "value": "EUR, USD"}
    for more, where in (
        (filters, [{"property": "$currency", "op": "=", "value": "EUR"}]),
        (filters | {"property": "$price", "op": ">", "value": "20", "of": "number"},
         [{"property": "$price", "op": ">", "value": 20}]),
        (several, [{"property": "$currency", "op": "in", "value": ["EUR", "USD"]}]),
    ):  # fmt: skip
        asked = world.client.post(
            "/api/campaigns/welcome/explore", {"conversion_events": [{**paid, "where": where}]}
        ).json()
        result = explored(world, asked["id"])
        page = fetch(world, Role.ANALYST, "/campaign/what-if", id="welcome", **paid, **more)
        _, *lines = page.tables["answer-1"].texts()
        shown = [line[2] for line in lines[: len(result["variants"])]]
        assert shown == [f"{row['conversions']['X1']['converted']:,}" for row in result["variants"]]
        assert f'value="{more["property"]}"' in page.text
    wrong = fetch(world, Role.ANALYST, "/campaign/what-if", id="welcome", **paid, **(filters | {"of": "number"}))
    assert (wrong.status, "which is no number such as 49.90" in wrong.text) == (400, True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("role", "path"),
    [
        pytest.param(Role.ADMIN, "/campaign?id=welcome", id="canvas"),
        pytest.param(Role.VIEWER, "/campaign?id=email-test&event=B", id="second event"),
        pytest.param(Role.ANALYST, "/campaign/why?id=welcome&user=n-0060", id="why"),
        pytest.param(Role.ANALYST, "/campaign/users?id=welcome&variant=total&event=A", id="people"),
    ],
)
def test_nothing_bars_anybody(world: World, browse: Browse, role: Role, path: str) -> None:
    watched = browse(world, role)
    page = watched.open(path)
    if path.startswith("/campaign?"):
        page.locator("#card-of-age svg").wait_for()
        page.locator("#messages h2").wait_for()
    if path.startswith("/campaign/why?"):
        page.locator("#story .verdict-of").first.wait_for()
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    watched.check()


def test_what_is_known_of_a_single_day_stands_side_by_side(world: World, browse: Browse) -> None:
    """Of a single blast all windows close on one day: a point and a bar for each variant, none of them cut off."""
    page = browse(world, Role.VIEWER).open("/campaign/over-time?id=email-test")
    chart = page.locator('[data-name="Rate when the window has passed"] .plot svg')
    chart.wait_for()
    texts = chart.locator("text").all_text_contents()
    assert {"Mens E-Mail", "Womens E-Mail", "No E-Mail"} <= set(texts)
    frame = chart.bounding_box()
    assert frame is not None
    bars = chart.locator('path[stroke-opacity="0.45"], path[stroke-width="3"]').all()
    boxes = [box for one in bars if (box := one.bounding_box()) and box["height"] > 10]
    assert len(boxes) == 3
    assert all(frame["y"] < box["y"] and box["y"] + box["height"] < frame["y"] + frame["height"] for box in boxes)
