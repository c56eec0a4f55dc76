"""Intelligent Selection: decided, accepted and paused on its page, which says why."""

from __future__ import annotations

import pytest

from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World
from tests.interfaces.serving import campaign, exposures


@pytest.fixture
def chosen(world: World) -> str:
    """A campaign whose shares follow the results when somebody accepts."""
    variants = [
        {"id": "a", "name": "Mail <b>A</b>", "share": 45},
        {"id": "b", "name": "Mail B", "share": 45},
        {"id": "control", "control": True, "share": 10},
    ]
    selection = {"mode": "intelligent", "automatic": False}
    world.client.launch(campaign("chosen", variants=variants, selection=selection))
    world.client.post("/api/exposures", exposures([f"chosen-{n}" for n in range(20)], of="chosen"))
    world.client.loaded()
    return "/campaign/selection?id=chosen"


def test_decide_accept_pause(world: World, browse: Browse, chosen: str) -> None:
    watched = browse(world, Role.EDITOR)
    page = watched.open(chosen)
    assert page.get_by_text("No decision was made yet.").is_visible()
    watched.check()
    page.get_by_role("button", name="Decide now").click()
    told = world.client.get("/api/campaigns/chosen/selection").json()
    assert page.get_by_text(told["decision"]["reason"]).is_visible()
    watched.check()
    page.get_by_role("button", name="Accept decision 1").click()
    assert page.get_by_text("in force since").is_visible()
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_text("Paused since").is_visible()
    assert world.client.get("/api/campaigns/chosen/selection").json()["paused_at"]
    page.get_by_role("button", name="Resume").click()
    assert page.get_by_text("Paused since").count() == 0

    looking = browse(world, Role.ANALYST)
    seen = looking.open(chosen)
    assert seen.get_by_role("button", name="Decide now").count() == 0
    looking.expected.add(403)
    csrf = seen.locator("input[name=csrf]").first.input_value()
    refused = seen.request.post("/campaign/selection", form={"csrf": csrf, "id": "chosen", "action": "pause"})
    assert refused.status == 403
    assert world.client.get("/api/campaigns/chosen/selection").json()["paused_at"] is None


def test_a_campaign_without_it_says_how_to_choose_it(world: World, browse: Browse) -> None:
    watched = browse(world, Role.VIEWER)
    page = watched.open("/campaign/selection?id=welcome")
    assert page.get_by_text("change by hand only").is_visible()
    watched.check()
