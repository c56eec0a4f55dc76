"""Drafts as the pages make them, without a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from afterword.interfaces.web.visits import COOKIE
from afterword.store.accounts import Role
from tests.browser.conftest import World


@contextmanager
def editing(world: World) -> Iterator[httpx.Client]:
    """Ask for pages as the editor."""
    session = {COOKIE: world.secrets[Role.EDITOR]}
    with httpx.Client(base_url=world.address, cookies=session, trust_env=False, timeout=60) as http:
        yield http


def begin_draft(world: World, name: str, *, of: str | None = None) -> str:
    """Begin a draft, of a campaign or of nothing yet; return its id."""
    with editing(world) as http:
        begin = "/campaign/edit" if of else "/create"
        fields = {"csrf": _csrf(http), "do": "next", "id": of or "", "name": name}
        answer = http.post(begin, params={"id": of} if of else {}, data=fields)
        assert answer.status_code == 303, answer.text
        return str(httpx.URL(answer.headers["location"]).params["id"])


def save_step(world: World, draft: str, step: str, fields: Mapping[str, str]) -> None:
    """Save a step of a draft that nobody has saved since it was begun."""
    with editing(world) as http:
        revision = http.get("/draft", params={"id": draft, "step": step}).text
        sent = {"csrf": _csrf(http), "do": "next", **fields}
        sent["revision"] = revision.partition('name="revision" value="')[2].partition('"')[0]
        answer = http.post("/draft", params={"id": draft, "step": step}, data=sent)
        assert answer.status_code in (303, 400), answer.text


def _csrf(http: httpx.Client) -> str:
    return http.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]
