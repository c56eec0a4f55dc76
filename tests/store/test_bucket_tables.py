"""Buckets follow the shares, and the fewest move."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterword.store.bucket_tables import (
    BUCKETS,
    BucketTable,
    first_buckets,
    first_table,
    next_buckets,
    next_table,
    packed,
    salt_of,
    unpacked,
)


def moved(old: BucketTable, new: BucketTable) -> int:
    """How many buckets belong to another variant than before."""
    return sum(old.variants[was] != new.variants[becomes] for was, becomes in zip(old.codes, new.codes, strict=True))


def counts(table: BucketTable) -> dict[str, int]:
    found = Counter(table.variants[code] for code in table.codes)
    return {variant: found[variant] for variant in table.variants}


def shares_of_sum(total: int) -> st.SearchStrategy[list[dict[str, int]]]:
    """A history of shares of the same sum; variants are added and never taken away."""

    def history(cuts: list[list[int]]) -> list[dict[str, int]]:
        found: list[dict[str, int]] = []
        most = 0
        for each in cuts:
            most = max(most, len(each) + 1)
            points = [0, *sorted(each), total]
            sizes = [high - low for low, high in pairwise(points)]
            sizes += [0] * (most - len(sizes))
            found.append({f"v{number}": size for number, size in enumerate(sizes)})
        return found

    return st.lists(st.lists(st.integers(0, total), max_size=7), min_size=2, max_size=5).map(history)


def test_a_launch_gives_each_variant_its_share_exactly() -> None:
    table = first_table({"a": 3333, "b": 3334, "c": 2333})
    assert counts(table) == {"a": 3333, "b": 3334, "c": 2333}
    assert len(table.codes) == BUCKETS - 1000


@settings(max_examples=60)
@given(shares_of_sum(900))
def test_a_change_moves_as_many_buckets_as_the_shares_of_the_losers_fell(history: list[dict[str, int]]) -> None:
    home = table = first_table(history[0])
    for before, after in pairwise(history):
        new = next_table(table, after, home)
        assert counts(new) == after
        assert moved(table, new) == sum(max(0, share - after[variant]) for variant, share in before.items())
        table = new


@settings(max_examples=40)
@given(shares_of_sum(6))
def test_no_other_table_of_these_shares_moves_fewer(history: list[dict[str, int]]) -> None:
    home = first_table(history[0])
    new = next_table(home, history[1], home)
    others = {BucketTable(new.variants, bytes(codes)) for codes in permutations(new.codes)}
    assert moved(home, new) == min(moved(home, other) for other in others)


def test_shares_that_come_back_bring_the_buckets_back() -> None:
    launched = first_table({"a": 4500, "b": 4500})
    away = next_table(launched, {"a": 2000, "b": 7000}, launched)
    further = next_table(away, {"a": 3000, "b": 3000, "c": 3000}, launched)
    assert next_table(further, {"a": 4500, "b": 4500, "c": 0}, launched).codes == launched.codes


def test_a_variant_that_comes_later_takes_from_those_that_shrink_and_nobody_else_moves() -> None:
    launched = first_table({"a": 4500, "b": 4500})
    new = next_table(launched, {"a": 4500, "b": 3000, "c": 1500}, launched)
    assert moved(launched, new) == 1500
    assert all(launched.codes[bucket] == new.codes[bucket] for bucket in range(4500))


@pytest.mark.parametrize("shares", [{"a": 4500, "b": 4400}, {"a": 9000}])
def test_another_sum_or_a_variant_less_is_a_fault_of_ours(shares: dict[str, int]) -> None:
    launched = first_table({"a": 4500, "b": 4500})
    with pytest.raises(ValueError, match="must keep their sum"):
        next_table(launched, shares, launched)


def test_buckets_remember_which_of_them_ever_moved() -> None:
    launched = first_buckets("cart-rescue", {"a": 4500, "b": 4500})
    away = next_buckets(launched, {"a": 4400, "b": 4600}, launched)
    back = next_buckets(away, {"a": 4500, "b": 4500}, launched)
    assert [sum(each.moved) for each in (launched, away, back)] == [0, 100, 100]
    assert back.table.codes == launched.table.codes


def test_buckets_read_back_and_are_small() -> None:
    launched = first_buckets("cart-rescue", {f"v{number}": 1250 for number in range(8)})
    columns = packed(launched)
    assert unpacked(columns) == launched
    assert len(columns["codes"]) + len(columns["moved"]) < 100


def test_every_campaign_has_a_salt_of_its_own() -> None:
    salts = {salt_of(f"campaign-{number}") for number in range(1000)}
    assert len(salts) == 1000
    assert {len(salt) for salt in salts} == {32}
