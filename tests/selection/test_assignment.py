"""Assignment is a documented hash: shares are met, campaigns are independent, SQL and Python agree (rule 30)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, chi2_contingency

from afterword.model import Campaign, Variant
from afterword.selection.assignment import Split, assign, codes, split_of
from afterword.selection.named_queries import assign_in_sql
from afterword.store.bucket_tables import BucketTable, next_table, salt_of

THREE = {"a": 4500, "b": 3000, "c": 1500, "control": 1000}
ODD = [
    "",
    "ann",
    "Ünï",
    "日本語",
    "🎈" * 40,
    "a\0b",
    "\0",
    "é",
    "e\u0301",
    "o'neill",
    "$1 ?",
    " ann",
    "017",
    "\U0010ffff",
]


def campaign(id_: str = "cart-rescue", shares: dict[str, int] | None = None) -> Campaign:
    variants = tuple(Variant(name, share, control=name == "control") for name, share in (shares or THREE).items())
    return Campaign(id_, "campaign", id_, variants)


def users(count: int, first: int = 0) -> list[str]:
    return [f"user-{number}" for number in range(first, first + count)]


def with_shares(split: Split, **shares: int) -> Split:
    return replace(split, table=next_table(split.table, shares, split.table))


def sql_answers(split: Split, ids: Iterable[str]) -> dict[str, str]:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE users_to_assign (user_id VARCHAR)")
        con.execute("INSERT INTO users_to_assign SELECT unnest($ids::VARCHAR[])", {"ids": list(ids)})
        return dict(assign_in_sql(con, split).fetchall())


def counted(split: Split, count: int) -> NDArray[np.int64]:
    """How many of so many users each variant has, as in `split.variants`."""
    found = np.zeros(len(split.variants), dtype=np.int64)
    for first in range(0, count, 1_000_000):
        some = codes(split, users(min(count - first, 1_000_000), first))
        found += np.bincount(some, minlength=len(found))
    return found


def improbable(counts: NDArray[np.int64], shares: Iterable[int]) -> list[str]:
    """Which counts are outside of what a share gives 99.99 times of 100."""
    total = int(counts.sum())
    wrong = []
    for count, share in zip(counts.tolist(), shares, strict=True):
        low, high = binom.interval(0.9999, total, share / 10_000)
        if not low <= count <= high:
            wrong.append(f"{count} of {total} at a share of {share / 100} %")
    return wrong


def test_the_hash_is_the_documented_one() -> None:
    # docs/assignment.md has the same example; the digests are sha256sum's.
    salt = "3849d4df7d6ddc189d249ec191766ca3"
    assert salt_of("cart-rescue") == salt
    assert hashlib.sha256(f"{salt}control:ann".encode()).hexdigest().startswith("48fddb26b8045f41")
    assert hashlib.sha256(f"{salt}variant:ann".encode()).hexdigest().startswith("ef0fd7ed127cf105")
    assert (0x48FDDB26B8045F41 % 10_000, 0xEF0FD7ED127CF105 % 9_000) == (1825, 1589)  # no control; a has 0 to 4499
    assert assign(split_of(campaign()), ["ann"]) == ["a"]


def test_shares_are_met() -> None:
    assert improbable(counted(split_of(campaign()), 100_000), THREE.values()) == []


@pytest.mark.slow
def test_shares_are_met_over_ten_million_users() -> None:
    assert improbable(counted(split_of(campaign()), 10_000_000), THREE.values()) == []


def test_shares_after_changes_are_met() -> None:
    changed = with_shares(split_of(campaign()), a=1000, b=1000, c=2000, d=5000)
    assert changed.variants == ("a", "b", "c", "d", "control")
    assert improbable(counted(changed, 100_000), (1000, 1000, 2000, 5000, 1000)) == []


def test_a_share_that_does_not_fit_the_number_of_messages_is_still_exact() -> None:
    split = split_of(campaign(shares={"a": 3333, "b": 3333, "control": 3334}))
    assert Counter(split.table.codes) == {0: 3333, 1: 3333}
    assert split.control_buckets == 3334


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        pytest.param({"a": 10_000}, {"a"}, id="one-variant"),
        pytest.param({"a": 10_000, "b": 0}, {"a"}, id="a-share-of-nothing"),
        pytest.param({"a": 10_000, "control": 0}, {"a"}, id="a-control-of-nothing"),
        pytest.param({"a": 0, "control": 10_000}, {"control"}, id="nothing-but-control"),
    ],
)
def test_the_whole_and_nothing(shares: dict[str, int], expected: set[str]) -> None:
    split = split_of(campaign(shares=shares))
    assert set(assign(split, users(500))) == expected
    assert set(sql_answers(split, users(500)).values()) == expected


def test_campaigns_are_independent_of_each_other() -> None:
    everyone = users(200_000)
    found = [codes(split_of(campaign(name)), everyone) for name in ("cart-rescue", "cart-rescue-2", "welcome")]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        table = np.bincount(found[one] * 4 + found[other], minlength=16).reshape(4, 4)
        assert chi2_contingency(table).pvalue > 0.001


def test_control_is_drawn_apart_from_the_messages() -> None:
    # Who would be control at a share of 20 % is spread over the messages of a campaign without control as anybody.
    everyone = users(200_000)
    salt = "0" * 32
    table = BucketTable(("a", "b"), bytes([0] * 5000 + [1] * 5000))
    message = codes(Split(salt, None, 0, table), everyone)
    control = codes(Split(salt, "control", 2000, BucketTable(("a",), bytes(8000))), everyone)
    assert chi2_contingency(np.bincount(message * 2 + control, minlength=4).reshape(2, 2)).pvalue > 0.001


def test_a_change_of_shares_moves_only_the_users_of_moved_buckets_and_nobody_to_or_from_control() -> None:
    before = split_of(campaign())
    after = with_shares(before, a=4000, b=3500, c=1500)
    everyone = users(50_000)
    moves = Counter(zip(assign(before, everyone), assign(after, everyone), strict=True))
    assert {move for move in moves if move[0] != move[1]} == {("a", "b")}
    assert improbable(np.array([moves["a", "b"], 50_000 - moves["a", "b"]]), (500, 9_500)) == []


def test_a_larger_share_of_control_only_adds_to_control() -> None:
    # Not across a launch, where it is refused, but between two campaigns of one salt.
    small, large = split_of(campaign()), split_of(campaign(shares={"a": 8000, "control": 2000}))
    everyone = users(20_000)
    was, becomes = assign(small, everyone), assign(large, everyone)
    assert all(new == "control" for old, new in zip(was, becomes, strict=True) if old == "control")


def test_python_and_sql_agree_on_odd_ids() -> None:
    split = with_shares(split_of(campaign()), a=1, b=4999, c=2000, d=2000)
    everyone = [*ODD, *users(5_000)]
    assert sql_answers(split, everyone) == dict(zip(everyone, assign(split, everyone), strict=True))


@pytest.mark.slow
def test_python_and_sql_agree_on_a_million_ids() -> None:
    generator = np.random.default_rng(30)
    points = generator.integers(1, 0x11_0000, size=(1_000_000, 4))
    points[(points >= 0xD800) & (points < 0xE000)] = 0x1F388  # surrogates are no characters
    everyone = [*ODD, *("".join(map(chr, row)) for row in points.tolist())]
    split = with_shares(split_of(campaign()), a=1, b=4999, c=2000, d=2000)
    assert sql_answers(split, everyone) == dict(zip(everyone, assign(split, everyone), strict=True))
