"""Senders that load a server in all ways that there are, and whether what they were told is there, each item once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import yaml

import afterword
from afterword.attribution.gather import Limits
from afterword.store.connection import configuration
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.live import Live
from tests.interfaces.serving import Client, Served, campaign, exposures, instant

USERS = 30


def prepare(client: Client) -> None:
    """Launch the campaign that the senders' purchases convert for, with its users exposed."""
    client.launch(campaign())
    client.post("/api/exposures", exposures([f"u{n}" for n in range(0, USERS, 2)]))
    client.post("/api/exposures", exposures([f"u{n}" for n in range(1, USERS, 2)], "control"))


@dataclass
class Sent:
    """A request and what became of it. Its items are told by the product that they buy, new for each request."""

    path: str
    body: dict[str, Any]
    product: str
    items: int
    key: str | None
    again: bool
    """Whether something tells it from another of the same content, so that it may be sent again."""
    acknowledged: bool = False


@dataclass
class Load:
    """Senders who send until the server dies, and all that they sent."""

    seed: int
    sent: list[Sent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def make(self, chance: random.Random, name: str) -> Sent:
        """Make a new request."""
        items, user = chance.randrange(1, 5), f"u{chance.randrange(USERS)}"
        kind = chance.choice(["native-ids", "native-key", "native", "braze-key", "braze-ids", "braze"])
        dialect, _, told = kind.partition("-")
        at = instant(chance.randrange(60, 3000))
        if dialect == "native":
            one = {"user_id": user, "kind": "purchase", "occurred_at": at, "product_id": name, "price": 1}
            listed, path = "events", "/api/events"
        else:
            one = {"external_id": user, "time": at, "product_id": name, "price": 1}
            listed, path = "purchases", "/users/track"
        bought = [{**one, "currency": "EUR"} for _ in range(items)]
        if told == "ids":
            bought = [{**each, "event_id": f"{name}-{number}"} for number, each in enumerate(bought)]
        # Of Afterword's own dialect equal requests are one (rule 33); of Braze's each is another.
        again = kind != "braze"
        return Sent(path, {listed: bought}, name, items, f"key-{name}" if told == "key" else None, again)

    def send(self, client: httpx.Client, headers: dict[str, str], sent: Sent) -> bool:
        """Send once; return whether there was an answer at all."""
        extra = {} if sent.key is None else {"Idempotency-Key": sent.key}
        began = time.monotonic()
        try:
            answer = client.post(sent.path, json=sent.body, headers={**headers, **extra})
        except httpx.TransportError:
            return False
        self.times.append(time.monotonic() - began)
        if answer.status_code == 201:
            sent.acknowledged = True
        elif answer.status_code not in (409, 429, 503):
            self.faults.append(f"{answer.status_code} {answer.text}")
        return True

    @property
    def acknowledged(self) -> set[str]:
        """The products of the requests that were answered with success."""
        return {sent.product for sent in self.sent if sent.acknowledged}

    def run(self, served: Served, turn: int, number: int) -> None:
        """Send until there is no answer any more, or it is time to stop."""
        chance = random.Random(f"{self.seed} {turn} {number}")
        with httpx.Client(base_url=served.address, timeout=20.0, trust_env=False) as client:
            for count in range(1_000_000):
                sent = self.make(chance, f"p-{turn}-{number}-{count}")
                self.sent.append(sent)
                if not self.send(client, served.client().bearer(), sent) or self.stopping.is_set():
                    return
                if chance.random() < 0.1 and sent.again and sent.acknowledged:
                    self.send(client, served.client().bearer(), sent)

    def retry(self, served: Served, chance: random.Random) -> None:
        """Send again what was not acknowledged and may be, and some of what was."""
        with httpx.Client(base_url=served.address, timeout=20.0, trust_env=False) as client:
            for sent in list(self.sent):
                if sent.again and (not sent.acknowledged or chance.random() < 0.02):
                    assert self.send(client, served.client().bearer(), sent)
                    assert sent.acknowledged, self.faults


def purchases(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    return Counter(dict(con.execute("SELECT product_id, count(*) FROM events GROUP BY ALL").fetchall()))


def check(data: Path, load: Load, promised: Container[str], aside: Path) -> None:
    """Look into a directory that nobody has open: all products that were promised are there, and the results right."""
    aside.mkdir()
    with duckdb.connect(str(data / "facts.duckdb"), config=configuration(1 << 30, 2, aside)) as con:
        check_facts(con, load, promised)
        check_results(con, data, aside)


def check_facts(con: duckdb.DuckDBPyConnection, load: Load, promised: Container[str]) -> None:
    """Every item that was promised is there once, and of the others of a request none or all, once."""
    there = purchases(con)
    assert con.execute("SELECT count(*) FROM rejected").fetchall() == [(0,)]
    wrong = []
    for sent in load.sent:
        found = there.pop(sent.product, 0)
        if found != sent.items and (sent.product in promised or found):
            wrong.append((sent, found))
    assert not wrong, wrong[:3]
    assert not there


def check_results(con: duckdb.DuckDBPyConnection, data: Path, directory: Path) -> None:
    """The rows that were kept up through all crashes are those that deriving everything again gives, and a run."""
    live = Live(con, Limits(1 << 28, directory, 1 << 16, 2))
    with open_metadata(data / FILE_NAME) as metadata:
        definitions = metadata.campaigns.definitions()
    assert live.recompute(definitions) == []
    paths = {}
    for name in ("exposures", "events"):
        paths[name] = directory / f"{name}.parquet"
        con.execute(f"COPY main.{name} TO '{paths[name]}' (FORMAT parquet)")
    (directory / "campaigns.yaml").write_text(yaml.safe_dump({"campaigns": [campaign()]}))
    as_of = live.state.as_of
    ran = afterword.run(
        directory / "campaigns.yaml",
        exposures=paths["exposures"],
        events=paths["events"],
        out=directory / "results",
        as_of=datetime.fromtimestamp(as_of / 1e6, UTC),
        time_unit="us",
    )
    found, expected = (json.loads(json.dumps(each)) for each in (live.report(definitions, as_of), ran.json))
    assert found["campaigns"] == expected["campaigns"]
    assert found["campaigns"][0]["variants"][0]["conversions"]["A"]["converted"] > 0
