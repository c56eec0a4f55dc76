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
from collections.abc import Callable
from pathlib import Path

import pytest

from afterword.log import verify
from tests.interfaces.conftest import Serving
from tests.interfaces.load import USERS, Load, check, prepare
from tests.interfaces.serving import Served

ROUNDS = int(os.environ.get("AFTERWORD_CRASH_ROUNDS", "3"))
SENDERS = 4
GATHER_SECONDS = 0.05
"""The log waits so long before it writes, so that an answer that came too early is likely to be found out."""
PLACES = ("front", "answering", "both", "loading", "commit", "refreshing", "finish")
"""Where a round dies: one process, or both, at some moment; or the one at work, at a place."""


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
    prepare(client)
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
    check(served.data, load, load.acknowledged, tmp_path / "aside")
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
