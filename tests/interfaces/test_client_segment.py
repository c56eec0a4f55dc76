"""Segment's own clients for Python and Node, unmodified, against a real server."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client as Analytics  # type: ignore[import-untyped]  # has no types of its own

from tests.interfaces.clients import told, watched
from tests.interfaces.serving import Client, Served, instant, wait_for
from tests.node_client import run_node

MANY, TEXT = 1000, "x" * 900
"""So many messages of this size are more than one batch may hold."""
NODE = """
const { Analytics } = require("@segment/analytics-node");
const [host, key, script, seen, options] = process.argv.slice(1);
const answers = [];
const client = new Analytics({
  writeKey: key, host, flushInterval: 200, ...JSON.parse(options),
  httpClient: async (url, request) => {
    const answer = await fetch(url, request);
    answers.push(answer.status);
    return answer;
  },
});
client.on("error", (error) => { console.error(error); process.exitCode = 1; });
for (const [kind, message] of JSON.parse(script)) {
  const repeat = message.repeat || 1;
  if (message.timestamp) message.timestamp = new Date(message.timestamp);
  delete message.repeat;
  for (let n = 0; n < repeat; n++) client[kind](message);
}
client.closeAndFlush({ timeout: 50000 }).then(() => {
  if (seen && !answers.includes(Number(seen))) { console.error("answers: " + answers); process.exitCode = 1; }
  if (answers.at(-1) !== 200) { console.error("answers: " + answers); process.exitCode = 1; }
});
"""
Messages = list[tuple[str, dict[str, Any]]]
Say = Callable[..., None]
"""Sends (address, key, messages, seen): an answer of the status `seen` must have been among those that it got."""


def everything(name: str) -> Messages:
    """All calls that there are; three users do something that counts, and one of two ids is one person."""
    product = {"product_id": "p-1", "price": 19.99, "quantity": 2}
    order = {"order_id": f"o-{name}", "currency": "EUR", "products": [product]}
    app: dict[str, Any] = {"name": "Shop", "namespace": "com.example.shop", "version": "1.2"}
    device = {"device": {"id": f"d-{name}"}}
    opened = {"userId": f"{name}-2", "event": "Application Opened"}
    return [
        ("identify", {"userId": f"{name}-1", "traits": {"plan": "pro", "shoe_size": 41}}),
        ("track", {"userId": f"{name}-1", "event": "added_to_cart", "properties": {"total": 49.9}}),
        ("track", {"userId": f"{name}-1", "event": "Order Completed", "properties": order}),
        (
            "track",
            {"anonymousId": f"{name}-anon", "event": "Order Completed", "properties": {**order, "order_id": name}},
        ),
        ("track", {**opened, "context": {"app": app, **device}, "timestamp": instant(120)}),
        ("track", {**opened, "context": {"app": {**app, "version": "1.3"}, **device}}),
        (
            "page",
            {"userId": f"{name}-3", "category": "Shop", "name": "Shoes", "properties": {"url": "https://e.example"}},
        ),
        ("screen", {"userId": f"{name}-3", "name": "Home"}),
        ("group", {"userId": f"{name}-1", "groupId": "g-1", "traits": {"name": "Initech"}}),
        ("alias", {"previousId": f"{name}-anon", "userId": f"{name}-4"}),
    ]


def by_python(
    address: str, key: str, messages: list[tuple[str, dict[str, Any]]], seen: int = 0, **options: Any
) -> None:
    errors: list[object] = []
    said: list[str] = []
    log = logging.getLogger("segment")
    heard = logging.Handler()
    heard.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(heard)
    log.setLevel(logging.DEBUG)
    client = Analytics(
        key, host=address, upload_interval=0.2, on_error=lambda error, _items: errors.append(error), **options
    )
    names = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}
    for kind, message in messages:
        given = {names.get(name, name): value for name, value in message.items() if name != "repeat"}
        if "timestamp" in given:
            given["timestamp"] = datetime.fromisoformat(given["timestamp"])
        for _ in range(message.get("repeat", 1)):
            ok, _ = getattr(client, kind)(**given)
            assert ok
    client.flush()
    client.join()
    log.removeHandler(heard)
    assert errors == []
    assert not seen or any(f"status {seen}" in each for each in said), said


def by_node(address: str, key: str, messages: Messages, seen: int = 0, **options: Any) -> None:
    run_node(NODE, address, key, json.dumps(messages), str(seen or ""), json.dumps(options))


SAYS = [
    pytest.param(by_python, {}, id="python"),
    pytest.param(by_python, {"gzip": True}, id="python-gzip"),
    pytest.param(by_node, {}, id="node"),
]


@pytest.mark.parametrize(("say", "options"), SAYS)
def test_all_that_it_says_counts(
    client: Client, say: Say, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = f"segment-{request.node.callspec.id}"
    watched(client, name, [f"{name}-{n}" for n in (1, 2, 3, 4)])
    say(client.address, client.key, everything(name), **options)
    # Bought: 1, and 4 as somebody unknown; sessions: 2, 3; upgraded: 2.
    assert told(client, name) == ([2, 1, 2, 1], {"EUR": 79.96})
    asked = {"external_ids": [f"{name}-1"], "fields_to_export": ["custom_attributes"]}
    (found,) = client.post("/users/export/ids", asked).json()["users"]
    assert found["custom_attributes"] == {"plan": "pro", "shoe_size": 41, "group_id": "g-1"}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("say", "options"),
    [
        pytest.param(by_python, {"upload_size": MANY, "max_queue_size": MANY}, id="python"),
        pytest.param(by_python, {"upload_size": MANY, "max_queue_size": MANY, "gzip": True}, id="python-gzip"),
        # What it takes for the size of a batch is far too little: more of these would be over the protocol's limit.
        pytest.param(by_node, {"flushAt": 300}, id="node"),
    ],
)
def test_batches_are_as_large_as_it_likes(
    client: Client, say: Say, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    event = f"large {request.node.callspec.id}"
    message = {"userId": "large", "event": event, "properties": {"text": TEXT}, "repeat": MANY}
    say(client.address, client.key, [("track", message)], **options)
    assert counted(client, event) == MANY


def counted(client: Client, event: str) -> int:
    """Return how often an event is there."""
    client.loaded()
    rows = client.get(f"/events/data_series?event={event}&length=2").json()["data"]
    return sum(row["count"] for row in rows)


@pytest.fixture(scope="module")
def narrow(shared: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that lets each key ask twice a second."""
    served = Served(tmp_path_factory.mktemp("narrow"), {"rate": [2, 1.0]})
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.mark.parametrize("say", [by_python, by_node])
def test_over_its_rate_it_comes_again(narrow: Served, say: Say) -> None:
    event = f"rate {say.__name__}"
    options = {"upload_size": 1} if say is by_python else {"flushAt": 1}
    key = narrow.make_key("segment.write")
    say(narrow.address, key, [("track", {"userId": "u", "event": event, "repeat": 5})], 429, **options)
    assert counted(narrow.client(narrow.make_key("events.data_series")), event) == 5


