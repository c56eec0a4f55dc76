"""Who may do what: every route with no key, a wrong one, one that may not, and one that may."""

from __future__ import annotations

import logging
import os
import time
from base64 import b64encode
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from afterword.interfaces.api.access import COOKIE
from afterword.interfaces.api.app import make_app
from afterword.interfaces.api.server import Policy, Server
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.store.permissions import Permission
from afterword.workspace.data_directory import open_data_directory
from tests.interfaces.serving import Client, Served

OPEN = {
    ("GET", "/healthz"): 200,
    ("GET", "/readyz"): 200,
    ("GET", "/metrics"): 200,
    ("POST", "/campaigns/trigger/send"): 501,
    ("POST", "/canvas/trigger/send"): 501,
    ("POST", "/messages/send"): 501,
    ("POST", "/campaigns/trigger/schedule/create"): 501,
}
"""What needs no key, with its answer."""
NEEDS = {
    ("POST", "/users/track"): "users.track",
    ("POST", "/users/delete"): "users.delete",
    ("POST", "/api/users/delete"): "users.delete",
    ("GET", "/api/users/deletions"): "users.delete",
    ("POST", "/api/users/deletions"): "users.delete",
    ("POST", "/users/merge"): "users.merge",
    ("POST", "/users/alias/new"): "users.alias.new",
    ("POST", "/users/identify"): "users.identify",
    ("POST", "/users/export/ids"): "users.export.ids",
    ("POST", "/api/events"): "api.write",
    ("POST", "/api/exposures"): "api.write",
    ("POST", "/api/step-messages"): "api.write",
    ("GET", "/api/campaigns"): "api.read",
    ("POST", "/api/campaigns"): "api.definitions",
    ("GET", "/api/campaigns/{id}"): "api.read",
    ("PUT", "/api/campaigns/{id}"): "api.definitions",
    ("POST", "/api/campaigns/{id}/launch"): "api.definitions",
    ("POST", "/api/campaigns/{id}/stop"): "api.definitions",
    ("POST", "/api/campaigns/{id}/archive"): "api.definitions",
    ("GET", "/api/campaigns/{id}/report"): "api.read",
    ("GET", "/api/campaigns/{id}/users"): "api.read",
    ("GET", "/api/campaigns/{id}/explain"): "api.read",
    ("GET", "/api/report"): "api.read",
    ("GET", "/api/conversions/changes"): "api.read",
    ("GET", "/api/webhooks"): "api.definitions",
    ("POST", "/api/webhooks"): "api.definitions",
    ("GET", "/api/webhooks/{id}"): "api.definitions",
    ("PUT", "/api/webhooks/{id}"): "api.definitions",
    ("DELETE", "/api/webhooks/{id}"): "api.definitions",
    ("POST", "/api/webhooks/{id}/test"): "api.definitions",
    ("POST", "/api/webhooks/{id}/resume"): "api.definitions",
    ("POST", "/api/recompute"): "admin",
    ("GET", "/campaigns/{id}"): "admin",
    ("POST", "/campaigns/{id}"): "admin",
    **{("POST", f"/v1/{kind}"): "segment.write" for kind in ("batch", "track", "identify", "page", "screen")},
    **{("POST", f"/v1/{kind}"): "segment.write" for kind in ("group", "alias")},
}
READ = (
    "/campaigns/list", "/campaigns/details", "/campaigns/data_series", "/sends/data_series", "/canvas/list",
    "/canvas/details", "/canvas/data_series", "/canvas/data_summary", "/events/list", "/events/data_series",
    "/purchases/product_list", "/purchases/revenue_series", "/purchases/quantity_series", "/sessions/data_series",
    "/kpi/dau/data_series", "/kpi/mau/data_series", "/kpi/new_users/data_series", "/kpi/uninstalls/data_series",
    "/segments/list", "/feed/list",
)  # fmt: skip
"""Braze's paths that read: each has a permission of its name."""
NEEDS |= {("GET", path): path.removeprefix("/").replace("/", ".") for path in READ}
ROUTES = pytest.mark.parametrize(("method", "path"), list(NEEDS), ids=[" ".join(each) for each in NEEDS])
WRONG = f"aw_{'a' * 8}_{'b' * 52}"


