from __future__ import annotations

from pathlib import Path

from afterword.store.connection import open_memory


def setting(name: str, directory: Path) -> object:
    with open_memory(200_000_000, 1, directory) as connection:
        row = connection.execute("SELECT current_setting(?)", [name]).fetchone()
    assert row is not None
    return row[0]


def test_days_and_times_are_utc_whatever_the_machine_says(tmp_path: Path) -> None:
    assert setting("TimeZone", tmp_path) == "UTC"


def test_the_network_is_left_alone(tmp_path: Path) -> None:
    assert setting("autoinstall_known_extensions", tmp_path) is False


def test_what_does_not_fit_into_memory_goes_to_the_directory_given(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    with open_memory(100_000_000, 1, spill) as connection:
        # 160 MB of values that do not compress, kept all at once
        connection.execute("CREATE TABLE kept AS SELECT hash(range) a, hash(range + 1) b FROM range(10_000_000)")
        assert sum(path.stat().st_size for path in spill.iterdir()) > 10_000_000
        assert connection.execute("SELECT count(DISTINCT a % 1000) FROM kept").fetchone() == (1000,)
