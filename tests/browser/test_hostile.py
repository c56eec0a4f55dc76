"""Names that mean harm, everywhere a name can go: on every page they are only text, in files only cells."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Dialog

from afterword.interfaces.web.create.views import STEPS
from afterword.interfaces.web.routes import PAGES
from afterword.interfaces.web.visits import COOKIE
from afterword.reports.render_csv import FORMULA_STARTS
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.conftest import PATIENT, PHONE, Browse, World, make_people
from tests.browser.drafting import begin_draft, save_step
from tests.interfaces.serving import Served, campaign, exposures, instant, purchase

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TURNED = "\u202eevil\u2066 \u200fטקסט"
LONGEST = 255
SHOUT = "'\"><svg onload=alert(3)>{{ 7 * 7 }}${7*7} 🫖👩‍👩‍👧"
FORMULA = "=cmd|' /C calc'!A0"
LONG = ("W" * LONGEST)[:LONGEST]
NAMES = (SCRIPT, TURNED, SHOUT, FORMULA, LONG)
HURT = f"{FORMULA}{SCRIPT}{TURNED}🫖"[:200]
ID = HURT.replace("/", "")
USERS = [FORMULA, *(f"{name}{number}"[-LONGEST:] for number in range(5) for name in NAMES), "+1+1", "-2", "@sum(A1)"]
MANY = 10_000
NEEDS_MORE = {"/invitation", "/conversions/seen", "/campaign/why"}
"""Pages that say what is wrong with what was asked: no such link, no such field, nobody of this name."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server where every name is hostile."""
    served = Served(tmp_path_factory.mktemp("hostile"))
    try:
        client = served.start()
        definition = campaign(
            ID,
            name=HURT,
            description=(SCRIPT + TURNED) * 20,
            tags=[SCRIPT, TURNED, FORMULA, "t" * LONGEST],
            variants=[
                {"id": FORMULA, "name": FORMULA + SCRIPT, "share": 45},
                {"id": SCRIPT, "name": TURNED + LONG[:200], "share": 45},
                {"id": "control", "control": True, "name": SHOUT, "share": 10},
            ],
            conversion_events=[
                {"kind": "custom", "name": SCRIPT, "deadline": "3 days"},
                {"kind": "purchase", "products": [FORMULA, TURNED, LONG], "deadline": "3 days"},
                {"kind": "session", "apps": [SHOUT], "deadline": "3 days"},
                {"kind": "custom", "name": LONG, "deadline": "1 day"},
            ],
            selection={"mode": "intelligent", "automatic": False},
        )
        assert client.post("/api/campaigns", definition).status_code == 201
        assert client.post(f"/api/campaigns/{quote(ID, safe='')}/launch").status_code == 200
        for number, variant in enumerate((FORMULA, SCRIPT, "control")):
            body = exposures(USERS[number::3], variant, of=ID)
            for each in body["exposures"]:
                each["exposure_id"] = each["exposure_id"][-LONGEST:]
                each["channel"] = "email"
            assert client.post("/api/exposures", body).json()["rejected"] == []
        events = [
            *({"user_id": user, "kind": "custom", "name": SCRIPT, "occurred_at": instant(60)} for user in USERS),
            *(purchase(user, product_id=FORMULA) for user in USERS[::2]),
            *(purchase(user, product_id=TURNED) for user in USERS[::4]),
            {"user_id": FORMULA, "kind": "session", "app_id": SHOUT, "app_version": FORMULA, "occurred_at": instant(9)},
            {"user_id": FORMULA, "kind": "custom", "name": LONG, "occurred_at": instant(9)}
            | {"properties": {SCRIPT: FORMULA, TURNED: LONG}},
        ]
        assert client.post("/api/events", {"events": events}).json()["rejected"] == []
        refused = [purchase("u", price=SCRIPT), purchase("u", currency=FORMULA), {"user_id": SCRIPT, "kind": TURNED}]
        client.post("/api/events", {"events": refused})
        with open_metadata(served.data / FILE_NAME, create=False) as metadata:
            now = time.time_ns() // 1000
            metadata.keys.create(SCRIPT + FORMULA, ["api.read"], now, os.urandom)
            metadata.accounts.create("hurt@example.com", SCRIPT + SHOUT, Role.VIEWER, now, "a long password")
            metadata.holdouts.create((FORMULA + SCRIPT).replace("/", ""), 500, None, now + 10**12, now)
        client.loaded()
        world = World(served, client, make_people(served))
        make_drafts(world)
        yield world
    finally:
        served.close()


def make_drafts(world: World) -> None:
    """Begin a change of the campaign, and a campaign of which everything is hostile, and much of it wrong."""
    begin_draft(world, "", of=ID)
    draft = begin_draft(world, HURT)
    basics = {"name": HURT, "id": FORMULA, "description": SCRIPT, "tags": f"{SCRIPT}, {TURNED}, {FORMULA}"}
    save_step(world, draft, "basics", {"type": "email", **basics})
    variants = {"id": SCRIPT, "name": TURNED + FORMULA, "share": SHOUT, "message": SCRIPT}
    save_step(world, draft, "variants", {f"variants.0.{name}": value for name, value in variants.items()})
    events = {"kind": "purchase", "products": SHOUT, "number": FORMULA, "unit": SCRIPT}
    events |= {"where.0.property": SCRIPT, "where.0.op": SCRIPT, "where.0.value": LONG, "where.0.of": SHOUT}
    save_step(world, draft, "events", {f"conversion_events.0.{name}": value for name, value in events.items()})


