"""The real e-mail test through the example: the published numbers, and statistics computed elsewhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import afterword
from examples.hillstrom import DEFINITIONS, main, write_facts

PUBLISHED_FILE = Path(__file__).parents[3] / "shared" / "data" / "hillstrom.csv"

pytestmark = pytest.mark.skipif(
    not PUBLISHED_FILE.exists(), reason="the published file is no part of the product; it is expected in ../shared/data"
)

# Customers, visitors, buyers, dollars of each arm, counted in the published file.
TOTALS = {
    "mens": (21_307, 3_894, 267, "30311.69"),
    "womens": (21_387, 3_238, 189, "23038.11"),
    "control": (21_306, 2_262, 122, "13908.33"),
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_facts(PUBLISHED_FILE, tmp_path_factory.mktemp("hillstrom"))


@pytest.fixture(scope="module")
def results(facts: tuple[Path, Path]) -> afterword.Results:
    exposures, events = facts
    return afterword.run(DEFINITIONS, exposures=exposures, events=events)


def test_every_outcome_has_a_time_inside_the_two_weeks(facts: tuple[Path, Path]) -> None:
    exposures, events = map(str, facts)
    (row,) = duckdb.execute(
        """
        SELECT count(*), count(*) FILTER (occurred_at BETWEEN exposed_at AND exposed_at + INTERVAL 14 DAY),
               count(DISTINCT occurred_at::DATE)
        FROM read_parquet($events) JOIN read_parquet($exposures) USING (user_id)
        """,
        {"events": events, "exposures": exposures},
    ).fetchall()  # to the end: the default connection is for all tests
    outcomes = sum(visited + bought for _, visited, bought, _ in TOTALS.values())
    assert row[:2] == (outcomes, outcomes)
    assert row[2] >= 14


def test_totals_are_those_of_the_published_file(results: afterword.Results) -> None:
    (campaign,) = results.json["campaigns"]
    found = {
        row["id"]: (
            row["exposed"],
            row["conversions"]["B"]["converted"],
            row["conversions"]["A"]["converted"],
            row["revenue"]["amount"],
        )
        for row in campaign["variants"]
    }
    assert found == TOTALS
    assert results.json["facts"]["rejected"] == {}


def test_statistics_are_those_of_other_programs(results: afterword.Results) -> None:
    # statsmodels 0.15: difference and relative lift of men's against none, pooled z 7.38511 (p 1.523e-13).
    (campaign,) = results.json["campaigns"]
    mens = next(row for row in campaign["variants"] if row["id"] == "mens")["conversions"]["A"]
    assert mens["difference"] == pytest.approx(0.00680501, abs=5e-9)
    assert mens["lift"] == pytest.approx(1.1884, abs=5e-5)
    # Newcombe's interval is close to Wald's [0.00500017, 0.00860984] with so many customers, and not the same.
    assert mens["difference_interval"] == pytest.approx([0.00500017, 0.00860984], abs=5e-5)
    assert 100 - mens["confidence"] == pytest.approx(1.523e-11, rel=5e-3)  # per cent; this close to 100 digits run out


def test_credited_purchases_add_up_to_the_cent(results: afterword.Results) -> None:
    spent = results.credited_purchases.aggregate("variant_id, sum(amount) AS spent").fetchall()
    assert dict(spent) == {variant: Decimal(amount) for variant, (*_, amount) in TOTALS.items()}


def test_example_prints_the_report_and_says_that_times_are_invented(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main(str(PUBLISHED_FILE), str(tmp_path / "results"))
    printed = capsys.readouterr().out
    assert "has no times" in printed
    assert "30,311.69" in printed
    assert (tmp_path / "results" / "report.json").exists()
