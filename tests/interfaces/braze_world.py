"""A server over a real data directory, filled through its own paths, with a clock that stands still."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from afterword.interfaces.api.app import make_app
from afterword.interfaces.api.server import Policy, Server
from afterword.model import Workspace
from afterword.store.permissions import Permission
from afterword.workspace.answering import DataDirectory, open_data_directory
from tests.interfaces.describing import check

NOW = "2026-03-10T12:00:00Z"
CAMPAIGN: dict[str, Any] = {
    "id": "spring",
    "name": "Spring sale",
    "channels": ["email"],
    "tags": ["season"],
    "variants": [
        {"id": "a", "name": "Short", "share": 45},
        {"id": "b", "name": "Long", "share": 45},
        {"id": "control", "share": 10, "control": True},
    ],
    "conversion_events": [
        {"kind": "purchase", "deadline": "3 days"},
        {"kind": "custom", "name": "Signed Up", "deadline": "1 day"},
    ],
}


def micros(text: str) -> int:
    """Return a time in microseconds since 1970."""
    return (datetime.fromisoformat(text) - datetime.fromisoformat("1970-01-01T00:00:00Z")) // timedelta(microseconds=1)


@dataclass
class World:
    """The server's client, and what lies under it."""

    client: httpx.Client
    data: DataDirectory
    key: str
    now: int

    def ask(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """Return the answer of a path that reads."""
        response = self.client.get(path, params=parameters, headers=self.headers)
        assert response.status_code == status, response.text
        return response.json()

    def say(self, path: str, body: Any, status: int = 201) -> Any:
        """Send something and return the answer."""
        response = self.client.post(path, json=body, headers=self.headers)
        assert response.status_code == status, response.text
        return response.json()

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"authorization": f"Bearer {self.key}"}

    def launched(self, campaign: dict[str, Any]) -> None:
        """Define a campaign and launch it."""
        self.say("/api/campaigns", campaign)
        self.say(f"/api/campaigns/{campaign['id']}/launch", {}, 200)

    def facts(self, **facts: list[dict[str, Any]]) -> None:
        """Send facts over Afterword's own paths, and wait for the results."""
        for name, items in facts.items():
            response = self.client.post(f"/api/{name.replace('_', '-')}", json={name: items}, headers=self.headers)
            assert response.status_code < 300, response.text
            assert not {"errors", "rejected"} & {name for name, value in response.json().items() if value}, (
                response.text
            )
        assert self.data.keeper.caught_up(60), self.data.keeper.failure

    def key_for(self, *permissions: Permission) -> str:
        """Return a new key with these permissions alone."""
        return self.data.metadata.keys.create("test", list(permissions), self.now, lambda n: bytes(range(n))).secret


@contextmanager
def world(path: Path, timezone: str = "UTC", now: str = NOW) -> Iterator[World]:
    """Open a data directory and its server."""
    at = micros(now)
    failures: list[str] = []
    with open_data_directory(
        path,
        memory="1GB",
        threads=1,
        clock=lambda: at,
        chance=lambda n: b"\7" * n,
        tell=lambda message, _error: failures.append(message),
    ) as data:
        assert data.first_key is not None
        data.metadata.set_workspace(Workspace(timezone, "EUR"), at)
        with (
            served(make_app(Server(data, Policy(), lambda: at))) as url,
            httpx.Client(base_url=url, timeout=60, event_hooks={"response": [check]}) as client,
        ):
            yield World(client, data, data.first_key, at)
    assert failures == []


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on loopback; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def exposed(exposure: str, user: str, variant: str, at: str, campaign: str = "spring", **more: Any) -> dict[str, Any]:
    """Return an exposure."""
    named = {"exposure_id": exposure, "user_id": user, "campaign_id": campaign, "variant_id": variant}
    return {**named, "exposed_at": at, **more}


def happened(event: str, user: str, kind: str, at: str, **more: Any) -> dict[str, Any]:
    """Return an event."""
    return {"event_id": event, "user_id": user, "kind": kind, "occurred_at": at, **more}


def bought(event: str, user: str, at: str, price: str, **more: Any) -> dict[str, Any]:
    """Return a purchase in euros."""
    return happened(event, user, "purchase", at, **{"product_id": "shoe", "price": price, "currency": "EUR"} | more)
