"""Conversions across campaigns: shown at once and filled in, with the numbers of /api/attribution, for every role."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from afterword.store.accounts import Role
from tests.browser.conftest import PHONE, Browse, World, make_people
from tests.interfaces.serving import campaign, exposures, purchase, wait_for

HOSTILE = "=cmd()|'<script>alert(1)</script>\u202e🙂"
TEA = {"kind": "purchase", "deadline": "3 days", "products": ["across tea"]}
ADDRESS = "/conversions?kind=purchase&only=across+tea&window=3+days"


@pytest.fixture(scope="module")
def shared_out(world: World) -> dict[str, Any]:
    """Two campaigns reached twelve who bought, the second again later; three bought without a message."""
    variants = [{"id": "a", "share": 90}, {"id": "control", "control": True, "share": 10}]
    client = world.client
    client.launch(campaign("across-1", name=HOSTILE, variants=variants))
    client.launch(campaign("across-2", variants=variants))
    users = [f"across-{n}" for n in range(12)]
    client.post("/api/exposures", exposures(users, of="across-1", ago=7_200))
    client.post("/api/exposures", exposures(users, of="across-2", ago=3_600))
    buyers = [*users, "across-x", "across-y", "across-z"]
    client.post("/api/events", {"events": [purchase(user, product_id="across tea", currency="USD") for user in buyers]})
    client.loaded()
    return told(world, {"conversion_event": TEA})


def told(world: World, body: dict[str, Any]) -> dict[str, Any]:
    place = world.client.post("/api/attribution", body).headers["location"]
    wait_for(lambda: world.client.get(place).json()["state"] not in ("waiting", "running"), 60)
    result: dict[str, Any] = world.client.get(place).json()["result"]
    return result


def rows(page: Page, table: str) -> dict[str, list[str]]:
    """Return the cells of a table's rows by the address of their campaign, or by their name."""
    found = page.locator(f"#{table} tbody tr, #{table} tfoot tr").evaluate_all(
        "rows => rows.map(row => [row.querySelector('a')?.getAttribute('href') ?? row.children[0].innerText,"
        " ...[...row.querySelectorAll('td')].map(cell => cell.innerText)])"
    )
    return {name.split("\n")[0]: cells for name, *cells in found}


def test_the_numbers_are_those_of_the_api(world: World, browse: Browse, shared_out: dict[str, Any]) -> None:
    watched = browse(world, Role.ANALYST)
    page = watched.open(ADDRESS)
    page.locator("#conversions").wait_for()
    watched.check()
    shown = rows(page, "conversions")
    for one in (each for each in shared_out["campaigns"] if each["id"].startswith("across-")):
        credited = [f"{round(float(view['conversions']), 2):g}" for view in one["views"].values()]
        amounts = [view["revenue"] for view in one["views"].values()]
        address = f"/campaign?id={one['id']}"
        assert [f"{float(text):g}" for text in shown[address]] == credited
        assert [text.lstrip("$").replace(",", "") for text in rows(page, "revenue")[address]] == amounts
    told_steps = {f"/campaign?id={one['id']}": one["funnel"] for one in shared_out["campaigns"]}
    told_steps["All campaigns"] = shared_out["funnel"]["total"]
    for address, cells in rows(page, "funnel").items():
        expected = [f"{count:,}" if count is not None else "–" for count in told_steps[address].values()]
        assert [cell.split("\n")[0] for cell in cells] == expected, address
    assert told_steps["/campaign?id=across-1"] == {"reached": 12, "opened": None, "clicked": None, "converted": 12} | {
        step: 0 for step in ("opened", "clicked") if told_steps["/campaign?id=across-1"][step] is not None
    }
    total = shared_out["total"]
    assert (total["conversions"], total["touched"], total["untouched"]) == (15, 12, 3)
    assert page.locator(".heads dd:not(.under)").all_inner_texts()[:3] == ["15", "12", "3"]
    assert shown["Had none"] == ["3"] * 6
    assert shown["Had a message"][0].startswith("–")  # what must not be added up has no sum
    with page.expect_download() as saved:
        page.locator("[data-csv=conversions]").click()
    file = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8-sig"))))
    assert saved.value.suggested_filename == "conversions.csv"
    [line] = [row for row in file if "cmd()" in row["Campaign"]]
    assert line["Campaign"].startswith("'=cmd()")  # no formula
    numbers = [float(text) for name, text in line.items() if name != "Campaign" and not name.endswith("(note)")]
    assert numbers == [float(text) for text in shown["/campaign?id=across-1"]]
    page.get_by_role("link", name=HOSTILE).first.click()
    page.wait_for_url("**/campaign?id=across-1")


