"""The whole way of a campaign, on one server, as somebody goes it who sees all of it for the first time."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PASSWORD, Browse, World
from tests.browser.watching import Watched
from tests.interfaces.serving import Client, instant, purchase

DAY = 86_400.0
LIVE_MILLISECONDS = 90_000
"""A page asks again every ten seconds, and facts need a few until they count."""
EXPOSED = {"mail": range(20), "push": range(20, 40), "control": range(40, 48)}
SOON, LATER = range(6), range(6, 9)
"""Who of those with the first message buys within a day, and who within three."""


@pytest.mark.slow
def test_from_the_first_visit_to_the_end_of_a_campaign(empty: World, browse: Browse) -> None:
    watched = browse(empty, None)
    page = watched.page
    make_the_first_account(watched, empty.client.key)
    create(watched)
    expect(page).to_have_url(f"{empty.address}/campaign?id=cart-rescue")
    expect(page.get_by_role("heading", name="Nobody was exposed yet")).to_be_visible()
    watched.check()

    page.evaluate("window.neverReloaded = true")
    report_exposures(empty.client)
    expect(figure(page, "Recipients")).to_contain_text("40", timeout=LIVE_MILLISECONDS)
    report_events(empty.client)
    expect(figure(page, "Conversions")).to_contain_text("9", timeout=LIVE_MILLISECONDS)
    expect(page.get_by_role("heading", name="Over time")).to_be_visible()
    assert page.evaluate("window.neverReloaded") is True
    watched.check()

    ask_why(watched)
    change_the_deadline(watched)
    select(watched, empty.client)

    page.goto("/campaign?id=cart-rescue")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", name="Stop", exact=False)).to_be_visible()
    watched.check()
    page.get_by_role("main").get_by_role("button", name="Stop").click()
    expect(page.get_by_role("main").get_by_text("Stopped", exact=True)).to_be_visible()
    assert empty.client.get("/api/campaigns/cart-rescue").json()["status"] == "stopped"
    page.goto("/")
    expect(page.get_by_role("row", name="Cart rescue")).to_contain_text("Stopped")
    watched.check()
    page.goto("/settings/audit")
    for what in ("campaign created", "campaign launched", "campaign changed", "campaign stopped"):
        expect(page.get_by_role("main").get_by_text(what).first).to_be_visible()


def figure(page: Page, label: str) -> Locator:
    """Return the headline figure of this name."""
    return page.locator("dl.figures > div").filter(has=page.locator("dt", has_text=label)).first.locator("dd").first


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Save and continue").click()


def make_the_first_account(watched: Watched, key: str) -> None:
    page = watched.open("/")
    page.get_by_label("Admin key").fill(key)
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    watched.check()


def create(watched: Watched) -> None:
    """Two messages and a control, four conversion events, Intelligent Selection; then start measuring."""
    page = watched.page
    page.get_by_role("main").get_by_role("link", name="Create").first.click()
    page.get_by_label("Name", exact=True).fill("Cart rescue")
    go_on(page)
    expect(page.get_by_role("heading", name="Variants and their shares")).to_be_visible()
    page.get_by_role("button", name="Add variant").click()
    page.get_by_role("button", name="Share evenly").click()
    for number, name in enumerate(("mail", "push")):
        page.locator(f"[id='variants.{number}.id']").fill(name)
    go_on(page)
    expect(page.locator("#snippet-assign")).to_be_visible()
    go_on(page)
    for number, (kind, within, unit) in enumerate(
        [("purchase", "3", "days"), ("custom", "1", "days"), ("session", "12", "hours"), ("message_click", "2", "days")]
    ):
        if number:
            page.get_by_role("button", name="Add event").click()
        page.get_by_label("What people do").nth(number).select_option(kind)
        if kind == "custom":
            page.locator(f"[id='conversion_events.{number}.name']").fill("added_to_cart")
        page.locator(f"[id='conversion_events.{number}.number']").fill(within)
        page.locator(f"[id='conversion_events.{number}.unit']").select_option(label=unit)
    go_on(page)
    expect(page.get_by_role("heading", name="Had this been running")).to_be_visible()
    go_on(page)
    page.get_by_label("Intelligent Selection").check()
    page.get_by_label("accept", exact=False).first.check()
    go_on(page)
    watched.check()
    page.get_by_role("button", name="Start measuring").click()


def report_exposures(client: Client) -> None:
    sent = [
        {"user_id": f"u{n}", "exposure_id": f"x{n}", "campaign_id": "cart-rescue", "variant_id": variant}
        | {"channel": "email", "exposed_at": instant(4 * DAY)}
        for variant, numbers in EXPOSED.items()
        for n in numbers
    ]
    assert client.post("/api/exposures", {"exposures": sent}).json()["rejected"] == []


def report_events(client: Client) -> None:
    bought = [purchase(f"u{n}", ago=3.5 * DAY) for n in SOON] + [purchase(f"u{n}", ago=1.5 * DAY) for n in LATER]
    carted = [
        {"user_id": f"u{n}", "kind": "custom", "name": "added_to_cart", "occurred_at": instant(3.6 * DAY)}
        for n in range(4)
    ]
    assert client.post("/api/events", {"events": [*bought, *carted]}).json()["rejected"] == []


def ask_why(watched: Watched) -> None:
    """From a number to its users, and from a user to the reason."""
    page = watched.page
    figure(page, "Conversions").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("9")
    assert page.get_by_role("link", name="Why?").count() == len(SOON) + len(LATER)
    watched.check()
    page.get_by_role("link", name="Why? u3", exact=True).click()
    expect(page.locator("[data-verdict]").first).to_have_text("Converted")
    expect(page.get_by_role("table", name="Facts about this user")).to_contain_text("added_to_cart")
    watched.check()


def change_the_deadline(watched: Watched) -> None:
    """Three days become one, after a look at what that does to the numbers."""
    page = watched.page
    page.goto("/campaign?id=cart-rescue")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Begin a change").click()
    page.locator("[id='conversion_events.0.number']").fill("1")
    page.get_by_label("Steps").get_by_role("button", name="Review", exact=True).click()
    row = page.get_by_role("region", name="Numbers under both versions").get_by_role("row", name="A Makes")
    expect(row).to_contain_text("22.5", timeout=LIVE_MILLISECONDS)
    expect(row).to_contain_text("15.0")
    watched.check()
    page.get_by_role("button", name="Adopt the new version").click()
    expect(figure(page, "Conversions")).to_contain_text("6", timeout=LIVE_MILLISECONDS)


def select(watched: Watched, client: Client) -> None:
    """The next shares are decided and accepted."""
    page = watched.page
    page.get_by_role("main").get_by_role("link", name="Selection").first.click()
    page.get_by_role("button", name="Decide now").click()
    expect(page.get_by_role("heading", name="Decision 1 of")).to_be_visible()
    watched.check()
    if (accept := page.get_by_role("button", name="Accept decision 1")).count():
        accept.click()
        expect(page.get_by_text("in force since")).to_be_visible()
    assert client.get("/api/campaigns/cart-rescue/selection").json()["decision"]["number"] == 1
