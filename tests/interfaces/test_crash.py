"""kill -9 of a real server under load, again and again: what was acknowledged is there, each item once.

Each round senders report purchases in all ways that there are: with event ids, with an `Idempotency-Key` and no ids,
and without any id; then one process or both die at a moment that chance names, or at a place where it hurts. Requests
whose answer was lost are sent again, and some that were acknowledged too, but never those that nothing identifies.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
import pytest

from afterword.log import verify
from tests.interfaces.conftest import Serving
from tests.interfaces.load import USERS, Load, check, prepare
from tests.interfaces.serving import Served, campaign, wait_for

ROUNDS = int(os.environ.get("AFTERWORD_CRASH_ROUNDS", "2"))
SENDERS = 4
GATHER_SECONDS = 0.05
"""The log waits so long before it writes, so that an answer that came too early is likely to be found out."""
MIDST = {"checkpoint": 8.0, "rederiving": 80.0, "loading": 40.0, "refreshing": 60.0}
"""What the process that answers is at when it dies, and within how many milliseconds after that began."""
PLACES = (*MIDST, "both", "commit", "front", "answering", "finish")
"""Where a round dies: in the midst of something; one process, or both, at any moment; or at a place that hurts."""
TRIES = 8


def crash(served: Served, load: Load, turn: int, place: str, chance: random.Random) -> set[str]:
    """Send from several threads and let a process die; return what it was at."""
    load.stopping.clear()
    threads = [threading.Thread(target=load.run, args=(served, turn, number)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.2, 1.0))
    at = set()
    if place in MIDST:
        at = kill_in_the_midst(served, place, chance)
    elif place in ("commit", "finish"):
        served.fault(f"kill-{place}", chance.randrange(3))
    elif place != "front":
        served.kill_answering()
    time.sleep(chance.uniform(0.3, 1.2))
    served.mend(f"kill-{place}")
    if place in (*MIDST, "answering", "commit") and chance.random() < 0.5:
        time.sleep(3)  # the other process goes on, and starts it again
    load.stopping.set()
    served.kill()
    for thread in threads:
        thread.join()
    served.wait_for_answering(120)
    return at | interrupted(served)


def kill_in_the_midst(served: Served, place: str, chance: random.Random) -> set[str]:
    """Let the process that answers die at something; sooner after its beginning if it was over before death came."""
    at: set[str] = set()
    milliseconds = chance.uniform(0, MIDST[place])
    for attempt in range(TRIES):
        wait_for(lambda: served.answering() is not None, 30)
        died = partial(has_died, served, served.answering())
        served.fault(f"kill-{place}", milliseconds)
        changing = threading.Thread(target=redefine, args=(served, attempt), daemon=True)
        if place == "rederiving":
            changing.start()
        wait_for(died, 60)
        served.mend(f"kill-{place}")
        if place == "rederiving":
            changing.join()
        at |= interrupted(served)
        if place in at:
            return at
        milliseconds /= 3
    raise AssertionError(f"{place} was never interrupted")


def has_died(served: Served, number: int | None) -> bool:
    """Return whether another process answers, or none."""
    return served.answering() != number


def redefine(served: Served, attempt: int) -> None:
    """Change the definition, until the process that hears it dies."""
    with httpx.Client(base_url=served.address, timeout=60.0, trust_env=False) as client:
        for number in range(20):
            deadline = f"{1 + (attempt + number) % 3} days"
            changed = campaign(conversion_events=[{"kind": "purchase", "deadline": deadline}])
            headers = served.client().bearer()
            try:
                answer = client.put("/api/campaigns/cart-rescue", json=changed, headers=headers)
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                return
            time.sleep(0.3)


def interrupted(served: Served) -> set[str]:
    """Return what whoever was killed was at."""
    found = list(served.faults.glob("now-*"))
    for path in found:
        path.unlink()
    return {path.name.removeprefix("now-") for path in found}


def tear(served: Served, chance: random.Random) -> str:
    """Put behind the last frame what a torn write may leave; nobody was told that it is there."""
    last = sorted((served.data / "log").glob("*.seg"))[-1]
    data = last.read_bytes()
    kind = chance.choice(["nothing", "noise", "zeros", "half a frame"])
    torn = {"noise": chance.randbytes(300), "zeros": bytes(5000), "half a frame": data[28:200]}.get(kind, b"")
    last.write_bytes(data + torn)
    return kind


def test_what_was_acknowledged_is_there_once(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = 20 + ROUNDS
    chance, load, served = random.Random(seed), Load(seed), serving()
    served.fault("gather", GATHER_SECONDS)
    served.fault("checkpoint")
    client = served.start()
    prepare(client)
    ready = []
    struck: Counter[str] = Counter()
    for turn in range(ROUNDS):
        struck.update(crash(served, load, turn, PLACES[turn % len(PLACES)], chance))
        tear(served, chance)
        client = served.start()
        ready.append(served.ready_seconds)
        load.retry(served, chance)
    assert client.put("/api/campaigns/cart-rescue", campaign()).status_code == 200
    client.loaded()
    answered = client.report("cart-rescue")
    assert served.stop() == 0
    served.wait_for_answering()
    assert not load.faults, load.faults[:3]
    assert verify(served.data / "log").bad is None
    check(served.data, load, load.acknowledged, tmp_path / "aside")
    exposed = {one["id"]: one["exposed"] for one in answered["variants"]}
    assert exposed == {"a": USERS // 2, "control": USERS // 2}
    assert set(MIDST) & set(PLACES[:ROUNDS]) <= set(struck)
    acknowledged = sum(sent.acknowledged for sent in load.sent)
    assert acknowledged > 20 * ROUNDS
    with capsys.disabled():
        times = sorted(load.times)
        print(
            f"\n{ROUNDS} crashes, {len(load.sent)} requests, {acknowledged} acknowledged, ready again after "
            f"{max(ready):.1f} s at most, median answer {1000 * times[len(times) // 2]:.0f} ms; interrupted: "
            + ", ".join(f"{place} {count} times" for place, count in sorted(struck.items())),
        )