def test_no_route_is_forgotten_here(tmp_path: Path) -> None:
    def tell(message: str, error: BaseException | None) -> None:
        logging.error(message, exc_info=error)

    path = tmp_path / "data"
    with open_data_directory(path, memory="200MB", threads=1, clock=lambda: 1, chance=os.urandom, tell=tell) as data:
        routes = make_app(Server(data, Policy(), lambda: 1)).routes
    there = {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert len(routes) == len([route for route in routes if isinstance(route, Route)])
    assert there == NEEDS.keys() | OPEN.keys()


@pytest.mark.parametrize(("method", "path"), list(OPEN))
def test_what_is_open_answers_without_a_key(client: Client, method: str, path: str) -> None:
    assert client.http.request(method, path).status_code == OPEN[method, path]


def ask(client: Client, method: str, path: str, key: str | None) -> httpx.Response:
    """Ask as the holder of a key, or of none, in the manner of the path."""
    place, content, headers = path.replace("{id}", "no-such-campaign"), b"{}", {}
    if path.startswith("/campaigns/{id}"):
        if method == "POST":
            content = f"key={key or ''}".encode()
        elif key is not None:
            headers["Cookie"] = f"{COOKIE}={key}"
    elif key is not None and path.startswith("/v1/"):
        headers["Authorization"] = f"Basic {b64encode(f'{key}:'.encode()).decode()}"
    elif key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return client.http.request(method, place, content=content, headers=headers)


@ROUTES
@pytest.mark.parametrize("key", [None, "x", WRONG], ids=["no-key", "short-key", "wrong-key"])
def test_without_a_valid_key_it_is_401(client: Client, method: str, path: str, key: str | None) -> None:
    answer = ask(client, method, path, key)
    assert answer.status_code == 401
    assert WRONG not in answer.text
    if not path.startswith("/campaigns/{id}"):
        assert answer.json()["message"].startswith("Invalid API key: ")
        assert answer.headers["www-authenticate"]


@ROUTES
def test_a_key_for_everything_else_is_403(shared: Served, client: Client, method: str, path: str) -> None:
    needed = NEEDS[method, path]
    key = shared.make_key(*(each for each in Permission if each not in (needed, "admin")))
    answer = ask(client, method, path, key)
    assert answer.status_code == 403
    assert f'lacks the permission "{needed}"' in answer.text.replace("\\", "").replace("&quot;", '"')
    assert key not in answer.text


@ROUTES
def test_a_key_for_this_alone_is_let_in(shared: Served, client: Client, method: str, path: str) -> None:
    answer = ask(client, method, path, shared.make_key(NEEDS[method, path]))
    assert answer.status_code in (200, 201, 202, 303, 400, 404)


def test_a_revoked_key_is_refused_within_a_second_or_so(shared: Served, client: Client) -> None:
    key = shared.make_key("api.read")
    assert ask(client, "GET", "/api/campaigns", key).status_code == 200
    with open_metadata(shared.data / FILE_NAME) as metadata:
        metadata.keys.revoke(key.split("_")[1], time.time_ns() // 1000)
    time.sleep(1.1)
    assert ask(client, "GET", "/api/campaigns", key).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Basic", "Basic !!!", "Basic /w==", "Digest x", "basic Og==", "\xe9\xe8", "Bearer \xb2"],
)
@pytest.mark.parametrize("path", ["/users/track", "/v1/batch"])
def test_a_broken_header_is_no_key(client: Client, header: str, path: str) -> None:
    answer = client.http.post(path, content=b"{}", headers=httpx.Headers({"Authorization": header}, encoding="latin-1"))
    assert answer.status_code == 401


def test_each_dialect_takes_its_own_kind_of_header(client: Client) -> None:
    assert client.http.post("/v1/batch", content=b'{"batch": []}', headers=client.basic()).status_code == 200
    assert client.http.post("/v1/batch", content=b'{"batch": []}', headers=client.bearer()).status_code == 401
    assert client.http.post("/users/track", content=b"{}", headers=client.basic()).status_code == 401
