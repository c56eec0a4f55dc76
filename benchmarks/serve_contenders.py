"""What else could keep facts before it answers: PostgreSQL by COPY, and one DuckDB transaction per tick.

    python -m benchmarks.serve_contenders [--rate 1000] [--objects 225] [--seconds 20]

The bodies of `benchmarks.serve` arrive at a rate by the clock. Whatever has arrived is committed together, again and
again, and a request is acknowledged when its transaction is durable. There is no HTTP, no check of any value, no
attribution and no report, all of which the server does in the same time. PostgreSQL keeps a unique key on the id.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pyarrow as pa

from benchmarks.machine import described
from benchmarks.serve import bodies, percentiles
from tests.store.postgresql import missing, server

GIVE_UP = 3.0
"""After so many times the time of the load."""
Commit = Callable[[int, Sequence[bytes]], None]
"""Makes bodies durable; the first one has this number."""

TABLE = """
CREATE TABLE events (
    event_id {text} {key}, user_id {text}, name {text}, product_id {text}, time TIMESTAMPTZ, price DECIMAL(18, 6),
    currency {text}, properties {text}
)"""
SHRED = """
INSERT INTO events
SELECT concat(request, '-', which, '-', number), fact.external_id, fact.name, fact.product_id, fact.time::TIMESTAMPTZ,
    fact.price::DECIMAL(18, 6), fact.currency, fact.properties
FROM (
    SELECT request, which, unnest(list) AS fact, generate_subscripts(list, 1) AS number FROM (
        SELECT request, 'e' AS which, from_json(body -> 'events', $form) AS list FROM sent
        UNION ALL SELECT request, 'p', from_json(body -> 'purchases', $form) FROM sent
    )
)"""
FORM = (
    '[{"external_id": "VARCHAR", "name": "VARCHAR", "product_id": "VARCHAR", "time": "VARCHAR", "price": "VARCHAR", '
    '"currency": "VARCHAR", "properties": "JSON"}]'
)


class Sent(msgspec.Struct):
    """A body."""

    events: list[dict[str, Any]]
    purchases: list[dict[str, Any]]


@contextmanager
def duckdb_transactions() -> Iterator[Commit]:
    """One transaction per tick, shredded by SQL."""
    with tempfile.TemporaryDirectory() as directory, duckdb.connect(str(Path(directory) / "facts.duckdb")) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(TABLE.format(text="VARCHAR", key=""))
        insert = SHRED.replace("$form", f"'{FORM}'")

        def commit(first: int, sent: Sequence[bytes]) -> None:
            numbers = list(range(first, first + len(sent)))
            con.register("sent", pa.table({"request": numbers, "body": [body.decode() for body in sent]}))
            con.execute(insert).fetchall()

        yield commit


@contextmanager
def postgresql_copy() -> Iterator[Commit]:
    """COPY into a table with a unique key, one transaction per tick."""
    decoder = msgspec.json.Decoder(Sent)
    with server(durable=True) as url, psycopg.connect(url.format("postgres"), autocommit=True) as con:
        con.execute(TABLE.format(text="TEXT", key="PRIMARY KEY"))

        def lines(number: int, body: bytes) -> Iterator[str]:
            sent = decoder.decode(body)
            for which, objects in (("e", sent.events), ("p", sent.purchases)):
                for at, one in enumerate(objects):
                    properties = msgspec.json.encode(one.get("properties")).decode()
                    yield (
                        f"{number}-{which}-{at}\t{one['external_id']}\t{one.get('name', '')}\t"
                        f"{one.get('product_id', '')}\t{one['time']}\t{one.get('price', 0)}\t"
                        f"{one.get('currency', '')}\t{properties}\n"
                    )

        def commit(first: int, sent: Sequence[bytes]) -> None:
            with con.cursor() as cursor, cursor.copy("COPY events FROM STDIN") as copy:
                for number, body in enumerate(sent, first):
                    copy.write("".join(lines(number, body)))

        yield commit


def run(commit: Commit, pool: Sequence[bytes], rate: float, seconds: float) -> tuple[list[float], float]:
    """Return the times to acknowledgement and how long it took in all."""
    total, done = int(rate * seconds), 0
    latencies: list[float] = []
    begin = time.perf_counter()
    while done < total:
        now = time.perf_counter() - begin
        if now > seconds * GIVE_UP:
            break
        arrived = min(total, int(now * rate) + 1)
        if arrived <= done:
            time.sleep(max(0.0, done / rate - now))
            continue
        commit(done, [pool[number % len(pool)] for number in range(done, arrived)])
        end = time.perf_counter() - begin
        latencies += [end - number / rate for number in range(done, arrived)]
        done = arrived
    return latencies, time.perf_counter() - begin


def main() -> None:
    """Run both and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--objects", type=int, default=225)
    parser.add_argument("--seconds", type=float, default=20)
    told = parser.parse_args()
    pool = bodies(told.objects, 1_000_000, seed=3)
    machine = described()
    print(f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit']}")
    contenders = {
        "one DuckDB transaction per tick": duckdb_transactions,
        "PostgreSQL COPY, unique key": postgresql_copy,
    }
    for name, contender in contenders.items():
        if contender is postgresql_copy and (why := missing()) is not None:
            print(f"{name}: {why}")
            continue
        with contender() as commit:
            latencies, wall = run(commit, pool, told.rate, told.seconds)
        kept = len(latencies) * told.objects / wall
        print(f"{name}: {len(latencies):,} of {int(told.rate * told.seconds):,} requests in {wall:.1f} s, ", end="")
        print(f"{kept:,.0f} objects/s; ms to acknowledgement: {percentiles(latencies)}")


if __name__ == "__main__":
    main()
