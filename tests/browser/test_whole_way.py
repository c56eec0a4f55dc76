"""The whole way of a campaign, on one server, as somebody goes it who sees all of it for the first time."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PASSWORD, Browse, World
from tests.browser.hands import Keyboard, Mouse
from tests.browser.watching import Watched
from tests.interfaces.serving import Client, instant, purchase

DAY = 86_400.0
LIVE_MILLISECONDS = 90_000
"""A page asks again every ten seconds, and facts need a few until they count."""
EXPOSED = {"mail": range(20), "push": range(20, 40), "control": range(40, 48)}
SOON, LATER = range(6), range(6, 9)
"""Who of those with the first message buys within a day, and who within three."""


@pytest.mark.slow
@pytest.mark.parametrize("hand", [Mouse, Keyboard])
def test_from_the_first_visit_to_the_end_of_a_campaign(empty: World, browse: Browse, hand: type[Mouse]) -> None:
    watched = browse(empty, None)
    page = watched.page
    by = hand(page)
    make_the_first_account(watched, by, empty.client.key)
    create(watched, by)
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

    ask_why(watched, by)
    change_the_deadline(watched, by)
    select(watched, by, empty.client)

    page.goto("/campaign?id=cart-rescue")
    by.press(page.get_by_role("button", name="Stop"))
    expect(page.get_by_role("heading", name="Stop", exact=False)).to_be_visible()
    watched.check()
    by.press(page.get_by_role("main").get_by_role("button", name="Stop"))
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


def go_on(by: Mouse) -> None:
    step = by.page.get_by_label("Steps").locator("[aria-current]")
    before = step.inner_text()
    by.press(by.page.get_by_role("button", name="Save and continue"))
    expect(step).not_to_have_text(before)


def make_the_first_account(watched: Watched, by: Mouse, key: str) -> None:
    page = watched.open("/")
    by.fill(page.get_by_label("Admin key"), key)
    by.fill(page.get_by_label("Your name"), "Ann")
    by.fill(page.get_by_label("E-mail address"), "ann@example.com")
    by.fill(page.get_by_label("Password", exact=True), PASSWORD)
    by.fill(page.get_by_label("The password again"), PASSWORD)
    by.press(page.get_by_role("button", name="Make the account"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    watched.check()


def create(watched: Watched, by: Mouse) -> None:
    """Two messages and a control, four conversion events, Intelligent Selection; then start measuring."""
    page = watched.page
    by.press(page.get_by_role("main").get_by_role("link", name="Create").first)
    by.fill(page.get_by_label("Name", exact=True), "Cart rescue")
    go_on(by)
    expect(page.get_by_role("heading", name="Variants and their shares")).to_be_visible()
    by.press(page.get_by_role("button", name="Add variant"))
    by.press(page.get_by_role("button", name="Share evenly"))
    for number, name in enumerate(("mail", "push")):
        by.fill(page.locator(f"[id='variants.{number}.id']"), name)
    go_on(by)
    expect(page.locator("#snippet-assign")).to_be_visible()
    go_on(by)
    for number, (kind, within, unit) in enumerate(
        [
            ("Makes a purchase", "3", "days"),
            ("Performs a custom event", "1", "days"),
            ("Starts a session", "12", "hours"),
            ("Clicks in a message of this campaign", "2", "days"),
        ]
    ):
        if number:
            by.press(page.get_by_role("button", name="Add event"))
        by.choose(page.get_by_label("What people do").nth(number), kind)
        if "custom" in kind:
            by.fill(page.locator(f"[id='conversion_events.{number}.name']"), "added_to_cart")
        by.fill(page.locator(f"[id='conversion_events.{number}.number']"), within)
        by.choose(page.locator(f"[id='conversion_events.{number}.unit']"), unit)
    go_on(by)
    expect(page.get_by_role("heading", name="Had this been running")).to_be_visible()
    go_on(by)
    by.tick(page.get_by_label("Intelligent Selection"))
    by.tick(page.get_by_label("accept", exact=False).first)
    go_on(by)
    watched.check()
    by.press(page.get_by_role("button", name="Start measuring"))


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


def ask_why(watched: Watched, by: Mouse) -> None:
    """From a number to its users, and from a user to the reason."""
    page = watched.page
    by.press(figure(page, "Conversions").get_by_role("link"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("9")
    assert page.get_by_role("link", name="Why?").count() == len(SOON) + len(LATER)
    watched.check()
    by.press(page.get_by_role("link", name="Why? u3", exact=True))
    expect(page.locator("[data-verdict]").first).to_have_text("Converted")
    expect(page.get_by_role("table", name="Facts about this user")).to_contain_text("added_to_cart")
    watched.check()


def change_the_deadline(watched: Watched, by: Mouse) -> None:
    """Three days become one, after a look at what that does to the numbers."""
    page = watched.page
    page.goto("/campaign?id=cart-rescue")
    by.press(page.get_by_role("button", name="Edit"))
    by.press(page.get_by_role("button", name="Begin a change"))
    by.fill(page.locator("[id='conversion_events.0.number']"), "1")
    by.press(page.get_by_label("Steps").get_by_role("button", name="Review", exact=True))
    row = page.get_by_role("region", name="Numbers under both versions").get_by_role("row", name="A Makes")
    expect(row).to_contain_text("22.5", timeout=LIVE_MILLISECONDS)
    expect(row).to_contain_text("15.0")
    watched.check()
    by.press(page.get_by_role("button", name="Adopt the new version"))
    expect(figure(page, "Conversions")).to_contain_text("6", timeout=LIVE_MILLISECONDS)


def select(watched: Watched, by: Mouse, client: Client) -> None:
    """The next shares are decided and accepted."""
    page = watched.page
    by.press(page.get_by_role("main").get_by_role("link", name="Selection").first)
    by.press(page.get_by_role("button", name="Decide now"))
    expect(page.get_by_role("heading", name="Decision 1 of")).to_be_visible()
    watched.check()
    if (accept := page.get_by_role("button", name="Accept decision 1")).count():
        by.press(accept)
        expect(page.get_by_text("in force since")).to_be_visible()
    assert client.get("/api/campaigns/cart-rescue/selection").json()["decision"]["number"] == 1
