"""The feed of changes adds up to the conversions that there are, whatever happens, and says nothing else."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from afterword.intake.definitions import parse_definitions
from afterword.model import Definitions, EventKind
from afterword.store.erasing import Erasure, Policy
from afterword.workspace.live import ChangesGone, state
from afterword.workspace.live.feed import Position, Wanted, read_cursor
from tests.extent import THOROUGH
from tests.oracle_facts import EventFact, ExposureFact, Fact
from tests.oracle_people import MergeFact
from tests.workspace.feed_world import apply, derived, read_all, replayed
from tests.workspace.live_world import LiveWorld, changed

HOUR = 3_600_000_000
START = 480_000 * HOUR
PEOPLE = ("p0", "p1", "p2", "p3")
BOTH = [{"kind": "purchase", "deadline": "1 day"}, {"kind": "session", "deadline": "2 days"}]
SHARES = [{"id": "a", "share": 50}, {"id": "b", "share": 50}]
STEPS = [{"id": "s0", "name": "s0"}, {"id": "s1", "name": "s1"}]
DEFINITIONS = parse_definitions(
    {
        "campaigns": [
            {"id": "c0", "name": "c0", "variants": SHARES, "conversion_events": BOTH, "channels": ["email", "push"]},
            {"id": "c1", "name": "c1", "variants": SHARES, "conversion_events": BOTH[::-1]},
        ],
        "canvases": [{"id": "c2", "name": "c2", "variants": SHARES, "conversion_events": BOTH[:1], "steps": STEPS}],
    },
    "test",
)


def exposed(user: str, hour: int, name: str, campaign: str = "c0", variant: str = "a") -> ExposureFact:
    channel = "push" if variant == "b" else "email"
    return ExposureFact(user, campaign, variant, START + hour * HOUR, name, channel)


def did(user: str, hour: int, name: str, kind: EventKind = EventKind.PURCHASE) -> EventFact:
    price, currency = (Decimal(5), "EUR") if kind is EventKind.PURCHASE else (None, None)
    return EventFact(user, kind, START + hour * HOUR, name, price=price, currency=currency)


def looked(user: str, hour: int, name: str, kind: EventKind, of: str, campaign: str = "c0") -> EventFact:
    at = START + hour * HOUR
    return EventFact(user, kind, at, name, campaign_id=campaign, channel="email", exposure_id=of)


class FeedMachine(RuleBasedStateMachine):
    """Few people with much to tell; after every step a strict receiver holds what there is."""

    @initialize(seed=st.integers(0, 1 << 16))
    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.definitions = DEFINITIONS
        self.hour, self.count = 40, 0
        self.people = list(PEOPLE)
        self.held: dict[str, tuple[object, ...]] = {}
        self.position: Position | None = None
        self.directory = tempfile.TemporaryDirectory()
        self.world = LiveWorld(Path(self.directory.name))
        self.load(60)
        assert self.held

    @rule(size=st.integers(1, 20))
    def load(self, size: int) -> None:
        self.world.load([self.fact() for _ in range(size)])
        self.refresh()

    def fact(self) -> Fact:
        self.count += 1
        user, hour = self.rng.choice(self.people), self.rng.randrange(60)
        campaign, name = self.rng.choice(["c0", "c1", "c2"]), f"e{self.count}"
        match self.rng.choice(["exposure", "exposure", "event", "event", "look"]):
            case "exposure":
                return exposed(user, hour, f"x{self.count}", campaign, self.rng.choice("ab"))
            case "event":
                return did(user, hour, name, self.rng.choice([EventKind.PURCHASE, EventKind.SESSION]))
            case _:
                kind, of = self.rng.choice([EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK]), self.rng.randrange(60)
                return looked(user, hour, name, kind, f"x{of}", campaign)

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        some = st.sampled_from(self.people)
        self.world.load([], [MergeFact(data.draw(some), data.draw(some))])
        self.refresh()

    @rule()
    def change_a_definition(self) -> None:
        self.definitions = changed(self.rng, DEFINITIONS, self.definitions)
        self.refresh()

    @rule()
    def change_a_definition_and_load(self) -> None:
        self.definitions = changed(self.rng, DEFINITIONS, self.definitions)
        self.load(6)

    @rule(hours=st.integers(1, 10))
    def wait(self, hours: int) -> None:
        self.hour += hours
        self.refresh()

    @rule(data=st.data(), policy=st.sampled_from(Policy))
    def erase(self, data: st.DataObject, policy: Policy) -> None:
        ids = self.world.ids_of(data.draw(st.sampled_from(self.people)))
        before = self.world.live.feed.state.last
        self.world.erase(self.definitions, Erasure.of(ids, policy, self.rng.randbytes), self.as_of)
        self.people = [name for name in self.people if name not in ids] or ["new"]
        assert self.world.live.feed.state.last == before
        self.held, self.position = {}, None  # who was told of the person must forget, too
        self.check()

    @rule()
    def restart(self) -> None:
        self.world.restart()
        last = self.world.live.feed.state.last
        self.refresh()
        assert self.world.live.feed.state.last == last

    @property
    def as_of(self) -> int:
        return START + self.hour * HOUR

    def refresh(self) -> None:
        self.world.live.refresh(self.definitions, as_of=self.as_of)
        self.check()
        last = self.world.live.feed.state.last
        assert self.world.live.refresh(self.definitions, PEOPLE, as_of=self.as_of).changes == 0
        assert self.world.live.feed.state.last == last

    def check(self) -> None:
        there = derived(self.world.con, self.definitions)
        assert replayed(self.world.live) == there
        apply(read_all(self.world.live, self.position), self.held)
        self.position = self.world.live.feed.state.end
        assert set(self.held.values()) == there

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.con.close()
            self.directory.cleanup()


FeedMachine.TestCase.settings = settings(
    max_examples=20 if THOROUGH else 3,
    stateful_step_count=8,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestFeed = FeedMachine.TestCase


@pytest.fixture
def world(tmp_path: Path) -> LiveWorld:
    """Ann was exposed and bought a day later; Ben was exposed, came back and bought."""
    world = LiveWorld(tmp_path)
    world.load([exposed("ann", 0, "x1"), did("ann", 20, "e1")])
    world.load([exposed("ben", 0, "x2", variant="b"), did("ben", 3, "e2"), did("ben", 2, "s2", EventKind.SESSION)])
    refresh(world)
    return world


ONLY = Definitions(DEFINITIONS.workspace, DEFINITIONS.campaigns[:1])


def refresh(world: LiveWorld, definitions: Definitions = ONLY) -> list[tuple[str, str]]:
    """Refresh and return what that told."""
    before = world.live.feed.state
    world.live.refresh(definitions, as_of=START + 100 * HOUR)
    after = before.end if before.born else world.live.feed.state.beginning
    return [(change["kind"], change["conversion_id"]) for change in read_all(world.live, after)]


def test_a_conversion_is_told_as_result_files_have_it(world: LiveWorld) -> None:
    first, *_ = read_all(world.live)
    assert first == {
        "sequence": 1, "changed_at": "2024-10-08T04:00:00Z", "kind": "conversion", "conversion_id": "c0/A/x1/e1",
        "campaign_id": "c0", "conversion_event": "A", "user_id": "ann", "exposure_id": "x1", "variant_id": "a",
        "channel": "email", "step_id": None, "exposed_at": "2024-10-04T00:00:00Z",
        "converted_at": "2024-10-04T20:00:00Z", "event_id": "e1", "after_open": False, "after_click": False,
        "definition_version": first["definition_version"],
    }  # fmt: skip


def test_an_earlier_event_that_comes_late_takes_a_conversion_back(world: LiveWorld) -> None:
    world.load([did("ann", 10, "late")])
    assert refresh(world) == [("retraction", "c0/A/x1/e1"), ("conversion", "c0/A/x1/late")]


def test_a_later_exposure_takes_a_conversion_over(world: LiveWorld) -> None:
    world.load([exposed("ann", 15, "x3", variant="b")])
    assert refresh(world) == [("retraction", "c0/A/x1/e1"), ("conversion", "c0/A/x3/e1")]


def test_an_open_that_is_heard_of_later_is_a_change(world: LiveWorld) -> None:
    world.load([looked("ann", 1, "o1", EventKind.MESSAGE_OPEN, "x1")])
    assert refresh(world) == [("retraction", "c0/A/x1/e1"), ("conversion", "c0/A/x1/e1")]
    assert read_all(world.live)[-1]["after_open"] is True


def test_who_was_merged_is_another_user_of_the_same_conversion(world: LiveWorld) -> None:
    world.load([], [MergeFact("ann", "anna")])
    assert refresh(world) == [("retraction", "c0/A/x1/e1"), ("conversion", "c0/A/x1/e1")]
    assert [change["user_id"] for change in read_all(world.live)[-2:]] == ["ann", "anna"]


def test_a_definition_tells_only_of_what_is_another_under_it(world: LiveWorld) -> None:
    (campaign,) = ONLY.campaigns
    shorter = replace(campaign.conversion_events[0], deadline_seconds=5 * 3600)
    changed_one = replace(campaign, conversion_events=(shorter, campaign.conversion_events[1]))
    assert refresh(world, Definitions(ONLY.workspace, (changed_one,))) == [("retraction", "c0/A/x1/e1")]


def test_names_of_variants_in_another_order_are_no_change(world: LiveWorld) -> None:
    (campaign,) = ONLY.campaigns
    reordered = replace(campaign, variants=campaign.variants[::-1])
    assert refresh(world, Definitions(ONLY.workspace, (reordered,))) == []


def test_another_program_derives_all_again_and_tells_nothing(world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "PROGRAM", "afterword of tomorrow")
    assert world.live.refresh(ONLY, as_of=START + 100 * HOUR).campaigns == ("c0",)
    assert len(read_all(world.live)) == 3


def test_a_campaign_that_is_gone_takes_its_conversions_back(world: LiveWorld) -> None:
    # Another takes its number in the same refresh.
    other = Definitions(ONLY.workspace, (DEFINITIONS.campaigns[1],))
    world.load([exposed("ann", 0, "x9", "c1")])
    told = refresh(world, other)
    assert [kind for kind, _ in told] == ["retraction"] * 3 + ["conversion"]
    assert told[-1] == ("conversion", "c1/B/x9/e1")


def test_rows_of_a_version_without_a_feed_are_told_once(world: LiveWorld) -> None:
    for table in ("changes", "feed", "names"):
        world.con.execute(f"DELETE FROM derived.{table}")
    refresh(world)
    assert len(read_all(world.live)) == 3
    assert replayed(world.live) == derived(world.con, ONLY)


def test_an_erased_person_becomes_a_stranger_where_the_conversion_stands(world: LiveWorld) -> None:
    before = read_all(world.live)
    world.erase(ONLY, Erasure.of(["ann"], Policy.KEEP_COUNTS, random.Random(1).randbytes), START + 100 * HOUR)
    after = read_all(world.live)
    assert [change["sequence"] for change in after] == [1, 2, 3]
    assert after[1:] == before[1:]
    assert after[0]["user_id"].startswith("~erased/")
    assert not {"ann", "x1", "e1"} & {part for value in after[0].values() for part in str(value).split("/")}
    kept = ("kind", "converted_at", "exposed_at", "variant_id")
    assert {name: after[0][name] for name in kept} == {name: before[0][name] for name in kept}


def test_of_a_conversion_that_came_again_the_stranger_gets_the_last(world: LiveWorld) -> None:
    world.load([looked("ann", 1, "o1", EventKind.MESSAGE_OPEN, "x1")])
    refresh(world)
    world.erase(ONLY, Erasure.of(["ann"], Policy.KEEP_COUNTS, random.Random(1).randbytes), START + 100 * HOUR)
    assert [change["sequence"] for change in read_all(world.live)] == [2, 3, 5]
    assert replayed(world.live) == derived(world.con, ONLY)


def test_of_an_erased_person_whose_facts_go_nothing_is_told(world: LiveWorld) -> None:
    before = read_all(world.live)
    world.erase(ONLY, Erasure.of(["ben"], Policy.WITHOUT, random.Random(1).randbytes), START + 100 * HOUR)
    assert read_all(world.live) == before[:1]
    assert world.live.feed.state.last == 3


def test_pages_are_of_the_size_asked_for_and_only_of_what_is_wanted(world: LiveWorld) -> None:
    feed = world.live.feed
    beginning = feed.state.beginning
    page = feed.read(beginning, 2, Wanted())
    assert ([change["sequence"] for change in page.changes], page.reached.sequence, page.more) == ([1, 2], 2, True)
    page = feed.read(page.reached, 2, Wanted())
    assert ([change["sequence"] for change in page.changes], page.reached.sequence, page.more) == ([3], 3, False)
    page = feed.read(beginning, 2, Wanted(conversion_events=["B"]))
    assert [change["conversion_id"] for change in page.changes] == ["c0/B/x2/s2"]
    page = feed.read(beginning, 2, Wanted(campaigns=["c1"]))
    assert (page.changes, page.reached, page.more) == ([], feed.state.end, False)
    assert [change["sequence"] for change in feed.read(beginning, 9, Wanted(), until=2).changes] == [1, 2]


def test_old_changes_go_when_all_have_had_them(world: LiveWorld) -> None:
    feed, hour = world.live.feed, START + 200 * HOUR
    beginning = feed.state.beginning
    assert feed.forget(START, None) == 0
    assert feed.forget(hour, 1) == 1
    with pytest.raises(ChangesGone, match="changes up to number 1 are no longer kept, and 0 were read: start from an"):
        feed.read(beginning, 10, Wanted())
    assert [change["sequence"] for change in read_all(world.live, Position(feed.state.born, 1))] == [2, 3]
    assert feed.forget(hour, None) == 2
    assert feed.forget(hour, None) == 0
    world.load([did("ann", 10, "late")])
    refresh(world)
    assert [change["sequence"] for change in read_all(world.live, feed.state.end)] == []
    assert [change["sequence"] for change in read_all(world.live, Position(feed.state.born, 3))] == [4, 5]


def test_a_place_in_another_feed_is_refused(world: LiveWorld) -> None:
    state = world.live.feed.state
    for place in (Position(state.born + 1, 0), Position(state.born, state.last + 1)):
        with pytest.raises(ChangesGone, match="begun again or restored: start from an export"):
            world.live.feed.read(place, 10, Wanted())


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert read_cursor(Position(1_700_000_000_000_000, 12).cursor) == Position(1_700_000_000_000_000, 12)
