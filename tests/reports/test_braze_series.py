"""Shaping of a campaign's days, without any database: what is known, what is unknown, what adds up."""

from __future__ import annotations

from datetime import date

import pytest

from afterword.model import Campaign, Channel, Step, Variant
from afterword.reports.braze_series import COUNTERS, campaign_series, canvas_series, canvas_summary
from afterword.reports.daily import ALL_MESSAGED, Cell, DailyNumbers, Earned, converted, days_until, first_of
from afterword.reports.exchange import ONE

DAY = date(2026, 3, 1)
NEXT = date(2026, 3, 2)
EMAIL, PUSH = 0, 1
VARIANTS = (Variant("a", 5_000, "Short"), Variant("b", 4_000), Variant("c", 1_000, "Nobody", control=True))


def campaign(*channels: Channel, steps: tuple[Step, ...] = ()) -> Campaign:
    return Campaign("x", "canvas" if steps else "campaign", "X", VARIANTS, channels=channels, steps=steps)


@pytest.mark.parametrize(
    ("last", "count", "expected"),
    [
        pytest.param("2026-03-01", 1, ["2026-03-01"], id="one"),
        pytest.param("2026-03-01", 3, ["2026-02-27", "2026-02-28", "2026-03-01"], id="over-the-end-of-a-month"),
        pytest.param("2024-03-01", 2, ["2024-02-29", "2024-03-01"], id="leap-day"),
    ],
)
def test_days_end_with_the_last(last: str, count: int, expected: list[str]) -> None:
    assert [day.isoformat() for day in days_until(date.fromisoformat(last), count)] == expected


@pytest.mark.parametrize(
    ("defined", "used", "expected"),
    [
        pytest.param((Channel.EMAIL,), {EMAIL}, ["email"], id="the-only-one"),
        pytest.param((Channel.PUSH, Channel.EMAIL), set(), ["email", "push"], id="several-in-one-order"),
        pytest.param((Channel.PUSH, Channel.EMAIL), {-1}, ["email", "push", "other"], id="nobody-says-which"),
        pytest.param((), {PUSH}, ["push"], id="only-facts-say"),
        pytest.param((), set(), ["other"], id="nothing-is-known"),
    ],
)
def test_channels_are_those_of_the_definition_and_of_facts(
    defined: tuple[Channel, ...], used: set[int], expected: list[str]
) -> None:
    [row] = campaign_series(DailyNumbers(campaign(*defined), used=frozenset(used)), [DAY])
    assert list(row["messages"]) == expected


@pytest.mark.parametrize(
    ("reported", "opens"),
    [
        pytest.param(set(), None, id="never-reported-is-unknown"),
        pytest.param({("message_open", EMAIL)}, 0, id="reported-of-the-channel"),
        pytest.param({("message_open", -1)}, 0, id="reported-of-this-campaign"),
        pytest.param({("message_open", PUSH)}, None, id="reported-of-another-channel"),
        pytest.param({("message_click", EMAIL)}, None, id="something-else-is-reported"),
    ],
)
def test_a_counter_that_nobody_reports_is_null(reported: set[tuple[str, int]], opens: int | None) -> None:
    [row] = campaign_series(DailyNumbers(campaign(Channel.EMAIL), reported=frozenset(reported)), [DAY])
    entry = row["messages"]["email"][0]
    assert (entry["opens"], entry["unique_opens"]) == (opens, opens)
    assert entry["sent"] == 0


@pytest.mark.parametrize("channel", Channel)
def test_every_counter_is_unknown_or_a_measure_that_is_reported(channel: Channel) -> None:
    code = list(Channel).index(channel)
    measures = {measure for measure in COUNTERS[channel].values() if measure is not None}
    reported = frozenset((measure.removeprefix(first_of("")), code) for measure in measures)
    cells = [Cell(0, code, -1, measure, DAY, 7) for measure in measures]
    [row] = campaign_series(DailyNumbers(campaign(channel), cells, reported=reported), [DAY])
    [[entry, *_]] = row["messages"].values()
    assert {name: entry[name] for name in COUNTERS[channel]} == {
        name: None if measure is None else 7 for name, measure in COUNTERS[channel].items()
    }


def test_totals_are_of_variants_with_a_message_and_control_stands_apart() -> None:
    cells = [
        Cell(0, EMAIL, -1, "recipients", DAY, 2),
        Cell(1, EMAIL, -1, "recipients", DAY, 2),
        Cell(2, EMAIL, -1, "recipients", DAY, 5),
        Cell(ALL_MESSAGED, -1, -1, "recipients", DAY, 3),  # one user got both
        Cell(0, EMAIL, -1, converted(0), DAY, 1),
        Cell(1, EMAIL, -1, converted(3, by_exposure=True), DAY, 1),
        Cell(2, EMAIL, -1, converted(0), DAY, 4),
        Cell(2, EMAIL, -1, "exposures", DAY, 6),
    ]
    earned = [Earned(0, EMAIL, -1, DAY, ONE // 10), Earned(1, EMAIL, -1, DAY, ONE // 5), Earned(2, EMAIL, -1, DAY, ONE)]
    row, later = campaign_series(DailyNumbers(campaign(Channel.EMAIL), cells, earned), [DAY, NEXT])
    assert (row["unique_recipients"], row["conversions"], row["conversions3_by_send_time"]) == (3, 1, 1)
    assert row["revenue"] == 0.3  # and not 0.1 + 0.2 of floats
    short, long, control = row["messages"]["email"]
    assert [entry["variation_name"] for entry in (short, long, control)] == ["Short", "b", "Control Group"]
    assert (control["enrolled"], control["conversions"], control["revenue"]) == (6, 4, 1.0)
    assert "sent" not in control
    assert {later["unique_recipients"], later["revenue"], later["conversions"]} == {0}


def test_a_step_has_what_it_was_credited_and_the_canvas_has_more() -> None:
    cells = [
        Cell(0, -1, -1, "exposures", DAY, 4),
        Cell(0, -1, 0, "received", DAY, 3),
        Cell(0, -1, 0, converted(0), DAY, 1),
        Cell(1, -1, -1, converted(0), NEXT, 1),  # before any step
        Cell(2, -1, -1, "exposures", DAY, 9),
    ]
    numbers = DailyNumbers(campaign(Channel.EMAIL, steps=(Step("hello", "Hello"),)), cells)
    whole = canvas_summary(numbers, [DAY, NEXT], variants=True, steps=True)
    assert (whole["total_stats"]["conversions"], whole["total_stats"]["entries"]) == (2, 4)
    assert whole["variant_stats"]["c"]["entries"] == 9
    assert whole["step_stats"]["hello"]["conversions"] == 1
    [counters] = whole["step_stats"]["hello"]["messages"]["email"]
    assert {name for name, value in counters.items() if value is not None} == {"sent"}
    assert counters["sent"] == 3
    first, second = canvas_series(numbers, [DAY, NEXT], variants=False, steps=False)
    assert set(first) == {"time", "total_stats"}
    assert (first["total_stats"]["conversions"], second["total_stats"]["conversions"]) == (1, 1)
