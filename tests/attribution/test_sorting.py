"""Rows come into the order of (user, time, ties), whatever order they arrived in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from afterword.attribution.compiled import I32, I64
from afterword.attribution.days import Calendar
from afterword.attribution.runs import Text, take_text
from afterword.attribution.sorting import id_ties, order_rows
from tests.attribution.test_runs import strings_of, text_of

USERS = 5
FIRST = 100
Arrival = str


def times(arrival: Arrival, count: int, rng: np.random.Generator) -> I64:
    in_order = np.sort(rng.integers(0, 4 * count, count))
    match arrival:
        case "reversed":
            return in_order[::-1].copy()
        case "one instant":
            return np.zeros(count, np.int64)
        case "few late":
            late = rng.random(count) < 0.05
            return np.concatenate([in_order[~late], rng.permutation(in_order[late])])
        case "few instants":
            return rng.integers(0, 3, count)
        case _:
            return rng.permutation(in_order)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("count", [0, 1, 2, 47, 48, 49, 1_000, 3_000])
@pytest.mark.parametrize("arrival", ["in no order", "reversed", "one instant", "few late", "few instants"])
@pytest.mark.parametrize("shared", [False, True], ids=["own-ids", "shared-ids"])
def test_order_is_that_of_a_plain_sort(count: int, arrival: Arrival, shared: bool) -> None:
    rng = np.random.default_rng(count)
    user: I32 = (FIRST + rng.integers(0, USERS, count) ** 2 // USERS).astype(np.int32)
    time = times(arrival, count, rng)
    rows: I32 = np.flatnonzero(rng.random(count) < 0.9).astype(np.int32)
    before: I32 = rng.integers(0, 2, count, np.int32)
    after: I32 = rng.integers(0, 3, count, np.int32)
    rank: I32 = np.array([2, 0, 1], np.int32)
    texts = [f"{number % 40:x}" for number in rng.permutation(count).tolist()]
    names: I32 = rng.integers(0, max(1, count), count, np.int32) if shared else np.arange(count, dtype=np.int32)
    ties = id_ties(text_of(texts))._replace(before=before, after=after, rank=rank)
    if shared:
        ties = ties._replace(names=names)

    ordered = order_rows(rows, user, time, ties, FIRST, USERS)

    def key(row: int) -> tuple[int, int, int, bytes, int]:
        return user[row], time[row], before[row], texts[names[row]].encode(), rank[after[row]]

    expected = sorted(rows.tolist(), key=key)
    assert ordered.rows.tolist() == expected, "a stable sort"
    assert ordered.time.tolist() == time[expected].tolist()
    assert ordered.offsets.tolist() == [int((user[rows] < FIRST + u).sum()) for u in range(USERS + 1)]


@pytest.mark.parametrize(
    "strings",
    [
        pytest.param([], id="none"),
        pytest.param([""], id="an-empty-one"),
        pytest.param(["a", "", "0123456789abcdef", "0123456789abcdefg", "x" * 100, "é"], id="short-and-long"),
        pytest.param(["y" * 100, "z"], id="a-short-one-last"),
    ],
)
def test_strings_are_taken_as_they_are(strings: list[str]) -> None:
    text = text_of(strings)
    rows = np.array([*range(len(strings)), *reversed(range(len(strings)))], np.int32)
    assert strings_of(Text(*take_text(text.offsets, text.data, rows))) == [strings[row] for row in rows]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe"])
def test_days_are_those_of_the_time_zone(zone: str) -> None:
    begin = datetime(2011, 10, 1, tzinfo=UTC)
    moments = [begin + timedelta(minutes=17 * n) for n in range(8_000)]
    micros: I64 = np.array([int(moment.timestamp()) * 1_000_000 for moment in moments], np.int64)
    calendar = Calendar(zone, int(micros[0]), int(micros[-1]))
    epoch = datetime(1970, 1, 1, tzinfo=UTC).date()
    assert calendar.days(micros).tolist() == [(m.astimezone(ZoneInfo(zone)).date() - epoch).days for m in moments]
