"""Sums of disjoint groups add up, and counts are sums of zeros and ones."""

from __future__ import annotations

from dataclasses import astuple

from afterword.stats.rates import Counts
from afterword.stats.sums import Sums


def sums_of(rows: list[tuple[float, float, float]]) -> Sums:
    """Sums over persons given as (y, m, x), the long way."""
    total = Sums()
    for y, m, x in rows:
        total += Sums(1, y, y * y, m, m * m, m * y, x, x * x, x * y, x * m)
    return total


def test_sums_of_disjoint_groups_add_up_in_every_field() -> None:
    first, second = [(1.0, 2.0, 5.0), (0.0, 1.0, 3.0)], [(4.0, 4.0, 0.5)]
    assert astuple(sums_of(first) + sums_of(second)) == (3, 5.0, 17.0, 7.0, 21.0, 18.0, 8.5, 34.25, 7.0, 15.0)


def test_counts_are_persons_with_one_unit_each() -> None:
    assert Sums.of_counts(Counts(3, 2)) == sums_of([(1, 1, 0), (1, 1, 0), (0, 1, 0)])
