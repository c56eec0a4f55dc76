"""A generated world that was loaded, with questions about conversion events that its campaigns do not have."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

import afterword
from afterword.model import Campaign, Definitions
from afterword.workspace.live.exploring import Question
from tests.engine import write_definitions
from tests.histories import generate_world
from tests.workspace.live_world import LiveWorld, all_of


class ExploredWorld:
    """A generated world that was loaded, and the events of another one."""

    def __init__(self, seed: int, directory: Path) -> None:
        world = generate_world(random.Random(seed), users=60)
        facts = all_of(world.facts)
        self.directory = directory
        self.definitions = world.definitions
        self.as_of = sorted(fact.at for fact in facts)[-len(facts) // 8]
        exposed = sorted(fact.at for fact in world.facts.exposures)
        self.period = exposed[len(exposed) // 4], exposed[len(exposed) * 3 // 4]
        self.live = LiveWorld(directory)
        self.live.load(facts, world.facts.merges)
        self.live.live.refresh(self.definitions, as_of=self.as_of)

    def question(self, campaign: Campaign, period: tuple[int | None, int | None] = (None, None)) -> Question:
        """Ask for the conversion events of other generated campaigns."""
        rng = random.Random(f"{campaign.id} {self.as_of}")
        other = [
            one for seed in range(50) for one in generate_world(random.Random(seed), users=0).definitions.campaigns
        ]
        events = rng.choice([one.conversion_events for one in other if one.conversion_events])
        asked = replace(campaign, conversion_events=events)
        return Question(self.definitions.workspace, asked, True, *period)

    def explore(self, question: Question, as_of: int | None = None) -> dict[str, Any]:
        answer, _ = self.live.live.explore(question, as_of or self.as_of, lambda _what, _done: None, lambda _con: None)
        found: dict[str, Any] = json.loads(json.dumps(answer))
        return found

    def run(self, question: Question, directory: Path) -> dict[str, Any]:
        """Run over an export of the facts, without exposures outside of the period."""
        directory.mkdir()
        self.live.live.export_facts(self.definitions, self.as_of, directory)
        path = directory / "exposures.parquet"
        table = pq.read_table(path)
        at = pc.cast(table.column("exposed_at"), "int64")
        first, last = question.first or 0, question.last or 2**62
        pq.write_table(table.filter(pc.and_(pc.greater_equal(at, first), pc.less_equal(at, last))), path)
        ran = afterword.run(
            write_definitions(Definitions(self.definitions.workspace, (question.campaign,)), directory),
            exposures=path,
            events=directory / "events.parquet",
            step_messages=directory / "step_messages.parquet",
            merges=directory / "merges.parquet",
            as_of=datetime.fromtimestamp(self.as_of // 1_000_000, UTC).replace(microsecond=self.as_of % 1_000_000),
            out=directory / "results",
        )
        return dict(json.loads(json.dumps(ran.json)))
