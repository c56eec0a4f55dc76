"""What old clients and plain HTTP libraries do: odd times and ids, wrong content types, and old manners on the wire."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.interfaces.clients import told, watched
from tests.interfaces.serving import Client, instant

FORM = "application/x-www-form-urlencoded"


def test_times_are_read_as_old_clients_write_them(client: Client) -> None:
    day, clock = instant(60).rstrip("Z").split("T")
    written = {
        "blank before the offset": f"{day} {clock} +0000",
        "an hour of one digit": f"{day}T{clock}+0:00",
        "small letters": f"{day}t{clock}z",
        "decimal comma": f"{day}T{clock},123456Z",
        "without separators": f"{day.replace('-', '')}T{clock.replace(':', '')}Z",
        "no offset is UTC": f"{day} {clock}",
    }
    watched(client, "old-times", list(written))
    bought = {"product_id": "p", "currency": "EUR", "price": 1}
    sent = [{"external_id": user, "time": time, **bought} for user, time in written.items()]
    assert client.post("/users/track", {"purchases": sent}).json()["purchases_processed"] == 6
    assert told(client, "old-times") == ([6, 0, 0, 0], {"EUR": 6.0})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2019-02-15 00:00:00 -0500", "2019-02-15T05:00:00+00:00"),
        ("2019-02-15T00:00:00-5:00", "2019-02-15T05:00:00+00:00"),
        ("2019-02-15T00:00:00.000-05:30", "2019-02-15T05:30:00+00:00"),
    ],
)
def test_an_offset_is_that_of_the_place(client: Client, written: str, read: str) -> None:
    user = f"offset {written}"
    event = {"external_id": user, "name": "x", "time": written}
    assert client.post("/users/track", {"events": [event]}).json()["events_processed"] == 1
    client.loaded()
    asked = {"external_ids": [user], "fields_to_export": ["custom_events"]}
    (found,) = client.post("/users/export/ids", asked).json()["users"]
    assert found["custom_events"][0]["first"] == read


@pytest.mark.parametrize(
    "written", ["15/02/2019", "Feb 15 2019", "yesterday", "1550188800", 1550188800, "2019-02-30T00:00:00Z"]
)
def test_a_time_that_could_be_another_is_refused(client: Client, written: Any) -> None:
    answer = client.post("/users/track", {"events": [{"external_id": "u", "name": "x", "time": written}]})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"type": "'time' is not valid", "input_array": "events", "index": 0}]


def test_a_number_and_its_text_are_one_user(client: Client) -> None:
    watched(client, "integers", ["4711"])
    bought = {"product_id": "p", "currency": "EUR", "price": 1, "time": instant(60)}
    sent = [{"external_id": 4711, **bought}, {"external_id": "4711", **bought, "price": 2}]
    assert client.post("/users/track", {"purchases": sent}).json()["purchases_processed"] == 2
    message = {"userId": 4711, "event": "added_to_cart", "messageId": "integers-1", "timestamp": instant(60)}
    assert client.post("/v1/track", message).status_code == 200
    assert told(client, "integers") == ([1, 1, 0, 0], {"EUR": 3.0})


def test_json_that_calls_itself_a_form_is_json(client: Client) -> None:
    watched(client, "form", ["form"])
    bought = {"external_id": "form", "product_id": "p", "currency": "EUR", "price": 1, "time": instant(60)}
    assert client.post("/users/track", {"purchases": [bought]}, Content_Type=FORM).status_code == 201
    event = {"user_id": "form", "kind": "custom", "name": "added_to_cart", "occurred_at": instant(60)}
    assert client.post("/api/events", event, Content_Type=FORM).status_code == 201
    message = {"userId": "form", "anonymousId": None, "name": "Home", "messageId": "form-1", "timestamp": instant(60)}
    assert client.post("/v1/screen", message, Content_Type=FORM).status_code == 200
    traits = {"userId": "form", "messageId": "form-2", "context": {"traits": {"plan": "pro"}}}
    assert client.post("/v1/identify", traits, Content_Type=FORM).status_code == 200
    assert told(client, "form") == ([1, 1, 1, 0], {"EUR": 1.0})
    asked = {"external_ids": ["form"], "fields_to_export": ["custom_attributes"]}
    assert client.post("/users/export/ids", asked).json()["users"] == [
        {"external_id": "form", "custom_attributes": {"plan": "pro"}}
    ]


class Wire:
    """A connection on which a test speaks for itself."""

    def __init__(self, client: Client) -> None:
        self.key = client.key
        host, _, port = client.address.removeprefix("http://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def say(self, head: str, body: bytes = b"") -> None:
        self.socket.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    def heard(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def ended(self) -> bool:
        return self.file.read(1) == b""


def event_of(user: str) -> bytes:
    return json.dumps({"user_id": user, "kind": "custom", "name": "added_to_cart", "occurred_at": instant(60)}).encode()


def test_http_1_0_is_answered_and_closed(client: Client) -> None:
    body = event_of("wire")
    with Wire(client) as wire:
        wire.say(f"POST /api/events HTTP/1.0\nAuthorization: Bearer {wire.key}\nContent-Length: {len(body)}", body)
        status, headers, content = wire.heard()
        assert (status, json.loads(content)["accepted"]) == (201, 1)
        assert "transfer-encoding" not in headers
        assert wire.ended()


def test_a_read_over_http_1_0_is_whole(client: Client) -> None:
    """It goes through both processes."""
    with Wire(client) as wire:
        wire.say(f"GET /campaigns/list HTTP/1.0\nAuthorization: Bearer {wire.key}")
        status, headers, content = wire.heard()
        assert (status, json.loads(content)["message"]) == (200, "success")
        assert "transfer-encoding" not in headers
        assert wire.ended()


def test_who_waits_to_be_asked_for_the_body_is_asked(client: Client) -> None:
    body = event_of("wire")
    head = f"Host: x\nAuthorization: Bearer {client.key}\nContent-Length: {len(body)}\nExpect: 100-continue"
    with Wire(client) as wire:
        for path in ("/api/events", "/users/export/ids"):
            sent = body if path == "/api/events" else b'{"external_ids": ["wire"]}'.ljust(len(body))
            wire.say(f"POST {path} HTTP/1.1\n{head}")
            assert wire.heard()[0] == 100
            wire.socket.sendall(sent)
            assert wire.heard()[0] in (200, 201)


def test_a_body_in_chunks_is_put_together(client: Client) -> None:
    body = event_of("wire")
    chunks = b"".join(b"%x;odd=extension\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:40], body[40:]))
    with Wire(client) as wire:
        for _ in range(2):
            wire.say(
                f"POST /api/events HTTP/1.1\nHost: x\nAuthorization: Bearer {wire.key}\nTransfer-Encoding: chunked",
                chunks + b"0\r\n\r\n",
            )
            status, _, content = wire.heard()
            assert (status, json.loads(content)["accepted"]) == (201, 1)


def test_a_connection_is_used_again_and_again_also_before_the_answer(client: Client) -> None:
    body = event_of("wire")
    head = f"Host: x\nAuthorization: Bearer {client.key}"
    with Wire(client) as wire:
        for _ in range(3):  # two requests at once, then their two answers
            wire.say(f"POST /api/events HTTP/1.1\n{head}\nContent-Length: {len(body)}", body)
            wire.say(f"GET /campaigns/list HTTP/1.1\n{head}")
            assert [wire.heard()[0] for _ in range(2)] == [201, 200]
        wire.say(f"GET /campaigns/list HTTP/1.1\n{head}\nConnection: close")
        assert wire.heard()[0] == 200
        assert wire.ended()
