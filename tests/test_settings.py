from __future__ import annotations

from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.settings import SETTINGS, memory_bytes, thread_count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GB", 4_000_000_000),
        ("4gb", 4_000_000_000),
        (" 512 MiB ", 512 * 1024**2),
        ("1.5GB", 1_500_000_000),
        ("1TiB", 1024**4),
        (2_000_000_000, 2_000_000_000),
        (None, 4_000_000_000),
    ],
)
def test_memory_is_a_number_with_a_unit(text: str | int | None, expected: int) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "much", "4 bananas", "-4GB", "4G B", "GB"])
def test_what_is_no_memory_is_named(text: str) -> None:
    with pytest.raises(UserError, match="must be a number with a unit"):
        memory_bytes(text)


def test_memory_has_a_lower_bound() -> None:
    with pytest.raises(UserError, match="memory is 4MB, must be at least 100MB"):
        memory_bytes("4MB")


def test_threads_are_all_that_are_there_unless_said() -> None:
    assert thread_count(None, available=8) == 8
    assert thread_count(2, available=8) == 2
    with pytest.raises(UserError, match="threads is 0, must be at least 1"):
        thread_count(0, available=8)


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "cli.md").read_text("utf-8")
    for setting in SETTINGS:
        assert f"`{setting.variable}`" in page
        assert f"`{setting.option}`" in page
