"""Series for charts: whatever part is asked for, the days are those of the report and add up to its numbers."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from afterword.errors import UserError
from afterword.model import LETTERS, Campaign
from afterword.reports.day_series import MAX_DAYS, AskedSeries
from tests.extent import slow_but
from tests.histories import generate_world
from tests.workspace.live_world import LiveWorld, all_of


class Loaded:
    """A generated world that was loaded."""

    def __init__(self, seed: int, directory: Path) -> None:
        world = generate_world(random.Random(seed), users=40)
        facts = all_of(world.facts)
        self.definitions = world.definitions
        self.as_of = world.as_of or max(fact.at for fact in facts)
        self.live = LiveWorld(directory)
        self.live.load(facts, world.facts.merges)
        self.live.con.executemany(
            "INSERT INTO rates VALUES (?, ?, ?)",
            [(rate.date, rate.currency, rate.rate) for rate in world.facts.rates] or [(date(1980, 1, 1), "XXX", 1)],
        )
        self.live.live.refresh(self.definitions, as_of=self.as_of)

    def series(self, campaign: Campaign, **asked: Any) -> dict[str, Any]:
        return self.live.live.series(self.definitions, self.as_of, campaign.id, AskedSeries(**asked))

    def report(self, campaign: Campaign) -> dict[str, Any]:
        reports: list[dict[str, Any]] = self.live.live.report(self.definitions, self.as_of)["campaigns"]
        return reports[self.definitions.index_of(campaign.id)]


@pytest.fixture(scope="module", params=slow_but([0], [1, 2]))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(request.param, tmp_path_factory.mktemp("live"))


def rows_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The report's rows by the name that a series has."""
    totals = {name: report[name] for name in ("total", "total_with_control")}
    return {variant["id"]: variant for variant in report["variants"]} | totals


def entries_of(series: dict[str, Any]) -> dict[str, dict[str, Any]]:
    variants: dict[str, dict[str, Any]] = series["variants"]
    return variants | {name: series[name] for name in ("total", "total_with_control") if name in series}


@pytest.mark.parametrize("by_exposure", [False, True])
def test_all_days_add_up_to_the_report(loaded: Loaded, by_exposure: bool) -> None:
    for campaign in loaded.definitions.campaigns:
        found, report = loaded.series(campaign, by_exposure=by_exposure), loaded.report(campaign)
        assert found["as_of"] == loaded.live.live.report(loaded.definitions, loaded.as_of)["as_of"]
        entries, rows = entries_of(found), rows_of(report)
        assert entries.keys() == rows.keys()
        for name, entry in entries.items():
            row, cumulative = rows[name], entry["cumulative"]
            assert {len(entry[each]) for each in ("exposed", "recipients", "revenue")} == {len(found["days"])}
            assert sum(entry["exposed"]) == cumulative["exposed"][-1] == row["exposed"]
            assert cumulative["revenue"][-1] == row["revenue"]["amount"]
            for letter, days in entry["conversions"].items():
                assert sum(days) == cumulative["conversions"][letter][-1] == row["conversions"][letter]["converted"]
            for code, days in entry["revenue_unconverted"].items():
                assert sum(map(Decimal, days)) == Decimal(row["revenue"]["unconverted"].get(code, "0"))


def test_days_are_those_of_the_report(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        report = loaded.report(campaign)
        for by_exposure, key in ((False, "by_day"), (True, "by_exposure_day")):
            expected, found = report[key], loaded.series(campaign, by_exposure=by_exposure)
            start = found["days"].index(expected["days"][0]) if expected["days"] else 0
            cut = slice(start, start + len(expected["days"]))
            assert found["days"][cut] == expected["days"]
            for name, entry in entries_of(found).items():
                of = expected["variants"].get(name) or expected[name]
                assert {letter: days[cut] for letter, days in entry["conversions"].items()} == of["conversions"]
                assert entry["revenue"][cut] == of["revenue"]
                if by_exposure:
                    assert entry["recipients"][cut] == of["exposed"]


def test_a_range_is_a_cut_with_zeros_outside_of_the_campaign(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        whole = loaded.series(campaign)
        days = [date.fromisoformat(day) for day in whole["days"]]
        early = days[0] - timedelta(days=3)
        found = loaded.series(campaign, first=early, last=days[0])
        assert found["days"] == [(early + timedelta(days=n)).isoformat() for n in range(4)]
        for name, entry in entries_of(found).items():
            of = entries_of(whole)[name]
            assert entry["exposed"] == [0, 0, 0, of["exposed"][0]]
            assert entry["cumulative"]["exposed"] == [0, 0, 0, of["cumulative"]["exposed"][0]]
        late = days[-1] + timedelta(days=2)
        (after,) = (loaded.series(campaign, first=late, last=late),)
        for name, entry in entries_of(after).items():
            assert (entry["exposed"], entry["recipients"]) == ([0], [0])
            assert entry["cumulative"]["exposed"][0] == entries_of(whole)[name]["cumulative"]["exposed"][-1]


def test_one_variant_and_one_conversion_event_are_parts_of_the_whole(loaded: Loaded) -> None:
    for campaign in loaded.definitions.campaigns:
        whole = loaded.series(campaign)
        for name, entry in entries_of(whole).items():
            assert entries_of(loaded.series(campaign, variant=name)) == {name: entry}
        for letter in LETTERS[: len(campaign.conversion_events)]:
            found = loaded.series(campaign, event=letter)
            assert [event["letter"] for event in found["conversion_events"]] == [letter]
            for name, entry in entries_of(found).items():
                assert entry["conversions"] == {letter: entries_of(whole)[name]["conversions"][letter]}


def test_what_cannot_be_is_refused_in_a_sentence(loaded: Loaded) -> None:
    campaign = loaded.definitions.campaigns[0]
    today = date(2024, 5, 1)
    for asked, sentence in (
        ({"event": "E"}, 'unknown conversion event "E"'),
        ({"event": ""}, 'unknown conversion event ""'),
        ({"variant": "v00"}, 'unknown variant "v00" of c0, did you mean "v0"'),
        ({"first": today, "last": today - timedelta(days=1)}, "from is 2024-05-01, must not be after to, 2024-04-30"),
        ({"first": today - timedelta(days=MAX_DAYS), "last": today}, f"are {MAX_DAYS + 1:,} days, must be at most"),
    ):
        with pytest.raises(UserError) as refused:
            loaded.series(campaign, **asked)
        assert sentence in str(refused.value)


def test_a_campaign_without_facts_has_today_alone(tmp_path: Path) -> None:
    definitions = generate_world(random.Random(1), users=1).definitions
    live = LiveWorld(tmp_path)
    live.live.refresh(definitions, as_of=1)
    for campaign in definitions.campaigns:
        found = live.live.series(definitions, 1, campaign.id, AskedSeries())
        assert found["days"] == ["1970-01-01"]
        assert all(entry["exposed"] == [0] for entry in entries_of(found).values())
