"""Items and lines that nobody should send beside good ones: the good ones are there, and counted in the report.

Also what is wrong around a body: its length, its compression, its framing. Never a fault, never a hang.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.serving import Client, Served, campaign, instant

NUMBERS = itertools.count()
BAD = [
    "null",
    "7",
    "[[]]",
    "{}",
    r'{"user_id": "a\u0000b", "external_id": "a\u0000b", "userId": "a\u0000b", "type": "track"}',
    r'{"user_id": "\ud800", "external_id": "\udfff", "name": "\ud83d", "type": "track"}',
    '{"user_id": {}, "external_id": [], "occurred_at": true, "time": {}, "type": 1, "userId": [1]}',
    json.dumps(dict.fromkeys(["user_id", "external_id", "userId"], "x" * 30_000)),
    json.dumps(dict.fromkeys(["user_id", "external_id", "price"], 10**400)),
    '{"user_id": 1e400, "external_id": 1e400, "price": 1e400, "timestamp": -1e400}',
    '{"user_id": "u", "properties": ' + '{"a":[' * 60 + "]}" * 60 + "}",
    '{"user_id": "u", "external_id": "u", "properties": ' + "[" * 400 + "]" * 400 + "}",
    json.dumps({f"f{n}": n for n in range(3000)}),
    '{"user_id": "u", "external_id": "u", "occurred_at": "0001-01-01", "time": "-4000-01-01T00:00:00Z"}',
    '{"user_id": "u", "external_id": "u", "occurred_at": "9999-12-31T23:59:59Z", "time": 1e30}',
    # Names that come twice in an object are JSON to most readers.
    '{"user_id": "u", "user_id": "v", "external_id": "u", "external_id": 1, "kind": "session", "kind": "purchase"}',
]
"""JSON that is no fact in any dialect."""
BROKEN_LINES = [b"{", b"not json", b'{"user_id": }', b"\xff\xfe", b'"\xed\xa0\x80"', b"[" * 5_000, b"\x00", b"NaN"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, shared: Served) -> Iterator[Client]:
    """A server with a campaign that nobody else reports about."""
    served = Served(tmp_path_factory.mktemp("neighbours"))
    try:
        client = served.start()
        client.launch(campaign("good", steps=[{"id": "hello"}], conversion_events=CONVERSIONS))
        yield client
    finally:
        served.close()


CONVERSIONS = [{"kind": "purchase", "deadline": "3 days"}, {"kind": "session", "deadline": "3 days"}]


def name() -> str:
    return f"n-{next(NUMBERS)}"


def exposure(user: str) -> dict[str, str]:
    return {"user_id": user, "campaign_id": "good", "variant_id": "a", "exposed_at": instant(3600), "exposure_id": user}


def step(user: str) -> dict[str, str]:
    return {"user_id": user, "campaign_id": "good", "step_id": "hello", "received_at": instant(1800)}


def session(user: str) -> dict[str, str]:
    return {"user_id": user, "kind": "session", "occurred_at": instant(60)}


def among(good: Sequence[Mapping[str, object]], bad: str) -> str:
    """A list with bad items before, between and behind good ones."""
    return f"[{bad}, {', '.join(f'{json.dumps(each)}, {bad}' for each in good)}]"


def test_good_neighbours_are_counted(told: Client) -> None:
    exposed, bought_it, came = set(), set(), set()
    for bad in BAD:
        users = [name() for _ in range(3)]
        bodies: dict[str, dict[str, list[Any]]] = {
            "/api/exposures": {"exposures": [exposure(user) for user in users]},
            "/api/step-messages": {"step_messages": [step(users[0])]},
            "/api/events": {"events": [session(users[0])]},
            "/users/track": {"sessions": [braze(users[1])], "purchases": [bought(users[1])]},
            "/v1/batch": {"batch": [opened(users[2]), ordered(users[2])]},
        }
        for path, arrays in bodies.items():
            body = ", ".join(f'"{array}": {among(good, bad)}' for array, good in arrays.items())
            answer = told.post(path, f"{{{body}}}".encode())
            assert answer.status_code in (200, 201), (path, bad[:100], answer.text)
        exposed |= set(users)
        bought_it |= set(users[1:])
        came |= set(users)
    told.loaded()
    assert listed(told, "A", "exposed") == exposed
    assert listed(told, "A", "converted") == bought_it
    assert listed(told, "B", "converted") == came
    assert told.report("good")["steps"][0]["received"] == len(BAD)


def listed(client: Client, letter: str, state: str) -> set[str]:
    """Who is behind a number of the report."""
    answer = client.get(f"/api/campaigns/good/users?event={letter}&state={state}").json()
    return {user["user_id"] for user in answer["users"]}


def braze(user: str) -> dict[str, str]:
    return {"external_id": user, "time": instant(60)}


def bought(user: str) -> dict[str, str]:
    return {**braze(user), "product_id": "p", "price": "1.50", "currency": "EUR"}


def opened(user: str) -> dict[str, str]:
    return {"type": "track", "userId": user, "event": "Application Opened", "messageId": user, "timestamp": instant(60)}


def ordered(user: str) -> dict[str, object]:
    order = {"order_id": user, "products": [{"product_id": "p", "price": 2}]}
    return {**opened(user), "event": "Order Completed", "messageId": f"{user}-o", "properties": order}


@pytest.mark.parametrize("path", ["/api/events", "/api/exposures", "/api/step-messages"])
def test_a_broken_line_is_rejected_alone(told: Client, path: str) -> None:
    made = {"/api/events": session, "/api/exposures": exposure, "/api/step-messages": step}[path]
    good = [json.dumps(made(name())).encode() for _ in range(len(BROKEN_LINES) + 1)]
    lines = list(itertools.chain.from_iterable(zip(good, BROKEN_LINES, strict=False)))
    body = b"\xef\xbb\xbf" + b"\r\n\n".join([*lines, good[-1]])
    answer = told.post(path, body, content_type="application/x-ndjson")
    assert answer.status_code == 201, answer.text
    assert answer.json()["accepted"] == len(good)
    assert [each["item"] for each in answer.json()["rejected"]] == list(range(1, 2 * len(BROKEN_LINES), 2))


def test_all_broken_lines_are_400(told: Client) -> None:
    answer = told.post("/api/events", b"\n".join(BROKEN_LINES), content_type="application/x-ndjson")
    assert answer.status_code == 400
    assert len(answer.json()["rejected"]) == len(BROKEN_LINES)


GOOD = {
    "/api/events": {"events": [session("g")] * 3},
    "/users/track": {"sessions": [braze("g")] * 3},
    "/v1/batch": {"batch": [opened("g")] * 3},
}
PATHS = st.sampled_from(list(GOOD))
Quick = settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@Quick
@given(path=PATHS, data=st.data())
def test_broken_compression_is_answered(told: Client, path: str, data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(json.dumps(GOOD[path]).encode(), mtime=0))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    packed = packed[: data.draw(st.integers(0, len(packed)))] + data.draw(st.binary(max_size=20))
    assert told.post(path, bytes(packed), content_encoding="gzip").status_code < 500


@pytest.mark.parametrize("path", GOOD)
def test_a_bomb_is_413(told: Client, path: str) -> None:
    pump = zlib.compressobj(9, wbits=31)
    packed = b"".join(pump.compress(b" " * (1 << 20)) for _ in range(64)) + pump.flush()
    assert told.post(path, packed, content_encoding="gzip").status_code == 413


FRAMES = {
    "too-short": ("Content-Length: 10", b'{"events": []}'),
    "not-a-number": ("Content-Length: ten", b"{}"),
    "negative": ("Content-Length: -1", b"{}"),
    "two-lengths": ("Content-Length: 2\r\nContent-Length: 3", b"{}"),
    "huge": (f"Content-Length: {'9' * 400}", b"{}"),
    "both": ("Content-Length: 2\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "no-chunks": ("Transfer-Encoding: chunked", b"zz\r\n{}\r\n"),
    "endless-chunk": ("Transfer-Encoding: chunked", b"f" * 400 + b"\r\n{}"),
    "other-coding": ("Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
    "nul-in-a-header": ("Content-Length: 2\r\nX: \x00", b"{}"),
    "a-long-header": (f"Content-Length: 2\r\nX: {'x' * 100_000}", b"{}"),
}


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize(("head", "body"), FRAMES.values(), ids=FRAMES)
def test_a_body_in_a_wrong_frame_is_answered_or_hung_up(told: Client, path: str, head: str, body: bytes) -> None:
    basic = b64encode(f"{told.key}:".encode()).decode()
    key = f"Basic {basic}" if path.startswith("/v1/") else f"Bearer {told.key}"
    start = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {key}\r\n{head}\r\n\r\n"
    answered = told.raw(start.encode("latin-1") + body, seconds=5.0)
    assert not answered or answered.split()[1][:1] in (b"2", b"4"), answered
    assert told.http.get("/healthz").status_code == 200