def test_what_messages_caused_is_beside(world: World, browse: Browse) -> None:
    everything = told(world, {"conversion_event": {"kind": "purchase", "deadline": "7 days"}})
    page = browse(world, Role.ANALYST).open("/conversions")
    page.locator("#caused").wait_for()
    shown = rows(page, "caused")
    [welcome] = [one for one in everything["campaigns"] if one["id"] == "welcome"]
    caused = welcome["incremental"]["metrics"]["A"]["incremental"]
    assert shown["/campaign?id=welcome"][1].split("\n")[0] == f"{caused:+,.0f}".replace("-", "−")
    page.locator(".plot svg").wait_for()


def test_the_file_is_exact_and_no_formula(world: World, browse: Browse, shared_out: dict[str, Any]) -> None:
    page = browse(world, Role.ANALYST).open(ADDRESS)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    read = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    one = next(row for row in read if row["campaign_id"] == "across-1")
    assert one["campaign_name"] == f"'{HOSTILE}"
    [expected] = [each for each in shared_out["campaigns"] if each["id"] == "across-1"]
    assert one["conversions_time_decay"] == expected["views"]["time_decay"]["conversions"]
    assert one["revenue_last"] == expected["views"]["last"]["revenue"]
    assert [row["conversions_last"] for row in read[-2:]] == ["12", "3"]


def test_a_viewer_sees_no_small_numbers(world: World, browse: Browse, shared_out: dict[str, Any]) -> None:
    watched = browse(world, Role.VIEWER, width=PHONE, dark=True)
    page = watched.open(ADDRESS)
    page.locator("#conversions").wait_for()
    shown = rows(page, "conversions")
    assert shown["/campaign?id=across-1"] == ["12", "12", "0", "<\u202f10", "<\u202f10", "<\u202f10"]
    assert shown["Had none"] == ["<\u202f10"] * 6
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    read = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    one = next(row for row in read if row["campaign_id"] == "across-1")
    assert (one["conversions_every"], one["conversions_linear"], one["revenue_linear"]) == ("12", "", "")


@pytest.mark.slow
def test_what_cannot_be_asked_stands_beside_its_field(world: World, browse: Browse) -> None:
    watched = browse(world, Role.VIEWER)
    watched.expected.add(400)
    page = watched.open("/conversions?from=2026-03-02&to=2026-03-01")
    assert "from is after to" in page.locator("#from-error").inner_text()
    page = watched.open("/conversions?kind=custom&name=&window=31+days")
    assert page.get_by_label("Within, after a message").input_value() == "31 days"
    assert "at most 30 days" in page.locator("#window-error").inner_text()
    assert "empty" in page.locator("#name-error").inner_text()
    watched.check()
    page.get_by_label("Conversion event").select_option("session")
    page.get_by_label("Only this app").wait_for()


@pytest.mark.slow
def test_names_are_searched_and_nothing_is_said_so(world: World, browse: Browse, shared_out: dict[str, Any]) -> None:
    watched = browse(world, Role.VIEWER)
    page = watched.open("/conversions?only=across+tea&to=2001-01-01")
    page.get_by_text("Nobody did that in this period").wait_for()
    watched.check()
    field = page.get_by_label("Only this product")
    field.fill("across te")
    page.locator("#only-0-names option[value='across tea']").wait_for(state="attached")
    page.get_by_text("not seen under this name").wait_for()
    field.fill("across tea")
    page.get_by_text("seen 15 times in the last 30 days").wait_for()
    page.get_by_role("link", name="Look at the whole time").click()
    page.locator("#conversions").wait_for()


@pytest.mark.slow
def test_without_a_campaign_it_says_what_it_would_show(empty: World, browse: Browse) -> None:
    empty.secrets.update(make_people(empty.served))
    watched = browse(empty, Role.VIEWER)
    assert watched.open("/conversions").get_by_text("No campaign was launched yet").is_visible()
    watched.check()
