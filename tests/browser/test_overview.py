"""The overview: every campaign in a row, with the API's numbers."""

from __future__ import annotations

import pytest

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World


def test_numbers_are_those_of_the_api(world: World, browse: Browse) -> None:
    page = browse(world, Role.VIEWER).open("/")
    report = world.client.get("/api/report").json()
    for campaign in report["campaigns"]:
        row = page.locator("tbody tr").filter(has_text=campaign["name"])
        assert f"{campaign['total']['exposed']:,}" in row.inner_text()
    assert page.locator("tbody tr").count() == len(report["campaigns"])


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_nothing_bars_anybody(world: World, browse: Browse, role: Role) -> None:
    watched = browse(world, role)
    watched.open("/")
    watched.check()
