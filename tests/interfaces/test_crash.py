"""kill -9 of a real server under load, again and again: what was acknowledged is there, each item once.

Each round senders report purchases in all ways that there are: with event ids, with an `Idempotency-Key` and no ids,
and without any id; then one process or both die at a moment that chance names, or at a place where it hurts. Requests
whose answer was lost are sent again, and some that were acknowledged too, but never those that nothing identifies.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
import yaml

import afterword
from afterword.attribution.gather import Limits
from afterword.log import verify
from afterword.store.connection import configuration
from afterword.store.metadata import FILE_NAME, open_metadata
from afterword.workspace.live import Live
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Served, campaign, exposures, instant

ROUNDS = int(os.environ.get("AFTERWORD_CRASH_ROUNDS", "3"))
SENDERS = 4
GATHER_SECONDS = 0.05
"""The log waits so long before it writes, so that an answer that came too early is likely to be found out."""
USERS = 30
PLACES = ("front", "answering", "both", "loading", "commit", "refreshing", "finish")
"""Where a round dies: one process, or both, at some moment; or the one at work, at a place."""


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


def crash(served: Served, load: Load, turn: int, place: str, chance: random.Random) -> None:
    """Send from several threads and let a process die."""
    load.stopping.clear()
    threads = [threading.Thread(target=load.run, args=(served, turn, number)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.2, 1.5))
    if place in ("loading", "refreshing"):
        served.fault(f"kill-{place}", chance.uniform(0, 60))  # milliseconds after one began
    elif place in ("commit", "finish"):
        served.fault(f"kill-{place}", chance.randrange(3))
    elif place != "front":
        served.kill_answering()
    time.sleep(chance.uniform(0.3, 1.2))
    if place in ("answering", "loading", "commit", "refreshing") and chance.random() < 0.5:
        served.mend(f"kill-{place}")
        time.sleep(3)  # the other process goes on, and starts it again
    load.stopping.set()
    served.kill()
    for thread in threads:
        thread.join()
    served.mend(f"kill-{place}")


def tear(served: Served, chance: random.Random) -> str:
    """Put behind the last frame what a torn write may leave; nobody was told that it is there."""
    last = sorted((served.data / "log").glob("*.seg"))[-1]
    data = last.read_bytes()
    kind = chance.choice(["nothing", "noise", "zeros", "half a frame"])
    torn = {"noise": chance.randbytes(300), "zeros": bytes(5000), "half a frame": data[28:200]}.get(kind, b"")
    last.write_bytes(data + torn)
    return kind


def purchases(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    return Counter(dict(con.execute("SELECT product_id, count(*) FROM events GROUP BY ALL").fetchall()))


def check_facts(con: duckdb.DuckDBPyConnection, load: Load) -> None:
    """Every acknowledged item is there once, and of the others none or all, once."""
    there = purchases(con)
    assert con.execute("SELECT count(*) FROM rejected").fetchall() == [(0,)]
    wrong = []
    for sent in load.sent:
        found = there.pop(sent.product, 0)
        if found != sent.items and (sent.acknowledged or found):
            wrong.append((sent, found))
    assert not wrong, wrong[:3]
    assert not there


def check_results(con: duckdb.DuckDBPyConnection, served: Served, directory: Path) -> None:
    """The rows that were kept up through all crashes are those that deriving everything again gives, and a run."""
    live = Live(con, Limits(1 << 28, directory, 1 << 16, 2))
    with open_metadata(served.data / FILE_NAME) as metadata:
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


def places(chance: random.Random) -> Callable[[int], str]:
    order = list(PLACES)
    chance.shuffle(order)
    return lambda turn: order[turn % len(order)]


def test_what_was_acknowledged_is_there_once(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = 20 + ROUNDS
    chance, load, served = random.Random(seed), Load(seed), serving()
    place = places(chance)
    served.fault("gather", GATHER_SECONDS)
    client = served.start()
    client.launch(campaign())
    client.post("/api/exposures", exposures([f"u{n}" for n in range(0, USERS, 2)]))
    client.post("/api/exposures", exposures([f"u{n}" for n in range(1, USERS, 2)], "control"))
    ready = []
    for turn in range(ROUNDS):
        crash(served, load, turn, place(turn), chance)
        tear(served, chance)
        client = served.start()
        ready.append(served.ready_seconds)
        load.retry(served, chance)
    client.loaded()
    answered = client.report("cart-rescue")
    assert served.stop() == 0
    served.wait_for_answering()
    assert not load.faults, load.faults[:3]
    assert verify(served.data / "log").bad is None
    aside = tmp_path / "aside"
    aside.mkdir()
    con = duckdb.connect(str(served.data / "facts.duckdb"), config=configuration(1 << 30, 2, aside))
    with con:
        check_facts(con, load)
        check_results(con, served, aside)
    exposed = {one["id"]: one["exposed"] for one in answered["variants"]}
    assert exposed == {"a": USERS // 2, "control": USERS // 2}
    acknowledged = sum(sent.acknowledged for sent in load.sent)
    assert acknowledged > 20 * ROUNDS
    with capsys.disabled():
        times = sorted(load.times)
        print(
            f"\n{ROUNDS} crashes, {len(load.sent)} requests, {acknowledged} acknowledged, ready again after "
            f"{max(ready):.1f} s at most, median answer {1000 * times[len(times) // 2]:.0f} ms",
        )
