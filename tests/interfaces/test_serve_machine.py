"""Facts in any order, repeated, in every dialect; definitions that change; merges; crashes: what a full run gives."""

from __future__ import annotations

import random
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.interfaces.served_world import CAMPAIGNS, ServedWorld, Told
from tests.interfaces.serving import Client, Served, wait_for

TELLING: dict[str, Callable[[ServedWorld], Told]] = {
    "exposures": ServedWorld.exposures,
    "steps": ServedWorld.steps,
    "native": ServedWorld.native,
    "braze": ServedWorld.braze,
    "segment": ServedWorld.segment,
    "merge": ServedWorld.merge,
}
campaigns = st.sampled_from(CAMPAIGNS)


class ServedMachine(RuleBasedStateMachine):
    """A server that is told things; at the end its report is that of a run over all its facts."""

    @initialize(seed=st.integers(0, 1 << 30))
    def begin(self, seed: int) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.served = Served(Path(self.directory.name) / "served")
        self.client: Client = self.served.start()
        self.world = ServedWorld(self.served, random.Random(seed))
        self.status: dict[str, str] = {}
        for name in ("plain", "canvas"):
            self.define(name)
            self.move(name, "launch")
        self.world.tell(self.client, self.world.exposures())

    @rule(kinds=st.lists(st.sampled_from(list(TELLING)), min_size=1, max_size=6))
    def tell(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.world.tell(self.client, TELLING[kind](self.world))

    @rule()
    def tell_again(self) -> None:
        again = self.world.chance.choice(self.world.told)
        first, second = (self.world.tell(self.client, again).json() for _ in range(2))
        if again.headers:
            assert first == second

    @rule()
    def contradict(self) -> None:
        """Another fact with an id that is known is rejected, and the first one stands."""
        if self.world.bought:
            other = self.world.native().body["events"][0] | {"event_id": self.world.bought[0], "price": "99"}
            other |= {"kind": "purchase", "currency": "EUR", "properties": {"n": self.world.bought[0]}}
            assert self.client.post("/api/events", {"events": [other]}).status_code == 201

    def ask(self, method: str, path: str, content: Any = b"") -> httpx.Response:
        """Ask what the process that answers must answer, which may just be starting again."""
        found: list[httpx.Response] = []

        def answered() -> bool:
            found.append(self.client.send(method, path, content))
            return found[-1].status_code != 503

        wait_for(answered, 60)
        return found[-1]

    @rule(name=campaigns)
    def define(self, name: str) -> None:
        definition = self.world.definition(name)
        if name not in self.status:
            assert self.ask("POST", "/api/campaigns", definition).status_code == 201
            self.status[name] = "draft"
        else:
            assert self.ask("PUT", f"/api/campaigns/{name}", definition).status_code == 200

    @rule(name=campaigns, verb=st.sampled_from(["launch", "launch", "stop", "archive"]))
    def move(self, name: str, verb: str) -> None:
        answer = self.ask("POST", f"/api/campaigns/{name}/{verb}")
        if name not in self.status:
            assert answer.status_code == 404
        else:
            assert answer.status_code in (200, 409), answer.text

    @rule()
    def look(self) -> None:
        """A number of the report is as long as the list of those behind it."""
        self.client.loaded()
        (report,) = self.ask("GET", "/api/campaigns/plain/report").json()["campaigns"]
        for row in report["variants"]:
            asked = f"/api/campaigns/plain/users?variant={row['id']}&state=exposed"
            assert len(self.client.get(asked).json()["users"]) == row["exposed"]
            for letter, counted in row["conversions"].items():
                found = self.client.get(f"/api/campaigns/plain/users?variant={row['id']}&event={letter}").json()
                assert len(found["users"]) == counted["converted"]

    @precondition(lambda self: len(self.world.told) > 3)
    @rule(how=st.sampled_from(["stop", "kill", "kill the one that answers"]))
    def end(self, how: str) -> None:
        if how == "stop":
            assert self.served.stop(signal.SIGTERM) == 0
        elif how == "kill":
            self.served.kill()
        else:
            self.served.kill_answering()
            return
        self.client = self.served.start()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.client.loaded()
            report: dict[str, Any] = self.ask("GET", "/api/report").json()
            assert self.served.stop() == 0
            self.served.wait_for_answering()
            self.world.check(report, Path(self.directory.name) / "aside")
        finally:
            self.served.close()
            self.directory.cleanup()


def run(examples: int, steps: int, *, smaller: bool) -> None:
    """Run the machine; to look for a smaller example takes minutes, as every one starts servers."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if smaller else [])]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(ServedMachine, settings=chosen)


def test_whatever_was_told_the_report_is_that_of_a_full_run(shared: Served) -> None:
    run(1, 14, smaller=False)


@pytest.mark.slow
def test_whatever_was_told_for_long_the_report_is_that_of_a_full_run(shared: Served) -> None:
    run(25, 40, smaller=True)
