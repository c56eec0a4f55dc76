"""People, drafts and the audit log over the API of a running server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from afterword.interfaces.api.audited import AUDITED
from afterword.interfaces.person_cli import INVITATION
from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.conftest import Serving
from tests.interfaces.describing import OPERATIONS
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

# Not the address of the API's own example, which the fuzzer of the shared server sends.
BEN = {"email": "ben.people@example.com", "name": "Ben", "role": "analyst"}


def log(client: Client, **asked: Any) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    while (answer := client.get(f"/api/audit?{query}")).status_code == 503:  # the facts' file is being rewritten
        time.sleep(0.1)
    return list(answer.json()["entries"])


def actor(client: Client) -> str:
    return f"key:{client.key[3:11]}"


# --- people -----------------------------------------------------------------------------------------


def test_people_are_invited_and_changed(client: Client, shared: Served) -> None:
    made = client.post("/api/people", BEN)
    assert made.status_code == 201
    ben = made.json()
    assert (ben["name"], ben["role"], ben["disabled_at"]) == ("Ben", "analyst", None)
    now = time.time_ns() // 1000
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        account = metadata.accounts.accept(ben["invitation"], "correct horse battery", now)
        session = metadata.sessions.begin(account.id, now, lambda count: bytes(count))
    one = f"/api/people/{ben['id']}"
    assert client.put(one, {"role": "editor", "disabled": True}).json()["disabled_at"] is not None
    assert client.post(f"{one}/invitation").status_code == 409
    changed = client.put(one, {"disabled": False}).json()
    assert (changed["role"], changed["disabled_at"], changed["invited_until"]) == ("editor", None, None)
    again = client.post(f"{one}/invitation").json()["invitation"]
    assert again != ben["invitation"]
    assert "Choose a password" in client.http.get(f"{INVITATION}{again}").text
    assert client.http.get(f"{INVITATION}{ben['invitation']}").status_code == 404
    people = client.get("/api/people")
    assert changed | {"last_seen_at": None} in [{**one, "last_seen_at": None} for one in people.json()["people"]]
    with open_metadata(shared.data / FILE_NAME, create=False) as metadata:
        assert metadata.sessions.find(session, now) is None
        assert metadata.accounts.invited(again, now) is not None
    # Other tests ask for people, too.
    entries = [entry for entry in log(client, action="person") if entry["subject"] == ben["id"]]
    assert [entry["action"] for entry in entries] == [
        "person.invited",
        "person.changed",
        "person.changed",
        "person.invited",
    ]
    assert {entry["actor"] for entry in entries} == {actor(client)}
    assert entries[2]["detail"].keys() == {"role", "disabled_at"}
    for secret in (ben["invitation"], again):
        assert secret not in json.dumps(entries) + people.text


def test_what_cannot_be_is_refused(client: Client) -> None:
    before = len(log(client, action="person"))
    for body, status in (
        ({**BEN, "email": "ben"}, 400),
        ({**BEN, "role": "owner"}, 400),
        ({**BEN, "nickname": "B"}, 400),
        ({"email": "x@y"}, 400),
    ):
        assert client.post("/api/people", body).status_code == status
    assert client.put("/api/people/p999", {"role": "viewer"}).status_code == 404
    assert client.post("/api/people/p999/invitation").status_code == 404
    assert len(log(client, action="person")) == before


@pytest.mark.parametrize("path", ["/api/people", "/api/audit"])
def test_only_admins_see_people_and_what_they_did(shared: Served, path: str) -> None:
    key = shared.make_key("api.read", "api.write", "api.definitions", "users.delete")
    assert shared.client(key).get(path).status_code == 403


# --- drafts -----------------------------------------------------------------------------------------


def test_of_two_who_edit_a_draft_the_second_gets_what_the_first_saved(client: Client, shared: Served) -> None:
    other = shared.client(shared.make_key("api.definitions"))
    made = client.post("/api/drafts", {"document": {"name": "", "variants": [{"share": "abc"}]}})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    draft = made.json()
    one = f"/api/drafts/{draft['id']}"
    assert client.get(one).json() == draft
    saved = other.send("PUT", one, {"document": {"name": "theirs"}}, if_match="1")
    assert (saved.status_code, saved.headers["etag"]) == (200, '"2"')
    assert saved.json()["updated_by"] == actor(other)
    refused = client.send("PUT", one, {"document": {"name": "mine"}}, if_match='"1"')
    assert (refused.status_code, refused.headers["etag"]) == (412, '"2"')
    assert refused.json()["draft"] == saved.json() == client.get(one).json()
    assert client.send("DELETE", one, if_match="1").status_code == 412
    assert client.send("PUT", one, {"document": {"name": "both"}}, if_match="2").json()["revision"] == 3
    assert draft["id"] in [each["id"] for each in client.get("/api/drafts").json()["drafts"]]
    assert client.send("DELETE", one).json()["document"] == {"name": "both"}
    assert client.get(one).status_code == 404


def test_a_draft_of_a_campaign_names_one_that_is_there(client: Client) -> None:
    assert client.post("/api/campaigns", campaign("drafted-over")).status_code == 201
    made = client.post("/api/drafts", {"document": {}, "of": "drafted-over"})
    assert (made.status_code, made.json()["of"]) == (201, "drafted-over")
    assert client.post("/api/drafts", {"document": {}, "of": "nothing"}).status_code == 404


def test_what_is_no_draft_is_refused(client: Client) -> None:
    one = f"/api/drafts/{client.post('/api/drafts', {'document': {}}).json()['id']}"
    assert client.put(one, {"document": {}}).status_code == 428
    assert client.send("PUT", one, {"document": {}}, if_match="*").status_code == 400
    assert client.send("DELETE", one, if_match="W/1").status_code == 400
    bodies: list[Any] = [
        {"document": []},
        {},
        {"document": {}, "name": "x"},
        {"document": {"x": "y" * 300_000}},
        b"{",
        b"",
    ]
    for body in bodies:
        assert client.post("/api/drafts", body).status_code == 400
    deep = b'{"document":' + b'{"x":' * 900 + b"1" + b"}" * 901
    assert client.post("/api/drafts", deep).status_code in (201, 400)
    assert client.post("/api/drafts", b'{"document":' + b'{"x":' * 50_000).status_code == 400


# --- the audit log ----------------------------------------------------------------------------------


def test_what_is_noted_are_operations_that_there_are() -> None:
    there = {f"{each.method} {each.path}" for each in OPERATIONS}
    assert AUDITED.keys() <= there
    silent = {
        f"{each.method} {each.path}"
        for each in OPERATIONS
        if each.method != "GET" and each.permission is not None and f"{each.method} {each.path}" not in AUDITED
    }
    assert silent == QUIET


QUIET = {
    "POST /api/attribution",
    "POST /api/seen/shares",
    "POST /api/preview",
    # what brings facts, which have a log of their own
    *("POST /api/events", "POST /api/exposures", "POST /api/step-messages", "POST /api/assign"),
    *("POST /users/track", "POST /users/merge", "POST /users/alias/new", "POST /users/identify"),
    *(f"POST /v1/{name}" for name in ("batch", "track", "identify", "alias", "page", "screen", "group")),
    *("PUT /api/imports/{file}", "POST /api/imports/{file}/rows", "POST /api/imports/{file}/finish"),
    # what changes nothing for anybody else
    *("POST /api/campaigns/{id}/explore", "POST /api/webhooks/{id}/test"),
    *("POST /api/drafts", "PUT /api/drafts/{id}", "DELETE /api/drafts/{id}"),
}


def test_the_way_of_a_campaign_is_in_the_log(client: Client) -> None:
    variants = [{"id": "a", "share": 50}, {"id": "b", "share": 50}]
    client.launch(campaign("noted", variants=variants, selection={"mode": "intelligent"}))
    assert client.post("/api/campaigns/noted/selection", {"action": "pause"}).status_code == 200
    assert client.post("/api/campaigns/noted/stop").status_code == 200
    assert client.post("/api/campaigns/none/stop").status_code == 404
    entries = [entry for entry in log(client, limit=50) if entry["subject"] in ("noted", "none")]
    told = [(entry["action"], entry["detail"].get("status")) for entry in reversed(entries)]
    assert told[:2] == [("campaign.created", "draft"), ("campaign.launched", "running")]
    assert told[-2:] == [("selection.asked", None), ("campaign.stopped", "stopped")]
    assert entries[1]["detail"]["action"] == "pause"
    assert {entry["actor"] for entry in entries} == {actor(client)}


def test_who_looks_at_persons_is_in_the_log_and_what_leaves_no_trace_is_not(client: Client) -> None:
    client.launch(campaign("looked-at"))
    client.post("/api/exposures", exposures(["q-1", "q-2"], of="looked-at"))
    client.post("/api/events", purchase("q-1"))
    client.loaded()
    client.report("looked-at")
    first = log(client, limit=1)[0]["number"]
    assert len(client.get("/api/campaigns/looked-at/users?state=exposed").json()["users"]) == 2
    assert client.get("/api/campaigns/looked-at/explain?user=q-1").status_code == 200
    assert client.get("/api/conversions?campaign=looked-at&format=csv").status_code == 200
    assert client.post("/users/export/ids", {"external_ids": ["q-1"]}).is_success
    client.get("/api/campaigns")
    users, explained, rows, profiles = (e for e in reversed(log(client, limit=9)) if e["number"] > first)
    assert (users["action"], users["subject"]) == ("users.listed", "looked-at")
    assert users["detail"] == {"state": "exposed", "users": 2}
    assert (explained["action"], explained["subject"], explained["user_id"]) == ("user.explained", "looked-at", "q-1")
    assert (rows["action"], rows["subject"]) == ("conversions.exported", "looked-at")
    assert rows["detail"] == {"format": "csv", "Afterword-Rows": "1"}
    assert (profiles["action"], profiles["detail"]) == ("users.exported", {"users": 1})
    assert "q-1" not in json.dumps([users, rows, profiles])


def test_an_erased_person_is_taken_out_of_the_log(serving: Serving) -> None:
    served = serving(upkeep={"erase_within": 0})
    client = served.start()
    client.launch(campaign("erased"))
    client.post("/api/exposures", exposures(["Quixote"], of="erased"))
    client.loaded()
    client.report("erased")
    assert client.get("/api/campaigns/erased/explain?user=Quixote").status_code == 200
    assert log(client)[0]["user_id"] == "Quixote"
    assert client.post("/api/users/delete", {"user_ids": ["Quixote"]}).status_code == 201
    [deleted] = log(client, action="users.deleted")
    assert deleted["detail"]["deleted"] == 1
    client.post("/api/users/deletions")
    wait_for(lambda: log(client, action="user")[0]["user_id"] == "(erased)", 60)
    assert "Quixote" not in json.dumps(log(client))


def test_the_log_is_read_in_pages(client: Client) -> None:
    for _ in range(3):
        client.send("DELETE", f"/api/webhooks/{client.post('/api/webhooks', {'url': 'http://x.example'}).json()['id']}")
    page = client.get("/api/audit?limit=2&action=webhook").json()
    following = client.get(f"/api/audit?limit=2&action=webhook&before={page['next']}").json()
    numbers = [entry["number"] for entry in page["entries"] + following["entries"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    assert client.get("/api/audit?before=1").json() == {"entries": [], "next": None}
