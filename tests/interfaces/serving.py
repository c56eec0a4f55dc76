"""A real server in a process of its own, with what tests do to it, and a small client."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from afterword.store.metadata import FILE_NAME, open_metadata
from tests.interfaces.describing import check
from tests.interfaces.nursery import FRONT, MODULE, Born, is_nursery, nursery_of_tests

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
FREE_BYTES = 1 << 20
"""Tests must not depend on how full the disk of a developer is."""

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: one of their own costs each of them 20 ms of reading certificates."""


@dataclass
class Client:
    """Asks a server as the holder of a key; `raw` is for what no decent client sends.

    Every answer is held against the API's own description.
    """

    address: str
    key: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        hooks = {"response": [check]}
        self.http = httpx.Client(base_url=self.address, timeout=30.0, trust_env=False, verify=PLAIN, event_hooks=hooks)

    def bearer(self) -> dict[str, str]:
        """The header of the key in Braze's and Afterword's manner."""
        return {"Authorization": f"Bearer {self.key}"}

    def basic(self) -> dict[str, str]:
        """The header of the key in Segment's manner."""
        return {"Authorization": f"Basic {b64encode(f'{self.key}:'.encode()).decode()}"}

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask."""
        return self.http.get(path, headers={**self.bearer(), **headers})

    def post(self, path: str, content: Any = b"", **headers: str) -> httpx.Response:
        """Send JSON, or bytes as they are; a header's `_` stands for a hyphen."""
        return self.send("POST", path, content, **headers)

    def put(self, path: str, content: Any) -> httpx.Response:
        """Replace a definition."""
        return self.send("PUT", path, content)

    def send(self, method: str, path: str, content: Any = b"", **headers: str) -> httpx.Response:
        """Send with any method."""
        key = self.basic() if path.startswith("/v1/") else self.bearer()
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request(method, path, content=body, headers={**key, **named})

    def launch(self, definition: Mapping[str, Any]) -> None:
        """Define a campaign and launch it."""
        assert self.post("/api/campaigns", definition).status_code == 201
        assert self.post(f"/api/campaigns/{definition['id']}/launch").status_code == 200

    def report(self, campaign: str) -> dict[str, Any]:
        """Return the report of one campaign."""
        until = time.monotonic() + READY_SECONDS
        while (answer := self.get(f"/api/campaigns/{campaign}/report")).status_code == 503:
            assert time.monotonic() < until, answer.text
            time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["campaigns"]
        return dict(found)

    def metric(self, name: str) -> float:
        """Return a number without labels."""
        found = re.search(rf"^{name} (\S+)$", self.http.get("/metrics").text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def raw(self, sent: bytes, seconds: float = 10.0) -> bytes:
        """Send bytes and return all that comes until the server closes, or says nothing more for some seconds."""
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.sendall(sent)
            parts = []
            try:
                while part := connection.recv(65536):
                    parts.append(part)
            except TimeoutError:
                pass
            return b"".join(parts)

    def cut_off(self, sent: bytes) -> None:
        """Send bytes and go."""
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)

    def loaded(self, seconds: float = 120.0) -> None:
        """Wait until all that is durable is known to the results."""
        durable = self.metric("afterword_log_position")
        wait_for(lambda: self.metric("afterword_attributed_position") >= durable, seconds)


