"""The pictures that the documentation shows: made anew with AFTERWORD_PICTURES=1, else only their pages are opened."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from afterword.store.accounts import Role
from tests.browser.conftest import DESKTOP, PHONE, Browse, World
from tests.browser.watching import IMAGES

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


PICTURES = (
    Picture("dashboard-overview", "/", "#rows table"),
    Picture("dashboard-overview-phone", "/", "#rows table", Role.ANALYST, PHONE, dark=True),
    Picture("dashboard-people", "/settings/people", "main table"),
    Picture("dashboard-data", "/data", "main .card"),
    Picture("dashboard-conversions", "/conversions", ".plot svg", Role.ANALYST, height=1250),
    Picture("dashboard-conversions-dark", "/conversions", ".plot svg", Role.ANALYST, dark=True, height=820),
    Picture("dashboard-campaign", "/campaign?id=welcome", "#over-time .plot svg", Role.ANALYST, height=1250),
    Picture("dashboard-campaign-phone", "/campaign?id=welcome", "#over-time .plot svg", Role.VIEWER, PHONE),
    Picture("dashboard-create", "/create", "main form", Role.EDITOR),
)


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_page_of_a_picture_is_there(world: World, browse: Browse, picture: Picture) -> None:
    page = browse(world, picture.role, width=picture.width, dark=picture.dark).open(picture.path)
    page.set_viewport_size({"width": picture.width, "height": picture.height})
    page.locator(picture.ready).first.wait_for()
    if ANEW:
        page.screenshot(path=IMAGES / f"{picture.name}.png", animations="disabled")
    assert (IMAGES / f"{picture.name}.png").stat().st_size < LARGEST
