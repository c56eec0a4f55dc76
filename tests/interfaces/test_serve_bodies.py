"""Bodies that are too large, too slow, compressed, or broken: said in an answer that arrives, and harmless."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator

import pytest

from tests.interfaces.serving import Client, Served, purchase

LIMIT = 20_000
"""Of the server `limited`."""


@pytest.fixture
def small(limited: Served) -> Client:
    return limited.clients[0]


def events(size: int, user: str = "u") -> bytes:
    """A valid body of exactly this size."""
    body = json.dumps({"events": [purchase(user)]}).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("path", ["/api/events", "/users/track", "/api/campaigns"])
@pytest.mark.parametrize("size", [LIMIT + 1, 3_000_000, 30_000_000])
def test_one_byte_over_the_limit_is_413_and_the_answer_arrives(small: Client, path: str, size: int) -> None:
    answer = small.post(path, b"x" * size)
    assert answer.status_code == 413
    assert answer.json() == {"message": "the body is larger than 20,000 bytes"}
    assert answer.headers["connection"] == "close"


def test_a_body_at_the_limit_is_taken(small: Client) -> None:
    assert small.post("/api/events", events(LIMIT)).status_code == 201


def test_a_body_of_unknown_length_has_the_same_limit(small: Client) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    answer = small.http.post("/api/events", content=parts(), headers=small.bearer())
    assert answer.status_code == 413


def test_who_asks_first_is_refused_before_sending(small: Client) -> None:
    head = f"POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.key}\r\n"
    sent = f"{head}Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n".encode()
    began = time.monotonic()
    assert small.raw(sent).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 3


def test_the_protocols_limits_hold_for_a_batch_and_a_message(client: Client) -> None:
    assert client.post("/v1/batch", b'{"batch": []}'.ljust(512_000)).status_code == 200
    large = client.post("/v1/batch", b'{"batch": []}'.ljust(512_001))
    assert large.status_code == 413
    assert large.json() == {"success": False, "code": "invalid_request", "message": large.json()["message"]}
    assert client.post("/v1/track", b"{}".ljust((32 << 10) + 1)).status_code == 413


def test_a_refused_request_leaves_the_connection_usable(small: Client) -> None:
    for _ in range(3):
        assert small.http.post("/api/events", content=b"x" * 1_000_000).status_code == 401
        assert small.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_read(small: Client, encoding: str) -> None:
    answer = small.post("/api/events", gzip.compress(events(5_000)), Content_Encoding=encoding)
    assert (answer.status_code, answer.json()["accepted"]) == (201, 1)


def test_gzip_of_several_members_is_one_body(small: Client) -> None:
    body = events(5_000)
    parts = b"".join(gzip.compress(body[i : i + 700]) for i in range(0, len(body), 700))
    assert small.post("/api/events", parts, Content_Encoding="gzip").json()["accepted"] == 1


@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_a_gzip_bomb_is_413_and_costs_nothing(small: Client, size: int) -> None:
    bomb = gzip.compress(b" " * size)
    if len(bomb) > LIMIT:
        bomb = bomb[:LIMIT]
    began = time.monotonic()
    assert small.post("/api/events", bomb, Content_Encoding="gzip").status_code == 413
    assert time.monotonic() - began < 2


def test_gzip_of_very_many_empty_members_holds_up_nobody(client: Client) -> None:
    began = time.monotonic()
    assert client.post("/users/track", gzip.compress(b"") * 200_000, Content_Encoding="gzip").status_code == 413
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}")[:5],
        gzip.compress(b"{}") + b"x",
        zlib.compress(b"{}"),
    ],
    ids=["plain", "without-its-end", "only-a-head", "with-a-tail", "zlib"],
)
def test_broken_gzip_is_400(small: Client, body: bytes) -> None:
    answer = small.post("/api/events", body, Content_Encoding="gzip")
    assert answer.status_code == 400
    assert "not valid gzip" in answer.json()["message"]


def test_gzip_with_a_wrong_checksum_is_400(small: Client) -> None:
    body = bytearray(gzip.compress(events(500)))
    body[-6] ^= 1
    assert small.post("/api/events", bytes(body), Content_Encoding="gzip").status_code == 400


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "nonsense"])
def test_another_encoding_is_415(small: Client, encoding: str) -> None:
    answer = small.post("/api/events", events(500), Content_Encoding=encoding)
    assert answer.status_code == 415
    assert answer.json()["message"] == f'content-encoding "{encoding}" is not read; gzip is, and no encoding'


def test_a_slow_body_is_408(small: Client) -> None:
    head = f"POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.key}\r\nContent-Length: 100\r\n\r\n"
    began = time.monotonic()
    answer = small.raw(head.encode() + b'{"events"')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come within 1 s" in answer
    assert 0.9 < time.monotonic() - began < 5


def test_a_body_that_ends_early_is_no_body(small: Client, limited: Served) -> None:
    before = small.metric("afterword_log_position")
    head = f"POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.key}\r\nContent-Length: 5000\r\n\r\n"
    small.cut_off(head.encode() + events(2_000))
    time.sleep(0.2)
    assert small.metric("afterword_log_position") == before
    assert small.http.get("/readyz").status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]]", b"null", b"7", b'"x"', b"\xff\xfe{}", b"\x00"])
@pytest.mark.parametrize("path", ["/api/events", "/users/track", "/v1/batch", "/users/merge", "/api/campaigns"])
def test_what_is_no_json_object_is_400_in_a_sentence(client: Client, path: str, body: bytes) -> None:
    answer = client.post(path, body)
    assert answer.status_code == 400
    assert len(answer.json()["message"]) > 10


def test_a_byte_order_mark_is_no_hindrance(client: Client) -> None:
    body = b"\xef\xbb\xbf" + events(500, "bom")
    assert client.post("/api/events", body).status_code == 201
