"""What a verdict is made of: sums of those who came of age, and when the others will."""

from __future__ import annotations

from dataclasses import replace

import pytest

from afterword.selection.experiment import Arm, Epoch, Experiment, Metric
from afterword.stats.rates import Counts, rate
from afterword.stats.sums import Sums
from tests.selection.worlds import DAY, TODAY, A, arm, experiment


def entering(*first_exposed: tuple[int, int], of_age: int = 0) -> Arm:
    """An arm into which persons came so many days ago."""
    entered = [(TODAY - ago, n) for ago, n in first_exposed]
    days = {"A": [(TODAY, Sums.of_counts(Counts(of_age, 0)))]} if of_age else {}
    return replace(arm("a"), days=days, first_exposed=entered)


def test_sums_add_up_over_days() -> None:
    one = arm("a", 95, 11)
    assert one.total("A") == Sums.of_counts(Counts(95, 11))
    cumulative = one.cumulative("A")
    assert len(cumulative) == 10
    assert cumulative[-1] == (TODAY, one.total("A"))
    assert [day for day, _ in cumulative] == sorted(day for day, _ in cumulative)


def test_what_is_not_known_of_an_arm_is_nothing() -> None:
    assert arm("a").total("revenue") == Sums()
    assert arm("a").cumulative("B") == []


def test_waiting_are_those_who_entered_and_are_not_of_age() -> None:
    one = arm("a", 100, 5, waiting=40)
    assert experiment(one).waiting(one, A) == 40


@pytest.mark.parametrize(
    ("one", "persons", "days"),
    [
        pytest.param(entering((5, 100), of_age=100), 100, 0, id="there-already"),
        pytest.param(entering((5, 100), (2, 50), (1, 50), of_age=100), 150, 1, id="the-first-windows-to-end"),
        pytest.param(entering((5, 100), (2, 50), (1, 50), of_age=100), 151, 2, id="the-next"),
        pytest.param(entering((3, 10), (2, 10), (1, 10)), 130, 3 + 10, id="more-must-come"),
        pytest.param(entering((30, 100), of_age=100), 101, None, id="nobody-comes-any-more"),
        pytest.param(entering((0, 100)), 101, None, id="today-is-not-over"),
        pytest.param(entering((0, 100)), 100, 3, id="those-of-today"),
    ],
)
def test_when_so_many_will_have_come_of_age(one: Arm, persons: int, days: int | None) -> None:
    assert experiment(one).days_until(one, A, persons) == days


def test_people_who_come_at_some_rate_are_counted_over_the_last_week() -> None:
    one = entering(*((ago, 7) for ago in range(20, 0, -1)), (0, 1000))
    assert experiment(one).arrivals(one) == 7


def changing(*shares: tuple[int, float]) -> Experiment:
    """Two arms alike, of whom so many came so many days ago; the rate falls from a half to a tenth after day 10."""
    arms = []
    for name in "ab":
        days = []
        for ago in range(20, 2, -1):
            part = next(share for since, share in reversed(shares) if ago <= since)
            n = round(1_000 * (part if name == "a" else 1 - part))
            days.append((TODAY - ago + 3, Sums.of_counts(Counts(n, n // 2 if ago > 10 else n // 10))))
        arms.append(replace(arm(name), days={"A": days}))
    epochs = tuple(Epoch(TODAY - since, {"a": share, "b": 1 - share}) for since, share in shares)
    return replace(experiment(*arms), epochs=epochs)


def test_variants_are_compared_among_users_who_came_at_the_same_time() -> None:
    one = changing((20, 0.1), (10, 0.9))
    pooled = [rate(Counts(sums.n, round(sums.y))) for sums in (found.total("A") for found in one.arms)]
    assert pooled[0] is not None
    assert pooled[1] is not None
    assert pooled[0] < pooled[1] - 0.2  # though both have the same rate on each day
    a, b = one.two("a", "b", A)
    assert a.y / a.n == pytest.approx(b.y / b.n)
    assert a.n + b.n < sum(found.total("A").n for found in one.arms)
    assert [sum(sums.n for sums in stretch.values()) for stretch in one.strata(A)] == [10_000, 7_000]


def test_shares_that_stand_still_leave_the_sums_alone() -> None:
    one = changing((20, 0.3), (10, 0.3))
    assert one.changed_on == ()
    assert one.two("a", "b", A) == (one.arms[0].total("A"), one.arms[1].total("A"))


def test_a_deadline_that_is_no_whole_day_leaves_out_a_day_more() -> None:
    one = changing((20, 0.1), (10, 0.9))
    (before, after) = one.strata(Metric("A", 3 * DAY - 3_600))
    assert sum(sums.n for sums in before.values()) + sum(sums.n for sums in after.values()) == 16_000


def test_where_shares_follow_results_each_day_stands_for_itself() -> None:
    one = replace(changing((20, 0.1), (10, 0.9)), follows_results=True)
    assert len(one.strata(A)) == 18
    a, b = one.two("a", "b", A)
    assert a.y / a.n == pytest.approx(b.y / b.n)


def test_clicks_are_compared_without_control() -> None:
    one = experiment(arm("a"), arm("b"), arm("control"))
    assert [found.id for found in one.arms_of(Metric("A", DAY, compared_with_control=False))] == ["a", "b"]
    assert len(one.arms_of(A)) == 3
