"""Loading the log into the store: objects per second and core, on an empty store and on top of millions of rows.

    python -m benchmarks.loading [--requests 4000] [--objects 225] [--on-top-of 20000000] [--threads 1] [--batch-mb 16]

Writes requests of purchases to a log, loads them, sends every tenth again, once more with other times, and then small
requests as a quiet server has them. The last checkpoint counts as loading. Prints one line of JSON per step.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from afterword.intake.accepted import Accepted, Event
from afterword.log import Frame, Writer
from afterword.store.facts import open_facts
from afterword.store.loader import Loader
from benchmarks.machine import described

START = 1_790_000_000_000_000
DAY = 86_400_000_000


def bodies(requests: int, objects: int, seed: int, later: int = 0) -> Iterator[bytes]:
    """Yield requests of purchases of the last day, with ids and small properties; `later` moves their times alone."""
    chance = random.Random(seed)

    def event(item: int) -> Event:
        return Event(
            item,
            f"user-{chance.randrange(1_000_000)}",
            "purchase",
            START + chance.randrange(DAY) + later,
            event_id=f"{chance.getrandbits(96):024x}",
            product_id=f"SKU-{chance.randrange(1000)}",
            price=f"{chance.randrange(10_000) / 100:.2f}",
            currency="EUR",
            properties={"total": chance.randrange(500) / 4, "cart": {"sku": f"SKU-{item}", "n": 2}, "channel": "web"},
        )

    for _ in range(requests):
        yield msgspec.json.encode(Accepted(events=[event(item) for item in range(objects)]))


def append(log: Path, all_bodies: Iterator[bytes]) -> int:
    """Append requests to the log; return the position behind them."""
    with Writer(log) as writer:
        for body in all_bodies:
            writer.append(Frame(START, "facts", "key-1", body)).result()
        return writer.durable


def fill(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Put events of the last year into the store, in order of time as they would have come, without a log."""
    con.execute(
        """
        INSERT INTO events
        SELECT md5(range::VARCHAR)[:24], 'user-' || hash(range) % 1000000, 'purchase',
            $start - 365 * $day + range * (365 * $day // $rows) + (hash(range + 7) % $day)::BIGINT,
            NULL, 'SKU-' || hash(range) % 1000, NULL, NULL, NULL, NULL, NULL, (hash(range + 1) % 10000) / 100, 1, 'EUR',
            NULL, NULL, NULL, false,
            '{"total":' || hash(range + 2) % 500 || ',"cart":{"sku":"SKU-1","n":2},"channel":"web"}',
            NULL, hash(range + 3), 0, 0, $start,
            (hash('user-' || hash(range) % 1000000) >> 32)::UINTEGER
        FROM range($rows)""",
        {"start": START, "day": DAY, "rows": rows},
    ).fetchall()
    con.execute("CHECKPOINT").fetchall()


def measured(name: str, con: duckdb.DuckDBPyConnection, loader: Loader, end: int, objects: int) -> None:
    """Load up to a position and print what it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    loaded = loader.load(end)
    con.execute("CHECKPOINT").fetchall()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    figures = {
        "step": name,
        "objects": objects,
        "objects_per_core_second": round(objects / cpu),
        "objects_per_second": round(objects / wall),
        "cpu_seconds": round(cpu, 2),
        "seconds": round(wall, 2),
        "new": loaded.rows["events"],
        "repetitions": loaded.repetitions,
        "conflicts": loaded.rejected["id_conflict"],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--objects", type=int, default=225)
    parser.add_argument("--on-top-of", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-mb", type=int, default=16)
    parser.add_argument("--memory-mb", type=int, default=2000)
    options = parser.parse_args()
    print(json.dumps(described()))
    pa.array([])  # pyarrow looks for pandas once
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        con = open_facts(directory / "facts.duckdb", options.memory_mb << 20, options.threads, directory / "spill")
        if options.on_top_of:
            fill(con, options.on_top_of)
        loader = Loader(con, directory / "log", batch_bytes=options.batch_mb << 20)
        end = append(directory / "log", bodies(1, 1, seed=0))
        measured("first request, ids learnt", con, loader, end, 1)
        end = append(directory / "log", bodies(options.requests, options.objects, seed=1))
        measured("new", con, loader, end, options.requests * options.objects)
        again = options.requests // 10
        end = append(directory / "log", bodies(again, options.objects, seed=1))
        measured("repetitions", con, loader, end, again * options.objects)
        end = append(directory / "log", bodies(again, options.objects, seed=1, later=1))
        measured("conflicts: other times", con, loader, end, again * options.objects)
        cpu = time.process_time()
        for seed in range(20):
            loader.load(append(directory / "log", bodies(1, 10, seed=100 + seed)))
        print(json.dumps({"step": "small", "cpu_ms_per_request": round((time.process_time() - cpu) * 50, 1)}))


if __name__ == "__main__":
    main()
