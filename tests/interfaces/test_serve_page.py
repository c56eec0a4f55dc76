"""The page of a campaign: a login that keeps the key out of addresses, and a report that runs nothing."""

from __future__ import annotations

import re

import pytest

from tests.interfaces.serving import Client, Served, campaign, exposures

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


@pytest.fixture
def page(client: Client) -> str:
    definition = campaign("page-1", name=HOSTILE)
    definition["variants"][0]["name"] = HOSTILE
    if client.get("/api/campaigns/page-1").status_code == 404:
        client.launch(definition)
        client.post("/api/exposures", exposures(["page-user"], of="page-1"))
    return "/campaigns/page-1"


def test_the_way_from_the_login_to_the_report(client: Client, page: str) -> None:
    asked = client.http.get(page)
    assert asked.status_code == 401
    assert '<form method="post">' in asked.text
    login = client.http.post(page, data={"key": client.key})
    assert (login.status_code, login.headers["location"]) == (303, page)
    cookie = login.headers["set-cookie"]
    assert re.search(r"; HttpOnly", cookie)
    assert re.search(r"; SameSite=strict", cookie, re.IGNORECASE)
    assert re.search(r"; Path=/campaigns", cookie)
    shown = client.http.get(page, headers={"Cookie": cookie.partition(";")[0]})
    client.http.cookies.clear()
    assert shown.status_code == 200
    assert client.key not in shown.text
    assert client.key not in login.text + str(login.headers["location"])


def test_the_page_runs_no_script_and_shows_names_as_text(client: Client, page: str) -> None:
    client.loaded()
    shown = client.http.get(page, headers={"Cookie": f"afterword_key={client.key}"})
    assert shown.status_code == 200
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["cache-control"] == "no-store"
    assert "<script>alert" not in shown.text
    assert "<img src=x" not in shown.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text


@pytest.mark.parametrize("key", ["wrong", "<b>", "aw_abcdefgh_" + "c" * 52])
def test_a_wrong_key_sees_the_login_again(client: Client, page: str, key: str) -> None:
    login = client.http.post(page, data={"key": key})
    assert login.status_code == 401
    assert "set-cookie" not in login.headers
    assert "<b>" not in login.text
    assert "content-security-policy" in login.headers


def test_a_key_that_only_reads_is_not_enough(shared: Served, client: Client, page: str) -> None:
    login = client.http.post(page, data={"key": shared.make_key("api.read")})
    assert (login.status_code, "set-cookie" in login.headers) == (403, False)


@pytest.mark.parametrize("name", ["no-such-campaign", "<script>", "%3Cscript%3E", "a%0Ab", "%ff"])
def test_an_unknown_campaign_is_404_and_repeats_nothing_as_markup(client: Client, name: str) -> None:
    shown = client.http.get(f"/campaigns/{name}", headers={"Cookie": f"afterword_key={client.key}"})
    assert shown.status_code == 404
    assert "<script>" not in shown.text


def test_a_redirect_stays_here_whatever_the_campaign_is_called(client: Client) -> None:
    login = client.http.post("/campaigns/a%3Fb%22", data={"key": client.key})
    assert (login.status_code, login.headers["location"]) == (303, "/campaigns/a%3Fb%22")


def test_the_login_form_is_small(client: Client) -> None:
    assert client.http.post("/campaigns/x", content=b"key=" + b"x" * 5000).status_code == 413
