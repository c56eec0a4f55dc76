"""build_report against a recount by plain loops over the same units."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from afterword.model import LETTERS, Campaign, Counting
from afterword.reports.facts import FactCounts
from afterword.reports.report import build_report
from tests.extent import slow_but
from tests.reports.derived import (
    DAY,
    EVENTS,
    HOUR,
    START,
    VARIANTS,
    Conversion,
    Exposure,
    Unit,
    a_campaign,
    day_of,
    definitions,
    empty_tables,
    random_units,
    write,
)

AS_OF = START + 6 * DAY
SCOPES = {"a": {0}, "b": {1}, "control": {2}, "total": {0, 1}, "total_with_control": {0, 1, 2}}


def row_of(campaign: dict[str, Any], scope: str) -> dict[str, Any]:
    if scope in ("total", "total_with_control"):
        return dict(campaign[scope])
    return next(dict(variant) for variant in campaign["variants"] if variant["id"] == scope)


def converted(unit: Unit, variants: set[int], letter: int) -> bool:
    return any(c.letter == letter for e in unit.exposures if e.variant in variants for c in e.conversions)


def recount(units: list[Unit], variants: set[int], letter: int) -> dict[str, int]:
    deadline = EVENTS[letter].deadline_seconds * 1_000_000
    row = [unit for unit in units if any(e.variant in variants for e in unit.exposures)]
    seen: dict[int, set[int]] = {}
    for unit in units:
        seen.setdefault(unit.user, set()).update(e.variant for e in unit.exposures)
    matured = [unit for unit in row if min(e.at for e in unit.exposures if e.variant in variants) + deadline <= AS_OF]
    pending = [
        unit
        for unit in row
        if not converted(unit, {0, 1, 2}, letter)
        and unit.exposures[-1].variant in variants
        and unit.exposures[-1].superseded_at is None
        and unit.exposures[-1].at + deadline > AS_OF
    ]
    persons = {unit.user for unit in row}
    single = {user for user in persons if len(seen[user]) == 1}
    count = sum(converted(unit, variants, letter) for unit in row)
    return {
        "exposed": len(row),
        "persons": len(persons),
        "several_variants": len(persons - single),
        "converted": count,
        "pending": len(pending),
        "not_converted": len(row) - count - len(pending),
        "matured_n": len(matured),
        "matured_converted": sum(converted(unit, variants, letter) for unit in matured),
        "compared_n": len(single),
        "compared_converted": len({u.user for u in row if u.user in single and converted(u, variants, letter)}),
    }


def conversions_of(units: list[Unit], variants: set[int], letter: int) -> list[tuple[Exposure, Conversion]]:
    return [
        (e, c)
        for unit in units
        for e in unit.exposures
        if e.variant in variants
        for c in e.conversions
        if c.letter == letter
    ]


def the_report(campaigns: list[Campaign], units: list[list[Unit]]) -> list[dict[str, Any]]:
    con = empty_tables()
    for index, mine in enumerate(units):
        write(con, index, mine)
    report = build_report(con, definitions(*campaigns), FactCounts(), AS_OF, [c.id for c in campaigns])
    return list(report["campaigns"])


@pytest.fixture(scope="module", params=slow_but([0, 2], [1, 3]), ids=lambda seed: f"seed-{seed}")
def reported(request: pytest.FixtureRequest) -> list[tuple[dict[str, Any], list[Unit]]]:
    rng = random.Random(request.param)
    campaigns = [a_campaign(counting, counting.value) for counting in Counting]
    units = [random_units(rng, campaign, AS_OF) for campaign in campaigns]
    return list(zip(the_report(campaigns, units), units, strict=True))


Reported = list[tuple[dict[str, Any], list[Unit]]]


def test_every_count_equals_the_recount(reported: Reported) -> None:
    for campaign, units in reported:
        for scope, variants in SCOPES.items():
            row = row_of(campaign, scope)
            for letter in range(len(EVENTS)):
                numbers = row | row["conversions"][LETTERS[letter]]
                expected = recount(units, variants, letter)
                assert {key: numbers[key] for key in expected} == expected, (campaign["id"], scope, letter)


def test_no_rate_exceeds_one_and_the_interval_holds_it(reported: Reported) -> None:
    for campaign, _ in reported:
        for scope in SCOPES:
            for on in row_of(campaign, scope)["conversions"].values():
                low, high = on["interval"]
                assert 0 <= low <= on["rate"] <= high <= 1


def test_also_converted_counts_units(reported: Reported) -> None:
    for campaign, units in reported:
        for scope, variants in SCOPES.items():
            also = row_of(campaign, scope)["also_converted"]
            for one in range(len(EVENTS)):
                for other in range(len(EVENTS)):
                    both = sum(converted(u, variants, one) and converted(u, variants, other) for u in units)
                    if one != other:
                        assert also[LETTERS[one]][LETTERS[other]] == both
        assert campaign["also_converted"] == campaign["total"]["also_converted"]


def test_quartiles_are_those_of_the_sorted_ages(reported: Reported) -> None:
    for campaign, units in reported:
        for scope, variants in SCOPES.items():
            for letter in range(len(EVENTS)):
                ages = sorted(c.at - e.at for e, c in conversions_of(units, variants, letter))
                expected = [ages[math.ceil(q * len(ages)) - 1] / 1e6 if ages else None for q in (0.25, 0.5, 0.75)]
                time = row_of(campaign, scope)["conversions"][LETTERS[letter]]["time_to_convert"]
                assert [time["p25"], time["median"], time["p75"]] == expected


def test_opens_clicks_and_steps_are_counted(reported: Reported) -> None:
    for campaign, units in reported:
        for letter, name in enumerate(LETTERS[: len(EVENTS)]):
            for scope, variants in SCOPES.items():
                found = conversions_of(units, variants, letter)
                on = row_of(campaign, scope)["conversions"][name]
                assert on["after_open"] == sum(c.after_open for _, c in found)
                assert on["after_click"] == sum(c.after_click for _, c in found)
            for position, step in enumerate(campaign["steps"]):
                found = conversions_of(units, {0, 1}, letter)
                assert step["conversions"][name] == sum(c.step == position for _, c in found)


def test_days_add_up_by_conversion_and_by_exposure(reported: Reported) -> None:
    for campaign, units in reported:
        for key in ("by_day", "by_exposure_day"):
            series = campaign[key]
            for scope, variants in SCOPES.items():
                entry = series[scope] if scope in series else series["variants"][scope]
                for letter in range(len(EVENTS)):
                    found = conversions_of(units, variants, letter)
                    expected = [
                        sum(day_of(c.at if key == "by_day" else e.at).isoformat() == day for e, c in found)
                        for day in series["days"]
                    ]
                    assert entry["conversions"][LETTERS[letter]] == expected
                    assert sum(expected) == len(found)


def test_recipients_per_day_are_unique_units(reported: Reported) -> None:
    for campaign, units in reported:
        series = campaign["by_exposure_day"]
        for scope, variants in SCOPES.items():
            entry = series[scope] if scope in series else series["variants"][scope]
            expected = [
                sum(any(day_of(e.at).isoformat() == day for e in u.exposures if e.variant in variants) for u in units)
                for day in series["days"]
            ]
            assert entry["exposed"] == expected


def test_first_exposure_days_add_up(reported: Reported) -> None:
    for campaign, units in reported:
        for scope, variants in SCOPES.items():
            series = campaign["by_first_exposure_day"]
            entry = series[scope] if scope in series else series["variants"][scope]
            row = [u for u in units if any(e.variant in variants for e in u.exposures)]
            first = [min(day_of(e.at) for e in u.exposures if e.variant in variants).isoformat() for u in row]
            assert dict(zip(entry["days"], entry["n"], strict=True)) == {day: first.count(day) for day in set(first)}
            for letter, name in enumerate(LETTERS[: len(EVENTS)]):
                on, expected = entry["conversions"][name], recount(units, variants, letter)
                assert sum(on["converted"]) == expected["converted"]
                assert sum(on["matured_n"]) == expected["matured_n"]
                assert sum(on["matured_converted"]) == expected["matured_converted"]


def test_delays_are_a_life_table(reported: Reported) -> None:
    for campaign, units in reported:
        for position, variant in enumerate(VARIANTS):
            for letter, event in enumerate(EVENTS):
                hours = math.ceil(event.deadline_seconds / 3600)
                at_risk, happened = [0] * hours, [0] * hours
                for e in (e for u in units for e in u.exposures if e.variant == position and e.at_risk >> letter & 1):
                    end = min(event.deadline_seconds * 1_000_000, AS_OF - e.at)
                    open_ended = e.superseded_at is not None and e.superseded_at - e.at <= end
                    end = e.superseded_at - e.at if open_ended and e.superseded_at is not None else end
                    mine = [c.at - e.at for c in e.conversions if c.letter == letter]
                    for hour in range(hours):
                        reached = (
                            mine[0] >= hour * HOUR
                            if mine
                            else (end > hour * HOUR if open_ended else end >= hour * HOUR)
                        )
                        at_risk[hour] += reached
                    if mine:
                        happened[min(mine[0] // HOUR, hours - 1)] += 1
                found = campaign["delays"]["variants"][variant.id][LETTERS[letter]]
                padded = [*found["at_risk"], *[0] * hours][:hours], [*found["converted"], *[0] * hours][:hours]
                assert padded == (at_risk, happened)


def test_outcomes_and_exposures_are_counted(reported: Reported) -> None:
    names = ["sent", "bounced", "aborted"]
    for campaign, units in reported:
        for scope, variants in SCOPES.items():
            mine = [e for u in units for e in u.exposures if e.variant in variants]
            row = row_of(campaign, scope)
            assert row["exposures"] == len(mine)
            expected = {name: sum(e.outcome == code for e in mine) for code, name in enumerate(names)}
            assert row["outcomes"] == {name: n for name, n in expected.items() if n}


def test_opens_and_clicks_are_not_compared_but_others_are(reported: Reported) -> None:
    for campaign, _ in reported:
        for variant in campaign["variants"]:
            comparisons = {letter: on["difference"] for letter, on in variant["conversions"].items()}
            assert comparisons["C"] is None
            assert (comparisons["A"] is None) == variant["control"]
        assert campaign["total"]["conversions"]["A"]["difference"] is not None
        assert campaign["total_with_control"]["conversions"]["A"]["difference"] is None


def test_several_variants_raise_a_warning(reported: Reported) -> None:
    for campaign, _ in reported:
        assert [warning["code"] for warning in campaign["warnings"]] == ["several_variants"]
