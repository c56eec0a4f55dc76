"""The page of a campaign in all its states, with hostile names, and while new facts come in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from afterword.store.accounts import Role
from tests.browser.conftest import PHONE, Browse, World, make_people
from tests.browser.reading_pages import fetch, get
from tests.interfaces.serving import Served, campaign, exposures, purchase, wait_for

HOSTILE = (
    "<script>alert(1)</script>",
    "\u202eright to left\u202c",
    '=HYPERLINK("http://x")',
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 " * 40,
    "W" * 250,
    "'\"><img src=x onerror=alert(1)>",
    "a b\tc",
)
EVENTS = [
    {"kind": "custom", "name": HOSTILE[0], "deadline": "1 day"},
    {"kind": "purchase", "deadline": "3 days", "products": ["<b>p</b>"]},
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Campaigns in each state."""
    served = Served(tmp_path_factory.mktemp("odd"))
    try:
        client = served.start()
        variants: list[dict[str, Any]] = [{"id": f"v{i}", "name": name, "share": 10} for i, name in enumerate(HOSTILE)]
        variants += [
            {"id": "v7", "name": "The last", "share": 10},
            {"id": "control", "name": "=1+1", "control": True, "share": 20},
        ]
        assert client.post("/api/campaigns", campaign("draft", name="Draft")).status_code == 201
        client.launch(campaign("nobody", name="Nobody"))
        client.launch(campaign("gone", name="Gone"))
        for move in ("stop", "archive"):
            assert client.post(f"/api/campaigns/gone/{move}").status_code == 200
        client.launch(campaign("early", name="Early"))
        client.launch(campaign("plain", name="Plain", variants=[{"id": "a", "share": 100}], conversion_events=[]))
        client.launch(
            campaign("hostile", name=HOSTILE[0], variants=variants, conversion_events=EVENTS, tags=["<i>tag</i>"])
        )
        people = {str(one["id"]): [f"{one['id']}-{n}" for n in range(12)] for one in variants}
        people["v0"] += ["=cmd()", "<img src=x onerror=alert(1)>"]
        for variant, users in people.items():
            assert client.post("/api/exposures", exposures(users, variant, of="hostile")).status_code == 201
        assert client.post("/api/exposures", exposures(["ann", "bob"], of="early")).status_code == 201
        assert client.post("/api/exposures", exposures(["cem"], "control", of="early")).status_code == 201
        assert client.post("/api/exposures", exposures(["ann"], of="plain")).status_code == 201
        bought = [purchase(user, product_id="<b>p</b>") for user in people["v0"]]
        assert client.post("/api/events", {"events": [*bought, purchase("ann")]}).status_code == 201
        client.loaded()
        for name in ("early", "hostile"):
            client.report(name)
        yield World(served, client, make_people(served))
    finally:
        served.close()


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("draft", "Not launched yet", id="draft"),
        pytest.param("nobody", "Nobody was exposed yet", id="nobody exposed"),
        pytest.param("gone", "Archived", id="archived"),
        pytest.param("early", "too early", id="too early"),
        pytest.param("plain", "no conversion events", id="no conversion events"),
        pytest.param("hostile", "Percentage points", id="eight variants with hostile names"),
    ],
)
def test_each_state_is_designed(odd: World, browse: Browse, name: str, said: str) -> None:
    watched = browse(odd, Role.EDITOR)
    page = watched.open(f"/campaign?id={name}")
    assert page.locator("h1").count() == 1
    text = page.locator("main").inner_text()
    assert said.casefold() in text.casefold()
    watched.check()


def test_a_chart_that_is_still_wide_does_not_widen_a_page_that_became_narrow(odd: World, browse: Browse) -> None:
    watched = browse(odd, Role.EDITOR)
    watched.page.add_init_script("window.ResizeObserver = class { observe() {} }")
    page = watched.open("/campaign?id=early")
    page.locator("#over-time svg").first.wait_for()
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_unknown_campaigns_are_said_to_be_unknown(odd: World) -> None:
    page = fetch(odd, Role.VIEWER, "/campaign", id="<script>")
    assert page.status == 404
    assert "<script>" not in page.text.replace("<script src", "")


