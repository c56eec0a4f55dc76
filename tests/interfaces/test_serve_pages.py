"""The dashboard's door: sessions, forged forms, roles and what the answers' headers promise."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import httpx
import pytest

from afterword.interfaces.web.assets import assets
from afterword.interfaces.web.guesses import FREE
from afterword.interfaces.web.routes import PAGES, Page
from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.describing import OPERATIONS
from tests.interfaces.serving import Client, Served, campaign, exposures, wait_for

PASSWORD = "correct horse battery"
CHANGING = [one for one in PAGES if one.method == "POST" and one.role is not None]
GUARDED = [one for one in PAGES if one.role is not None]


@pytest.fixture(scope="module")
def secrets(shared: Served) -> dict[Role, str]:
    """A session for each role; made again where tests of other modules came between."""
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        now = time.time_ns() // 1000
        there = {account.email: account for account in metadata.accounts.list()}

        def session(role: Role) -> str:
            email = f"door-{role.value}@example.com"
            account = there.get(email) or metadata.accounts.create(email, role.value, role, now, PASSWORD)
            return metadata.sessions.begin(account.id, now, os.urandom)

        return {role: session(role) for role in Role}


def ask(client: Client, page: Page, secret: str | None, form: Mapping[str, str] | None = None) -> httpx.Response:
    headers = {"Cookie": f"{COOKIE}={secret}"} if secret else {}
    return client.http.request(page.method, page.path, data=form, headers=headers)


@pytest.mark.parametrize("page", GUARDED, ids=lambda page: f"{page.method} {page.path}")
def test_nobody_is_let_in_without_a_session(client: Client, secrets: dict[Role, str], page: Page) -> None:
    answer = ask(client, page, None, {"x": "typed"} if page.method == "POST" else None)
    if page.method == "POST":
        assert (answer.status_code, "typed" in answer.text) == (401, True)
    else:
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("page", GUARDED, ids=lambda page: f"{page.method} {page.path}")
def test_a_role_below_is_refused(client: Client, secrets: dict[Role, str], page: Page) -> None:
    assert page.role is not None
    for role in Role:
        if not role.includes(page.role):
            form = {"csrf": csrf_of(client, secrets[role])}
            assert ask(client, page, secrets[role], form if page.method == "POST" else None).status_code == 403, role


def test_a_viewer_can_change_nothing_but_what_is_their_own() -> None:
    assert [one.path for one in CHANGING if one.role is Role.VIEWER] == [
        "/account",
        "/account/sessions",
        "/account/manner",
    ]


def test_a_session_opens_nothing_of_the_api(client: Client, secrets: dict[Role, str]) -> None:
    cookie = {"Cookie": f"{COOKIE}={secrets[Role.VIEWER]}"}
    needing = [one for one in OPERATIONS if one.permission is not None]
    assert len(needing) > 60
    for one in needing:
        path = one.path.replace("{id}", "welcome")
        answer = client.http.request(one.method, path, content=b"{}", headers=cookie)
        assert answer.status_code == 401, f"{one.method} {one.path}"


def test_sessions_end_one_by_one_and_all_at_once(client: Client, shared: Served, secrets: dict[Role, str]) -> None:
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        account = metadata.accounts.find("door-viewer@example.com").id
        here, there, third = (metadata.sessions.begin(account, time.time_ns() // 1000, os.urandom) for _ in range(3))
        theirs = metadata.sessions.begin(
            metadata.accounts.find("door-analyst@example.com").id, time.time_ns() // 1000, os.urandom
        )

    def end(secret: str, **form: str) -> httpx.Response:
        headers = {"Cookie": f"{COOKIE}={secret}"}
        return client.http.post("/account/sessions", data={"csrf": csrf_of(client, secret), **form}, headers=headers)

    def is_in(secret: str) -> bool:
        return ask(client, PAGES[0], secret).status_code == 200

    listed = client.http.get("/account", headers={"Cookie": f"{COOKIE}={here}"}).text
    for secret in (here, there, third):
        assert f'value="{secret.split("_")[1]}"' in listed
    assert listed.count("This browser") == 1
    assert end(here, session=there.split("_")[1]).headers["location"] == "/account"
    assert (is_in(here), is_in(there), is_in(third)) == (True, False, True)
    end(here, session=theirs.split("_")[1])
    assert is_in(theirs)
    assert end(here).status_code == 400
    assert end(here, which="all").headers["location"] == "/sign-in"
    assert (is_in(here), is_in(third), is_in(theirs)) == (False, False, True)
    secrets[Role.VIEWER] = _begin(shared, account)

    by_admin = {"person": account, "action": "sign-out", "csrf": csrf_of(client, secrets[Role.ADMIN])}
    headers = {"Cookie": f"{COOKIE}={secrets[Role.ADMIN]}"}
    assert client.http.post("/settings/people/change", data=by_admin, headers=headers).status_code == 303
    assert not is_in(secrets[Role.VIEWER])
    secrets[Role.VIEWER] = _begin(shared, account)
    assert client.send("DELETE", f"/api/people/{account}/sessions").json() == {"sessions": 1}
    assert not is_in(secrets[Role.VIEWER])
    assert client.send("DELETE", "/api/people/p999/sessions").status_code == 404
    secrets[Role.VIEWER] = _begin(shared, account)


def _begin(shared: Served, account: str) -> str:
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        return metadata.sessions.begin(account, time.time_ns() // 1000, os.urandom)


@pytest.mark.slow
def test_guesses_are_limited_by_the_address_that_a_trusted_proxy_says(client: Client) -> None:
    def guess(number: int, said: str) -> httpx.Response:
        form = {"email": f"nobody-{number}@example.com", "password": "summer 2026 summer"}
        headers = {"X-Forwarded-For": said, "X-Afterword-Client": f"192.0.2.{number}"}
        return client.http.post("/sign-in", data=form, headers=headers)

    # What a client says in front of what the proxy adds changes nothing.
    statuses = [guess(n, f"198.51.100.{n}, 203.0.113.7").status_code for n in range(FREE)]
    assert statuses == [401] * FREE
    # Where passwords take long to judge, some of them are forgiven meanwhile.
    assert 429 in (guess(n, "203.0.113.7").status_code for n in range(FREE))
    assert "came from your network: try again in" in guess(99, "203.0.113.7").text
    assert guess(99, "203.0.113.8").status_code == 401
    form = {"email": "door-admin@example.com", "password": PASSWORD}
    secure = client.http.post("/sign-in", data=form, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers["set-cookie"]
    client.http.cookies.clear()


def test_a_form_of_a_browser_that_says_only_its_origin_is_taken(client: Client) -> None:
    form = {"email": "door-admin@example.com", "password": PASSWORD}
    assert client.http.post("/sign-in", data=form, headers={"Origin": client.address}).status_code == 303
    client.http.cookies.clear()


@pytest.mark.parametrize("page", CHANGING, ids=lambda page: page.path)
def test_a_form_without_the_token_does_nothing(client: Client, secrets: dict[Role, str], page: Page) -> None:
    answer = ask(client, page, secrets[Role.ADMIN], {"csrf": "forged", "x": "typed"})
    assert "Continue with what I typed" in answer.text
    assert 'value="typed"' in answer.text
    assert 'value="forged"' not in answer.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_form_from_another_site_is_refused(client: Client, secrets: dict[Role, str], headers: dict[str, str]) -> None:
    form = {"email": "door-admin@example.com", "password": PASSWORD}
    answer = client.http.post("/sign-in", data=form, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_session_begins_and_ends(client: Client, secrets: dict[Role, str]) -> None:
    form = {"email": "door-viewer@example.com", "password": PASSWORD, "next": "//evil.example/"}
    answer = client.http.post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    for flag in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert flag in cookie
    client.http.cookies.clear()
    secret = cookie.partition(";")[0].partition("=")[2]
    assert ask(client, PAGES[0], secret).status_code == 200
    client.http.post("/sign-out", headers={"Cookie": f"{COOKIE}={secret}"})
    assert ask(client, PAGES[0], secret).status_code == 303
    client.http.cookies.clear()


def test_what_was_typed_outlives_the_session(client: Client, secrets: dict[Role, str]) -> None:
    typed = {"csrf": "old", "old": PASSWORD, "password": "a\nnew & longer one", "again": "é"}
    asked = client.http.post("/account", data=typed)
    assert (asked.status_code, "What you typed is kept" in asked.text) == (401, True)
    replay = httpx.QueryParams(typed)
    sign_in = {"email": "door-viewer@example.com", "password": PASSWORD, "replay": str(replay), "replay_to": "/account"}
    again = client.http.post("/sign-in", data=sign_in)
    client.http.cookies.clear()
    assert again.status_code == 200
    for kept in ('action="/account"', "a\nnew &amp; longer one", 'value="é"'):
        assert kept in again.text
    assert 'value="old"' not in again.text


def test_pages_promise_to_run_nothing_of_others(client: Client, secrets: dict[Role, str]) -> None:
    answer = ask(client, PAGES[0], secrets[Role.ADMIN])
    policy = answer.headers["content-security-policy"]
    for promise in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert promise in policy
    assert "unsafe" not in policy
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


def test_a_page_never_waits_for_numbers_but_shows_that_they_are_counted(
    client: Client, secrets: dict[Role, str]
) -> None:
    assert client.post("/api/campaigns", campaign("counted-first")).status_code == 201
    assert client.post("/api/campaigns/counted-first/launch").status_code == 200
    two, one = (exposures(users, of="counted-first") for users in (["counted-ann", "counted-ben"], ["counted-cem"]))
    assert client.post("/api/exposures", two).json()["rejected"] == []
    wait_for(lambda: client.report("counted-first")["total"]["exposed"] == 2, 90)
    cookie = {"Cookie": f"{COOKIE}={secrets[Role.ANALYST]}"}

    def shown(path: str, wait: int, **headers: str) -> httpx.Response:
        return client.http.get(f"{path}?id=counted-first", headers={**cookie, "Prefer": f"wait={wait}", **headers})

    assert "The numbers are being counted" in shown("/campaign", 0).text
    part = shown("/campaign/messages", 0, **{"HX-Request": "true"})
    assert part.status_code == 200
    later = shown("/campaign", 30)
    assert "The numbers are being counted" not in later.text
    assert "2 recipients" in later.text or ">2<" in later.text
    assert client.post("/api/exposures", one).json()["rejected"] == []
    wait_for(lambda: client.report("counted-first")["total"]["exposed"] == 3, 90)
    assert ">2<" in shown("/campaign", 0).text or ">3<" in shown("/campaign", 0).text
    wait_for(lambda: ">3<" in shown("/campaign", 30).text, 30)


def test_files_are_kept_for_ever_and_change_their_address(client: Client) -> None:
    for asset in assets().values():
        answer = client.http.get(asset.address)
        assert (answer.status_code, answer.content) == (200, asset.content)
        assert "immutable" in answer.headers["cache-control"]
        assert client.http.get(asset.address.replace(asset.tag, "0" * 12)).status_code == 404
    first_visit = sum(len(assets()[name].compressed) for name in assets())
    assert first_visit < 700_000


def test_the_address_from_before_the_dashboard_leads_to_the_page(client: Client) -> None:
    answer = client.http.get("/campaigns/a%26b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/campaign?id=a%26b")


def test_a_draft_in_a_form_of_its_own_is_listed_and_said_to_be_so(client: Client, secrets: dict[Role, str]) -> None:
    made = client.post("/api/drafts", {"document": {"name": "Made <elsewhere>"}}).json()
    headers = {"Cookie": f"{COOKIE}={secrets[Role.EDITOR]}"}
    assert "Made &lt;elsewhere&gt;" in client.http.get("/", headers=headers).text
    opened = client.http.get(f"/draft?id={made['id']}", headers=headers)
    assert (opened.status_code, "in a form of its own" in opened.text) == (400, True)


def csrf_of(client: Client, secret: str) -> str:
    """Return the token of a session, which every page has."""
    text = ask(client, PAGES[0], secret).text
    return text.partition('name="csrf" value="')[2].partition('"')[0]
