"""A server under load: requests at a fixed rate, counted from when each should have been sent.

    python -m benchmarks.serve [--rate 1000] [--objects 225] [--seconds 60] [--users 1000000] [--campaigns 20]
        [--stored 20000000] [--visible] [--change]

Starts a server on an empty directory, launches campaigns, exposes a fifth of the users (each to one of them), then
sends `/users/track` requests of so many objects about random users over keep-alive connections, whatever the answers
do, while a reader asks for the report every two seconds. Prints percentiles of the time to acknowledgement, errors, how
long loading and results took after the end, and processor time and memory of the server's two processes. Generator
and server share the machine. `--visible` measures how long after its acknowledgement a conversion is in the report;
`--change` changes the definition of a campaign in the middle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.machine import described
from benchmarks.serve_probes import change_definition, prepare_probe, watch_visible

CONNECTIONS = 64
POOL = 400
"""Bodies that differ in all but their users' ids, which are drawn anew for each request."""
NAMES = ("added_to_cart", "opened_page", "searched", "signed_up", "shared", "rated")
BATCH = 10_000
READ_EVERY = 2.0

START = """
import sys; from pathlib import Path
from afterword.interfaces.api.limits import Rate
from afterword.interfaces.api.server import Policy
from afterword.interfaces.serve import serve
policy = Policy(track_rate=Rate(10**9, 1.0), rate=Rate(10**9, 1.0))
serve(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]), sys.argv[3], None, lambda text: print(text, flush=True), policy)
"""


@dataclass
class Sent:
    """What became of the requests."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


def bodies(objects: int, users: int, seed: int) -> list[bytes]:
    """Return bodies for `/users/track`: two thirds events, one third purchases, within the last hour."""
    chance = random.Random(seed)
    now = datetime.now(UTC)

    def one(purchase: bool) -> dict[str, Any]:
        at = now - timedelta(seconds=chance.randrange(3600))
        common = {"external_id": f"u-{chance.randrange(users):06}", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if purchase:
            price = chance.randrange(100, 10_000) / 100
            return {**common, "product_id": f"p-{chance.randrange(1000)}", "currency": "EUR", "price": price}
        return {**common, "name": chance.choice(NAMES), "properties": {"total": chance.randrange(1000)}}

    pool = []
    for _ in range(POOL):
        bought = objects // 3
        body = {
            "events": [one(False) for _ in range(objects - bought)],
            "purchases": [one(True) for _ in range(bought)],
        }
        pool.append(json.dumps(body, separators=(",", ":")).encode())
    return pool


class Requests:
    """Bodies without end, each object of each about another user: the digits of the ids are drawn anew every time."""

    def __init__(self, pool: list[bytes], users: int, seed: int) -> None:
        """Take bodies whose ids are `u-` and as many digits as the highest one has."""
        self._digits = len(f"{users - 1:06}")
        self._users = users
        self._rng = np.random.default_rng(seed)
        self._bodies = [np.frombuffer(body, np.uint8).copy() for body in pool]
        within = np.arange(self._digits)
        self._places = [
            np.array([found.end() for found in re.finditer(rb'"external_id":"u-', body)])[:, None] + within
            for body in pool
        ]
        self._powers = 10 ** np.arange(self._digits)[::-1]

    def body(self, number: int) -> bytes:
        """Return the body of a request."""
        at = number % len(self._bodies)
        body, places = self._bodies[at], self._places[at]
        ids = self._rng.integers(self._users, size=len(places))
        body[places] = ids[:, None] // self._powers % 10 + ord("0")
        return body.tobytes()


async def connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open one connection."""
    return await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)


async def send(port: int, key: str, requests: Requests, rate: float, seconds: float) -> Sent:
    """Send requests at a rate, each on the next free connection."""
    sent = Sent()
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await connection(port))
    begin = time.perf_counter()
    head = f"POST /users/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: ".encode()

    async def one(number: int, intended: float) -> None:
        reader, writer = await free.get()
        try:
            body = requests.body(number)
            writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            sent.statuses[answer[9:12].decode()] += 1
        except (OSError, asyncio.IncompleteReadError) as error:
            sent.statuses[type(error).__name__] += 1
            reader, writer = await connection(port)
        sent.latencies.append(time.perf_counter() - intended)
        free.put_nowait((reader, writer))

    tasks: set[asyncio.Task[None]] = set()
    for number in range(int(rate * seconds)):
        intended = begin + number / rate
        if (wait := intended - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(number, intended))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return sent