def test_viewers_are_not_told_small_numbers(odd: World) -> None:
    seen = fetch(odd, Role.VIEWER, "/campaign", id="early").tables["variants"].texts()
    assert seen[1][1] == "<\u202f10"
    assert fetch(odd, Role.ANALYST, "/campaign", id="early").tables["variants"].texts()[1][1] == "2"


def test_hostile_names_are_only_text(odd: World, browse: Browse) -> None:
    watched = browse(odd, Role.ANALYST)
    page = watched.open("/campaign?id=hostile&event=B")
    assert HOSTILE[0] in page.locator("h1").inner_text()
    assert page.locator("main img, main script").count() == 0
    page.locator("#over-time svg").first.wait_for()
    page.goto("/campaign/users?id=hostile&variant=v0&event=B")
    assert page.locator("main img").count() == 0
    assert HOSTILE[0] in page.locator("main").inner_text()


def test_files_hold_no_formula(odd: World) -> None:
    text = get(odd, Role.ANALYST, "/campaign/users", id="hostile", variant="v0", event="B", format="csv").text
    users = [row["user_id"] for row in csv.DictReader(io.StringIO(text))]
    assert "'=cmd()" in users
    assert len(users) == 14
    heads = get(odd, Role.VIEWER, "/campaign/over-time", id="hostile", csv="recipients").text.splitlines()[0]
    assert "'=1+1" in heads


def test_conversions_appear_without_reload_and_nothing_open_closes(odd: World, browse: Browse) -> None:
    page = browse(odd, Role.ANALYST).open("/campaign?id=early")
    page.evaluate("window.same = true")
    page.locator("#columns > summary").click()
    box = page.locator("#columns input[value=audience]")
    box.check()
    box.focus()
    conversions = page.locator("#variants tbody tr").first.locator("td").nth(1)
    expect(conversions).to_have_text("1")
    assert odd.client.post("/api/events", {"events": [purchase("bob", ago=1.0)]}).status_code == 201
    expect(conversions).to_have_text("2", timeout=60_000)
    assert page.evaluate("window.same && document.querySelector('#columns').open")
    assert page.evaluate("document.activeElement.value") == "audience"
    assert box.is_checked()


def test_a_long_name_is_whole_in_its_title(odd: World) -> None:
    page = fetch(odd, Role.VIEWER, "/campaign", id="hostile")
    assert f'title="{HOSTILE[4]}"' in page.text


@pytest.mark.slow
def test_a_campaign_comes_to_life_without_reload(odd: World, browse: Browse) -> None:
    odd.client.launch(campaign("alive", name="Alive"))
    odd.client.loaded()
    page = browse(odd, Role.VIEWER).open("/campaign?id=alive")
    expect(page.locator("#live")).to_contain_text("Nobody was exposed yet")
    expect(page.locator("#over-time")).to_contain_text("Charts begin with the first exposure")
    assert odd.client.post("/api/exposures", exposures([f"n{n}" for n in range(20)], of="alive")).status_code == 201
    expect(page.locator("#variants tbody tr").first.locator("td").first).to_have_text("20", timeout=60_000)


def test_while_results_are_not_there_the_page_says_so_and_looks_again(odd: World, browse: Browse) -> None:
    watched = browse(odd, Role.VIEWER)
    watched.expected.add(503)
    odd.served.fault("raise-refresh", "a fault of the test")
    try:
        assert odd.client.post("/api/events", {"events": [purchase("late", ago=1.0)]}).status_code == 201
        wait_for(lambda: "Numbers are not there yet" in get(odd, Role.VIEWER, "/campaign", id="early").text, 30.0)
        page = watched.open("/campaign?id=early")
        expect(page.locator("#live")).to_contain_text("a fault of the test")
        watched.check()
    finally:
        odd.served.mend("raise-refresh")
    expect(page.locator("#variants tbody tr")).to_have_count(2, timeout=60_000)
