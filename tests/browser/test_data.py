"""What comes in shows without a reload; names that were never seen show as zero."""

from __future__ import annotations

import pytest

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World
from tests.interfaces.serving import purchase


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_facts_appear_by_themselves(world: World, browse: Browse, role: Role) -> None:
    watched = browse(world, role)
    page = watched.open("/data")
    watched.check()
    user = f"fresh-{role.value}"
    world.client.post("/api/events", [purchase(user, product_id=f"tea {role.value} <b>")])
    page.get_by_text(f"tea {role.value} <b>").first.wait_for()
    assert (page.get_by_text(user, exact=True).count() > 0) == (role is Role.ADMIN)


def test_what_cannot_be_used_is_told(world: World, browse: Browse) -> None:
    world.client.post("/api/events", [purchase("wrong", price="=cmd()<script>")])
    world.client.loaded()
    watched = browse(world, Role.ANALYST)
    page = watched.open("/data")
    assert "=cmd()<script>" in page.locator("table").last.inner_text()
    watched.check()
    viewer = browse(world, Role.VIEWER)
    assert "=cmd()" not in viewer.open("/data").content()


def test_a_typo_is_zero(world: World, browse: Browse) -> None:
    world.client.post("/api/events", [{**purchase("seen"), "kind": "custom", "name": "signed_up"}])
    world.client.loaded()
    watched = browse(world, Role.VIEWER)
    page = watched.open("/data/seen?what=events")
    row = page.locator("tbody tr").filter(has_text="signed_up")
    assert row.count() == 1
    watched.check()
    page.get_by_label("Search").fill("singed_up")
    page.get_by_text("0 events").wait_for()
    page.goto("/data/seen?what=properties&kind=purchase")
    watched.check()