async def read_reports(port: int, key: str, until: asyncio.Event, taken: list[float]) -> None:
    """Ask for the report every two seconds."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        while not until.is_set():
            begin = time.perf_counter()
            (await client.get("/api/report", timeout=120)).raise_for_status()
            taken.append(time.perf_counter() - begin)
            await asyncio.sleep(READ_EVERY)


def metric(port: int, name: str) -> float:
    """Return one number of the server."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


def wait_until(port: int, name: str, position: float, seconds: float = 600) -> float:
    """Return how many seconds it took until a position is reached."""
    begin = time.perf_counter()
    while metric(port, name) < position:
        if time.perf_counter() - begin > seconds:
            return float("nan")
        time.sleep(0.05)
    return time.perf_counter() - begin


def prepare(client: httpx.Client, campaigns: int, users: int) -> None:
    """Launch campaigns and expose every fifth user to one of them."""
    kinds = [
        {"kind": "purchase", "deadline": "3 days"},
        {"kind": "custom", "name": "added_to_cart", "deadline": "1 day"},
        {"kind": "custom", "name": "signed_up", "deadline": "1 day"},
        {"kind": "session", "deadline": "2 days"},
    ]
    variants = [{"id": "a", "share": 45}, {"id": "b", "share": 45}, {"id": "control", "control": True, "share": 10}]
    for number in range(campaigns):
        campaign = {"id": f"c{number}", "name": f"c{number}", "variants": variants, "conversion_events": kinds}
        client.post("/api/campaigns", json=campaign).raise_for_status()
        client.post(f"/api/campaigns/c{number}/launch").raise_for_status()
    at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    names = [variant["id"] for variant in variants]
    exposures = [
        {
            "user_id": f"u-{u:06}",
            "campaign_id": f"c{u // 5 % campaigns}",
            "variant_id": names[u // 5 % 3],
            "exposed_at": at,
        }
        for u in range(0, users, 5)
    ]
    for first in range(0, len(exposures), BATCH):
        client.post("/api/exposures", json=exposures[first : first + BATCH]).raise_for_status()


def store(client: httpx.Client, objects: int, users: int) -> None:
    """Load events before the measurement."""
    chance = random.Random(5)
    begin = datetime.now(UTC) - timedelta(days=30)
    for _ in range(0, objects, BATCH):
        events = [
            {
                "user_id": f"u-{chance.randrange(users):06}",
                "kind": "custom",
                "name": chance.choice(NAMES),
                "occurred_at": (begin + timedelta(seconds=chance.randrange(29 * 86_400))).isoformat(),
                "event_id": f"s-{chance.randrange(1 << 62)}",
            }
            for _ in range(BATCH)
        ]
        while client.post("/api/events", json=events).status_code == 429:
            time.sleep(1)


def usage(pid: int) -> tuple[float, float]:
    """Return the processor seconds and the greatest memory in MiB of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = [_usage(each) for each in (pid, *map(int, children))]
    return sum(cpu for cpu, _ in found), sum(memory for _, memory in found)


def _usage(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / ticks, peak / 1024


def start(directory: Path, memory: str, *, is_new: bool = True) -> tuple[subprocess.Popen[str], int, str]:
    """Start a server; return it with its port and the admin key that it makes in a new directory."""
    command = [sys.executable, "-c", START, str(directory), "0", memory]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port, key = 0, ""
    for line in server.stdout:
        if "listens at" in line:
            port = int(line.split("http://127.0.0.1:")[1].split(";")[0])
            if not is_new:
                return server, port, key
        if "shown this once:" in line:
            key = line.split(":")[-1].strip()
            return server, port, key
    raise SystemExit("the server did not start")


def stop(server: subprocess.Popen[str]) -> None:
    """Stop the server, whatever happened."""
    server.terminate()
    server.wait(60)


@dataclass
class Seen:
    """Seconds that readers waited."""

    reports: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)


async def load(
    port: int, key: str, requests: Requests, rate: float, seconds: float, *, visible: bool, change: bool
) -> tuple[Sent, Seen]:
    """Send, and read meanwhile."""
    done, seen = asyncio.Event(), Seen()
    tasks = [asyncio.create_task(read_reports(port, key, done, seen.reports))]
    if visible:
        tasks.append(asyncio.create_task(watch_visible(port, key, done, seen.visible)))
    if change:
        tasks.append(asyncio.create_task(change_definition(port, key, seconds / 3, seen.change)))
    sent = await send(port, key, requests, rate, seconds)
    done.set()
    await asyncio.gather(*tasks)
    return sent, seen


def percentiles(seconds: list[float]) -> str:
    """Return percentiles in milliseconds."""
    ordered = sorted(seconds)
    shares = (50, 90, 99, 99.9, 100)
    told = [f"p{p:g} {1000 * ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]:.1f}" for p in shares]
    return ", ".join(told)


def main() -> None:
    """Run the benchmark and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--objects", type=int, default=225)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--campaigns", type=int, default=20)
    parser.add_argument("--stored", type=int, default=0, help="events that are there before")
    parser.add_argument("--visible", action="store_true", help="how long until a conversion is in the report")
    parser.add_argument("--change", action="store_true", help="change a definition in the middle")
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--directory", type=Path)
    told = parser.parse_args()
    pool = bodies(told.objects, told.users, seed=3)
    with tempfile.TemporaryDirectory(dir=told.directory, ignore_cleanup_errors=True) as name, ExitStack() as stack:
        server, port, key = start(Path(name) / "data", told.memory)
        stack.callback(stop, server)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=120
        ) as client:
            prepare(client, told.campaigns, told.users)
            if told.visible:
                prepare_probe(client)
            store(client, told.stored, told.users)
            wait_until(port, "afterword_attributed_position", metric(port, "afterword_log_position"))
            before = usage(server.pid)[0]
            own = resource.getrusage(resource.RUSAGE_SELF)
            begin = time.perf_counter()
            sent, seen = asyncio.run(
                load(
                    port,
                    key,
                    Requests(pool, told.users, seed=4),
                    told.rate,
                    told.seconds,
                    visible=told.visible,
                    change=told.change,
                )
            )
            wall = time.perf_counter() - begin
            cpu, used = usage(server.pid)[0] - before, resource.getrusage(resource.RUSAGE_SELF)
            position = metric(port, "afterword_log_position")
            loaded = wait_until(port, "afterword_loaded_position", position)
            attributed = loaded + wait_until(port, "afterword_attributed_position", position)
            peak = usage(server.pid)[1]
    generator = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
    machine = described()
    print(
        f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit']}; "
        f"{told.stored:,} events stored before"
    )
    print(
        f"{told.rate:g} requests/s of {told.objects} objects ({len(pool[0]):,} bytes) "
        f"for {told.seconds:g} s: {wall:.1f} s"
    )
    print(f"answers: {dict(sent.statuses)}")
    print(f"ms to acknowledgement: {percentiles(sent.latencies)}")
    print(f"report: {len(seen.reports)} asked for, ms {percentiles(seen.reports)}")
    if seen.visible:
        ninety_five = sorted(seen.visible)[int(len(seen.visible) * 0.95)]
        print(
            f"acknowledged to visible in the report: {len(seen.visible)} times, p95 {1000 * ninety_five:.0f} ms, ",
            end="",
        )
        print(f"ms {percentiles(seen.visible)}")
    if seen.change:
        print(f"a changed definition was in the report after {seen.change[0]:.1f} s")
    print(f"after the end: loaded in {loaded:.1f} s, results in {attributed:.1f} s")
    print(f"server {cpu / wall:.2f} cores and at most {peak:,.0f} MiB, generator {generator / wall:.2f} cores")


if __name__ == "__main__":
    main()
