"""Times of facts as microseconds since 1970 in UTC, from whatever type a column has (rules 8 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

from afterword.errors import Reason
from afterword.intake.columns import Check, Form, Raw, Value, missing, value_name
from afterword.intake.sources import ReadOptions
from afterword.store.sql import literal

READ_AS_UTC = 1
"""Note on a row: its time had no offset."""
FROM_DATE = 2
"""Note on a row: its time was a date, and `dates` said what that means."""

END = 7_289_654_400_000_000
"""2201-01-01 in microseconds; what is later, or before 1970, is a mistake of units."""

_FACTORS = {"s": 1_000_000, "ms": 1_000, "us": 1}

DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_OFFSET = "(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_STRICT = f"{DATE}[T ]{_CLOCK}{_OFFSET}?"
_NAIVE = "[0-9]{4}-?[0-9]{2}-?[0-9]{2}[Tt ][0-9]{2}:?[0-9]{2}(:?[0-9]{2}([.,][0-9]+)?)?"
# What real senders write: a blank before the offset, `-5:00`, small letters, a decimal comma, no separators.
LENIENT = (
    "([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    " ?(?:[Zz]|([+-][0-9]{1,2})(?::?([0-5][0-9]))?)?"
)
_NUMBER = r"[0-9]{1,17}(\.[0-9]*)?"
EXPECTED = "expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z"


@dataclass(frozen=True, slots=True)
class TimeValue:
    """A time: its value, and the SQL of the notes on it (bits)."""

    value: Value
    notes: str = "0"


def time_value(raw: Raw, options: ReadOptions, timezone: str) -> TimeValue:
    """Read a mandatory time."""
    if raw.is_text:
        return _from_text(raw, options, timezone)
    if raw.form is Form.TIMESTAMP:
        return TimeValue(_checked(raw, f"epoch_us({raw.sql})"), str(READ_AS_UTC))
    if raw.form is Form.TIMESTAMP_NS:  # cut, not rounded as a cast would
        return TimeValue(_checked(raw, _cut(raw)), str(READ_AS_UTC))
    if raw.form is Form.TIMESTAMPTZ:
        return TimeValue(_checked(raw, _cut(raw) if raw.type_name.endswith("_NS") else f"epoch_us({raw.sql})"))
    if raw.form is Form.DATE:
        return _from_date(raw, options, timezone)
    if raw.type_name == "BIGINT" and options.time_unit == "us":
        return TimeValue(_checked(raw, raw.sql, _number_hint(options)))
    if raw.form in (Form.INTEGER, Form.DECIMAL, Form.FLOAT):
        return TimeValue(_checked(raw, _from_number(f"{raw.sql}::VARCHAR", options), _number_hint(options)))
    return TimeValue(_checked(raw, "NULL::BIGINT"))


def _cut(raw: Raw) -> str:
    # Division rounds towards zero, but what is before 1970 is refused anyway.
    return f"(epoch_ns({raw.sql}) // 1000)"


def _checked(raw: Raw, sql: str, hint: str = EXPECTED) -> Value:
    value = value_name(raw.name)
    absent = missing(raw.name)
    is_missing = Check(absent.reason, raw.absent, absent.message)
    # Not `value < 0`: the comparison is one pass, and a NULL must be caught as well.
    bad = f"NOT coalesce({value} BETWEEN 0 AND {END - 1}, FALSE)"
    message = (
        f"CASE WHEN {value} IS NULL THEN {raw.says('is not a time; ' + hint)} "
        f"ELSE {raw.says('is not between the years 1970 and 2200')} END"
    )
    return Value(sql, (is_missing, Check(Reason.BAD_TIME, bad, message)))


def _number_hint(options: ReadOptions) -> str:
    if options.time_unit is None:
        return "a number is one only with --time-unit s, ms or us"
    return f"expected a number in the unit {options.time_unit} that --time-unit names"


def _from_number(text: str, options: ReadOptions) -> str:
    if options.time_unit is None:
        return "NULL::BIGINT"
    scaled = f"TRY_CAST({text} AS DECIMAL(27, 9)) * {_FACTORS[options.time_unit]}::DECIMAL(7, 0)"
    return f"TRY_CAST(floor({scaled}) AS BIGINT)"


def _day(date: str, options: ReadOptions, timezone: str) -> str:
    """Return the SQL of the first or last microsecond of a calendar day of the workspace."""
    zone = literal(timezone)
    if options.dates == "end-of-day":
        return f"(epoch_us(timezone({zone}, ({date} + 1)::TIMESTAMP)) - 1)"
    return f"epoch_us(timezone({zone}, {date}::TIMESTAMP))"


def _ambiguous(raw: Raw, condition: str) -> Check:
    what = "is a date without a time; say what it means with --dates start-of-day or --dates end-of-day"
    return Check(Reason.AMBIGUOUS_TIME, condition, raw.says(what))


def _from_date(raw: Raw, options: ReadOptions, timezone: str) -> TimeValue:
    if options.dates is None:
        return TimeValue(Value("NULL::BIGINT", (missing_raw(raw), _ambiguous(raw, f"{raw.sql} IS NOT NULL"))))
    # Only dates that can be times go through the calendar of the time zone: it refuses far ones with an error.
    sane = f"{raw.sql} BETWEEN DATE '1969-12-30' AND DATE '2201-01-02'"
    return TimeValue(_checked(raw, f"CASE WHEN {sane} THEN {_day(raw.sql, options, timezone)} END"), str(FROM_DATE))


def missing_raw(raw: Raw) -> Check:
    """Reject rows where the raw value is missing."""
    return Check(Reason.MISSING_FIELD, raw.absent, literal(f"{raw.name} is missing"))


def _from_text(raw: Raw, options: ReadOptions, timezone: str) -> TimeValue:
    text = raw.text
    date = f"TRY_CAST({text} AS DATE)"
    is_date = f"regexp_full_match({text}, {literal(DATE)})"
    is_number = f"regexp_full_match({text}, {literal(_NUMBER)})"
    plain = f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
    cases = [f"WHEN regexp_full_match({text}, {literal(_STRICT)}) THEN {plain}"]
    if options.dates is not None:
        cases.append(f"WHEN {is_date} THEN {_day(date, options, timezone)}")
    if options.time_unit is not None:
        cases.append(f"WHEN {is_number} THEN {_from_number(text, options)}")
    cases.append(f"WHEN regexp_full_match({text}, {literal(LENIENT)}) THEN {_lenient(text)}")
    value = _checked(raw, f"CASE {' '.join(cases)} END")
    if options.time_unit is None:
        value = _hint_at_unit(value, is_number, raw)
    notes = (
        f"CASE WHEN {text}.ends_with('Z') THEN 0 WHEN regexp_full_match({text}, {literal(_NAIVE)}) THEN {READ_AS_UTC}"
    )
    if options.dates is None:
        # A date that is no day of the calendar is a bad time, not an ambiguous one.
        ambiguous = _ambiguous(raw, f"{value_name(raw.name)} IS NULL AND {is_date} AND {date} IS NOT NULL")
        bad = value.checks[1]
        certain = Check(bad.reason, f"{bad.condition} AND NOT ({is_date} AND {date} IS NOT NULL)", bad.message)
        return TimeValue(Value(value.sql, (value.checks[0], certain, ambiguous)), f"{notes} ELSE 0 END")
    return TimeValue(value, f"{notes} WHEN {is_date} THEN {FROM_DATE} ELSE 0 END")


def _hint_at_unit(value: Value, is_number: str, raw: Raw) -> Value:
    absent, bad = value.checks
    hint = raw.says("is not a time; a number is one only with --time-unit s, ms or us")
    return Value(
        value.sql,
        (absent, Check(bad.reason, bad.condition, f"CASE WHEN {is_number} THEN {hint} ELSE {bad.message} END")),
    )


def _lenient(text: str) -> str:
    """Return the SQL that rewrites what real senders write to what DuckDB reads."""
    pattern = literal(f"^{LENIENT}$")
    # An absent group is empty text, so seconds, fraction and offset are put together piece by piece.
    g = [f"regexp_extract({text}, {pattern}, {n})" for n in range(10)]  # DuckDB has no group beyond 9
    seconds = f"CASE WHEN {g[6]} = '' THEN '00' ELSE {g[6]} END"
    fraction = f"CASE WHEN {g[7]} = '' THEN '' ELSE '.' || left({g[7]}, 6) END"
    minutes = f"CASE WHEN {g[9]} = '' THEN '00' ELSE {g[9]} END"
    offset = (
        f"CASE WHEN {g[8]} = '' THEN 'Z' WHEN substr({g[8]}, 2)::INTEGER > 15 THEN NULL "
        f"ELSE left({g[8]}, 1) || lpad(substr({g[8]}, 2), 2, '0') || ':' || {minutes} END"
    )
    iso = (
        f"{g[1]} || '-' || {g[2]} || '-' || {g[3]} || 'T' || {g[4]} || ':' || {g[5]} || ':' "
        f"|| {seconds} || {fraction} || {offset}"
    )
    return f"epoch_us(TRY_CAST({iso} AS TIMESTAMPTZ))"
