"""A campaign or Canvas is made in steps: by mouse, by keyboard alone, with mistakes, by two people, by nobody else."""

from __future__ import annotations

import html
import os
import re
import shlex
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.conftest import PASSWORD, PATIENT, Browse, World, make_people
from tests.browser.moving import drag, go_on
from tests.interfaces.serving import Served, instant, purchase


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server without any campaign, with a person of each role, where ten people did something lately."""
    served = Served(tmp_path_factory.mktemp("fresh"))
    try:
        client = served.start()
        bought = [purchase(f"u{n}", ago=86_400.0, product_id="tea" if n < 7 else "coffee") for n in range(10)]
        carted = [
            {"user_id": f"u{n}", "kind": "custom", "name": "added_to_cart", "occurred_at": instant(90_000)}
            | {"properties": {"plan": "free" if n else "paid", "total": n}}
            for n in range(4)
        ]
        assert client.post("/api/events", {"events": [*bought, *carted]}).status_code == 201
        client.loaded()
        yield World(served, client, make_people(served))
    finally:
        served.close()


def begin(page: Page, name: str) -> None:
    page.goto("/create")
    page.get_by_label("Name", exact=True).fill(name)
    go_on(page)
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def go_to(page: Page, step: str) -> None:
    page.get_by_label("Steps").get_by_role("button", name=step).click()
    expect(page.get_by_label("Steps").locator("[aria-current]")).to_contain_text(step)


def test_four_conversion_events_are_made_and_launched(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/create")
    watched.check()
    begin(page, "Cart rescue, März")
    page.get_by_role("button", name="Add variant").click()
    page.get_by_role("button", name="Share evenly").click()
    expect(page.get_by_label("Share in %", exact=True).nth(1)).to_have_value("45")
    page.get_by_label("Share in % as a slider").first.press("ArrowRight")
    shares = [one.input_value() for one in page.get_by_label("Share in %", exact=True).all()]
    assert shares == ["46", "44", "10"]
    watched.check()
    go_on(page)
    assert '"campaign_id": "cart-rescue-marz"' in page.locator("#snippet-assign").inner_text()
    watched.check()
    go_on(page)
    page.get_by_role("button", name="Rescue a cart").click()
    expect(page.get_by_label("What people do")).to_be_focused()
    page.get_by_label("Only this product").fill("te")
    page.get_by_role("button", name="tea 7").click()
    expect(page.get_by_text("tea was seen 7 times")).to_be_visible()
    expect(page.get_by_label("Another product")).to_be_focused()
    page.keyboard.type("tee")
    page.get_by_role("button", name="Add product to event A").click()
    expect(page.get_by_text("tee was never seen in the last 30 days")).to_be_visible()
    page.get_by_role("button", name="Remove tee").click()
    page.get_by_role("button", name="Add added_to_cart").click()
    expect(page.get_by_label("Name of the event").nth(1)).to_have_value("added_to_cart")
    page.get_by_role("button", name="Only with certain properties for event B").click()
    expect(page.get_by_label("Property")).to_be_focused()
    page.keyboard.type("pla")
    page.get_by_role("button", name="plan 4").click()
    expect(page.get_by_label("Comparison")).to_be_focused()
    page.get_by_label("Value").fill("free")
    for number in (2, 3):
        page.get_by_role("button", name="Add event").click()
        expect(page.get_by_label("What people do").nth(number)).to_be_focused()
    page.get_by_label("What people do").nth(2).select_option("session")
    page.get_by_label("What people do").nth(3).select_option("message_click")
    page.get_by_role("button", name="Add event").click()
    expect(page.get_by_text("There are 5 conversion events, at most 4 are allowed.")).to_be_visible()
    drag(page, 1, 0)
    drag(page, 0, 1)
    page.get_by_role("button", name="Move up event D").click()
    expect(page.get_by_label("What people do").nth(2)).to_have_value("message_click")
    watched.check()
    go_on(page)
    expect(page.get_by_text("7 people would have done A.")).to_be_visible()
    expect(page.get_by_role("row", name="B added_to_cart")).to_contain_text("30.0")
    watched.check()
    go_on(page)
    page.get_by_label("Intelligent Selection").check()
    page.get_by_role("button", name="Add guardrail").click()
    watched.check()
    go_on(page)
    watched.check()
    page.get_by_role("button", name="Start measuring").click()
    expect(page).to_have_url(f"{fresh.address}/campaign?id=cart-rescue-marz")
    told = fresh.client.get("/api/campaigns/cart-rescue-marz").json()
    assert told["status"] == "running"
    assert [one["kind"] for one in told["conversion_events"]] == ["purchase", "custom", "message_click", "session"]


@pytest.mark.slow
def test_the_keyboard_is_enough(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    page = watched.open("/create")

    def reach(name: str) -> None:
        """Press Tab until something of this name has the focus."""
        for _ in range(80):
            page.keyboard.press("Tab")
            said = "(e => e.labels?.length ? e.labels[0].innerText : e.innerText)(document.activeElement)"
            if page.evaluate(said).startswith(name):
                return
        raise AssertionError(f"{name} cannot be reached")

    def press(name: str) -> None:
        reach(name)
        page.keyboard.press("Enter")

    reach("Name")
    page.keyboard.type("By hand")
    press("Save and continue")
    for step in ("Variants", "Exposures", "Conversion events"):
        expect(page.get_by_label("Steps").locator("[aria-current]")).to_contain_text(step)
        if step != "Conversion events":
            press("Save and continue")
    for number in range(1, 4):
        press("Add event")
        expect(page.get_by_label("What people do").nth(number)).to_be_focused()
        page.keyboard.press("Home")
        expect(page.get_by_label("What people do").nth(number)).to_have_value("session")
    page.keyboard.press("Shift+Tab")  # Remove event D
    page.keyboard.press("Shift+Tab")  # Move up event D
    page.keyboard.press("Enter")
    expect(page.get_by_label("What people do").nth(2)).to_be_focused()
    for step in ("Preview", "Counting", "Review"):
        press("Save and continue")
        expect(page.get_by_label("Steps").locator("[aria-current]")).to_contain_text(step)
    press("Start measuring")
    expect(page).to_have_url(f"{fresh.address}/campaign?id=by-hand")
    assert len(fresh.client.get("/api/campaigns/by-hand").json()["conversion_events"]) == 4


@pytest.mark.slow
def test_each_mistake_stands_beside_its_field_and_on_the_review(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/create")
    go_on(page)
    expect(page.locator("#id-error")).to_have_text("Id is missing.")
    assert page.locator("#id").get_attribute("aria-describedby") == "id-hint id-error"
    page.get_by_label("Name", exact=True).fill("Wrong")
    go_on(page)
    page.get_by_label("Share in %", exact=True).first.fill("many")
    page.get_by_label("Share in %", exact=True).last.fill("10.123")
    go_on(page)
    expect(page.locator("[id='variants.0.share-error']")).to_contain_text('Share is "many", must be a percentage')
    expect(page.locator("[id='variants.1.share-error']")).to_contain_text("must have at most two decimals")
    page.get_by_label("Share in %", exact=True).first.fill("80")
    page.get_by_label("Share in %", exact=True).last.fill("10")
    go_on(page)
    expect(page.locator("#variants")).to_have_text("Shares sum to 90, must sum to 100.")
    watched.check()
    go_to(page, "Conversion events")
    page.get_by_label("Within").fill("45")
    page.get_by_role("button", name="Only with certain properties for event A").click()
    expect(page.get_by_label("Property")).to_be_focused()
    page.get_by_label("Property").fill("a..b")
    page.get_by_label("Comparison").select_option(">")
    page.get_by_label("is", exact=True).select_option("number")
    page.get_by_label("Value").fill("fifty")
    go_on(page)
    expect(page.locator("[id='conversion_events.0.number-error']")).to_contain_text("must be at most 30 days")
    expect(page.locator("[id='conversion_events.0.where.0.property-error']")).to_contain_text("must be names with dots")
    expect(page.locator("[id='conversion_events.0.where.0.value-error']")).to_contain_text(
        'is "fifty", which is no number'
    )
    watched.check()
    go_to(page, "Counting and analysis")
    page.get_by_label("Smallest effect").fill("0")
    page.get_by_label("Minimum sample").fill("some")
    page.get_by_label("Intelligent Selection", exact=False).first.check()
    page.get_by_label("Decides every").fill("a month")
    go_on(page)
    expect(page.locator("[id='analysis.smallest_effect-error']")).to_contain_text("must be above 0% and at most 100%")
    expect(page.locator("[id='analysis.minimum_sample-error']")).to_contain_text("must be a whole number of users")
    expect(page.locator("[id='selection.mode-error']")).to_contain_text("at least two variants")
    expect(page.locator("[id='selection.every-error']")).to_be_visible()
    watched.check()
    page.get_by_label("Steps").get_by_role("button", name="Review", exact=True).click()
    assert page.get_by_role("alert").get_by_role("link").count() >= 8
    assert page.get_by_role("button", name="Start measuring").is_disabled()
    watched.check()
    page.get_by_role("link", name="Shares sum to 90").click()
    expect(page.locator("#variants")).to_have_text("Shares sum to 90, must sum to 100.")


@pytest.mark.slow
def test_two_people_lose_nothing(fresh: World, browse: Browse) -> None:
    first, second = browse(fresh, Role.EDITOR), browse(fresh, Role.ADMIN)
    first.expected.add(409)
    page, other = first.page, second.page
    begin(page, "Together")
    page.get_by_role("button", name="Back").click()
    other.goto(page.url)
    other.get_by_label("Description").fill("What the admin wrote")
    other.get_by_label("Tags").fill("spring")
    other.get_by_role("button", name="Save and continue").click()
    expect(other.get_by_role("heading", name="Variants and their shares")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Together again")
    page.get_by_label("Tags").fill("summer")
    go_on(page)
    expect(page.get_by_role("heading", name="Admin saved this draft meanwhile")).to_be_visible()
    row = page.get_by_role("row", name="Tags")
    expect(row).to_contain_text("summer")
    expect(row).to_contain_text("spring")
    assert page.get_by_role("row").count() == 2  # name and description are each one's own
    expect(page.get_by_label("Name", exact=True)).to_have_value("Together again")
    expect(page.get_by_label("Description")).to_have_value("What the admin wrote")
    expect(page.get_by_label("Tags", exact=False).last).to_have_value("summer")
    first.check()
    page.get_by_label("Tags: take what Admin saved").check()
    go_on(page)
    expect(page.get_by_role("heading", name="Together again")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Tags")).to_have_value("spring")


def sign_in_elsewhere(world: World, page: Page) -> None:
    """Give the browser another session, as signing in in another tab does."""
    with open_metadata(world.served.data / FILE_NAME, create=False) as metadata:
        account = metadata.accounts.find("editor@example.com")
        secret = metadata.sessions.begin(account.id, time.time_ns() // 1000, os.urandom)
    page.context.add_cookies([{"name": COOKIE, "value": secret, "url": world.address}])


@pytest.mark.slow
def test_a_session_that_ends_loses_nothing(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(401)
    page = watched.page
    begin(page, "Interrupted")
    go_to(page, "Conversion events")
    page.get_by_label("What people do").select_option("custom")
    page.get_by_label("Name of the event").fill("came_back")
    page.context.clear_cookies()
    page.get_by_role("button", name="Add event").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    expect(page.get_by_label("Name of the event")).to_have_value("came_back")
    go_on(page)
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    page.get_by_label("E-mail address").fill("editor@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Continue with what I typed").click()
    expect(page.get_by_role("heading", name="Had this been running")).to_be_visible()
    go_to(page, "Conversion events")
    expect(page.get_by_label("Name of the event")).to_have_value("came_back")
    page.get_by_label("Name of the event").fill("came_back_twice")
    page.context.clear_cookies()
    sign_in_elsewhere(fresh, page)
    page.get_by_role("button", name="Add event").click()
    expect(page.get_by_role("heading", name="Nothing is lost")).to_be_visible()
    assert page.get_by_role("banner").count() == 1
    page.get_by_role("button", name="Continue with what I typed").click()
    expect(page.get_by_label("Name of the event").first).to_have_value("came_back_twice")
    assert page.get_by_label("What people do").count() == 2


HOSTILE = '<script>alert("x")</script>\u202e {{ 7 * 7 }} 🫖 \'"&=HYPERLINK("x")'


@pytest.mark.slow
def test_hostile_names_are_only_names(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.page
    page.on("dialog", lambda dialog: watched.problems.append(f"dialog: {dialog.message}"))
    begin(page, HOSTILE)
    page.get_by_role("button", name="Back").click()
    page.get_by_label("Id", exact=True).fill(HOSTILE)
    page.get_by_label("Tags").fill(f"{HOSTILE}, {'long' * 60}")
    page.get_by_label("Description").fill("x" * 10_000)
    go_on(page)
    page.locator("[id='variants.0.name']").fill(HOSTILE)
    page.locator("[id='variants.0.id']").fill(HOSTILE)
    go_on(page)
    assert HOSTILE in page.locator("#snippet-files").inner_text().replace('""', '"')
    go_on(page)
    page.get_by_label("What people do").select_option("custom")
    page.get_by_label("Name of the event").fill(HOSTILE)
    page.get_by_role("button", name="Only with certain properties for event A").click()
    expect(page.get_by_label("Property")).to_be_focused()
    page.get_by_label("Property").fill("z" * 255)
    page.get_by_label("Value").fill("long" * 2_500)
    for _ in range(3):
        go_on(page)
    expect(page.get_by_role("heading", name="Variants", exact=True)).to_be_visible()
    watched.check()
    page.get_by_role("button", name="Save as draft campaign").click()
    told = {one["id"]: one for one in fresh.client.get("/api/campaigns").json()["campaigns"]}
    assert told[HOSTILE]["name"] == HOSTILE
    page.goto("/")
    watched.check()


@pytest.mark.slow
def test_a_canvas_has_steps(fresh: World, browse: Browse) -> None:
    watched = browse(fresh, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/create")
    page.get_by_text("Canvas", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Welcome")
    go_on(page)
    expect(page.locator("#steps")).to_have_text("A Canvas needs at least one step.")
    for number in range(2):
        page.get_by_role("button", name="Add step").click()
        expect(page.locator(f"[id='steps.{number}.name']")).to_be_focused()
    page.locator("[id='steps.0.name']").fill("Last")
    page.get_by_role("button", name="Move down step 1").click()
    expect(page.locator("[id='steps.1.name']")).to_have_value("Last")
    watched.check()
    page.get_by_label("Steps", exact=True).get_by_role("button", name="Review", exact=True).click()
    page.get_by_role("button", name="Save as draft campaign").click()
    told = fresh.client.get("/api/campaigns/welcome").json()
    assert [one["id"] for one in told["steps"]] == ["step-2", "step-1"]
    assert told["status"] == "draft"


def test_forms_work_without_a_script(fresh: World) -> None:
    session = {COOKIE: fresh.secrets[Role.EDITOR]}
    with httpx.Client(
        base_url=fresh.address, cookies=session, trust_env=False, follow_redirects=True, headers=PATIENT
    ) as browser:

        def hidden(text: str, name: str) -> str:
            return text.partition(f'name="{name}" value="')[2].partition('"')[0]

        def send(address: str, do: str, **fields: str) -> httpx.Response:
            text = browser.get(address).text
            form = {"csrf": hidden(text, "csrf"), "revision": hidden(text, "revision"), "do": do, **fields}
            return browser.post(address, data=form)

        answer = send("/create", "next", name="Plain", type="push")
        draft = answer.url.params["id"]
        events = f"/draft?id={draft}&step=events"
        first = {"conversion_events.0.kind": "purchase", "conversion_events.0.number": "3"}
        first |= {"conversion_events.0.unit": "days", "conversion_events.0.products.more": "tea"}
        answer = send(events, "add-event", **first)
        assert str(answer.url).endswith("at=conversion_events.1.kind")
        assert 'name="conversion_events.0.products" value="tea"' in answer.text
        assert re.search(
            r'<select id="conversion_events.1.kind" name="conversion_events.1.kind" autofocus', answer.text
        )
        assert send(events, "next", **first).url.params["step"] == "preview"
        assert "people would have done A" in browser.get(f"/draft/preview?id={draft}").text
        ways = browser.get(f"/draft?id={draft}&step=exposures").text
        review = browser.get(f"/draft/review?id={draft}").text
        assert f'href="/draft/needed?id={draft}"' in review
        needed = browser.get(f"/draft/needed?id={draft}").text
        finish = {"csrf": hidden(review, "csrf"), "revision": hidden(review, "revision"), "stands_at": "0"}
        browser.post(f"/draft/finish?id={draft}", data={**finish, "do": "keep"})
        assert browser.get(f"/draft?id={draft}").status_code == 404
        late = browser.post(events, data={"csrf": finish["csrf"], "do": "next", **first})
        assert late.status_code == 409
        assert "What you typed on this page is kept in a new draft" in late.text
        assert 'name="conversion_events.0.products" value="tea"' in late.text
        assert browser.get(f"/draft/seen?id={draft}&what=values&event=x").status_code in (400, 404)
    planned = fresh.client.get("/api/campaigns/plain/plan?rate=0.7").json()["sentences"][0]
    seen = planned.replace("the rate that was given", "the share of the people seen in the last 30 days")
    assert html.unescape(needed) == f'<p class="remark">{seen}</p>'
    told = fresh.client.get("/api/campaigns/plain").json()
    assert (told["channels"], told["status"], len(told["conversion_events"])) == (["push"], "draft", 1)
    assert fresh.client.post("/api/campaigns/plain/launch").status_code == 200
    for name, path in (("assign", "/api/assign"), ("exposures", "/api/exposures"), ("braze", "/users/track")):
        said = html.unescape(ways.partition(f'id="snippet-{name}"')[2].partition(">")[2].partition("</pre>")[0])
        words = shlex.split(said.replace("\\\n", ""))
        assert words[1] == f"$AFTERWORD{path}"
        answer = fresh.client.post(path, words[words.index("-d") + 1].encode(), content_type="application/json")
        assert answer.status_code == (200 if name == "assign" else 201), answer.text
        assert not answer.json().get("rejected")
