"""Attribution of a running server: how long a refresh and the answers take on facts that are there already.

    python -m benchmarks.live [--events 20000000] [--users 1000000] [--touched 1000,50000] [--days 60] [--no-upgrades]

A database with 20 campaigns of four conversion events, users of whom a fifth is exposed (ten exposures each) and events
in order of time. Prints what deriving everything took, what a refresh takes after new events of so many users, and what
a report, a list of users, an explanation and `recompute` take: wall and CPU time, and the greatest resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

import afterword
from afterword.attribution.gather import Limits
from afterword.intake.definitions import parse_definitions
from afterword.model import Definitions
from afterword.store.user_hashes import user_hash_sql
from afterword.workspace.live import Live
from benchmarks.machine import described

CAMPAIGNS = 20
EXPOSED_SHARE = 5
EXPOSURES_EACH = 10
START = 1_760_000_000_000_000
DAY = 86_400 * 1_000_000
SPAN = 60 * DAY
T = TypeVar("T")

EVENTS = f"""
INSERT INTO events BY NAME SELECT *, {user_hash_sql("user_id")} AS user_hash FROM (
SELECT $prefix || i AS event_id, 'user-' || (hash(i, $seed) % $users)::VARCHAR AS user_id,
    CASE WHEN what < 45 THEN 'session' WHEN what < 85 THEN 'custom' ELSE 'purchase' END AS kind,
    $start + i * ($span // $n) AS occurred_at,
    CASE WHEN what BETWEEN 45 AND 84 THEN 'name-' || (hash(i, 3) % 12)::VARCHAR END AS name,
    CASE WHEN what >= 85 THEN 'sku-' || (hash(i, 4) % 1000)::VARCHAR END AS product_id,
    CASE WHEN what < 45 THEN 'app-' || (hash(i, 5) % 3)::VARCHAR END AS app_id,
    CASE WHEN what < 45 THEN '1.' || (i * 20 // $n)::VARCHAR END AS app_version,
    CASE WHEN what < 45 THEN 'device-' || (hash(i, 6) % 2)::VARCHAR END AS device_id,
    CASE WHEN what >= 85 THEN (hash(i, 7) % 10000 + 1)::DECIMAL(18, 6) / 100 END AS price, 1 AS quantity,
    CASE WHEN what >= 85 THEN 'EUR' END AS currency, false AS machine,
    0 AS digest, $position + i // 200 AS position, i % 200 AS item, 0 AS arrived_at
FROM (SELECT i, hash(i, 2) % 100 AS what FROM range($n) t(i)))
"""
EXPOSURES = f"""
INSERT INTO exposures BY NAME SELECT *, {user_hash_sql("user_id")} AS user_hash FROM (
SELECT 'exposure-' || i AS exposure_id, 'user-' || (hash(i, 8) % $exposed)::VARCHAR AS user_id,
    'campaign-' || (hash(i, 9) % $campaigns)::VARCHAR AS campaign_id,
    CASE WHEN user_part < 45 THEN 'a' WHEN user_part < 90 THEN 'b' ELSE 'control' END AS variant_id,
    $start + i * ($span // $n) AS exposed_at, 'email' AS channel,
    0 AS digest, i // 200 AS position, i % 200 AS item, 0 AS arrived_at
FROM (SELECT i, hash(hash(i, 8) % $exposed, hash(i, 9) % $campaigns) % 100 AS user_part FROM range($n) t(i)))
"""


def definitions(*, upgrades: bool) -> Definitions:
    """Return 20 campaigns of four conversion events, one of them an upgrade if that is wanted."""
    return parse_definitions(document(CAMPAIGNS, upgrades=upgrades), "benchmark")


def document(campaigns: int, *, upgrades: bool) -> dict[str, Any]:
    """Return what a definition file of so many campaigns holds."""
    events = [
        {"kind": "purchase", "deadline": "3 days"},
        {"kind": "custom", "name": "name-1", "deadline": "1 day"},
        {"kind": "session", "deadline": "2 days"},
        {"kind": "upgrade" if upgrades else "session", "deadline": "7 days"},
    ]
    variants = [{"id": "a", "share": 45}, {"id": "b", "share": 45}, {"id": "control", "control": True, "share": 10}]
    each = [
        {"id": f"campaign-{number}", "variants": variants, "conversion_events": events} for number in range(campaigns)
    ]
    return {"workspace": {"timezone": "Europe/Berlin", "currency": "EUR"}, "campaigns": each}


@contextmanager
def database(directory: Path, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with empty tables of facts."""
    con = duckdb.connect(str(directory / "live.duckdb"), config={"threads": threads, "memory_limit": "4GB"})
    con.execute("SET TimeZone = 'UTC'")
    con.execute((Path(afterword.__file__).parent / "store" / "facts.sql").read_text(encoding="utf-8"))
    try:
        yield con
    finally:
        con.close()


def timed(name: str, work: Callable[[], T]) -> T:
    """Do a piece of work and print what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"| {name} | {time.perf_counter() - wall:.2f} s | {time.process_time() - cpu:.2f} s | {peak:.1f} GiB |",
        flush=True,
    )
    return done


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--touched", default="1000,50000")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--days", type=int, default=60, help="how many of the 60 days have exposures: the last")
    parser.add_argument("--no-upgrades", action="store_true", help="no campaign asks for upgrades")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="afterword-live-"))
    try:
        with database(directory, arguments.threads) as con:
            measure(con, directory, arguments)
    finally:
        shutil.rmtree(directory)
    print(json.dumps(described()))


def measure(con: duckdb.DuckDBPyConnection, directory: Path, arguments: argparse.Namespace) -> None:
    """Fill the database and time all pieces of work."""
    exposed = arguments.users // EXPOSED_SHARE
    print("| work | wall | CPU | peak |\n| --- | ---: | ---: | ---: |")
    common = {"start": START, "span": SPAN}
    known = common | {"n": arguments.events, "users": arguments.users, "seed": 1, "prefix": "event-", "position": 0}
    timed(f"insert {arguments.events:,} events", lambda: con.execute(EVENTS, known))
    began = {"start": START + SPAN - arguments.days * DAY, "span": arguments.days * DAY}
    shown = began | {"n": exposed * EXPOSURES_EACH, "exposed": exposed, "campaigns": CAMPAIGNS}
    con.execute(EXPOSURES, shown)
    con.execute("CHECKPOINT")
    limits = Limits(1 << 30, directory, threads=arguments.threads)
    live, campaigns, as_of, position = (
        Live(con, limits),
        definitions(upgrades=not arguments.no_upgrades),
        START + SPAN,
        arguments.events // 200,
    )
    timed("derive everything", lambda: live.refresh(campaigns, as_of=as_of))
    timed("refresh, nothing new", lambda: live.refresh(campaigns, as_of=as_of))
    for touched in [int(text) for text in arguments.touched.split(",")]:
        for _ in range(arguments.rounds):
            # `touched` events of as many users, give or take those who have two.
            position, as_of = position + touched // 200 + 1, as_of + 1_000_000
            news = known | {"n": touched, "seed": position, "prefix": f"new-{position}-", "position": position}
            con.execute(EVENTS, news | {"start": as_of - 1_000_000, "span": 1_000_000})
            refreshed = timed(f"refresh, {touched:,} new events", partial(live.refresh, campaigns, as_of=as_of))
    print(f"({refreshed.users:,} persons touched)")
    timed("report", lambda: live.report(campaigns, as_of))
    timed("report, cached", lambda: live.report(campaigns, as_of))
    timed("users of one number", lambda: live.users(campaigns, as_of, "campaign-1", "a", "A"))
    timed("explain", lambda: live.explain(campaigns, as_of, "campaign-1", "user-1"))
    found = timed("recompute", lambda: live.recompute(campaigns))
    print(f"({len(found)} differences)")


if __name__ == "__main__":
    main()
