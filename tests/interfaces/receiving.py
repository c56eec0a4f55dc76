"""A receiver of webhooks on loopback that answers, fails or hangs as a test wants, and checks every signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request that came, and what it was answered."""

    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def content(self) -> dict[str, Any]:
        """The body."""
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        """Of the delivery."""
        return str(self.content["delivery_id"])

    def is_signed_with(self, secret: str) -> bool:
        """Return whether the signature is the one that Standard Webhooks 1.0 asks for."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = b".".join([self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body])
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == f"v1,{wanted}"


@dataclass
class Receiver:
    """What a receiver does with the next requests, and all that came."""

    answer: Callable[[], tuple[int, dict[str, str]]] = lambda: (200, {})
    hanging: threading.Event = field(default_factory=threading.Event)
    """While it is not set, no request is answered."""
    received: list[Received] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.hanging.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks?of=test"

    def answers(self, *statuses: int, **headers: str) -> None:
        """Answer with these and then with 200; a header's `_` stands for a hyphen."""
        waiting = list(statuses)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda: (waiting.pop(0), named) if waiting else (200, {})

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What was received, each delivery once."""
        by_id = {one.id: one for one in self.received if one.status == 200}
        return [change for one in by_id.values() for change in one.content["changes"]]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """Kind and conversion of what was received."""
        return [(change["kind"], change["conversion_id"]) for change in self.changes]

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        """Listen inside, the second time on the same port."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers = receiver.answer()
                receiver.received.append(Received({k.lower(): v for k, v in self.headers.items()}, body, status))
                receiver.hanging.wait()
                self.send_response(status)
                for name, value in {**headers, "content-length": "2"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_arguments: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):  # the sender was killed
                    super().handle()

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.hanging.set()
            server.shutdown()
            server.server_close()
            thread.join()
