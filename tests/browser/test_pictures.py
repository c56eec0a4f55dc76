"""The pictures that the documentation shows: made anew with AFTERWORD_PICTURES=1, else only their pages are opened."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from afterword.store.accounts import Role
from tests.browser.conftest import DESKTOP, PHONE, Browse, World
from tests.browser.watching import IMAGES
from tests.interfaces.serving import purchase

ANEW = os.environ.get("AFTERWORD_PICTURES") == "1"
LARGEST = 200_000
"""Bytes of a picture."""


@dataclass(frozen=True)
class Picture:
    """A page as the documentation shows it."""

    name: str
    path: str
    ready: str
    """What is there when all of it is."""
    role: Role = Role.ADMIN
    width: int = DESKTOP
    dark: bool = False
    height: int = 900
    top: str = ""
    """What stands at the upper edge; empty for the top of the page."""


PICTURES = (
    Picture("dashboard-overview", "/", "#rows table"),
    Picture("dashboard-overview-phone", "/", "#rows table", Role.ANALYST, PHONE, dark=True),
    Picture("dashboard-people", "/settings/people", "main table"),
    Picture("dashboard-data", "/data", "main .card"),
    Picture("dashboard-conversions", "/conversions", ".plot svg", Role.ANALYST, height=1250),
    Picture(
        "dashboard-conversions-dark", "/conversions", ".plot svg", Role.ANALYST, dark=True, height=1000, top="#caused"
    ),
    Picture("dashboard-campaign", "/campaign?id=welcome", "#over-time .plot svg", Role.ANALYST, height=1250),
    Picture(
        "dashboard-why", "/campaign/why?id=welcome&user=n-0060", "table.facts", Role.ANALYST, dark=True, height=1250
    ),
    Picture("dashboard-campaign-phone", "/campaign?id=welcome", "#over-time .plot svg", Role.VIEWER, PHONE),
)


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_page_of_a_picture_is_there(world: World, browse: Browse, picture: Picture) -> None:
    page = browse(world, picture.role, width=picture.width, dark=picture.dark).open(picture.path)
    page.set_viewport_size({"width": picture.width, "height": picture.height})
    page.locator(picture.ready).first.wait_for()
    take(page, picture.name, picture.top)


@pytest.mark.slow
def test_the_conversion_events_of_a_draft_are_there(world: World, browse: Browse) -> None:
    world.client.post("/api/events", {"events": [purchase(f"u{n}", product_id="teapot") for n in range(7)]})
    world.client.loaded()
    page = browse(world, Role.EDITOR).open("/create")
    page.get_by_label("Name", exact=True).fill("Come back to your cart")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Steps").get_by_role("button", name="Conversion events").click()
    page.get_by_role("button", name="Rescue a cart").click()
    page.get_by_label("Only this product").fill("tea")
    page.get_by_role("button", name="teapot 7").wait_for()
    page.set_viewport_size({"width": DESKTOP, "height": 1000})
    take(page, "dashboard-create")


def take(page: Page, name: str, top: str = "") -> None:
    """Take a picture, if they are made anew; look whether it is there and small."""
    if ANEW:
        page.evaluate("top => scrollTo(0, top ? document.querySelector(top).closest('.card').offsetTop - 18 : 0)", top)
        page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
    assert (IMAGES / f"{name}.png").stat().st_size < LARGEST
