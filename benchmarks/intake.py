"""The dialects alone: bodies of 225 objects become accepted facts and their JSON, on one core, without a server.

    python -m benchmarks.intake [--seconds 3]

Prints objects per second and microseconds per object for `/users/track` (only events; events, purchases and attributes;
the same with one bad object; users named by an alias, which are read field by field) and for `/api/events`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec

from afterword.intake.accepted import Accepted
from afterword.intake.bodies import Policy
from afterword.intake.braze import read_track
from afterword.intake.native import read_events
from benchmarks.machine import described

OBJECTS = 225
BODIES = 20
RECEIVED_AT = 1_800_000_000_000_000
POLICY = Policy(track_each=None, track_in_all=OBJECTS)
MIXED = (("events", 125), ("purchases", 75), ("attributes", 25))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3, help="how long each kind of body is read")
    seconds = parser.parse_args().seconds
    print(described())
    chance = random.Random(1)
    events = [_track(chance, (("events", OBJECTS),)) for _ in range(BODIES)]
    mixed = [_track(chance, MIXED) for _ in range(BODIES)]
    one_bad = [_encoded({**body, "purchases": [{}, *body["purchases"][1:]]}) for body in mixed]
    alias = [_encoded({"events": [_named_by_alias(event) for event in body["events"]]}) for body in events]
    native = [_encoded({"events": [_native(event) for event in body["events"]]}) for body in events]
    _report("/users/track, events", [_encoded(body) for body in events], _track_facts, seconds)
    _report("/users/track, mixed", [_encoded(body) for body in mixed], _track_facts, seconds)
    _report("/users/track, mixed, one bad", one_bad, _track_facts, seconds)
    _report("/users/track, aliases", alias, _track_facts, seconds)
    _report("/api/events", native, lambda body: read_events(body, None, RECEIVED_AT).accepted, seconds)


def _report(name: str, bodies: list[bytes], facts: Callable[[bytes], Accepted], seconds: float) -> None:
    encoder = msgspec.json.Encoder()
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for body in bodies:
            encoder.encode(facts(body))
        count += len(bodies)
    objects = count * OBJECTS
    size = sum(map(len, bodies)) / len(bodies)
    print(f"{name:32} {objects / spent:>9,.0f} objects/s {spent / objects * 1e6:>6.2f} µs each {size:>8,.0f} bytes")


def _track_facts(body: bytes) -> Accepted:
    return read_track(body, RECEIVED_AT, POLICY).accepted


def _track(chance: random.Random, arrays: tuple[tuple[str, int], ...]) -> dict[str, list[dict[str, Any]]]:
    makers = {"events": _event, "purchases": _purchase, "attributes": _attributes}
    return {name: [makers[name](chance) for _ in range(count)] for name, count in arrays}


def _event(chance: random.Random) -> dict[str, Any]:
    return {
        "external_id": f"user-{chance.randrange(1_000_000)}",
        "name": chance.choice(["added_to_cart", "opened_page", "searched"]),
        "time": f"2026-03-{chance.randrange(1, 29):02d}T12:{chance.randrange(60):02d}:{chance.randrange(60):02d}Z",
        "properties": {"total": round(chance.random() * 100, 2), "sku": f"SKU-{chance.randrange(10_000)}"},
    }


def _purchase(chance: random.Random) -> dict[str, Any]:
    event = _event(chance)
    return {
        **{name: event[name] for name in ("external_id", "time")},
        "product_id": f"SKU-{chance.randrange(10_000)}",
        "currency": "EUR",
        "price": round(chance.random() * 100, 2),
        "quantity": chance.randrange(1, 4),
    }


def _attributes(chance: random.Random) -> dict[str, Any]:
    return {"external_id": f"user-{chance.randrange(1_000_000)}", "country": "DE", "visits": chance.randrange(100)}


def _named_by_alias(event: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in event.items() if name != "external_id"}
    return {**rest, "user_alias": {"alias_name": event["external_id"], "alias_label": "shop"}}


def _native(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_id": event["external_id"],
        "kind": "custom",
        "name": event["name"],
        "occurred_at": event["time"],
        "properties": event["properties"],
    }


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


if __name__ == "__main__":
    main()
