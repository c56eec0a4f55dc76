"""Who may do what: every route with no key, a wrong one, one that may not, and one that may."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Any

import httpx
import pytest

from afterword.interfaces.api.operations import Operation
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.store.permissions import Permission
from tests.interfaces.conftest import Serving
from tests.interfaces.describing import OPERATIONS, operation_of
from tests.interfaces.serving import Client, Served, wait_for

OPEN = [each for each in OPERATIONS if each.permission is None]
"""What needs no key."""
NEEDS = [each for each in OPERATIONS if each.permission is not None]
ROUTES = pytest.mark.parametrize("operation", NEEDS, ids=[each.name for each in NEEDS])
WRONG = f"aw_{'a' * 8}_{'b' * 52}"


@pytest.mark.parametrize("operation", OPEN, ids=[each.name for each in OPEN])
def test_what_is_open_answers_without_a_key(client: Client, operation: Operation[Any]) -> None:
    (answered, *_) = operation.answers
    assert client.http.request(operation.method, operation.path).status_code == answered.status


def test_a_key_is_needed_for_all_that_is_not_about_the_server_or_always_refused() -> None:
    paths = {each.path for each in OPEN if each.answers[0].status != 501}
    assert paths == {"/healthz", "/readyz", "/metrics", "/api/openapi.json"}


def ask(client: Client, operation: Operation[Any], key: str | None) -> httpx.Response:
    """Ask as the holder of a key, or of none, in the manner of the path."""
    place, content, headers = operation.path.replace("{id}", "no-such-campaign"), b"{}", {}
    if key is not None and operation.scheme.about["scheme"] == "basic":
        headers["Authorization"] = f"Basic {b64encode(f'{key}:'.encode()).decode()}"
    elif key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return client.http.request(operation.method, place, content=content, headers=headers)


@ROUTES
@pytest.mark.parametrize("key", [None, "x", WRONG], ids=["no-key", "short-key", "wrong-key"])
def test_without_a_valid_key_it_is_401(client: Client, operation: Operation[Any], key: str | None) -> None:
    answer = ask(client, operation, key)
    assert answer.status_code == 401
    assert WRONG not in answer.text
    assert answer.json()["message"].startswith("Invalid API key: ")
    assert answer.headers["www-authenticate"]


@ROUTES
def test_a_key_for_everything_else_is_403(shared: Served, client: Client, operation: Operation[Any]) -> None:
    needed = operation.permission
    key = shared.make_key(*(each for each in Permission if each not in (needed, "admin")))
    answer = ask(client, operation, key)
    assert answer.status_code == 403
    assert f'lacks the permission "{needed}"' in answer.text.replace("\\", "")
    assert key not in answer.text


@ROUTES
def test_a_key_for_this_alone_is_let_in(shared: Served, client: Client, operation: Operation[Any]) -> None:
    answer = ask(client, operation, shared.make_key(str(operation.permission)))
    assert answer.status_code in (200, 201, 202, 303, 400, 404, 409, 428)


def test_who_may_not_ask_is_told_so_while_the_process_that_answers_is_away(serving: Serving) -> None:
    served = serving()
    client = served.start()
    every = [each for each in Permission if each != "admin"]
    keys = {one.permission: served.make_key(*(each for each in every if each != one.permission)) for one in NEEDS}
    served.fault("no-start")
    served.kill_answering()
    wait_for(lambda: "cannot be started" in client.get("/readyz").text, 20)
    for operation in NEEDS:
        place = operation.path.replace("{id}", "no-such-campaign")
        found = [ask(client, operation, key) for key in (None, WRONG, keys[operation.permission])]
        assert [one.status_code for one in found] == [401, 401, 403], place
        assert found[0].json()["message"].startswith("Invalid API key: ")
        wrong = client.http.request("TRACE", place, headers=client.bearer())
        assert wrong.status_code == 405, place
        assert operation.method in wrong.headers["allow"].split(", ")
    served.mend()
    wait_for(lambda: client.get("/readyz").status_code == 200, 40)
    assert ask(client, NEEDS[0], None).status_code == 401


def test_a_revoked_key_is_refused_within_a_second_or_so(shared: Served, client: Client) -> None:
    key = shared.make_key("api.read")
    listing = operation_of("GET", "/api/campaigns")
    assert listing is not None
    assert ask(client, listing, key).status_code == 200
    with open_metadata(shared.data / FILE_NAME) as metadata:
        metadata.keys.revoke(key.split("_")[1], time.time_ns() // 1000)
    time.sleep(1.1)
    while (answer := ask(client, listing, key)).status_code == 503:  # the facts' file is being rewritten
        time.sleep(0.2)
    assert answer.status_code == 401, answer.text


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
