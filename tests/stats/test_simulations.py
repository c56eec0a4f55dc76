"""What the simulations of docs/statistics.md show, with fewer runs: `make sim` makes the numbers of the page."""

from __future__ import annotations

import re

from benchmarks.simulations import discovering, looking, maturing, splitting
from benchmarks.simulations.__main__ import PAGE, SIMULATIONS, written
from benchmarks.simulations.table import Table


def column(table: Table, index: int) -> list[float]:
    """The first number of each cell."""
    return [float(row[index].split()[0].replace(",", "")) for row in table.rows]


def test_sequences_of_rates_hold_at_all_looks_together() -> None:
    # 80 runs of each of 12 situations per rate: the lowest of the 12 is more than chance below 95.
    table = looking.coverage_of_rates(runs=80)
    assert min(column(table, 1)) >= 92
    assert min(column(table, 2)) >= 92


def test_sequences_of_revenue_hold_where_the_plain_formula_does_not() -> None:
    table = looking.coverage_of_means(runs=80)
    assert min(column(table, 2)) >= 95
    assert min(column(table, 3)) < 92


def test_peeking_makes_false_winners_of_the_ordinary_test_only() -> None:
    table = looking.peeking(runs=80)
    assert max(column(table, 1)) <= 5
    assert min(column(table, 2)) >= 15


def test_eight_variants_and_four_events_make_few_false_verdicts() -> None:
    table = looking.family(runs=15)
    assert max(column(table, 1)) <= 7
    assert min(column(table, 3)) >= 90


def test_of_what_benjamini_and_hochberg_call_few_are_errors() -> None:
    table = discovering.discoveries(runs=12)
    assert max(max(column(table, place)) for place in (1, 2)) <= 10
    assert max(column(table, 6)) >= 20  # who stops an ordinary test on the worst day


def test_half_of_the_verdicts_come_within_twice_the_planned_size() -> None:
    table = looking.later(runs=20)
    assert max(column(table, 3)) <= 2
    assert max(column(table, 3)[2::3]) < 1


def test_split_check_is_quiet_without_cause_and_finds_a_leak() -> None:
    assert {cell for row in splitting.false_alarms(runs=10).rows for cell in row[1:]} == {"0.00 %"}
    leaks = splitting.leaks(runs=20)
    moved = next(row for row in leaks.rows if row[1] == "1 % of the 50 % arm moved")
    assert 100_000 < float(moved[3].replace(",", "")) < 500_000


def test_forecasts_hold_what_came_of_open_windows() -> None:
    covered = column(maturing.forecasts(runs=12), 3)
    assert min(covered) >= 90
    assert 94 <= sum(covered) / len(covered) <= 98


def test_page_has_a_place_for_every_table_that_is_made() -> None:
    for path in {PAGE, *(one.page for one in SIMULATIONS.values())}:
        places = re.findall(r"<!-- sim: (\S+) -->", path.read_text(encoding="utf-8"))
        assert places != []
        assert {SIMULATIONS[name].page for name in places} == {path}


def test_table_is_written_into_its_place_and_nowhere_else() -> None:
    other = "\n<!-- end -->\nb\n<!-- sim: y -->\nstays\n<!-- end -->\n"
    page = f"a\n<!-- sim: x -->\nold{other}"
    found = written(page, "x", Table("t", ("one", "two"), (("1", "2"),)))
    assert found == f"a\n<!-- sim: x -->\n\n| one | two |\n| --- | --- |\n| 1 | 2 |\n{other}"
    assert written(page, "z", Table("t", (), ())) == page
