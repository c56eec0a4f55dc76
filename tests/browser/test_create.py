"""A campaign or Canvas is made in steps: by mouse, by keyboard alone, with mistakes, by two people, by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World, make_people
from tests.interfaces.serving import Served


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server without any campaign, with a person of each role."""
    served = Served(tmp_path_factory.mktemp("fresh"))
    try:
        client = served.start()
        yield World(served, client, make_people(served))
    finally:
        served.close()


def fill_events(page: Page) -> None:
    page.get_by_role("button", name="Rescue a cart").click()
    for _ in range(3):
        page.get_by_role("button", name="Add event").click()
    page.get_by_label("What people do").nth(1).select_option("custom")


def test_four_conversion_events_are_made_and_launched(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/create")
    page.get_by_label("Name", exact=True).fill("Cart rescue, März")
    page.get_by_role("button", name="Save and continue").click()
    assert page.get_by_role("heading", name="Cart rescue, März").is_visible()
    page.get_by_role("button", name="Add variant").click()
    page.get_by_role("button", name="Share evenly").click()
    expect(page.get_by_label("Share in %", exact=True).nth(1)).to_have_value("45")
    page.get_by_role("button", name="Save and continue").click()
    assert '"campaign_id": "cart-rescue-marz"' in page.locator("#snippet-assign").inner_text()
    page.get_by_role("button", name="Save and continue").click()
    fill_events(page)
    page.wait_for_timeout(1500)
    page.screenshot(path="/tmp/events.png", full_page=True)
