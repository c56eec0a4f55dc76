"""Settings: people, keys and the rest, for admins only; the audit log knows it all."""

from __future__ import annotations

import pytest

from afterword.interfaces.web.routes import PAGES
from afterword.store.accounts import Role
from tests.browser.conftest import PASSWORD, Browse, World

SETTINGS = sorted({one.path for one in PAGES if one.role is Role.ADMIN and one.method == "GET"})
HOSTILE = "<script>alert(1)</script> \u202e evil 🎯" + "x" * 150


@pytest.mark.sampled(4)
@pytest.mark.parametrize("path", [*SETTINGS, "/account"])
def test_nothing_bars_anybody(world: World, browse: Browse, path: str) -> None:
    watched = browse(world, Role.ADMIN)
    watched.open(path)
    watched.check()


def test_somebody_is_invited_signs_in_and_is_disabled(world: World, browse: Browse) -> None:
    admin = browse(world, Role.ADMIN)
    page = admin.open("/settings/people")
    page.get_by_label("Name", exact=True).fill("Bo <b>bold</b>")
    page.get_by_label("E-mail address").fill("bo@example.com")
    page.get_by_label("Role", exact=True).select_option("analyst")
    page.get_by_role("button", name="Make an invitation").click()
    admin.check()
    link = page.locator("#invitation").inner_text()

    guest = browse(world, None)
    theirs = guest.open(link)
    guest.check()
    guest.expected.add(400)
    theirs.get_by_label("Choose a password").fill("short")
    theirs.get_by_label("The password again").fill("short")
    theirs.get_by_role("button", name="Sign in").click()
    assert theirs.locator(".error").inner_text()
    theirs.get_by_label("Choose a password").fill(PASSWORD)
    theirs.get_by_label("The password again").fill(PASSWORD)
    theirs.get_by_role("button", name="Sign in").click()
    assert theirs.get_by_role("heading", name="Overview").is_visible()
    assert theirs.get_by_role("link", name="Settings").count() == 0
    guest.expected.update({403, 404})
    assert theirs.request.get("/settings/people").status == 403
    theirs.goto(link)
    assert theirs.get_by_text("This invitation was used").is_visible()

    page.goto("/settings/people")
    page.get_by_role("button", name="Disable Bo <b>bold</b>").click()
    theirs.goto("/")
    assert theirs.get_by_role("button", name="Sign in").is_visible()
    page.goto("/settings/audit")
    rows = page.locator("tbody").inner_text()
    for done in ("person invited", "person accepted", "person disable"):
        assert done in rows


def test_a_key_is_shown_once_and_revoked(world: World, browse: Browse) -> None:
    watched = browse(world, Role.ADMIN)
    page = watched.open("/settings/keys")
    watched.expected.add(400)
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_label("What for").select_option("read")
    page.get_by_role("button", name="Make the key").click()
    assert page.get_by_text("characters that cannot be printed").first.is_visible()
    assert page.get_by_label("Name").input_value() == HOSTILE
    printable = HOSTILE.replace("\u202e", "")
    page.get_by_label("Name").fill(printable)
    page.get_by_role("button", name="Make the key").click()
    watched.check()
    secret = page.locator("#secret").inner_text()
    asked = world.served.client(secret)
    assert asked.get("/api/report").status_code == 200
    assert asked.post("/api/events", {"events": []}).status_code == 403
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"Revoke {printable}").click()
    assert secret not in page.content()
    assert asked.get("/api/report").status_code in (200, 401)  # within a second


def test_passwords_change_and_other_sessions_end(world: World, browse: Browse) -> None:
    watched = browse(world, Role.EDITOR)
    watched.expected.add(400)
    page = watched.open("/account")
    for old, new in (("wrong", PASSWORD + "2"), (PASSWORD, PASSWORD + "2"), (PASSWORD + "2", PASSWORD)):
        page.get_by_label("Present password").fill(old)
        page.get_by_label("New password", exact=True).fill(new)
        page.get_by_label("The new password again").fill(new)
        page.get_by_role("button", name="Change the password").click()
        said = "The present password is another" if old == "wrong" else "The password is changed"
        assert page.get_by_text(said).is_visible()
    # The world's session of the role has ended with it.
    world.secrets[Role.EDITOR] = next(
        str(cookie["value"]) for cookie in page.context.cookies() if cookie["name"] == "afterword_session"
    )
