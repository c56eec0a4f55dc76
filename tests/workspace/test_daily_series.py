"""A campaign's days add up to its report, and news about messages go where a naive reading of rule 13 puts them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from afterword.model import LETTERS, Campaign, Counting, Definitions, EventKind
from afterword.reports.braze_series import campaign_series, canvas_series, canvas_summary
from afterword.reports.daily import DailyNumbers, days_until
from tests.histories import generate_world
from tests.oracle_facts import EventFact, ExposureFact, Fact, Facts, Log, read_log
from tests.workspace.live_world import LiveWorld

SEEDS = range(4)
CHUNK = 100
LETTER_NAMES = [(letter, f"conversions{place or ''}") for place, letter in enumerate(LETTERS)]


@dataclass
class Loaded:
    """A world that was loaded, and what is known of it otherwise."""

    live: LiveWorld
    definitions: Definitions
    as_of: int
    log: Log

    def report(self, campaign: Campaign) -> dict[str, Any]:
        found = self.live.live.report(self.definitions, self.as_of)["campaigns"]
        one: dict[str, Any] = found[self.definitions.index_of(campaign.id)]
        return one

    def numbers(self, campaign: Campaign, days: list[date]) -> DailyNumbers:
        return self.live.live.daily(self.definitions, campaign.id, days[0], days[-1])

    def days(self, campaign: Campaign) -> list[date]:
        """All days that the report of a campaign knows."""
        days = self.report(campaign)["by_day"]["days"]
        return [date.fromisoformat(day) for day in days]


@pytest.fixture(scope="module", params=SEEDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    world = generate_world(random.Random(request.param), users=60)
    facts: dict[tuple[str, str | None], Fact] = {}
    sent: list[Fact] = [*world.facts.exposures, *world.facts.events, *world.facts.step_messages]
    for fact in sent:
        facts.setdefault(fact.identity, fact)  # the first logged stays (rule 33)
    as_of = world.as_of or max(fact.at for fact in facts.values())
    live = LiveWorld(tmp_path_factory.mktemp("live"))
    live.load(facts.values(), world.facts.merges)
    live.live.refresh(world.definitions, as_of=as_of)
    kept = Facts(
        exposures=[fact for fact in facts.values() if isinstance(fact, ExposureFact)],
        events=[fact for fact in facts.values() if isinstance(fact, EventFact)],
        merges=world.facts.merges,
    )
    return Loaded(live, world.definitions, as_of, read_log(world.definitions, kept, as_of))


def chunked(days: list[date]) -> list[list[date]]:
    """Cut days as a connector asks for them: at most a hundred at once."""
    return [days[start : start + CHUNK] for start in range(0, len(days), CHUNK)]


def rows_of(loaded: Loaded, campaign: Campaign) -> list[dict[str, Any]]:
    parts = chunked(loaded.days(campaign))
    return [row for part in parts for row in campaign_series(loaded.numbers(campaign, part), part)]


@pytest.mark.sampled(2)
def test_days_add_up_to_the_report(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        report, rows = loaded.report(campaign), rows_of(loaded, campaign)
        by_day, by_exposure_day = report["by_day"]["total"], report["by_exposure_day"]["total"]
        for letter, name in LETTER_NAMES[: len(campaign.conversion_events)]:
            assert [row[name] for row in rows] == by_day["conversions"][letter]
            assert [row[f"{name}_by_send_time"] for row in rows] == by_exposure_day["conversions"][letter]
            converted = report["total"]["conversions"][letter]["converted"]
            assert sum(row[name] for row in rows) == sum(row[f"{name}_by_send_time"] for row in rows) == converted
        assert [f"{row['revenue']:.2f}" for row in rows] == [f"{float(text):.2f}" for text in by_day["revenue"]]
        assert round(sum(row["revenue"] for row in rows), 2) == float(report["total"]["revenue"]["amount"])
        if campaign.counting is Counting.ONCE_PER_USER:
            assert [row["unique_recipients"] for row in rows] == by_exposure_day["exposed"]


def test_entries_of_variants_and_channels_add_up_to_the_row(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        report = loaded.report(campaign)
        sums: dict[str, Counter[str]] = {variant.id: Counter() for variant in campaign.variants}
        for row in rows_of(loaded, campaign):
            entries = [entry for channel in row["messages"].values() for entry in channel]
            messaged = [entry for entry in entries if "enrolled" not in entry]
            for name in ("revenue", *(name for _, name in LETTER_NAMES)):
                assert sum(entry[name] for entry in messaged) == pytest.approx(row[name])
            for entry in entries:
                name = entry.get("variation_api_id", campaign.variants[0].id)
                sums[name].update({key: value for key, value in entry.items() if isinstance(value, int | float)})
        for variant in report["variants"]:
            mine = sums[variant["id"]]
            for letter, name in LETTER_NAMES[: len(campaign.conversion_events)]:
                assert mine[name] == variant["conversions"][letter]["converted"]
            if variant["control"]:
                assert mine["enrolled"] == variant["exposures"]


def test_stats_of_canvases_add_up(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        days = loaded.days(campaign)
        if not days:
            continue
        numbers, report = loaded.numbers(campaign, days), loaded.report(campaign)
        whole = canvas_summary(numbers, days, variants=True, steps=True)
        stats = canvas_series(numbers, days, variants=True, steps=True)
        assert whole["total_stats"]["entries"] == report["total"]["exposures"]
        for variant in report["variants"]:
            assert whole["variant_stats"][variant["id"]]["entries"] == variant["exposures"]
        for step in report["steps"]:
            mine = whole["step_stats"][step["id"]]
            [[counters]] = mine["messages"].values()
            assert counters["sent"] == step["received"]
            for letter, name in LETTER_NAMES[: len(campaign.conversion_events)]:
                assert mine[name] == step["conversions"][letter]
        for name in ("entries", "conversions", "conversions_by_entry_time"):
            assert sum(one["total_stats"][name] for one in stats) == whole["total_stats"][name]


def test_news_about_messages_belong_to_the_exposure_of_rule_13(loaded: Loaded) -> None:
    proved = 0
    for campaign in loaded.definitions.campaigns:
        days = days_until(day_of(loaded.as_of, loaded.definitions), 3_000)
        numbers = loaded.numbers(campaign, days)
        for kind in (EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK):
            expected = naive(loaded, campaign, kind)
            found: Counter[tuple[int, date]] = Counter()
            for cell in numbers.cells:
                if cell.measure == kind.label:
                    found[cell.variant, cell.day] += cell.n
            assert found == expected
            proved += len(expected)
    assert proved


def naive(loaded: Loaded, campaign: Campaign, kind: EventKind) -> Counter[tuple[int, date]]:
    variants = [variant.id for variant in campaign.variants]
    found: Counter[tuple[int, date]] = Counter()
    for event in loaded.log.events:
        if event.kind is not kind or event.campaign_id != campaign.id:
            continue
        if event.machine and kind is EventKind.MESSAGE_CLICK:
            continue
        exposure = exposure_of(loaded.log, campaign, event)
        if exposure is not None and exposure.variant_id is not None:
            found[variants.index(exposure.variant_id), day_of(event.at, loaded.definitions)] += 1
    return found


def exposure_of(log: Log, campaign: Campaign, event: EventFact) -> ExposureFact | None:
    mine = [e for e in log.exposures_of[log.person(event.user_id)] if e.campaign_id == campaign.id]
    named = [e for e in mine if e.id == event.exposure_id]
    before = [e for e in mine if e.at <= event.at]
    if campaign.counting is Counting.ONCE_PER_CHANNEL:
        before = [e for e in before if e.channel == event.channel]
    return max(named or before, key=lambda e: (e.at, e.id.encode()), default=None)


def day_of(at: int, definitions: Definitions) -> date:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    return moment.astimezone(ZoneInfo(definitions.workspace.timezone)).date()


def test_a_campaign_without_facts_has_zeros(tmp_path: Path) -> None:
    world = generate_world(random.Random(1), users=1)
    live = LiveWorld(tmp_path)
    live.live.refresh(world.definitions, as_of=1)
    days = days_until(date(2024, 3, 31), 5)
    for campaign in world.definitions.campaigns:
        rows = campaign_series(live.live.daily(world.definitions, campaign.id, days[0], days[-1]), days)
        assert [row["time"] for row in rows] == [day.isoformat() for day in days]
        assert {row["conversions"] for row in rows} == {0}
        assert all(row["messages"] for row in rows)
