"""Seeded facts at the size of real exports: `python -m benchmarks.generate tiny|small|medium|large DIRECTORY`.

The same seed and size give the same files. Memory is bounded by the users and by the rows that
wait for another place in the file (the late and the repeated ones), kept as small numbers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks import columns
from benchmarks.definitions import APPS, CUSTOM_NAMES, PRODUCTS, definitions, product
from benchmarks.skew import Ints, Population, mixed

Rows = dict[str, npt.NDArray[Any]]
Maker = Callable[[np.random.Generator, Ints, Ints], Rows]
Writer = Callable[[Rows], pa.Table]

START = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
DAY = 86_400_000_000
DAYS = 60
LATE = 0.05
REPEATED = 0.02
CHUNK = 1_000_000
ROW_GROUP = 262_144
SESSION, PURCHASE, CUSTOM = 0, 1, 2
RELEASES = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """How many rows the two files have."""

    events: int
    exposures: int
    most_events: int = 2_000
    """Of the most active user, for every million users."""
    most_exposures: int = 500

    @property
    def users(self) -> int:
        """50,000 for every million events."""
        return self.events // 20

    def population(self, rows: int, most: int, ids: Ints) -> Population:
        """Return the users with the skew that gives the most active one `most` rows per million users."""
        return Population(self.users, rows, most * self.users / 1_000_000, ids)


SCALES = {
    # For checks, not for times: few users, much overlap.
    "tiny": Scale(100_000, 30_000, most_events=80_000, most_exposures=20_000),
    "small": Scale(1_000_000, 300_000),
    "medium": Scale(20_000_000, 5_000_000),
    "large": Scale(100_000_000, 20_000_000),
}


def version_names() -> list[str]:
    """Return two names per app and release: the plain one and the one that some devices report."""
    names = []
    for app in APPS:
        for release in range(RELEASES):
            plain = f"{3 + release // 5}.{release % 5 + 7}.{release % 3}"
            if app == "android" and release % 4 == 3:
                plain += "-beta2"
            elif app == "web":
                plain = f"24.{release + 1}"
            short = plain.removesuffix(".0") if plain.endswith(".0") else f"{plain} ({130 + release})"
            names += [plain, f"{plain}.0" if app == "web" else short]
    return names


def events_maker() -> Maker:
    """Return what makes the columns of a chunk of events as small numbers."""
    weights = np.arange(1, PRODUCTS + 1, dtype=np.float64) ** -1.1
    popularity = np.cumsum(weights / weights.sum())
    base_cents = 199 + mixed(np.arange(PRODUCTS, dtype=np.int64), 5) % 15_000
    names = 1 / np.arange(1, len(CUSTOM_NAMES) + 1)
    name_share = np.cumsum(names / names.sum())

    def make(rng: np.random.Generator, users: Ints, moments: Ints) -> Rows:
        n = len(users)
        kind = np.searchsorted([0.45, 0.6], rng.random(n), side="right").astype(np.int8)
        bought = np.minimum(np.searchsorted(popularity, rng.random(n), side="right"), PRODUCTS - 1)
        reduced = np.where(rng.random(n) < 0.2, 85, 100)
        device = np.where(rng.random(n) < 0.85, 0, 1)
        app = (mixed(users, 1) + device) % len(APPS)
        return {
            "kind": kind,
            "name": np.minimum(np.searchsorted(name_share, rng.random(n)), len(CUSTOM_NAMES) - 1).astype(np.int8),
            "product": bought.astype(np.int16),
            "cents": (base_cents[bought] * reduced // 100).astype(np.int32),
            "quantity": np.maximum(1, rng.geometric(0.85, n)).clip(max=20).astype(np.int8),
            "app": app.astype(np.int8),
            "device": device.astype(np.int8),
            "version": _versions(rng, users * 2 + device, app, moments).astype(np.int8),
        }

    return make


def _versions(rng: np.random.Generator, devices: Ints, app: Ints, moments: Ints) -> Ints:
    """Return the version of each session: the release that the device has by now, now and then an odd one."""
    n = len(devices)
    lag = mixed(devices, 2) % (12 * DAY // 1_000_000) * 1_000_000
    release = (moments - START - lag + 12 * DAY) * RELEASES // ((DAYS + 12) * DAY)
    chance = rng.random(n)
    release = release + np.where(chance < 0.01, 1, 0) - np.where(chance > 0.985, 2, 0)  # zigzag
    odd = (mixed(devices, 3) % 20 == 0) & (rng.random(n) < 0.3)
    version = (app * RELEASES + release.clip(0, RELEASES - 1)) * 2 + odd
    return np.where(rng.random(n) < 0.02, -1, version)


def exposures_maker(campaigns: list[dict[str, Any]]) -> Maker:
    """Return what makes the columns of a chunk of exposures as small numbers."""
    widest = max(len(c["variants"]) for c in campaigns)
    bounds = np.full((len(campaigns), widest), 1_000, dtype=np.int64)
    for row, campaign in enumerate(campaigns):
        bounds[row, : len(campaign["variants"])] = np.cumsum([v["share"] * 10 for v in campaign["variants"]])
    channels = np.array([len(c["channels"]) for c in campaigns])

    def make(rng: np.random.Generator, users: Ints, moments: Ints) -> Rows:
        campaign = rng.integers(0, len(campaigns), len(users))
        place = mixed(users * 64 + campaign, 4) % 1_000  # sticky: a user keeps the variant
        variant = (place[:, None] >= bounds[campaign]).sum(axis=1)
        channel = rng.integers(0, 2, len(users)) % channels[campaign]
        return {
            "campaign": campaign.astype(np.int8),
            "variant": variant.astype(np.int8),
            "channel": channel.astype(np.int8),
        }

    return make


def chunks(rng: np.random.Generator, people: Population, rows: int, make: Maker, coarse: int) -> Iterator[Rows]:
    """Yield the rows of a file in its order: by time, with repetitions strewn in, the late ones at the end."""
    distinct = rows - round(rows * REPEATED)
    parts = max(8, -(-distinct // CHUNK))
    edges = [distinct * part // parts for part in range(parts + 1)]
    again_in_all, late_in_all = rows - distinct, round(rows * LATE)
    waiting: list[Rows] = []
    late: list[Rows] = []
    for part, (first, end) in enumerate(pairwise(edges)):
        n = end - first
        moments = START + (DAYS * DAY * (part + np.sort(rng.random(n))) / parts).astype(np.int64)
        moments -= moments % coarse
        users = people.draw(rng, n)
        chunk = make(rng, users, moments) | {"id": np.arange(first, end), "user": users, "time": moments}
        share = _share(again_in_all, part, parts)
        waiting.append(_taken(chunk, rng.choice(n, share, replace=False)))
        is_late = np.zeros(n, dtype=np.bool_)
        is_late[rng.choice(n, _share(late_in_all, part, parts), replace=False)] = True
        late.append(_taken(chunk, is_late))
        pool = _joined(waiting)
        now = rng.random(len(pool["id"])) < 0.5
        waiting = [_taken(pool, ~now)]
        yield _strewn(rng, _taken(chunk, ~is_late), _taken(pool, now))
    rest = _joined(late + waiting)
    order = rng.permutation(len(rest["id"]))
    for first in range(0, len(order), CHUNK):
        yield _taken(rest, order[first : first + CHUNK])


def _share(total: int, part: int, parts: int) -> int:
    return total * (part + 1) // parts - total * part // parts


def _taken(rows: Rows, which: npt.NDArray[Any]) -> Rows:
    return {name: values[which] for name, values in rows.items()}


def _joined(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _strewn(rng: np.random.Generator, rows: Rows, others: Rows) -> Rows:
    """Put `others` at random places among `rows`, whose order stays."""
    n = len(rows["id"])
    places = np.concatenate([np.arange(n, dtype=np.float64), rng.random(len(others["id"])) * n])
    return _taken(_joined([rows, others]), np.argsort(places, kind="stable"))


def events_writer(users: pa.Array) -> Writer:
    """Return what turns a chunk of numbers into the columns of an export of events."""
    kinds, currency = pa.array(["session", "purchase", "custom"]), pa.array(["EUR"])
    apps, names, versions = pa.array(APPS), pa.array(CUSTOM_NAMES), pa.array(version_names())
    products = pa.array([product(number) for number in range(PRODUCTS)])

    def table(rows: Rows) -> pa.Table:
        session, bought, custom = (rows["kind"] == kind for kind in (SESSION, PURCHASE, CUSTOM))
        return pa.table(
            {
                "event_id": columns.numbered("e-", rows["id"], 9),
                "user_id": columns.chosen(users, rows["user"]),
                "kind": columns.chosen(kinds, rows["kind"]),
                "occurred_at": columns.times(rows["time"]),
                "name": columns.chosen(names, np.where(custom, rows["name"], -1)),
                "product_id": columns.chosen(products, np.where(bought, rows["product"], -1)),
                "app_id": columns.chosen(apps, np.where(session, rows["app"], -1)),
                "app_version": columns.chosen(versions, np.where(session, rows["version"], -1)),
                "device_id": columns.numbered("d-", rows["user"] * 2 + rows["device"], 8, session),
                "price": columns.money(rows["cents"].astype(np.int64), bought),
                "quantity": columns.quantities(np.where(bought, rows["quantity"], 0)),
                "currency": columns.chosen(currency, np.where(bought, 0, -1)),
            }
        )

    return table


def exposures_writer(users: pa.Array, campaigns: list[dict[str, Any]]) -> Writer:
    """Return what turns a chunk of numbers into the columns of an export of exposures."""
    ids = pa.array([c["id"] for c in campaigns])
    variants = pa.array([c["variants"][min(i, len(c["variants"]) - 1)]["id"] for c in campaigns for i in range(4)])
    channels = pa.array([c["channels"][i % len(c["channels"])] for c in campaigns for i in range(2)])

    def table(rows: Rows) -> pa.Table:
        campaign = rows["campaign"].astype(np.int64)
        return pa.table(
            {
                "exposure_id": columns.numbered("x-", rows["id"], 9),
                "user_id": columns.chosen(users, rows["user"]),
                "campaign_id": columns.chosen(ids, campaign),
                "variant_id": columns.chosen(variants, campaign * 4 + rows["variant"]),
                "exposed_at": columns.times(rows["time"]),
                "channel": columns.chosen(channels, campaign * 2 + rows["channel"]),
            }
        )

    return table


def write(path: Path, parts: Iterator[Rows], table: Writer) -> int:
    """Write a Parquet file part by part; the number of its rows."""
    first = table(next(parts))
    rows = len(first)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as file:
        file.write_table(first, row_group_size=ROW_GROUP)
        for part in parts:
            file.write_table(table(part), row_group_size=ROW_GROUP)
            rows += len(part["id"])
    return rows


def generate(scale: Scale, directory: Path, seed: int, coarse: int = 1) -> dict[str, Any]:
    """Write campaigns.yaml, exposures.parquet and events.parquet; what was made."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    spec = definitions(rng)
    (directory / "campaigns.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    ids = rng.permutation(scale.users)
    users = pa.array([f"u-{number:06d}" for number in range(scale.users)])
    actors = scale.population(scale.events, scale.most_events, ids)
    audience = scale.population(scale.exposures, scale.most_exposures, ids)
    exposures = chunks(rng, audience, scale.exposures, exposures_maker(spec["campaigns"]), coarse)
    made: dict[str, Any] = {
        "seed": seed,
        "users": scale.users,
        "s_events": round(actors.s, 4),
        "s_exposures": round(audience.s, 4),
        "exposures": write(directory / "exposures.parquet", exposures, exposures_writer(users, spec["campaigns"])),
    }
    events = chunks(rng, actors, scale.events, events_maker(), coarse)
    made |= {"events": write(directory / "events.parquet", events, events_writer(users))}
    (directory / "made.json").write_text(json.dumps(made, indent=2) + "\n")
    return made


def main() -> None:
    """Generate from the command line."""
    parser = argparse.ArgumentParser(description="Generate campaigns and facts for the benchmark.")
    parser.add_argument("scale", choices=list(SCALES))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--coarse", type=int, default=1, help="cut times to this many microseconds: many equal times")
    args = parser.parse_args()
    print(json.dumps(generate(SCALES[args.scale], args.directory, args.seed, args.coarse)))


if __name__ == "__main__":
    main()
