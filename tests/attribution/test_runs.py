"""Rows by key come back as they went in, whether they stayed in memory or went to disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afterword.attribution.runs import Runs, Text

KEYS = 5
batches = st.lists(st.lists(st.tuples(st.integers(-1, KEYS - 1), st.integers(), st.text(max_size=4)), max_size=12))
Batch = list[tuple[int, int, str]]


def text_of(strings: list[str]) -> Text:
    data = [string.encode() for string in strings]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in data])]).astype(np.int64)
    return Text(offsets, np.frombuffer(b"".join(data), np.uint8))


def strings_of(text: Text) -> list[str]:
    return [bytes(text.data[a:b]).decode() for a, b in zip(text.offsets, text.offsets[1:], strict=False)]


@pytest.mark.parametrize("budget", [0, 100, 1 << 20], ids=["on-disk", "some-on-disk", "in-memory"])
@given(batches=batches)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back_by_key_in_order(budget: int, batches: list[Batch], tmp_path: Path) -> None:
    runs = Runs(KEYS, {"number": np.int64}, budget, tmp_path)
    expected: dict[int, Batch] = {key: [] for key in range(KEYS)}
    for batch in batches:
        numbers = [number % 2**40 for _, number, _ in batch]
        runs.append(
            np.array([key for key, _, _ in batch], np.int32),
            {"number": np.array(numbers, np.int64)},
            {"id": text_of([string for _, _, string in batch])},
        )
        for (key, _, string), number in zip(batch, numbers, strict=True):
            if key >= 0:
                expected[key].append((key, number, string))
    for key, rows in expected.items():
        assert runs.rows[key] == len(rows)
        assert runs.column(key, "number").tolist() == [number for _, number, _ in rows]
        assert strings_of(runs.text(key, "id")) == [string for _, _, string in rows]
    runs.close()
    assert not list(tmp_path.iterdir()), "temporary files are gone"