def addresses(world: World) -> list[str]:
    """Every page, asked about the campaign and a user, and about each draft and each step of it."""
    campaign_id = f"id={quote(ID, safe='')}"
    paths = dict.fromkeys(page.path for page in PAGES if page.method == "GET")
    found = [f"{path}?{campaign_id}" if path.startswith("/campaign") else path for path in paths]
    with open_metadata(world.served.data / FILE_NAME, create=False) as metadata:
        drafts = [one.id for one in metadata.drafts.list()]
    assert len(drafts) == 2
    offered = "event=0&filter=0&what=products&conversion_events.0.kind=purchase"
    for draft in drafts:
        found += [f"{path}?id={draft}&{offered}" for path in paths if path.startswith("/draft/")]
        found += [f"/draft?id={draft}&step={step}&check=1" for step in STEPS]
    found += [
        f"/campaign/why?{campaign_id}&whole=1&user={quote(user, safe='')}" for user in (FORMULA, SCRIPT + "0", LONG)
    ]
    found += [f"/campaign/users?{campaign_id}&event=A&variant={quote(one, safe='')}" for one in (FORMULA, SCRIPT)]
    found += [f"/?q={quote(HURT)}&tag={quote(SCRIPT)}", f"/campaign?{campaign_id}&event={quote(SCRIPT)}"]
    return found


@pytest.mark.slow
def test_every_page_shows_them_as_text(hostile: World, browse: Browse) -> None:
    watched = browse(hostile, Role.ADMIN, width=PHONE)
    watched.expected |= {400, 404, 409}
    page = watched.page
    seen: dict[str, int] = {}

    def opened(dialog: Dialog) -> None:
        watched.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", opened)
    shown = 0
    for address in addresses(hostile):
        answer = page.goto(address)
        assert answer is not None
        seen[address.partition("?")[0]] = answer.status
        page.wait_for_load_state("networkidle")
        where = f"{address.partition('?')[0]} {address[-30:]}"
        for foreign in ("body img", "body svg[onload]", "body script"):
            if page.locator(foreign).count():
                watched.problems.append(f"{where}: {foreign} was made of a name")
        is_whole = page.locator("main").count()  # else it is a part, which its page has in it
        if is_whole and (wider := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            watched.problems.append(f"{where}: {wider} px wider than the window")
        shown += "<script>alert(1)" in page.locator("body").inner_text()
    assert shown > 40
    assert {path for path, status in seen.items() if status >= 400} == NEEDS_MORE
    watched.open(f"/campaign?id={quote(ID, safe='')}")
    watched.check()


def test_no_cell_of_a_file_is_a_formula(hostile: World) -> None:
    campaign_id = quote(ID, safe="")
    session = {COOKIE: hostile.secrets[Role.ANALYST]}
    with httpx.Client(base_url=hostile.address, cookies=session, trust_env=False, timeout=60, headers=PATIENT) as http:
        users = http.get(f"/campaign/users?id={campaign_id}&event=A&state=converted&format=csv")
        listed = list(csv.reader(io.StringIO(users.text)))
        assert len(listed) == len(USERS) + 1
        named = [row for row in csv.reader(io.StringIO(across(http).text)) if row[0] == f"'{ID}"]
        assert named
        page = http.get(f"/campaign/over-time?id={campaign_id}&event=A")
        tables = [http.get(address) for address in found_files(page.text)]
        assert tables
        for answer in (users, across(http), *tables):
            assert answer.headers["content-type"].startswith("text/csv")
            assert "attachment" in answer.headers["content-disposition"]
            cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
            assert [cell for cell in cells if cell.startswith(FORMULA_STARTS) and not is_number(cell)] == []


def across(http: httpx.Client) -> httpx.Response:
    """Return the file of conversions across campaigns; the first to ask waits for it."""
    until = time.monotonic() + 60
    while not (answer := http.get("/conversions?csv=1")).headers["content-type"].startswith("text/csv"):
        assert time.monotonic() < until, answer.text
        time.sleep(0.2)
    return answer


def found_files(page: str) -> list[str]:
    """Return the addresses of the files that a page offers."""
    parts = page.split('href="')[1:]
    return [part.split('"')[0].replace("&amp;", "&") for part in parts if "csv=" in part.split('"')[0]]


def is_number(cell: str) -> bool:
    """Return whether a cell is only a number, such as -3.5."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/create", {"name": "n" * MANY, "id": "long", "do": "next"}),
        ("/settings/people", {"name": "n" * MANY, "email": "long@example.com", "role": "viewer"}),
        ("/settings/keys", {"name": "n" * MANY, "permissions": "api.read"}),
    ],
)
def test_what_is_too_long_is_refused_clearly(hostile: World, path: str, form: dict[str, str]) -> None:
    session = {COOKIE: hostile.secrets[Role.ADMIN]}
    with httpx.Client(base_url=hostile.address, cookies=session, trust_env=False, timeout=60, headers=PATIENT) as http:
        csrf = http.get(path).text.split('name="csrf" value="')[1].split('"')[0]
        answer = http.post(path, data={"csrf": csrf, **form})
        if answer.status_code == 303:  # a draft may be wrong; the review says how
            draft = httpx.URL(answer.headers["location"]).params["id"]
            answer = http.get("/draft/review", params={"id": draft})
            assert 'value="launch" disabled' in answer.text
        else:
            assert answer.status_code == 400
    assert "255" in answer.text
