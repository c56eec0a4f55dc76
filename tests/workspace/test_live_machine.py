"""Any order of loads, merges, erasures, changed definitions, restarts and time moving on gives what a run over all
facts gives, and a feed of changes that adds up to it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from afterword.store.erasing import Erasure, Policy
from afterword.workspace.live import gathering
from tests.extent import THOROUGH
from tests.histories import generate_world
from tests.oracle_facts import Fact
from tests.oracle_people import MergeFact
from tests.workspace.live_world import LiveWorld, all_of, changed


class LiveMachine(RuleBasedStateMachine):
    """A server that gets a world's facts in pieces; after every step its rows are held against a recomputation."""

    @initialize(seed=st.integers(0, 10_000), batch_rows=st.sampled_from([3, 1 << 18]), many=st.sampled_from([2, 1_000]))
    def begin(self, seed: int, batch_rows: int, many: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(gathering, "MANY", many)
        self.rng = random.Random(seed)
        self.world = generate_world(self.rng, users=6)
        self.waiting: list[Fact] = all_of(self.world.facts)
        self.rng.shuffle(self.waiting)
        self.times = sorted(fact.at for fact in self.waiting) or [0]
        self.people = sorted({fact.user_id for fact in self.waiting}) or ["u"]
        self.definitions = self.world.definitions
        self.as_of = self.times[0]
        self.directory = tempfile.TemporaryDirectory()
        self.live = LiveWorld(Path(self.directory.name), batch_rows)

    @precondition(lambda self: self.waiting)
    @rule(share=st.sampled_from([1, 2, 4, 16]))
    def load(self, share: int) -> None:
        size = -(-len(self.waiting) // share)
        self.live.load(self.waiting[:size])
        self.waiting = self.waiting[size:]
        self.refresh()

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        some = st.sampled_from(self.people)
        self.live.load([], [MergeFact(data.draw(some), data.draw(some))])
        self.refresh()

    @rule()
    def change_a_definition(self) -> None:
        self.definitions = changed(self.rng, self.world.definitions, self.definitions)
        self.refresh()

    @rule(place=st.integers(0, 100))
    def wait(self, place: int) -> None:
        self.as_of = max(self.as_of, self.times[place * (len(self.times) - 1) // 100])
        self.refresh()

    @rule()
    def load_several_times_before_a_refresh(self) -> None:
        for _ in range(3):
            self.live.load(self.waiting[:2])
            self.waiting = self.waiting[2:]
        self.refresh()

    @rule(data=st.data(), policy=st.sampled_from(Policy))
    def erase(self, data: st.DataObject, policy: Policy) -> None:
        ids = self.live.ids_of(data.draw(st.sampled_from(self.people)))
        self.live.erase(self.definitions, Erasure.of(ids, policy, self.rng.randbytes), self.as_of)
        self.waiting = [fact for fact in self.waiting if fact.user_id not in ids]
        self.people = [name for name in self.people if name not in ids] or ["u"]
        self.live.check(self.definitions, self.as_of)

    @rule()
    def restart(self) -> None:
        self.live.restart()
        self.refresh()

    def refresh(self) -> None:
        self.live.live.refresh(self.definitions, as_of=self.as_of)
        self.live.check(self.definitions, self.as_of)

    def teardown(self) -> None:
        if hasattr(self, "live"):
            self.refresh()
            self.live.check(self.definitions, self.as_of, Path(self.directory.name) / "run")
            self.live.con.close()
            self.directory.cleanup()
            self.patch.undo()


LiveMachine.TestCase.settings = settings(
    max_examples=40 if THOROUGH else 4,
    stateful_step_count=8,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestLive = LiveMachine.TestCase
