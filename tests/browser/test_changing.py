"""A campaign that was launched is changed, and moved through its life, by those who may."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from afterword.interfaces.web.routes import PAGES
from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.conftest import PATIENT, Browse, World, make_people
from tests.interfaces.serving import Served, campaign, exposures, purchase

USERS = [f"u{number}" for number in range(12)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with a launched campaign, where of twelve exposed five bought within a day, two within three."""
    served = Served(tmp_path_factory.mktemp("running"))
    try:
        client = served.start()
        client.launch(campaign())
        assert client.post("/api/exposures", exposures(USERS, ago=4 * 86_400)).status_code == 201
        soon = [purchase(user, ago=3.5 * 86_400, product_id="tea") for user in USERS[:5]]
        later = [purchase(user, ago=1.5 * 86_400, product_id="tea") for user in USERS[5:7]]
        assert client.post("/api/events", {"events": [*soon, *later]}).status_code == 201
        client.loaded()
        yield World(served, client, make_people(served))
    finally:
        served.close()


def actions(world: World) -> list[tuple[str, str, str]]:
    """What the audit log says that was done, and who and to what, the last first."""
    with open_metadata(world.served.data / FILE_NAME, create=False) as metadata:
        names = {one.id: one.name for one in metadata.accounts.list()}
        return [(one.action, names.get(one.actor, one.actor), one.subject) for one in metadata.audit.list()]


def test_a_new_version_shows_its_effect_before_it_is_adopted(running: World, browse: Browse) -> None:
    watched = browse(running, Role.EDITOR)
    before = running.client.get("/api/campaigns/cart-rescue").json()["version"]
    page = watched.open("/campaign/edit?id=cart-rescue")
    watched.check()
    page.get_by_role("button", name="Begin a change").click()
    page.get_by_label("Within").fill("1")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Steps").get_by_role("button", name="Review", exact=True).click()
    expect(page.get_by_role("row", name="Conversion events: A, deadline")).to_contain_text("3 days1 day")
    row = page.get_by_role("region", name="Numbers under both versions").get_by_role("row", name="A Makes")
    expect(row).to_contain_text("58.33", timeout=30_000)
    expect(row).to_contain_text("41.67")
    watched.check()
    assert running.client.get("/api/campaigns/cart-rescue").json()["version"] == before
    page.get_by_role("button", name="Adopt the new version").click()
    expect(page).to_have_url(f"{running.address}/campaign?id=cart-rescue")
    told = running.client.get("/api/campaigns/cart-rescue").json()
    assert told["redefined"] is True
    assert running.client.report("cart-rescue")["total"]["conversions"]["A"]["converted"] == 5
    assert actions(running)[0] == ("campaign.changed", "Editor", "cart-rescue")


@pytest.mark.slow
def test_what_is_fixed_at_launch_is_locked_with_the_reason(running: World, browse: Browse) -> None:
    watched = browse(running, Role.EDITOR)
    watched.expected.add(409)
    page = watched.open("/campaign/edit?id=cart-rescue")
    page.get_by_role("button", name="Begin a change").click()
    page.get_by_label("Steps").get_by_role("button", name="Variants").click()
    control = page.locator("[id='variants.1.share']")
    assert not control.is_editable()
    expect(page.locator("[id='variants.1.share-hint']")).to_contain_text("Rule 30")
    assert page.get_by_role("button", name="Remove").count() == 0
    watched.check()
    page.get_by_role("button", name="Add variant").click()
    page.get_by_role("button", name="Share evenly").click()
    expect(page.locator("[id='variants.0.share']")).to_have_value("25")
    page.get_by_label("Steps").get_by_role("button", name="Counting and analysis").click()
    expect(page.get_by_text("how results are judged is said before they are seen")).to_be_visible()
    watched.check()
    page.get_by_label("Steps").get_by_role("button", name="Type and name").click()
    assert not page.get_by_label("Id").first.is_editable()
    page.get_by_label("Push").check()
    watched.check()
    page.get_by_label("Steps").get_by_role("button", name="Review", exact=True).click()
    running.client.put("/api/campaigns/cart-rescue", {**campaign(name="Renamed"), "counting": "once_per_exposure"})
    page.get_by_role("button", name="Save the change").click()
    expect(page.get_by_text("The campaign was changed meanwhile: look at it again.")).to_be_visible()
    page.get_by_role("button", name="Save the change").click()
    expect(page).to_have_url(f"{running.address}/campaign?id=cart-rescue")
    told = running.client.get("/api/campaigns/cart-rescue").json()
    assert (told["name"], told["counting"]) == ("Renamed", "once_per_exposure")
    assert [one["share"] for one in told["variants"]] == [25, 25, 50]
    assert told["channels"] == ["email", "push"]


@pytest.mark.slow
def test_a_campaign_is_stopped_archived_brought_back_and_duplicated(running: World, browse: Browse) -> None:
    watched = browse(running, Role.EDITOR)
    running.client.launch(campaign("spring", name="Spring"))
    page = watched.open("/campaign?id=spring")
    for button, sure, status in (
        ("Stop", "Stop", "stopped"),
        ("Archive", "Archive", "archived"),
        ("Bring back", "", "stopped"),
        ("Launch again", "Start measuring", "running"),
    ):
        page.get_by_role("button", name=button).click()
        if sure:
            expect(page.get_by_role("link", name="Back", exact=True)).to_be_visible()
            watched.check()
            page.get_by_role("button", name=sure).click()
        expect(page).to_have_url(f"{running.address}/campaign?id=spring")
        assert running.client.get("/api/campaigns/spring").json()["status"] == status
    done = ["campaign.launched", "campaign.unarchived", "campaign.archived", "campaign.stopped"]
    assert actions(running)[:4] == [(one, "Editor", "spring") for one in done]
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", name="Copy of Spring")).to_be_visible()
    expect(page.get_by_label("Id")).to_have_value("")


@pytest.mark.slow
def test_drafts_are_resumed_and_discarded_on_the_overview(running: World, browse: Browse) -> None:
    watched = browse(running, Role.ADMIN)
    page = watched.open("/create")
    page.get_by_label("Name", exact=True).fill("Half done")
    page.get_by_role("button", name="Save and leave").click()
    entry = page.get_by_role("listitem").filter(has_text="Half done")
    expect(entry).to_contain_text("New campaign, saved by you")
    watched.check()
    entry.get_by_role("link", name="Resume").click()
    expect(page.get_by_role("heading", name="Half done")).to_be_visible()
    page.get_by_role("link", name="Discard this draft").click()
    watched.check()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert page.get_by_text("Half done").count() == 0


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_who_only_looks_can_change_nothing(running: World, role: Role) -> None:
    before = running.client.get("/api/campaigns").json()
    paths = [
        one for one in PAGES if one.path.startswith(("/create", "/draft", "/campaign/")) and one.role is Role.EDITOR
    ]
    assert len(paths) > 20
    with httpx.Client(
        base_url=running.address, cookies={COOKIE: running.secrets[role]}, trust_env=False, headers=PATIENT
    ) as browser:
        csrf = browser.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]
        for one in paths:
            form = {"csrf": csrf, "id": "cart-rescue", "do": "launch", "name": "x", "revision": "1"}
            sent = form if one.method == "POST" else None
            answer = browser.request(one.method, one.path, params={"id": "cart-rescue"}, data=sent)
            assert answer.status_code == 403, one.path
    assert running.client.get("/api/campaigns").json() == before
