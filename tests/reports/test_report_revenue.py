from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from afterword.model import Campaign
from afterword.reports.facts import FactCounts
from afterword.reports.report import build_report
from tests.reports.derived import DAY, START, Exposure, Unit, a_campaign, definitions, empty_tables, fill, write

MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4)


def purchase(
    variant: int, step: int, exposed: date, occurred: date, amount: str, currency: int, refunded: str = "0"
) -> tuple[object, ...]:
    millionths = [round(float(text) * 1_000_000) for text in (amount, refunded)]
    return (0, variant, -1, step, 0, 0, exposed, 0, 0, occurred, *millionths, currency)


def report_with(purchases: Sequence[tuple[object, ...]], rates: Sequence[tuple[object, ...]]) -> dict[str, Any]:
    con = empty_tables()
    exposures = [Exposure(i, i, variant, -1, START, 0) for i, variant in enumerate((0, 0, 1, 2))]
    write(con, 0, [Unit(e.user, -1, -1, [e]) for e in exposures])
    fill(con, "currencies", [(0, "EUR"), (1, "USD"), (2, "CHF")])
    fill(con, "credited", purchases)
    fill(con, "rates", rates)
    report = build_report(con, definitions(a_campaign()), FactCounts(), START + DAY)
    return dict(report["campaigns"][0])


@pytest.fixture(scope="module")
def campaign() -> dict[str, Any]:
    return report_with(
        [
            purchase(0, -1, MONDAY, MONDAY, "10.005", 0),
            purchase(0, 0, MONDAY, TUESDAY, "10", 1),
            purchase(0, 1, TUESDAY, WEDNESDAY, "10", 1, refunded="4"),
            purchase(1, 0, MONDAY, MONDAY, "7.5", 2),
            purchase(2, -1, MONDAY, MONDAY, "1", 0),
        ],
        [(MONDAY, "USD", "0.5"), (WEDNESDAY, "USD", "0.25")],
    )


def test_each_purchase_is_converted_at_its_own_day(campaign: dict[str, Any]) -> None:
    # 10.005 + 10 x 0.5 + 6 x 0.25 = 16.505, half to even.
    assert campaign["variants"][0]["revenue"] == {
        "amount": "16.50",
        "unconverted": {},
        "per_exposed": "8.252500",
        "purchases": 3,
    }


def test_without_a_rate_revenue_is_apart_and_warned_of(campaign: dict[str, Any]) -> None:
    assert campaign["variants"][1]["revenue"]["unconverted"] == {"CHF": "7.50"}
    assert [warning["code"] for warning in campaign["warnings"]] == ["unconverted_revenue"]
    assert "7.50 CHF" in campaign["warnings"][0]["message"]


def test_totals_are_without_control_and_with(campaign: dict[str, Any]) -> None:
    assert campaign["total"]["revenue"]["amount"] == "16.50"
    assert campaign["total_with_control"]["revenue"]["amount"] == "17.50"  # 17.505


def test_steps_have_the_revenue_credited_to_them(campaign: dict[str, Any]) -> None:
    assert [step["revenue"]["amount"] for step in campaign["steps"]] == ["5.00", "1.50"]
    assert campaign["steps"][0]["revenue"]["unconverted"] == {"CHF": "7.50"}


def test_days_of_purchase_and_of_exposure(campaign: dict[str, Any]) -> None:
    by_day, by_exposure = campaign["by_day"], campaign["by_exposure_day"]
    assert by_day["days"] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert by_day["variants"]["a"]["revenue"] == ["10.00", "5.00", "1.50"]  # 10.005, half to even
    assert by_exposure["variants"]["a"]["revenue"] == ["15.00", "1.50", "0.00"]  # 15.005
    assert by_day["variants"]["b"]["revenue_unconverted"] == {"CHF": ["7.50", "0.00", "0.00"]}


def test_amounts_beyond_64_bits_are_exact() -> None:
    big = [(0, 0, -1, -1, 0, 0, MONDAY, 0, 0, MONDAY, 10**18 - 1, 0, 0)] * 20
    assert report_with(big, [])["variants"][0]["revenue"]["amount"] == "20000000000000.00"


def empty_report(campaign: Campaign) -> dict[str, Any]:
    report = build_report(empty_tables(), definitions(campaign), FactCounts(), START)
    return dict(report["campaigns"][0])


@pytest.mark.parametrize(
    "campaign",
    [
        pytest.param(a_campaign(), id="nobody"),
        pytest.param(replace(a_campaign(), conversion_events=()), id="no-conversion-events"),
        pytest.param(replace(a_campaign(), variants=a_campaign().variants[:1]), id="one-variant-without-control"),
        pytest.param(replace(a_campaign(), variants=a_campaign().variants[2:]), id="only-control"),
    ],
)
def test_nobody_exposed_divides_by_nothing(campaign: Campaign) -> None:
    empty = empty_report(campaign)
    for row in [*empty["variants"], empty["total"], empty["total_with_control"]]:
        assert (row["exposed"], row["audience_share"], row["revenue"]["per_exposed"]) == (0, None, None)
        for on in row["conversions"].values():
            missing = ("rate", "interval", "difference", "difference_interval", "lift", "confidence")
            assert [on[key] for key in missing] == [None] * len(missing)
            assert set(on["time_to_convert"].values()) == {None}
    assert empty["by_day"]["days"] == []
