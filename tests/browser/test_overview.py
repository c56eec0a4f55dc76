"""The overview: every campaign in a row, with the API's numbers."""

from __future__ import annotations

import pytest

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World


def test_numbers_are_those_of_the_api(world: World, browse: Browse) -> None:
    page = browse(world, Role.VIEWER).open("/")
    told = world.client.get("/api/overview").json()
    for campaign in told["campaigns"]:
        shown = page.locator("tbody tr").filter(has_text=campaign["name"]).inner_text()
        assert f"{campaign['results']['recipients']:,}" in shown
        assert f"{100 * campaign['results']['rate']:.2f}" in shown
    assert page.locator("tbody tr").count() == len(told["campaigns"])
    assert f"{told['total']['converted']:,} users converted" in page.locator("main").inner_text()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_nothing_bars_anybody(world: World, browse: Browse, role: Role) -> None:
    watched = browse(world, role)
    watched.open("/")
    watched.check()
