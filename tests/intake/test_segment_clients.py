"""What real clients of Segment's protocol send, unmodified, to a server on loopback."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from segment.analytics.client import Client  # type: ignore[import-untyped]  # has no types of its own

from afterword.intake.accepted import Accepted
from afterword.intake.segment import read_batch
from tests.intake.segment_world import NOW, SECOND, content, plain
from tests.node_client import run_node


@dataclass
class Server:
    """Keeps what it is sent, and answers as the protocol has it."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    busy: int = 0
    """How many requests are turned away before one is taken."""

    def accepted(self, received_at: int = NOW) -> list[Accepted]:
        return [read_batch(body, received_at).accepted for body in self.bodies]


@pytest.fixture
def server() -> Iterator[Server]:
    kept = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/batch"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            kept.headers.append(dict(self.headers))
            status = 503 if len(kept.bodies) <= kept.busy else 200
            answer = b'{"success":true}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        kept.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            http.shutdown()
            thread.join()


def python_client(server: Server, **options: object) -> Client:
    return Client("key", host=server.url, upload_interval=0.1, **options)


def say_everything(client: Client) -> None:
    happened = datetime(2024, 12, 1, 9, 30, tzinfo=UTC)
    client.identify("ann", {"plan": "pro"})
    client.track("ann", "added_to_cart", {"total": Decimal("49.90")}, timestamp=happened)
    order = {
        "order_id": "o-1",
        "currency": "EUR",
        "products": [{"product_id": "p-1", "price": 19.99, "quantity": 2}],
    }
    client.track("ann", "Order Completed", order)
    client.track("ann", "Order Refunded", {"order_id": "o-1", "products": order["products"]})
    client.track("ann", "Application Opened", {}, {"app": {"name": "Shop", "version": "1.2"}})
    client.screen(anonymous_id="anon", name="Home")
    client.page(17, "Shop", "Shoes", {"url": "https://shop.example/a", "referrer": "https://shop.example/"})
    client.group("ann", "g-1", {"name": "Initech"})
    client.alias("anon", "ann")
    client.flush()
    client.join()


@pytest.mark.parametrize("zipped", [False, True])
def test_the_client_for_python(server: Server, zipped: bool) -> None:
    say_everything(python_client(server, gzip=zipped))
    merged = server.accepted()
    events = [event for accepted in merged for event in accepted.events]
    assert [rejected for accepted in merged for rejected in accepted.rejected] == []
    assert [event.kind for event in events] == ["custom", "purchase", "refund", "session", "session"]
    custom, purchase, refund, opened, screen = events
    assert plain(custom.properties) == {"total": 49.9}
    assert (purchase.event_id, purchase.price, purchase.quantity) == ("o-1#p-1#1", "19.99", 2)
    assert (refund.refund_of, refund.price, refund.currency) == (purchase.event_id, "19.99", None)
    assert (opened.app_id, opened.app_version) == ("Shop", "1.2")
    assert screen.user_id == "anon"
    assert all(event.corrected and event.event_id for event in events)
    assert all(0 <= NOW - event.occurred_at < 60 * SECOND for event in events[1:])
    attributes = [plain(found.values) for accepted in merged for found in accepted.attributes]
    assert attributes == [{"plan": "pro"}, {"group_id": "g-1"}]
    assert [(found.from_user_id, found.to_user_id) for a in merged for found in a.merges] == [("anon", "ann")]


def test_a_client_that_tries_again_repeats_itself(server: Server) -> None:
    server.busy = 2
    say_everything(python_client(server))
    first, second, third = server.bodies[:3]
    assert json.loads(first)["sentAt"] != json.loads(third)["sentAt"]
    contents = [content(read_batch(body, NOW + late).accepted) for late, body in enumerate((first, second, third))]
    assert contents[0] == contents[1] == contents[2] != []


def test_a_client_with_a_wrong_clock(server: Server) -> None:
    client = python_client(server)
    client.track("ann", "x")
    client.flush()
    client.join()
    year_later = NOW + 365 * 86_400 * SECOND
    for received_at in (NOW, year_later):
        (found,) = server.accepted(received_at)[0].events
        assert 0 <= received_at - found.occurred_at < 60 * SECOND


NODE = """
const { Analytics } = require("@segment/analytics-node");
const client = new Analytics({ writeKey: "key", host: process.argv[1], flushAt: 20 });
client.on("error", (error) => { console.error(error); process.exitCode = 1; });
client.identify({ userId: "ann", traits: { plan: "pro" } });
client.track({ userId: "ann", event: "added_to_cart", properties: { total: 49.9 } });
client.track({ userId: "ann", event: "Order Completed", timestamp: new Date(Date.now() - 60000), properties: {
  order_id: "o-1", currency: "EUR", products: [{ product_id: "p-1", price: 19.99, quantity: 2 }] } });
client.track({ anonymousId: "anon", event: "Application Opened",
  context: { app: { name: "Shop", namespace: "com.example.shop", version: "1.2" }, device: { id: "d-1" } } });
client.track({ userId: "ann", event: "cut", properties: { emoji: "\\ud83d" } });
client.page({ userId: "ann", category: "Shop", name: "Shoes" });
client.screen({ anonymousId: "anon", name: "Home" });
client.group({ userId: "ann", groupId: "g-1", traits: { name: "Initech" } });
client.alias({ userId: "ann", previousId: "anon" });
client.closeAndFlush();
"""


def test_the_client_for_node(server: Server) -> None:
    run_node(NODE, server.url)
    (accepted,) = server.accepted()
    events = accepted.events
    assert [event.kind for event in events] == ["custom", "purchase", "session", "session", "session"]
    _, purchase, opened, page, screen = events
    assert (purchase.event_id, purchase.price, purchase.quantity) == ("o-1#p-1#1", "19.99", 2)
    assert 60 * SECOND <= NOW - purchase.occurred_at < 120 * SECOND
    assert (opened.app_id, opened.app_version, opened.device_id) == ("com.example.shop", "1.2", "d-1")
    assert (page.user_id, screen.user_id) == ("ann", "anon")
    assert [plain(found.values) for found in accepted.attributes] == [{"plan": "pro"}, {"group_id": "g-1"}]
    assert [(found.from_user_id, found.to_user_id) for found in accepted.merges] == [("anon", "ann")]
    # JavaScript cuts texts in the middle of an emoji; that message alone is lost.
    assert [rejected.reason.value for rejected in accepted.rejected] == ["bad_type"]