def refusals(served: Served) -> int:
    """Return how often the server has said 503 to the client."""
    text = httpx.get(f"{served.address}/metrics").text
    found = re.findall(r'^afterword_request_seconds_count\{path="/v1/[a-z]+",status="503"\} (\d+)', text, re.MULTILINE)
    return sum(map(int, found))


def mend_when(served: Served, seen: Callable[[], bool]) -> None:
    wait_for(seen, 60.0)
    served.mend()


@pytest.mark.parametrize("say", [by_python, by_node])
def test_while_nothing_can_be_written_it_comes_again(narrow: Served, say: Say) -> None:
    event = f"full {say.__name__}"
    before = refusals(narrow)
    narrow.fault("full-log")
    over = threading.Event()
    mending = threading.Thread(target=mend_when, args=(narrow, lambda: over.is_set() or refusals(narrow) > before))
    mending.start()
    try:  # a skipped test must not leave a thread behind
        say(narrow.address, narrow.make_key("segment.write"), [("track", {"userId": "u", "event": event})], 503)
    finally:
        over.set()
        mending.join()
    assert counted(narrow.client(narrow.make_key("events.data_series")), event) == 1


@pytest.mark.parametrize("say", [by_python, by_node])
def test_a_server_that_dies_and_comes_back_gets_everything_once(narrow: Served, say: Say) -> None:
    event, key = f"back {say.__name__}", narrow.make_key("segment.write")
    narrow.kill()
    starting = threading.Timer(1.0, narrow.begin)
    starting.start()
    try:
        say(narrow.address, key, [("track", {"userId": "u", "event": event})])
    finally:
        starting.join()
    assert counted(narrow.client(narrow.make_key("events.data_series")), event) == 1
