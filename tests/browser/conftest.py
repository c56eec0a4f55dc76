"""The dashboard in a real browser, over a server with the demo's data and a person of each role."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from afterword.demo import write_demo
from afterword.interfaces.demo_serving import load_demo
from afterword.interfaces.progress import Meter
from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.watching import Watched
from tests.interfaces.serving import Client, Served

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
PASSWORD = "correct horse battery"
PATIENT = {"Prefer": "wait=30"}
"""Pages show the newest numbers, however long that takes on a busy machine."""
DESKTOP, PHONE = 1440, 375
LOADING_SECONDS = 300


@dataclass
class World:
    """A running server with the demo's data."""

    served: Served
    client: Client
    secrets: dict[Role, str]
    """A session for each role."""

    @property
    def address(self) -> str:
        return self.served.address


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo's campaigns, served, with an account for each role (their e-mail address is ROLE@example.com)."""
    served = Served(tmp_path_factory.mktemp("world"))
    base = tmp_path_factory.getbasetemp()
    served.key = copy_demo(served.data, base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    try:
        client = served.start()
        yield World(served, client, make_people(served))
    finally:
        served.close()


def copy_demo(data: Path, place: Path) -> str:
    """Copy the demo's data directory, which the first worker that asks has made for all of them; return its key."""
    made = place / "demo-of-all"
    with (place / "demo-of-all.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "key.txt").exists():
            shutil.rmtree(made, ignore_errors=True)
            served = Served(made)
            demo = write_demo(made / "demo")
            with Meter() as meter:
                served.key = load_demo(Path(demo.definitions).parent, served.data, meter)
            try:
                served.start().loaded()
                assert served.stop() == 0
                served.wait_for_answering()
            finally:
                served.close()
            (made / "key.txt").write_text(served.key)
    shutil.copytree(made / "data", data)
    return (made / "key.txt").read_text()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """A server that nobody has set up yet."""
    served = Served(tmp_path)
    try:
        client = served.start()
        yield World(served, client, {})
    finally:
        served.close()


def make_people(served: Served) -> dict[Role, str]:
    """Make an account for each role, and a session for each account."""
    with open_metadata(served.data / FILE_NAME, create=False) as metadata:
        now = time.time_ns() // 1000
        found = {}
        for role in Role:
            account = metadata.accounts.create(f"{role.value}@example.com", role.value.title(), role, now, PASSWORD)
            found[role] = metadata.sessions.begin(account.id, now, os.urandom)
        return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    yield found
    found.close()


Browse = Callable[..., Watched]


@pytest.fixture
def browse(browser: Browser) -> Iterator[Browse]:
    """Open pages as somebody; each is watched, and what is wrong with it fails the test at its end."""
    opened: list[Watched] = []

    def open_as(world: World, role: Role | None, *, width: int = DESKTOP, dark: bool = False) -> Watched:
        context = browser.new_context(
            base_url=world.address, viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light",
            timezone_id="Europe/Berlin", locale="en-GB", extra_http_headers=PATIENT,
        )  # fmt: skip
        context.set_default_timeout(20_000)
        if role is not None:
            context.add_cookies([{"name": COOKIE, "value": world.secrets[role], "url": world.address}])
        opened.append(Watched(context.new_page(), world.address))
        return opened[-1]

    yield open_as
    problems = [problem for one in opened for problem in one.problems]
    for one in opened:
        one.page.context.close()
    assert problems == []
