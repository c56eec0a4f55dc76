"""A reader's numbers and dates on pages, and the table of them against the browser's."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from afterword.interfaces.web.manners import MANNERS
from afterword.store.accounts import Role
from tests.browser.conftest import Browse, World
from tests.browser.reading_pages import get

TOLD = """tags => tags.map(tag => {
  const parts = number => new Intl.NumberFormat(tag).formatToParts(number);
  const of = type => parts(1234567.5).find(part => part.type === type).value;
  const order = new Intl.DateTimeFormat(tag, { year: "numeric", month: "numeric", day: "numeric" })
    .formatToParts(new Date()).map(part => part.type).filter(type => type !== "literal" && type !== "era");
  return [of("group"), of("decimal"), parts(1234).some(part => part.type === "group") ? 1 : 2,
    parts(1234567).filter(part => part.type === "integer")[0].value.length === 2 ? 2 : 3,
    order.map(type => type[0]).join("")];
})"""


@pytest.mark.slow
def test_the_table_is_the_browsers(browser: Browser) -> None:
    page = browser.new_page()
    told = page.evaluate(TOLD, [one.tag for one in MANNERS])
    page.close()
    ours = {one.tag: [one.group, one.decimal, one.least, one.upper, one.order] for one in MANNERS}
    assert dict(zip(ours, told, strict=True)) == ours


@pytest.mark.slow
def test_a_reader_chooses_and_nothing_else_changes(world: World, browse: Browse) -> None:
    watched = browse(world, Role.ADMIN)
    page = watched.open("/campaign?id=email-test")
    before = page.locator("#variants").inner_text()
    assert "21,387" in before
    report = world.client.report("email-test")
    page.goto("/account")
    page.get_by_label("Write them as in").select_option("de-DE")
    page.get_by_role("button", name="Keep this").click()
    assert page.get_by_text("Now: 1.234.567,89").is_visible()
    watched.check()
    page.goto("/campaign?id=email-test")
    after = page.locator("#variants").inner_text()
    assert after != before
    assert after.replace(".", ";").replace(",", ".").replace(";", ",") == before
    assert "1,25\u202f%" in page.locator("#verdict .said").inner_text()
    assert world.client.report("email-test")["verdict"] == report["verdict"]
    file = "/campaign/over-time?id=email-test&event=A&csv=of-age"
    assert page.request.get(file).text() == get(world, Role.ADMIN, file).text
    page.goto("/account")
    page.get_by_label("Write them as in").select_option("")
    page.get_by_role("button", name="Keep this").click()
    assert page.get_by_text("Now: 1,234,567.89").is_visible()
