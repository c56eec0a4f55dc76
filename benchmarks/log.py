"""The log alone: 64 threads that each append a body of 10 KB and wait until it is durable.

    python -m benchmarks.log [--seconds 5] [--appenders 64] [--body-bytes 10000] [--gather-ms 2] [--open-loop RATE]

Prints appends per second, bodies per second in MB, how much of that reached the disk, CPU time, and percentiles of the
time from handing in to acknowledgement. With `--open-loop` one thread hands in RATE bodies per second, like a server,
and the time counts from when a body should have been handed in.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from afterword.log import Frame, Writer, verify
from benchmarks.machine import described

BODIES = 200


def make_bodies(size: int, seed: int = 1) -> list[bytes]:
    """Return request bodies as senders write them, of about `size` bytes."""
    chance = random.Random(seed)

    def event() -> dict[str, object]:
        return {
            "external_id": f"user-{chance.randrange(1_000_000)}",
            "name": chance.choice(["added_to_cart", "opened_page", "searched"]),
            "time": f"2026-03-{chance.randrange(1, 29):02d}T12:{chance.randrange(60):02d}:{chance.randrange(60):02d}Z",
            "properties": {"total": round(chance.random() * 100, 2), "sku": f"SKU-{chance.randrange(10_000)}"},
        }

    each = len(json.dumps(event())) + 2
    return [json.dumps({"events": [event() for _ in range(max(1, size // each))]}).encode() for _ in range(BODIES)]


def closed_loop(writer: Writer, bodies: list[bytes], appenders: int, seconds: float) -> list[float]:
    """Let many threads append and wait; return the seconds that each append took."""
    end = time.perf_counter() + seconds
    times: list[list[float]] = [[] for _ in range(appenders)]

    def work(mine: list[float], number: int) -> None:
        while (start := time.perf_counter()) < end:
            body = bodies[(number + len(mine)) % len(bodies)]
            writer.append(Frame(time.time_ns() // 1000, "braze.users_track", "key-1", body)).result()
            mine.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(mine, number)) for number, mine in enumerate(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [taken for mine in times for taken in mine]


def open_loop(writer: Writer, bodies: list[bytes], rate: float, seconds: float) -> list[float]:
    """Hand in at a rate, whatever the log does; return the seconds from the intended moment to acknowledgement."""
    times: list[float] = []
    start = time.perf_counter()
    futures: list[Future[int]] = []
    for number in range(int(rate * seconds)):
        intended = start + number / rate
        if (wait := intended - time.perf_counter()) > 0:
            time.sleep(wait)
        frame = Frame(time.time_ns() // 1000, "braze.users_track", "key-1", bodies[number % len(bodies)])
        future = writer.append(frame)
        future.add_done_callback(lambda _, at=intended: times.append(time.perf_counter() - at))  # type: ignore[misc]
        futures.append(future)
    for future in futures:
        future.result()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--appenders", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=10_000)
    parser.add_argument("--gather-ms", type=float, default=2)
    parser.add_argument("--open-loop", type=float, metavar="RATE")
    parser.add_argument("--directory", type=Path, help="where to put the log: what is measured is its disk")
    options = parser.parse_args()
    bodies = make_bodies(options.body_bytes)
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        with Writer(Path(place) / "log", gather_seconds=options.gather_ms / 1000) as writer:
            start, cpu = time.perf_counter(), time.process_time()
            if options.open_loop:
                times = open_loop(writer, bodies, options.open_loop, options.seconds)
            else:
                times = closed_loop(writer, bodies, options.appenders, options.seconds)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        report = verify(Path(place) / "log")
    print_figures(times, seconds, cpu, sum(map(len, bodies)) / len(bodies), report.size)


def print_figures(times: list[float], seconds: float, cpu: float, body: float, disk: int) -> None:
    times.sort()
    percentiles = {p: times[min(len(times) - 1, int(len(times) * p / 100))] * 1000 for p in (50, 90, 99, 99.9, 100)}
    each = cpu / len(times) * 1e6
    print(" ".join(f"{name}={value}" for name, value in described().items()))
    print(f"{len(times) / seconds:,.0f} appends/s of {body:,.0f} bytes: {len(times) * body / seconds / 1e6:,.0f} MB/s")
    print(f"{disk / seconds / 1e6:,.1f} MB/s to the disk, {cpu / seconds:.2f} cores, {each:.0f} µs each")
    print("ms to acknowledgement: " + ", ".join(f"p{p:g} {ms:.1f}" for p, ms in percentiles.items()))


if __name__ == "__main__":
    main()
