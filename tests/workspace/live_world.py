"""Facts put straight into the tables of a running server, as its loader leaves them, and the same facts as files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

import afterword
from afterword.attribution.gather import Limits
from afterword.intake.definitions import load_definitions
from afterword.model import Campaign, Counting, Definitions
from afterword.store.connection import open_memory
from afterword.store.erasing import Erasure, erase
from afterword.store.user_hashes import user_hash_sql
from afterword.workspace.live import Live
from afterword.workspace.live.refreshing import Erased
from tests.engine import EPOCH, plain_json, write_definitions
from tests.oracle_facts import EventFact, ExposureFact, Fact, Facts, StepFact
from tests.oracle_people import MergeFact
from tests.workspace import feed_world

FACTS_SQL = Path(afterword.__file__).parent / "store" / "facts.sql"
TABLES: dict[type, str] = {ExposureFact: "exposures", EventFact: "events", StepFact: "step_messages"}


@dataclass
class LiveWorld:
    """A database with the tables of facts, and `Live` on it."""

    directory: Path
    batch_rows: int = 1 << 18
    position: int = 0
    known: set[tuple[str, str | None]] = field(default_factory=set)
    merges: list[MergeFact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.con = open_memory(1 << 30, 2, self.directory, preserve_insertion_order=True)
        self.con.execute(FACTS_SQL.read_text(encoding="utf-8"))
        self.live = Live(self.con, Limits(1 << 28, self.directory, self.batch_rows, 2))

    def load(self, facts: Iterable[Fact], merges: Iterable[MergeFact] = ()) -> None:
        """Append facts as one request would; an id that is known already is ignored (rule 33)."""
        self.position += 1
        for item, fact in enumerate(facts):
            if fact.identity in self.known:
                continue
            self.known.add(fact.identity)
            self._insert(TABLES[type(fact)], _row(fact), item)
        for item, merge in enumerate(merges):
            self.merges.append(merge)
            row = {"from_user_id": merge.from_user_id, "to_user_id": merge.to_user_id}
            self._insert("merges", row, item)

    def _insert(self, table: str, row: dict[str, Any], item: int) -> None:
        log: dict[str, Any] = {"position": self.position, "item": item, "arrived_at": 0}
        if table != "merges":
            log["digest"] = 0
        values = row | log
        columns, marks = ", ".join(values), ", ".join("?" for _ in values)
        known, given = list(values.values()), ""
        if table != "merges":
            columns, given = f"{columns}, user_hash", f", {user_hash_sql('?')}"
            known.append(row["user_id"])
        self.con.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}{given})", known)

    def restart(self) -> None:
        """Open the results again, as the next process does."""
        self.live = Live(self.con, Limits(1 << 28, self.directory, self.batch_rows, 2))

    def ids_of(self, user: str) -> set[str]:
        """Return all ids of a person."""
        ids = {user}
        for _ in self.merges:
            pairs = [{merge.from_user_id, merge.to_user_id} for merge in self.merges]
            ids = ids.union(*(pair for pair in pairs if pair & ids))
        return ids

    def erase(self, definitions: Definitions, erasure: Erasure, as_of: int) -> None:
        """Erase a person as `workspace.erasing` does."""
        ids = list(erasure.user_ids)

        def erased(con: duckdb.DuckDBPyConnection) -> Erased:
            refunds = "SELECT refund_of FROM main.events WHERE kind = 'refund' AND list_contains(?, user_id)"
            others = con.execute(f"SELECT user_id FROM main.events WHERE event_id IN ({refunds})", [ids]).fetchall()
            erase(con, [erasure], key=bytes(32), erased_at=0)
            return Erased((erasure,), tuple(user for (user,) in others))

        self.merges = [merge for merge in self.merges if merge.from_user_id not in ids]
        self.live.refresh(definitions, as_of=as_of, erase=erased)
        numbered = "SELECT count(*) FROM derived.users WHERE list_contains(?, user_id)"
        assert self.con.execute(numbered, [ids]).fetchall() == [(0,)]
        named = "SELECT count(*) FROM derived.changes WHERE list_contains(?, user_id)"
        assert self.con.execute(named, [ids]).fetchall() == [(0,)]

    def run(self, definitions: Definitions, as_of: int, directory: Path) -> afterword.Results:
        """Run the files' way over an export of the tables."""
        directory.mkdir(parents=True, exist_ok=True)
        paths = {}
        for name in ("exposures", "events", "step_messages", "merges"):
            paths[name] = directory / f"{name}.parquet"
            columns = (
                "digest, position, item, arrived_at, user_hash" if name != "merges" else "position, item, arrived_at"
            )
            self.con.execute(f"COPY (SELECT * EXCLUDE ({columns}) FROM {name}) TO '{paths[name]}' (FORMAT parquet)")
        return afterword.run(
            write_definitions(definitions, directory),
            exposures=paths["exposures"],
            events=paths["events"],
            step_messages=paths["step_messages"],
            merges=paths["merges"],
            out=directory / "results",
            as_of=EPOCH + timedelta(microseconds=as_of),
            time_unit="us",
        )

    def check(self, definitions: Definitions, as_of: int, directory: Path | None = None) -> None:
        """Compare the derived rows with a recomputation, and the report with that of a run over an export."""
        different = self.live.recompute(definitions)
        assert different == [], different
        told = feed_world.replayed(self.live)
        assert told == feed_world.derived(self.con, definitions)
        if directory is None or not self.usable(definitions, as_of):
            return
        expected = json.loads(json.dumps(self.run(definitions, as_of, directory).json))
        written = load_definitions(write_definitions(definitions, directory))
        # Of one campaign before all of them are kept: the last one's number is no more than any other.
        alone = self.live.report(written, as_of, only=written.campaigns[-1].id)
        found = json.loads(json.dumps(self.live.report(written, as_of)))
        assert json.loads(json.dumps(alone)) == {**found, "campaigns": found["campaigns"][-1:]}
        assert found["as_of"] == expected["as_of"]
        assert told == feed_world.of_results(directory / "results")
        wrong = list(_differences(found["campaigns"], expected["campaigns"]))
        assert wrong == [], wrong[:5]
        if all(campaign.counting is not Counting.ONCE_PER_CHANNEL for campaign in definitions.campaigns):
            assert found["facts"] == expected["facts"], (found["facts"], expected["facts"])
        else:  # opens and clicks of no channel are still among the events
            assert found["facts"]["exposures"] == expected["facts"]["exposures"]

    def usable(self, definitions: Definitions, as_of: int) -> bool:
        """Return whether there is an exposure that can be used, without which a run is refused."""
        return bool(self.live.report(definitions, as_of)["facts"]["exposures"])


