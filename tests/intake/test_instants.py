"""Times in requests are the times that the same text is in files (rules 8 and 34)."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.intake.braze_items import read_track_instant
from afterword.intake.instants import is_date, is_in_range, read_instant

MIDNIGHT = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T00:00:00Z", MIDNIGHT),
        ("2024-01-01 00:00:00z", MIDNIGHT),
        ("2024-01-01t00:00:00Z", MIDNIGHT),
        ("2024-01-01T00:00Z", MIDNIGHT),
        ("2024-01-01T00:00:00", MIDNIGHT),
        ("2024-01-01 00:00", MIDNIGHT),
        ("2024-01-01T00:00:00+00:00", MIDNIGHT),
        ("2024-01-01T00:00:00.000+00:00", MIDNIGHT),
        ("2024-01-01T01:00:00+01:00", MIDNIGHT),
        ("2024-01-01T05:30:00+0530", MIDNIGHT),
        ("2024-01-01T01:00:00+01", MIDNIGHT),
        ("2023-12-31 19:00:00 -0500", MIDNIGHT),
        ("2023-12-31T19:00:00-5:00", MIDNIGHT),
        ("2023-12-31T19:00:00-5", MIDNIGHT),
        ("20240101T000000Z", MIDNIGHT),
        ("2024-01-01T00:00:00,5Z", MIDNIGHT + 500_000),
        ("2024-01-01T00:00:00.5", MIDNIGHT + 500_000),
        ("2024-01-01T00:00:00.123456789Z", MIDNIGHT + 123_456),
        ("2024-01-01T00:00:00.99999999999+00:00", MIDNIGHT + 999_999),
        ("2023-12-31T24:00:00Z", MIDNIGHT),
        ("1970-01-01T00:00:00Z", 0),
        ("2200-12-31T23:59:59.999999Z", 7_289_654_399_999_999),
    ],
)
def test_text_is_that_instant(text: str, expected: int) -> None:
    assert read_instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "infinity", "12:30:00", "T12:30:00Z", "1704067200", "2024-01-01", "20240101"),
        *("2024-02-30T00:00:00Z", "2024-W01-1T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"),
        *("2024-01-01T00:00:00 Europe/Berlin", "2024-01-01T00:00:00+16:00", "2024-01-01T00:00:00+05:75"),
        *("2024-01-01T25:00:00Z", "2024-01-01T24:00:01Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z"),
        *("2024-01-01T00:00:00Z\0", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.١Z", "２０２４-01-01T00:00:00Z"),
        *("01/02/2024 10:00", "2024-01-01T00:00:00:123Z", " 2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z "),
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_instant(text) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("2024-02-29", True), ("2023-02-29", False), ("2024-1-1", False), ("２０２４-01-01", False)]
)
def test_a_date_is_a_day_of_the_calendar(text: str, expected: bool) -> None:
    assert is_date(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1969-12-31T23:59:59.999999Z", False), ("2201-01-01T00:00:00Z", False)]
)
def test_years_far_away_are_out_of_range(text: str, expected: bool) -> None:
    instant = read_instant(text)
    assert instant is not None
    assert is_in_range(instant) is expected


@given(
    st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1)),
    st.sampled_from([0, 60, -300, 330, -570, 900]),
    st.sampled_from(["T", " "]),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
)
def test_what_python_writes_is_read_back(moment: dt.datetime, offset: int, separator: str, precision: str) -> None:
    there = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=offset)))
    text = there.isoformat(separator, precision)
    expected = (dt.datetime.fromisoformat(text) - EPOCH) // dt.timedelta(microseconds=1)
    assert read_instant(text) == expected
    assert read_instant(text.replace("+00:00", "Z")) == expected


def test_more_days_than_are_kept_are_still_read() -> None:
    first = dt.date(1970, 1, 1)
    for number in range(5000):
        assert read_instant(f"{first + dt.timedelta(number)}T00:00:00Z") == number * 86_400_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T00:00:00:123Z", MIDNIGHT + 123_000),
        ("2024-01-01T01:00:00:123+0100", MIDNIGHT + 123_000),
        ("2024-01-01T00:00:00Z", MIDNIGHT),
        ("2024-01-01T00:00:00:1234Z", None),
        ("00:00:00:123Z", None),
    ],
)
def test_the_original_lets_milliseconds_follow_a_colon(text: str, expected: int | None) -> None:
    assert read_track_instant(text) == expected
