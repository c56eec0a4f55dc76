"""Moves on the pages that make a campaign."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Save and continue").click()


def drag(page: Page, old: int, new: int) -> None:
    """Drag a conversion event to a place, by its grip."""
    kinds = page.get_by_label("What people do")
    order = [one.input_value() for one in kinds.all()]
    order.insert(new, order.pop(old))
    page.locator(".card.event").nth(min(old, new)).scroll_into_view_if_needed()
    grip, card = page.locator(".grip").nth(old).bounding_box(), page.locator(".card.event").nth(new).bounding_box()
    assert grip is not None
    assert card is not None
    page.mouse.move(grip["x"] + 8, grip["y"] + 15)
    page.mouse.down()
    page.mouse.move(grip["x"] + 8, grip["y"] + 5)
    page.mouse.move(card["x"] + 100, card["y"] + 60, steps=5)
    page.mouse.up()
    for place, kind in enumerate(order):
        expect(kinds.nth(place)).to_have_value(kind)
    expect(kinds.nth(new)).to_be_focused()
