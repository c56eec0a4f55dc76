"""A campaign or Canvas is made in steps: by mouse, by keyboard alone, with mistakes, by two people, by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World, make_people
from tests.interfaces.serving import Served, instant, purchase


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server without any campaign, with a person of each role, where ten people did something lately."""
    served = Served(tmp_path_factory.mktemp("fresh"))
    try:
        client = served.start()
        bought = [purchase(f"u{n}", ago=86_400.0, product_id="tea" if n < 7 else "coffee") for n in range(10)]
        carted = [
            {"user_id": f"u{n}", "kind": "custom", "name": "added_to_cart", "occurred_at": instant(90_000)}
            | {"properties": {"plan": "free" if n else "paid", "total": n}}
            for n in range(4)
        ]
        assert client.post("/api/events", {"events": [*bought, *carted]}).status_code == 201
        client.loaded()
        yield World(served, client, make_people(served))
    finally:
        served.close()


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Save and continue").click()


def begin(page: Page, name: str) -> None:
    page.goto("/create")
    page.get_by_label("Name", exact=True).fill(name)
    go_on(page)
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def go_to(page: Page, step: str) -> None:
    page.get_by_label("Steps").get_by_role("button", name=step).click()
    expect(page.get_by_label("Steps").locator("[aria-current]")).to_contain_text(step)


def test_four_conversion_events_are_made_and_launched(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/create")
    watched.check()
    begin(page, "Cart rescue, März")
    page.get_by_role("button", name="Add variant").click()
    page.get_by_role("button", name="Share evenly").click()
    expect(page.get_by_label("Share in %", exact=True).nth(1)).to_have_value("45")
    watched.check()
    page.screenshot(path="/tmp/w2_variants.png", full_page=True)
    go_on(page)
    assert '"campaign_id": "cart-rescue-marz"' in page.locator("#snippet-assign").inner_text()
    watched.check()
    page.screenshot(path="/tmp/w2_exposures.png", full_page=True)
    go_on(page)
    page.get_by_role("button", name="Rescue a cart").click()
    expect(page.get_by_label("What people do")).to_be_focused()
    page.get_by_label("Only this product").fill("te")
    page.get_by_role("button", name="tea 7").click()
    expect(page.get_by_text("tea was seen 7 times")).to_be_visible()
    expect(page.get_by_label("Another product")).to_be_focused()
    page.keyboard.type("tee")
    page.get_by_role("button", name="Add product to event A").click()
    expect(page.get_by_text("tee was never seen in the last 30 days")).to_be_visible()
    page.get_by_role("button", name="Remove tee").click()
    page.get_by_role("button", name="Add added_to_cart").click()
    expect(page.get_by_label("Name of the event").nth(1)).to_have_value("added_to_cart")
    page.get_by_role("button", name="Only with certain properties for event B").click()
    expect(page.get_by_label("Property")).to_be_focused()
    page.keyboard.type("pla")
    page.get_by_role("button", name="plan 4").click()
    expect(page.get_by_label("Comparison")).to_be_focused()
    page.get_by_label("Value").fill("free")
    for number in (2, 3):
        page.get_by_role("button", name="Add event").click()
        expect(page.get_by_label("What people do").nth(number)).to_be_focused()
    page.get_by_label("What people do").nth(2).select_option("session")
    page.get_by_label("What people do").nth(3).select_option("message_click")
    page.get_by_role("button", name="Add event").click()
    expect(page.get_by_text("There are 5 conversion events, at most 4 are allowed.")).to_be_visible()
    page.get_by_role("button", name="Move up event D").click()
    expect(page.get_by_label("What people do").nth(2)).to_have_value("message_click")
    watched.check()
    page.screenshot(path="/tmp/w2_events.png", full_page=True)
    go_on(page)
    expect(page.get_by_text("7 people would have done A.")).to_be_visible()
    expect(page.get_by_role("row", name="B added_to_cart")).to_contain_text("30.0")
    watched.check()
    page.screenshot(path="/tmp/w2_preview.png", full_page=True)
    go_on(page)
    page.get_by_label("Intelligent Selection").check()
    page.get_by_role("button", name="Add guardrail").click()
    watched.check()
    page.screenshot(path="/tmp/w2_analysis.png", full_page=True)
    go_on(page)
    watched.check()
    page.screenshot(path="/tmp/w2_review.png", full_page=True)
    watched.expected.add(404)
    page.get_by_role("button", name="Start measuring").click()
    expect(page).to_have_url(f"{fresh.address}/campaign?id=cart-rescue-marz")
    told = fresh.client.get("/api/campaigns/cart-rescue-marz").json()
    assert told["status"] == "running"
    assert [one["kind"] for one in told["conversion_events"]] == ["purchase", "custom", "message_click", "session"]
