"""Every page that there is, in light and dark, on a desk and on a phone: nothing bars anybody from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from afterword.interfaces.oidc.settings import BACK
from afterword.interfaces.web import vouching
from afterword.interfaces.web.create.moving import MOVES
from afterword.interfaces.web.routes import PAGES
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.browser.conftest import Browse, World
from tests.browser.drafting import begin_draft, save_step

DRAFT, NEW = "DRAFT", "NEW"
"""Stand for the id of a draft of the demo's campaign, and of one of nothing yet."""
STEPS = ("basics", "variants", "exposures", "events", "preview", "analysis")


@dataclass(frozen=True)
class Stop:
    """A page as somebody sees it."""

    address: str
    role: Role | None = Role.ADMIN
    status: int = 200
    ready: str = "main h1"
    parts: Sequence[str] = ()
    """Paths that it asks for by itself, and puts what they answer into the page."""


STOPS = (
    Stop("/"),
    Stop("/", Role.VIEWER),
    Stop("/?q=nothing+has+this+name"),
    Stop("/sign-in", None),
    Stop("/welcome", None),
    Stop("/invitation?secret=none", None, 404),
    Stop("/account", Role.VIEWER),
    Stop("/data"),
    Stop("/data", Role.VIEWER),
    *(Stop(f"/data/seen?what={what}") for what in ("events", "products", "apps", "versions", "properties")),
    *(
        Stop(
            f"/campaign?id={campaign}",
            role,
            ready="#over-time .plot svg",
            parts=("/campaign/over-time", "/campaign/messages", "/campaign/breakdown"),
        )
        for campaign, role in (("welcome", Role.ADMIN), ("email-test", Role.VIEWER), ("update-app", Role.ANALYST))
    ),
    Stop("/campaign?id=nothing", status=404),
    Stop("/campaign/over-time?id=welcome", ready=".plot svg"),
    Stop("/campaign/messages?id=welcome"),
    Stop("/campaign/breakdown?id=welcome&attribute=country"),
    Stop("/campaign/what-if?id=welcome"),
    Stop("/campaign/what-if?id=welcome&kind=session&deadline=1+day", ready="#answer table"),
    Stop("/campaign/users?id=welcome&event=A"),
    Stop("/campaign/users?id=welcome&event=A&state=converted", Role.ANALYST),
    Stop("/campaign/users?id=welcome", Role.VIEWER, 403),
    Stop("/campaign/why?id=welcome"),
    Stop("/campaign/why?id=welcome&user=USER"),
    Stop("/campaign/selection?id=welcome"),
    *(Stop(f"/campaign/{move}?id=welcome") for move in ("edit", *MOVES)),
    Stop("/conversions", ready=".plot svg"),
    Stop("/conversions", Role.VIEWER, ready=".plot svg"),
    Stop("/settings"),
    *(Stop(f"/settings/{name}") for name in ("people", "keys", "holdouts", "rates", "deletions", "audit")),
    Stop("/create", Role.EDITOR),
    *(Stop(f"/draft?id={NEW}&step={step}") for step in STEPS if step != "events"),
    Stop(f"/draft?id={NEW}&step=events", parts=("/draft/counts", "/draft/suggestions")),
    Stop(f"/draft?id={NEW}&step=preview", parts=("/draft/preview",)),
    Stop(f"/draft/review?id={NEW}", parts=("/draft/needed",)),
    *(Stop(f"/draft?id={DRAFT}&step={step}") for step in STEPS),
    Stop(f"/draft/review?id={DRAFT}", parts=("/draft/effect",)),
    Stop(f"/draft/discard?id={DRAFT}"),
)
OFFERED = {"/draft/seen", "/conversions/seen"}
"""Come while one types: the tests of their pages type, and look at them."""
ELSEWHERE = {vouching.WITH, BACK}
"""On the way to a provider and back, which the servers of these tests do not have."""


def test_every_page_is_on_the_list() -> None:
    asked = {urlsplit(stop.address).path for stop in STOPS} | {part for stop in STOPS for part in stop.parts}
    assert asked | OFFERED | ELSEWHERE == {page.path for page in PAGES if page.method == "GET"}


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: f"{stop.address} {stop.role}")
def test_nothing_bars_anybody(world: World, browse: Browse, stop: Stop) -> None:
    watched = browse(world, stop.role)
    watched.expected.add(stop.status)
    asked: set[str] = set()
    watched.page.on("response", lambda answer: asked.add(urlsplit(answer.url).path))
    answer = watched.page.goto(filled_in(world, stop.address))
    assert answer is not None
    assert answer.status == stop.status
    watched.page.locator(stop.ready).first.wait_for()
    watched.page.wait_for_load_state("networkidle")
    watched.check(thoroughly=True)
    assert set(stop.parts) <= asked


def filled_in(world: World, address: str) -> str:
    """Put what is there into an address."""
    if "USER" in address:
        told = world.client.get("/api/campaigns/welcome/users?limit=1&converted=true").json()
        address = address.replace("USER", told["users"][0]["user_id"])
    for name, of in ((DRAFT, "welcome"), (NEW, None)):
        if name in address:
            address = address.replace(name, draft(world, of))
    return address


def draft(world: World, of: str | None) -> str:
    """Return the id of a draft, of a campaign or of nothing yet."""
    with open_metadata(world.served.data / FILE_NAME, create=False) as metadata:
        if found := [one.id for one in metadata.drafts.list() if one.of == of]:
            return found[0]
    made = begin_draft(world, "New", of=of)
    event = {"kind": "purchase", "number": "3", "unit": "days", "products": "tea"}
    save_step(world, made, "events", {f"conversion_events.0.{name}": value for name, value in event.items()})
    return made