@dataclass
class Served:
    """A data directory that is served, stopped, killed and served again."""

    directory: Path
    policy: Mapping[str, Any] = field(default_factory=dict)
    upkeep: Mapping[str, Any] = field(default_factory=dict)
    port: int = 0
    key: str = ""
    ready_seconds: float = 0.0
    """How long the last start took until /readyz said so."""
    process: Born | None = None
    clients: list[Client] = field(default_factory=list)
    others: set[int] = field(default_factory=set)
    """Processes that answer, which may outlive the one that started them for a moment."""

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.faults.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def faults(self) -> Path:
        """Where files ask for faults (`serving_faults`)."""
        return self.directory / "faults"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str | None = None) -> Client:
        """Return a client, with the admin key unless another is named."""
        self.clients.append(Client(self.address, self.key if key is None else key))
        return self.clients[-1]

    def make_key(self, *permissions: str) -> str:
        """Make a key in the metadata of the running server, as `afterword key` does."""
        with open_metadata(self.data / FILE_NAME, create=False) as metadata:
            return metadata.keys.create("test", permissions, time.time_ns() // 1000, os.urandom).secret

    def fault(self, name: str, content: object = "") -> None:
        """Ask for a fault."""
        aside = self.faults / f"{name}.new"
        aside.write_text(str(content))
        aside.replace(self.faults / name)

    def mend(self, *names: str) -> None:
        """End faults; all of them if none is named."""
        for path in list(self.faults.iterdir()):
            if not names or path.name in names:
                path.unlink()

    def begin(self) -> None:
        """Start a process and wait for nothing."""
        # Tests take the whole machine: with the lowest priority a server would not get on beside them.
        policy = json.dumps({"free_bytes": FREE_BYTES, "nice": 0, **self.policy})
        arguments = [FRONT, str(self.data), str(self.port), policy, json.dumps(self.upkeep), str(self.faults)]
        with open(os.devnull) as nothing, self.out.open("w") as out, self.err.open("a") as err:
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            self.process = Born(nursery_of_tests().birth(arguments, os.environ, streams))

    def start(self) -> Client:
        """Start and wait until it is ready."""
        began = time.monotonic()
        self.begin()
        wait_for(self._is_ready, READY_SECONDS)
        self.ready_seconds = time.monotonic() - began
        if found := re.search(r"An admin key, shown this once: (\S+)", self.out.read_text()):
            self.key = found[1]
        return self.client()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.err.read_text()
        try:
            return httpx.get(f"{self.address}/readyz", timeout=5.0, trust_env=False, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, by: int = signal.SIGTERM) -> int:
        """End it by a signal that it answers; return the exit code."""
        assert self.process is not None
        self.answering()
        self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End the process that takes facts in, without a warning; the other one then ends by itself."""
        if self.process is not None:
            self.answering()
            self.process.kill()
            self.process.wait()

    def answering(self) -> int | None:
        """Return the id of the process that answers, if there is one now."""
        assert self.process is not None
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except FileNotFoundError:
            return None
        numbers = [number for number in map(int, children) if not is_nursery(number)]
        self.others.update(numbers)
        return numbers[0] if numbers else None

    def kill_answering(self) -> None:
        """End the process that answers, without a warning."""
        if (number := self.answering()) is not None:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def wait_for_answering(self, seconds: float = STOP_SECONDS) -> None:
        """Wait until no process that answers is left of those that were started."""
        wait_for(lambda: not any(is_ours(number) for number in self.others), seconds)
        self.others.clear()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        for number in self.others:
            if is_ours(number):
                os.kill(number, signal.SIGKILL)
        for client in self.clients:
            client.http.close()

    def refused(self) -> tuple[int, str]:
        """Start where that must fail; return exit code and what was said on standard error."""
        self.err.unlink(missing_ok=True)
        self.begin()
        assert self.process is not None
        return self.process.wait(READY_SECONDS), self.err.read_text()

    @property
    def out(self) -> Path:
        """What it printed since its last start."""
        return self.directory / "out.txt"

    @property
    def err(self) -> Path:
        """Its log."""
        return self.directory / "err.txt"


def is_ours(process: int) -> bool:
    """Return whether a process of this id runs, and is one that answers for a test."""
    try:
        return MODULE.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(done: Callable[[], bool], seconds: float) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def instant(seconds_ago: float = 0.0) -> str:
    """Return a time in the past."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def campaign(of: str = "cart-rescue", **changes: Any) -> dict[str, Any]:
    """Return a definition with a message, a control, and a purchase within three days as its conversion event."""
    return {
        "id": of,
        "name": "Cart rescue",
        "channels": ["email"],
        "variants": [{"id": "a", "name": "Mail", "share": 50}, {"id": "control", "control": True, "share": 50}],
        "conversion_events": [{"kind": "purchase", "deadline": "3 days"}],
        **changes,
    }


def exposures(users: Sequence[str], variant: str = "a", ago: float = 3600.0, of: str = "cart-rescue") -> dict[str, Any]:
    """Return the body that reports users as exposed."""
    at = instant(ago)
    each = {"campaign_id": of, "variant_id": variant, "channel": "email", "exposed_at": at}
    return {"exposures": [{"user_id": user, "exposure_id": f"x-{of}-{user}", **each} for user in users]}


def purchase(user: str, ago: float = 60.0, **fields: Any) -> dict[str, Any]:
    """Return a purchase in Afterword's own dialect."""
    bought = {"user_id": user, "kind": "purchase", "occurred_at": instant(ago), "price": "9.50", "currency": "EUR"}
    return bought | fields