def _differences(found: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Yield where two JSON values differ, so that a failing test says it in a line."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in found:
            yield from _differences(found[key], expected[key], f"{place}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(*pair, f"{place}[{index}]")
    elif found != expected:
        yield f"{place}: {found}, expected {expected}"


def _row(fact: Fact) -> dict[str, Any]:
    row = {f.name: getattr(fact, f.name) for f in fields(fact) if f.name != "source"}
    if isinstance(fact, EventFact):
        row |= {
            "kind": fact.kind.label,
            "quantity": 1 if fact.quantity is None else fact.quantity,
            "machine": bool(fact.machine),
            "properties": None if fact.properties is None else plain_json(fact.properties),
        }
    return row


def all_of(facts: Facts) -> list[Fact]:
    return [*facts.exposures, *facts.events, *facts.step_messages]


def changed(rng: random.Random, all_: Definitions, now: Definitions) -> Definitions:
    """Add a campaign, take one away, or change what one of them counts."""
    campaigns = {campaign.id: campaign for campaign in now.campaigns}
    chosen = rng.choice(all_.campaigns)
    if chosen.id not in campaigns:
        campaigns[chosen.id] = chosen
    elif rng.random() < 0.3 and len(campaigns) > 1:
        del campaigns[chosen.id]
    else:
        campaigns[chosen.id] = _other(rng, campaigns[chosen.id], all_.campaigns)
    return Definitions(now.workspace, tuple(sorted(campaigns.values(), key=lambda one: one.id)))


def _other(rng: random.Random, campaign: Campaign, known: Sequence[Campaign]) -> Campaign:
    events = list(campaign.conversion_events)
    rng.shuffle(events)
    match rng.choice(("fewer", "others", "counting", "variants", "name")):
        case "fewer":
            return replace(campaign, conversion_events=tuple(events[1:]))
        case "others":
            return replace(campaign, conversion_events=rng.choice(known).conversion_events)
        case "counting":
            countings = [Counting.ONCE_PER_USER, Counting.ONCE_PER_EXPOSURE]
            return replace(campaign, counting=rng.choice(countings))
        case "variants":
            return replace(campaign, variants=tuple(reversed(campaign.variants)))
        case _:
            return replace(campaign, name=f"{campaign.name}!")
