from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.reports.charts import Estimate, Series, breadth, interval_chart, line_chart, nice_step, spread, two_lines


@given(st.lists(st.floats(0, 200), min_size=1, max_size=9))
def test_labels_keep_their_distance_and_order(wanted: list[float]) -> None:
    placed = spread(wanted, 10, 210)
    positions = sorted(placed)
    assert all(later - earlier >= 14.8 for earlier, later in pairwise(positions))
    assert positions[0] >= 9.9
    assert positions[-1] <= 210.1
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert [placed[i] for i in order] == positions


def test_labels_that_are_apart_stay_where_they_want_to_be() -> None:
    assert spread([20, 100, 60], 0, 200) == [20, 100, 60]


@given(st.floats(1e-9, 1e9), st.integers(1, 10))
def test_steps_are_round_and_few(span: float, ticks: int) -> None:
    step = nice_step(span, ticks)
    assert step * ticks >= span * (1 - 1e-6)
    assert f"{step:e}"[0] in "125"


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=8))
def test_intervals_are_inside_the_chart_and_zero_is_on_it(given_intervals: list[tuple[float, float, float]]) -> None:
    estimates = [Estimate("v", "v0", value - below, value, value + above) for value, below, above in given_intervals]
    chart = interval_chart(estimates, "")
    assert chart is not None
    assert sum(tick.zero for tick in chart.ticks) == 1
    left, right = chart.ticks[0].at, chart.ticks[-1].at
    assert all(left - 0.2 <= bar.low <= bar.dot <= bar.high <= right + 0.2 for bar in chart.bars)


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_nothing_to_draw_is_no_chart(values: list[float]) -> None:
    assert line_chart([Series("v", "v0", values)], ["2026-11-02"] * len(values), "%", "") is None
    assert interval_chart([], "") is None


def test_one_day_is_a_dot() -> None:
    chart = line_chart([Series("v", "v0", [3])], ["2026-11-02"], "", "")
    assert chart is not None
    assert chart.lines[0].lone


def test_a_line_ends_at_its_last_value() -> None:
    chart = line_chart([Series("v", "v0", [0, 5, 10])], ["2026-11-02", "2026-11-03", "2026-11-04"], "", "")
    assert chart is not None
    line = chart.lines[0]
    assert line.end_x == pytest.approx(chart.right, abs=0.1)
    assert line.end_y == chart.top
    start, *rest = line.path[1:].replace("l", " ").replace("-", " -").split()
    numbers = [int(start), *map(int, rest)]
    assert sum(numbers[::2]) == pytest.approx(10 * chart.right, abs=1)
    assert sum(numbers[1::2]) == pytest.approx(10 * chart.top, abs=1)


def test_very_long_series_are_thinned_but_keep_their_end() -> None:
    days = ["2026-11-02"] * 5_000
    chart = line_chart([Series("v", "v0", list(range(5_000)))], days, "", "")
    assert chart is not None
    assert len(chart.lines[0].path) < 2_000
    assert chart.lines[0].end_y == pytest.approx(chart.top, abs=0.2)


def test_long_names_take_two_lines() -> None:
    assert two_lines("Free shipping ends Sunday", 19) == ["Free shipping ends", "Sunday"]
    assert two_lines("Control", 19) == ["Control"]
    for wide in (
        "W" * 60,
        "WINTER SALE: MORE, MORE, MORE FOR EVERYBODY",
        "冬のセール、今だけ三割引きで全国どこへでもお届けします",
        "🫖" * 40,
    ):
        first, second = two_lines(wide, 19)
        assert max(breadth(first), breadth(second)) <= 19
        assert second.endswith("…")
        assert wide.replace(" ", "").startswith(f"{first}{second}".replace(" ", "").rstrip("…"))
    assert two_lines("one two three four five six seven eight nine", 19)[1].endswith("…")
