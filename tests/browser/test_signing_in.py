"""The first visit, signing in and out, and sessions that end while a form is open."""

from __future__ import annotations

from tests.browser.conftest import PASSWORD, Browse, World


def test_the_first_visit_makes_the_first_account(empty: World, browse: Browse) -> None:
    watched = browse(empty, None)
    page = watched.open("/")
    assert page.get_by_role("heading", name="Welcome to Afterword").is_visible()
    watched.check()
    watched.expected.add(400)
    page.get_by_label("Admin key").fill("aw_wrong")
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    assert page.get_by_text("This is no admin key.").is_visible()
    assert page.get_by_label("E-mail address").input_value() == "ann@example.com"
    watched.check()
    page.get_by_label("Admin key").fill(empty.client.key)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    assert page.get_by_role("heading", name="Overview").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail address").fill("ANN@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("heading", name="Overview").is_visible()


def test_a_wrong_password_says_so_and_keeps_the_address(world: World, browse: Browse) -> None:
    watched = browse(world, None)
    watched.expected.add(401)
    page = watched.open("/")
    watched.check()
    page.get_by_label("E-mail address").fill("viewer@example.com")
    page.get_by_label("Password").fill("wrong, and long enough")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_text("do not belong together").is_visible()
    assert page.get_by_label("E-mail address").input_value() == "viewer@example.com"
