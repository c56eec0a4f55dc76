"""Rule 3: deadlines are whole seconds, from 1 second to 30 days, in the words of people or of ISO 8601."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterword.durations import describe_duration, parse_deadline, parse_duration
from afterword.errors import UserError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("3 days", 259_200, id="days"),
        pytest.param("1 day", 86_400, id="one-day"),
        pytest.param("90 minutes", 5_400, id="minutes"),
        pytest.param("2 weeks", 1_209_600, id="weeks"),
        pytest.param("45 seconds", 45, id="seconds"),
        pytest.param("1 hour 30 minutes", 5_400, id="two-units"),
        pytest.param("1 hour, 30 minutes and 5 seconds", 5_405, id="comma-and-and"),
        pytest.param("30 minutes 1 hour", 5_400, id="any-order"),
        pytest.param("  3 Days ", 259_200, id="spaces-and-capitals"),
        pytest.param("2 h 5 min", 7_500, id="short-units"),
        pytest.param("36h", 129_600, id="no-space"),
        pytest.param("1h30min", 5_400, id="no-spaces-at-all"),
        pytest.param("1.5 hours", 5_400, id="fraction-of-an-hour-that-is-whole-seconds"),
        pytest.param("P3D", 259_200, id="iso-days"),
        pytest.param("P1W", 604_800, id="iso-week"),
        pytest.param("PT90M", 5_400, id="iso-minutes"),
        pytest.param("P1DT2H", 93_600, id="iso-day-and-hours"),
        pytest.param("PT1H30M5S", 5_405, id="iso-all-of-a-time"),
        pytest.param("PT1,5H", 5_400, id="iso-decimal-comma"),
        pytest.param("pt90m", 5_400, id="iso-small-letters"),
        pytest.param("259200", 259_200, id="digits"),
        pytest.param("007", 7, id="digits-with-zeros"),
        pytest.param("60.0", 60, id="digits-with-zero-decimals"),
        pytest.param(259_200, 259_200, id="number"),
        pytest.param(0, 0, id="zero-is-a-duration"),
        pytest.param("31 days", 2_678_400, id="no-upper-bound-here"),
    ],
)
def test_duration_is_read(value: str | int, seconds: int) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("1 month", "names a month, whose length is not fixed", id="month"),
        pytest.param("2 years", "names a year, whose length is not fixed", id="year"),
        pytest.param("P1M", "names a month, whose length is not fixed", id="iso-month"),
        pytest.param("P1Y2D", "names a year, whose length is not fixed", id="iso-year"),
        pytest.param("0.5 seconds", "is not a whole number of seconds", id="half-a-second"),
        pytest.param("1.5", "is not a whole number of seconds", id="fraction-in-digits"),
        pytest.param("PT0.5S", "is not a whole number of seconds", id="iso-half-a-second"),
        pytest.param("1 hour 1 hour", "is not a duration", id="same-unit-twice"),
        pytest.param("PT1M1M", "is not a duration", id="iso-same-unit-twice"),
        pytest.param("three days", "is not a duration", id="words-for-numbers"),
        pytest.param("3 fortnights", "is not a duration", id="unknown-unit"),
        pytest.param("5 m", "is not a duration", id="m-could-be-months"),
        pytest.param("days", "is not a duration", id="no-number"),
        pytest.param("3 days and", "is not a duration", id="unfinished"),
        pytest.param("", "is not a duration", id="empty"),
        pytest.param("P", "is not a duration", id="iso-nothing"),
        pytest.param("PT", "is not a duration", id="iso-no-time"),
        pytest.param("P1D2H", "is not a duration", id="iso-hours-without-T"),
        pytest.param("-3 days", "is not a duration", id="negative-words"),
        pytest.param("٣ days", "is not a duration", id="digits-of-another-script"),
        pytest.param("1e3", "is not a duration", id="exponent"),
        pytest.param(-1, "is negative", id="negative-number"),
        pytest.param(True, "cannot be true", id="true"),
        pytest.param("9" * 101, "is too long", id="too-long"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason(value: str | int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(1, 1, id="shortest"),
        pytest.param("30 days", 2_592_000, id="longest"),
        pytest.param("2592000", 2_592_000, id="longest-in-seconds"),
    ],
)
def test_deadline_within_the_bounds(value: str | int, seconds: int) -> None:
    assert parse_deadline(value) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("45 days", "deadline is 45 days, must be at most 30 days", id="45-days"),
        pytest.param("31 days", "deadline is 31 days, must be at most 30 days", id="31-days"),
        pytest.param(2_592_001, "deadline is 30 days 1 s, must be at most 30 days", id="one-second-too-long"),
        pytest.param(0, "deadline is 0 seconds, must be at least 1 second", id="zero"),
        pytest.param("0 days", "deadline is 0 seconds, must be at least 1 second", id="zero-days"),
        pytest.param(-5, "deadline is -5 seconds, must be at least 1 second", id="negative"),
    ],
)
def test_deadline_out_of_bounds_is_refused_never_clamped(value: str | int, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_deadline(value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0, "0 seconds", id="nothing"),
        pytest.param(1, "1 second", id="one-second"),
        pytest.param(60, "1 minute", id="one-minute"),
        pytest.param(3_600, "1 hour", id="one-hour"),
        pytest.param(86_400, "1 day", id="one-day"),
        pytest.param(259_200, "3 days", id="days"),
        pytest.param(7_500, "2 h 5 min", id="hours-and-minutes"),
        pytest.param(86_405, "1 day 5 s", id="day-and-seconds"),
        pytest.param(273_906, "3 days 4 h 5 min 6 s", id="everything"),
    ],
)
def test_durations_in_words(seconds: int, text: str) -> None:
    assert describe_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_words_are_read_back_as_the_same_seconds(seconds: int) -> None:
    assert parse_duration(describe_duration(seconds)) == seconds
