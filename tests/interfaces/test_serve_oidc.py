"""Signing in by a provider: who is let in, and everything that is refused, each in a sentence."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from afterword.interfaces.oidc.settings import Oidc
from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from afterword.store.metadata import FILE_NAME, Metadata, open_metadata
from tests.interfaces.oidc_provider import CLIENT, SECRET, Provider, serving_provider
from tests.interfaces.serving import PLAIN, Served, free_port

PASSWORD = "correct horse battery"
PROBLEM = re.compile(r'role="alert"><strong>[^<]*</strong>(.*?)</div>', re.DOTALL)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving_provider() as found:
        yield found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Served]:
    port = free_port()
    oidc = Oidc(provider.issuer, CLIENT, f"http://127.0.0.1:{port}", SECRET, "Example", default_role="viewer")
    server = Served(tmp_path_factory.mktemp("oidc"), {"oidc": asdict(oidc)}, port=port)
    try:
        server.start()
        with metadata_of(server) as metadata:
            for name in ("ann", "bob", "cyd", "dan"):
                metadata.accounts.create(f"{name}@example.com", name.title(), Role.ADMIN, 1, PASSWORD)
        yield server
    finally:
        server.close()


def metadata_of(served: Served) -> Metadata:
    return open_metadata(served.data / FILE_NAME, create=False)


class Browser(httpx.Client):
    """Keeps cookies, and goes where it is sent only when it is told to."""

    def __init__(self, served: Served) -> None:
        super().__init__(base_url=served.address, trust_env=False, verify=PLAIN, timeout=30.0)

    def leave(self, **asked: str) -> str:
        """Press the button; return where the provider sends the browser back to."""
        begun = self.get("/sign-in/with", params=asked)
        assert begun.status_code == 303, begun.text
        return str(self.get(begun.headers["location"]).headers["location"])

    def sign_in(self, **asked: str) -> httpx.Response:
        """Go there and back."""
        return self.get(self.leave(**asked))


@pytest.fixture
def browser(served: Served) -> Iterator[Browser]:
    with Browser(served) as found:
        yield found


def problem(answer: httpx.Response) -> str:
    found = PROBLEM.search(answer.text)
    assert found is not None, answer.text
    assert COOKIE not in answer.cookies
    return html.unescape(found[1].strip())


def test_who_is_known_by_address_is_let_in_and_goes_where_they_wanted(
    provider: Provider, browser: Browser, served: Served
) -> None:
    provider.reset("ANN@example.com", "s-ann")
    assert "Sign in with Example" in browser.get("/sign-in").text
    done = browser.sign_in(next="/campaign?id=x")
    assert (done.status_code, done.headers["location"]) == (303, "/campaign?id=x")
    assert "Ann · admin" in browser.get("/account").text
    with metadata_of(served) as metadata:
        said = [(one.action, one.subject) for one in metadata.audit.list(10)]
        assert said[:2] == [("person.signed-in", "p1"), ("person.linked", "p1")]
    token = re.findall(r'name="csrf" value="(\w+)"', browser.get("/account").text)[0]
    assert browser.post("/sign-out", data={"csrf": token}).headers["location"] == "/sign-in"
    assert browser.get("/account").status_code == 303
    # From then on it is the subject that counts: addresses change.
    provider.reset("ann.married@example.com", "s-ann")
    assert browser.sign_in().status_code == 303
    assert "Ann · admin" in browser.get("/account").text


def test_nobody_is_sent_to_another_host_afterwards(provider: Provider, browser: Browser) -> None:
    provider.reset("ann@example.com", "s-ann")
    for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        assert browser.sign_in(next=elsewhere).headers["location"] == "/", elsewhere


def test_who_was_not_invited_gets_the_role_that_is_set(provider: Provider, browser: Browser) -> None:
    provider.reset("new@example.com", "s-new", name="New\nPerson")
    assert browser.sign_in().status_code == 303
    assert "NewPerson · viewer" in browser.get("/account").text
    assert browser.get("/settings").status_code == 403


def test_what_the_token_does_not_say_is_asked_for(provider: Provider, browser: Browser) -> None:
    provider.reset("bob@example.com", "s-bob", email=None, email_verified=None)
    provider.userinfo = {"sub": "s-bob", "email": "bob@example.com", "email_verified": True}
    assert browser.sign_in().status_code == 303
    assert "Bob · admin" in browser.get("/account").text
    provider.reset("ann@example.com", "s-bea", email_verified=None)  # whose own address is vouched for, and not Ann's
    provider.userinfo = {"sub": "s-bea", "email": "bea@example.com", "email_verified": True}
    browser.sign_in()
    assert "bea@example.com" in browser.get("/account").text
    provider.userinfo = {"sub": "s-other", "email": "bob@example.com", "email_verified": True}
    assert "about somebody else (sub)" in problem(browser.sign_in())


def test_a_form_that_waited_is_sent_again(provider: Provider, browser: Browser) -> None:
    provider.reset("ann@example.com", "s-ann")
    asked = browser.post("/settings", data={"timezone": "Europe/Oslo", "currency": "NOK"})
    assert "What you typed is kept" in asked.text
    fields = dict(re.findall(r'name="(next|replay|replay_to)" value="([^"]*)"', asked.text))
    leaving = browser.post("/sign-in/with", data={name: html.unescape(value) for name, value in fields.items()})
    address = leaving.headers["refresh"].removeprefix("0; url=")
    assert html.escape(address) in leaving.text
    done = browser.get(str(browser.get(address).headers["location"]))
    assert done.status_code == 200
    assert "Europe/Oslo" in done.text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"nonce": "another"}, "it belongs to another attempt to sign in (nonce)"),
        ({"nonce": None}, "it lacks what it must say (nonce)"),
        ({"exp": 1_000_000_000}, "it has expired (exp)"),
        ({"exp": None}, "it lacks what it must say (exp)"),
        ({"aud": "another"}, "it is meant for another program (aud)"),
        ({"aud": [CLIENT, "another"]}, "it lacks what it must say (azp)"),
        ({"azp": "another"}, "it is meant for another program (azp)"),
        ({"iss": "https://evil.example"}, "it comes from another provider (iss)"),
        ({"iat": 9_000_000_000}, "it comes from the future (iat)"),
        ({"sub": None}, "it lacks what it must say (sub)"),
        ({"sub": ["s"]}, "says something wrongly (sub)"),
        ({"at_hash": "wrong"}, "it does not belong to the access token that came with it (at_hash)"),
        ({"sub": "s-1", "email_verified": False}, "does not vouch for your e-mail address (email_verified)"),
        ({"sub": "s-1", "email_verified": None}, "does not vouch for your e-mail address (email_verified)"),
        ({"sub": "s-1", "email": "nobody"}, "is no e-mail address"),
        ({"sub": "s-1"}, "was somebody else at the provider before"),
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_is_refused(
    provider: Provider, browser: Browser, changes: dict[str, Any], sentence: str
) -> None:
    provider.reset("ann@example.com", "s-ann")
    assert browser.sign_in().status_code == 303
    browser.cookies.clear()
    provider.reset("ann@example.com", "s-ann", **changes)
    done = browser.sign_in()
    assert done.status_code == 403
    assert sentence in problem(done)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_anybody_could_have_signed_is_refused(
    provider: Provider, browser: Browser, algorithm: str
) -> None:
    provider.reset("ann@example.com", "s-ann")
    provider.header = {"alg": algorithm}
    assert f"signed by {algorithm}, which proves nothing" in problem(browser.sign_in())


def test_keys_may_change_and_unknown_ones_are_refused(provider: Provider, browser: Browser) -> None:
    provider.reset("ann@example.com", "s-ann")
    assert browser.sign_in().status_code == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert browser.sign_in().status_code == 303  # the keys are asked for anew
    there, asked = [provider.key.as_dict(private=False)], provider.asked.count("/keys")
    assert browser.sign_in().status_code == 303
    assert provider.asked.count("/keys") == asked
    for name in ("three", "two"):  # one that is not told, and one that is told under the name of another
        provider.key, provider.published = RSAKey.generate_key(2048, {"kid": name}), there
        assert "no key of the provider fits" in problem(browser.sign_in()).lower()
    provider.reset("ann@example.com", "s-ann")


def test_a_state_counts_once_and_only_in_the_browser_that_began(
    provider: Provider, browser: Browser, served: Served
) -> None:
    provider.reset("ann@example.com", "s-ann")
    back = browser.leave()
    with Browser(served) as other:  # such as one that was sent the link by somebody else
        assert "began in another browser" in problem(other.get(back))
    cookie = browser.cookies["afterword_attempt"]
    assert browser.get(back).status_code == 303
    with Browser(served) as other:
        other.cookies.set("afterword_attempt", cookie)
        assert "was finished before" in problem(other.get(back))
    state = parse_qs(urlsplit(browser.leave()).query)["state"][0]
    made_up = browser.get("/sign-in/back", params={"state": state, "code": "made-up"})
    assert "does not take the code (invalid_grant, 400)" in problem(made_up)
    assert "was finished before" in problem(browser.get("/sign-in/back"))


def test_an_attempt_ends_after_ten_minutes(provider: Provider, browser: Browser, served: Served) -> None:
    provider.reset("ann@example.com", "s-ann")
    back = browser.leave()
    served.fault("clock", 601)
    try:
        assert "took longer than 10 minutes" in problem(browser.get(back))
    finally:
        served.mend("clock")


def test_who_is_disabled_is_not_let_in(provider: Provider, browser: Browser, served: Served) -> None:
    for email, subject in (("cyd@example.com", "s-cyd"), ("dan@example.com", "s-dan")):
        with metadata_of(served) as metadata:
            person = metadata.accounts.find(email)
            provider.reset(email, subject)
            if email.startswith("cyd"):  # who has signed in so before
                assert browser.sign_in().status_code == 303
            metadata.accounts.disable(person.id, 2)
            assert f"The account of {email} is disabled" in problem(browser.sign_in())
            refused = metadata.audit.list(1)[0]
            assert (refused.actor, refused.action, refused.subject) == ("provider", "person.not-admitted", email)


def test_what_the_provider_says_instead_is_told_without_repeating_it(provider: Provider, browser: Browser) -> None:
    provider.reset("ann@example.com", "s-ann")
    for error, sentence in (
        ("access_denied", "Example did not sign you in. You were not let in there, or stopped it."),
        ("server_error", "Example did not sign you in. It says server_error."),
        ("<script>alert(1)</script>", "Example did not sign you in."),
    ):
        state = parse_qs(urlsplit(browser.leave()).query)["state"][0]
        assert problem(browser.get("/sign-in/back", params={"state": state, "error": error})) == sentence
    state = parse_qs(urlsplit(browser.leave()).query)["state"][0]
    other = browser.get("/sign-in/back", params={"state": state, "code": "c", "iss": "https://evil.example"})
    assert problem(other) == "The answer comes from another provider."


@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        ("/token", b"<html>", "answered with what is no JSON object"),
        ("/token", b"{}", "gave no id_token"),
        ("/token", b'{"id_token": "x"}', "token cannot be read"),
        ("/token", b"[" * 600_000, "answered with more than 512 KiB"),
        ("/token", b"[" * 100_000, "answered with what is no JSON object"),
    ],
    ids=["no JSON", "nothing", "no token", "too long", "deep"],
)
def test_a_provider_that_answers_nonsense_is_a_sentence(
    provider: Provider, browser: Browser, path: str, answer: bytes, sentence: str
) -> None:
    provider.reset("ann@example.com", "s-ann")
    provider.broken = {path: answer}
    done = browser.sign_in()
    assert done.status_code in (403, 502)
    assert sentence in problem(done)


def test_no_secret_is_told_and_nothing_failed(served: Served, browser: Browser) -> None:
    told = served.err.read_text() + served.out.read_text() + served.client().get("/api/state").text
    assert SECRET not in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_roles_that_the_provider_decides_and_no_passwords(provider: Provider, served: Served) -> None:
    """The same directory under other settings, and at last without a provider."""
    served.stop()
    oidc = served.policy["oidc"]
    roles = {"staff": "analyst", "boss": "admin"}
    changes = {"default_role": "", "role_claim": "realm.groups", "roles": roles, "passwords": False}
    served.policy = {"oidc": {**oidc, **changes}}
    served.start()
    with Browser(served) as browser:
        page = browser.get("/sign-in").text
        assert "Sign in with Example" in page
        assert "Password" not in page
        refused = browser.post("/sign-in", data={"email": "ann@example.com", "password": PASSWORD})
        assert (refused.status_code, problem(refused)) == (403, "Nobody signs in by a password here.")
        for groups, role in ((["staff", "boss"], "admin"), (["staff", "x"], "analyst"), ("boss", "admin")):
            provider.reset("eve@example.com", "s-eve", realm={"groups": groups})
            assert browser.sign_in().status_code == 303
            mine = browser.get("/account").text
            assert (f"eve · {role}" in mine, "Change the password" in mine) == (True, False)
        provider.reset("eve@example.com", "s-eve", realm={"groups": ["else"]})
        assert "gives eve@example.com no role here" in problem(browser.sign_in())
        provider.reset("joe@example.com", "s-joe")
        assert "Nobody has invited joe@example.com" in problem(browser.sign_in())
        provider.metadata = {"issuer": "https://evil.example"}
    served.stop()
    served.start()
    with Browser(served) as browser:
        answer = browser.get("/sign-in/with", params={"next": "/data"})
        assert answer.status_code == 502
        assert "calls itself https://evil.example" in problem(answer)
        served.policy = {"oidc": {**oidc, "issuer": f"http://127.0.0.1:{free_port()}"}}
    served.stop()
    served.start()
    with Browser(served) as browser:
        answer = browser.get("/sign-in/with")
        assert "The provider Example cannot be asked: no connection to the provider" in problem(answer)
        done = browser.post("/sign-in", data={"email": "ann@example.com", "password": PASSWORD})
        assert done.headers["location"] == "/"
