"""What is a time, by type of column and option (rules 8 and 10)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afterword.intake.sources import ReadOptions
from tests.intake.fact_files import read, write

MIDNIGHT = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
HOUR = 3_600_000_000


def read_time(tmp_path: Path, value: object, suffix: str, options: ReadOptions) -> tuple[Any, int, str | None]:
    """Return the time, the notes and the reason of rejection of one event."""
    path = write(tmp_path / f"e{suffix}", [{"user_id": "u", "kind": "session", "occurred_at": value}])
    reading = read(tmp_path, "events", path, options=options)
    record = reading.records[0]
    return record["occurred_at"], record["notes"], reading.reasons.get(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T00:00:00Z", MIDNIGHT),
        ("2024-01-01 00:00:00z", MIDNIGHT),
        ("2024-01-01t00:00:00Z", MIDNIGHT),
        ("2024-01-01T00:00Z", MIDNIGHT),
        ("2024-01-01T01:00:00+01:00", MIDNIGHT),
        ("2024-01-01T05:30:00+0530", MIDNIGHT),
        ("2024-01-01T01:00:00+01", MIDNIGHT),
        ("2023-12-31 19:00:00 -0500", MIDNIGHT),
        ("2023-12-31 19:00:00 -05:00", MIDNIGHT),
        ("2023-12-31T19:00:00-5:00", MIDNIGHT),
        ("2023-12-31T19:00:00-5", MIDNIGHT),
        ("20240101T000000Z", MIDNIGHT),
        ("2024-01-01T00:00:00,5Z", MIDNIGHT + 500_000),
        ("2024-01-01T00:00:00.123456789Z", MIDNIGHT + 123_456),
        ("2024-01-01T00:00:00.99999999999Z", MIDNIGHT + 999_999),
        ("2023-12-31T24:00:00Z", MIDNIGHT),
        ("1970-01-01T00:00:00Z", 0),
        ("2200-12-31T23:59:59.999999Z", 7_289_654_399_999_999),
    ],
)
def test_text_with_an_offset_is_that_instant(tmp_path: Path, text: str, expected: int) -> None:
    assert read_time(tmp_path, text, ".csv", ReadOptions()) == (expected, 0, None)


@pytest.mark.parametrize(
    "text", ["2024-01-01T00:00:00", "2024-01-01 00:00", "2024-01-01 00:00:00.0", "2024-01-01T00:00:00,000"]
)
def test_text_without_an_offset_is_utc_and_noted(tmp_path: Path, text: str) -> None:
    assert read_time(tmp_path, text, ".csv", ReadOptions()) == (MIDNIGHT, 1, None)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "infinity",
        "-infinity",
        "12:30:00",
        "T12:30:00Z",
        "2024-02-30T00:00:00Z",
        "2024-13-01",
        "2024-01-01T00:00:00 Europe/Berlin",
        "2024-01-01T00:00:00 NZ",
        "2024-01-01T00:00:00+16:00",
        "2024-01-01T00:00:00+05:75",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:60:00Z",
        "1969-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z\0",
        "01/02/2024 10:00",
        "1704067200",
    ],
)
def test_what_is_no_time_is_refused(tmp_path: Path, text: str) -> None:
    assert read_time(tmp_path, text, ".csv", ReadOptions())[2] == "bad_time"


@pytest.mark.parametrize(
    ("dates", "expected"),
    [("start-of-day", MIDNIGHT - HOUR), ("end-of-day", MIDNIGHT + 23 * HOUR - 1)],
)
@pytest.mark.parametrize(
    ("value", "suffix"), [("2024-01-01", ".csv"), ("2024-01-01", ".ndjson"), (dt.date(2024, 1, 1), ".parquet")]
)
def test_a_date_is_a_day_of_the_workspace(
    tmp_path: Path, value: object, suffix: str, dates: Any, expected: int
) -> None:
    assert read_time(tmp_path, value, suffix, ReadOptions())[2] == "ambiguous_time"
    # The workspace is in Berlin, an hour before UTC in winter.
    assert read_time(tmp_path, value, suffix, ReadOptions(dates=dates)) == (expected, 2, None)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1969-12-31", "2201-01-02"])
def test_a_far_date_is_no_time(tmp_path: Path, day: str) -> None:
    for value, suffix in ((day, ".csv"), (dt.date.fromisoformat(day), ".parquet")):
        assert read_time(tmp_path, value, suffix, ReadOptions(dates="end-of-day"))[2] == "bad_time"


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1_704_067_200, "s", MIDNIGHT),
        (1_704_067_200_000, "ms", MIDNIGHT),
        (1_704_067_200_000_000, "us", MIDNIGHT),
        (1_704_067_200.5, "s", MIDNIGHT + 500_000),
        (0, "s", 0),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_numbers_are_times_with_a_unit(tmp_path: Path, value: object, unit: Any, expected: int, suffix: str) -> None:
    assert read_time(tmp_path, value, suffix, ReadOptions())[2] == "bad_time"
    assert read_time(tmp_path, value, suffix, ReadOptions(time_unit=unit)) == (expected, 0, None)


@pytest.mark.parametrize("value", [1_704_067_200_000, -1, 2**63 - 1])
@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_a_number_in_the_wrong_unit_is_refused(tmp_path: Path, value: int, suffix: str) -> None:
    assert read_time(tmp_path, value, suffix, ReadOptions(time_unit="s"))[2] == "bad_time"


@pytest.mark.parametrize(
    ("type_", "value", "expected", "notes"),
    [
        (pa.timestamp("s"), 1_704_067_200, MIDNIGHT, 1),
        (pa.timestamp("ms"), 1_704_067_200_001, MIDNIGHT + 1_000, 1),
        (pa.timestamp("us"), MIDNIGHT + 1, MIDNIGHT + 1, 1),
        (pa.timestamp("us", "UTC"), MIDNIGHT + 1, MIDNIGHT + 1, 0),
        (pa.timestamp("us", "Europe/Berlin"), MIDNIGHT + 1, MIDNIGHT + 1, 0),
        pytest.param(pa.timestamp("ns"), MIDNIGHT * 1000 + 999, MIDNIGHT, 1, id="nanoseconds-are-cut"),
    ],
)
def test_timestamps_of_parquet(tmp_path: Path, type_: Any, value: int, expected: int, notes: int) -> None:
    table = pa.table({"user_id": ["u"], "kind": ["session"], "occurred_at": pa.array([value], type_)})
    pq.write_table(table, tmp_path / "e.parquet")
    record = read(tmp_path, "events", str(tmp_path / "e.parquet")).records[0]
    assert (record["reason"], record["occurred_at"], record["notes"]) == (0, expected, notes)


def test_nanoseconds_with_a_time_zone_are_cut_too(tmp_path: Path) -> None:
    column = pa.array([MIDNIGHT * 1000 + 999], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"user_id": ["u"], "kind": ["session"], "occurred_at": column}), tmp_path / "e.parquet")
    record = read(tmp_path, "events", str(tmp_path / "e.parquet")).records[0]
    assert record["occurred_at"] == MIDNIGHT
