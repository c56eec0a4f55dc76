"""Every reason of rejection, and what each type of column may hold, as tables (rule 35)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from afterword.errors import Reason
from afterword.intake.sources import Kind, ReadOptions
from tests.intake.fact_files import read, write

EVENT = {"user_id": "u", "kind": "session", "occurred_at": "2024-01-01T00:00:00Z"}
PURCHASE = {**EVENT, "kind": "purchase", "price": "10", "currency": "EUR"}
EXPOSURE = {"user_id": "u", "campaign_id": "cart", "variant_id": "a", "exposed_at": "2024-01-01T00:00:00Z"}
STEP = {"user_id": "u", "campaign_id": "welcome", "step_id": "tips", "received_at": "2024-01-01T00:00:00Z"}
OPEN = {**EVENT, "kind": "message_open", "campaign_id": "cart"}


def case(kind: Kind, row: dict[str, Any], reason: str, sentence: str) -> Any:
    return pytest.param(kind, row, reason, sentence, id=sentence[:70])


BAD_ROWS = [
    case("events", {**EVENT, "user_id": ""}, "missing_field", "user_id is missing"),
    case("events", {**EVENT, "kind": ""}, "missing_field", "kind is missing"),
    case("events", {**EVENT, "occurred_at": ""}, "missing_field", "occurred_at is missing"),
    case("events", {**EVENT, "kind": "custom"}, "missing_field", "name is missing, which a custom event must have"),
    case(
        "events",
        {**EVENT, "kind": "purchase", "currency": "EUR"},
        "missing_field",
        "price is missing, which a purchase must have",
    ),
    case("events", {**PURCHASE, "currency": ""}, "missing_field", "currency is missing, which a purchase must have"),
    case("events", {**PURCHASE, "kind": "refund"}, "missing_field", "refund_of is missing, which a refund must have"),
    case(
        "events",
        {**EVENT, "kind": "refund", "refund_of": "p"},
        "missing_field",
        "price is missing, which a refund must have",
    ),
    case(
        "events",
        {**EVENT, "kind": "upgrade", "app_version": "2"},
        "missing_field",
        "from_version is missing, which an upgrade must have",
    ),
    case(
        "events",
        {**EVENT, "kind": "upgrade", "from_version": "2"},
        "missing_field",
        "app_version is missing, which an upgrade must have",
    ),
    case(
        "events",
        {**EVENT, "kind": "message_click"},
        "missing_field",
        "campaign_id is missing, which what became of a message must have",
    ),
    case("events", {**EVENT, "machine": "yes"}, "bad_type", 'machine "yes" must be true or false'),
    case(
        "events",
        {**EVENT, "occurred_at": "2024-13-01"},
        "bad_time",
        'occurred_at "2024-13-01" is not a time; expected ISO 8601 with an offset, for example 2024-12-01T09:30:00Z',
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "1704067200"},
        "bad_time",
        'occurred_at "1704067200" is not a time; a number is one only with --time-unit s, ms or us',
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "1969-12-31T23:59:59Z"},
        "bad_time",
        'occurred_at "1969-12-31T23:59:59Z" is not between the years 1970 and 2200',
    ),
    case(
        "events",
        {**EVENT, "occurred_at": "2024-01-01"},
        "ambiguous_time",
        'occurred_at "2024-01-01" is a date without a time; '
        "say what it means with --dates start-of-day or --dates end-of-day",
    ),
    case(
        "events",
        {**EVENT, "kind": "purchse"},
        "bad_kind",
        'kind "purchse" is not one of session, purchase, refund, custom, upgrade, message_delivered, '
        "message_bounced, message_impression, message_open, message_click, message_unsubscribe, "
        'message_complaint, did you mean "purchase"?',
    ),
    case(
        "events",
        {**PURCHASE, "price": "1.2345678"},
        "bad_amount",
        'price "1.2345678" is not an amount; expected a decimal below 1,000,000,000,000 with at most 6 decimals',
    ),
    case(
        "events",
        {**PURCHASE, "price": "-1"},
        "bad_amount",
        'price "-1" is negative; money given back is a refund event',
    ),
    case(
        "events",
        {**PURCHASE, "kind": "refund", "refund_of": "p", "price": "0"},
        "bad_amount",
        'price "0" must be more than 0 for a refund',
    ),
    case(
        "events",
        {**PURCHASE, "quantity": "0"},
        "bad_amount",
        'quantity "0" must be a whole number from 1 to 1,000,000',
    ),
    case(
        "events",
        {**PURCHASE, "price": "500000000000", "quantity": "2"},
        "bad_amount",
        'price "500000000000" times quantity 2 must be below 1,000,000,000,000',
    ),
    case(
        "events",
        {**PURCHASE, "currency": "EURO"},
        "bad_currency",
        'currency "EURO" is not a currency code; expected three letters, for example EUR',
    ),
    case("events", {**EVENT, "properties": "[1]"}, "bad_properties", 'properties "[1]" is not a JSON object'),
    case("events", {**EVENT, "properties": '{"a":'}, "bad_properties", 'properties "{"a":" is not a JSON object'),
    case(
        "events",
        {**EVENT, "user_id": "ü" * 256},
        "too_long",
        "user_id has 256 characters, must be at most 255",
    ),
    case(
        "events",
        {**EVENT, "properties": '{"a":"' + "x" * 102_393 + '"}'},
        "too_large",
        "properties has 102401 bytes, must be at most 102400",
    ),
    case(
        "events",
        {**OPEN, "campaign_id": "crat"},
        "unknown_campaign",
        'there is no campaign "crat", did you mean "cart"?',
    ),
    case(
        "events",
        {**EVENT, "channel": "mail"},
        "unknown_channel",
        'channel "mail" is not one of email, push, sms, webhook, in_app, content_card, did you mean "email"?',
    ),
    case("exposures", {**EXPOSURE, "campaign_id": ""}, "missing_field", "campaign_id is missing"),
    case(
        "exposures",
        {**EXPOSURE, "variant_id": ""},
        "missing_field",
        "variant_id is missing, which must say one of a, control",
    ),
    case(
        "exposures",
        {**EXPOSURE, "outcome": "bouncd"},
        "bad_type",
        'outcome "bouncd" is not one of sent, bounced, aborted, capped, opted_out, failed, held_out, '
        'did you mean "bounced"?',
    ),
    case("exposures", {**EXPOSURE, "campaign_id": "zzz"}, "unknown_campaign", 'there is no campaign "zzz"'),
    case(
        "exposures",
        {**EXPOSURE, "variant_id": "contrl"},
        "unknown_variant",
        'campaign "cart" has no variant "contrl", did you mean "control"?',
    ),
    case(
        "exposures",
        {**EXPOSURE, "campaign_id": "multi", "variant_id": ""},
        "missing_channel",
        "channel is missing, which every exposure of a campaign counted once per channel must have",
    ),
    case(
        "exposures",
        {**EXPOSURE, "campaign_id": "multi", "variant_id": "", "channel": "sms"},
        "unknown_channel",
        'channel "sms" is no channel of campaign "multi"',
    ),
    case(
        "step_messages",
        {**STEP, "step_id": "tip"},
        "unknown_step",
        'campaign "welcome" has no step "tip", did you mean "tips"?',
    ),
    case("step_messages", {**STEP, "campaign_id": "cart"}, "unknown_step", 'campaign "cart" has no step "tips"'),
    case("step_messages", {**STEP, "step_id": ""}, "missing_field", "step_id is missing"),
]

GOOD: dict[Kind, dict[str, Any]] = {"events": EVENT, "exposures": EXPOSURE, "step_messages": STEP}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
@pytest.mark.parametrize(("kind", "row", "reason", "sentence"), BAD_ROWS)
def test_a_bad_row_is_rejected_with_its_reason_and_the_rest_is_kept(
    tmp_path: Path, kind: Kind, row: dict[str, Any], reason: str, sentence: str, suffix: str
) -> None:
    good = GOOD[kind]
    reading = read(tmp_path, kind, write(tmp_path / f"facts{suffix}", [good, row, good]))
    assert [record["reason"] for record in reading.records] == [0, Reason(reason).code, 0]
    assert [(line, why, message) for _, line, why, message in reading.rejected] == [(2, reason, sentence)]


def test_every_reason_that_a_single_row_can_have_is_in_the_table() -> None:
    tested = {param.values[2] for param in BAD_ROWS}
    # The server's clock, the exposures of a person and the other facts decide on these.
    elsewhere = {Reason.IN_FUTURE, Reason.NO_EXPOSURE, Reason.ID_CONFLICT}
    assert tested == set(Reason) - elsewhere


@pytest.mark.parametrize(
    ("value", "suffix", "expected"),
    [
        pytest.param("017", ".csv", "017", id="csv-keeps-leading-zeros"),
        pytest.param(17, ".ndjson", "17", id="json-integer"),
        pytest.param(
            123456789012345678901234567890, ".ndjson", "123456789012345678901234567890", id="json-long-integer"
        ),
        pytest.param("1.5", ".ndjson", "1.5", id="json-text"),
        pytest.param("a\0b'\"", ".ndjson", "a\0b'\"", id="json-nul-and-quotes"),
        pytest.param(17, ".parquet", "17", id="parquet-integer"),
        pytest.param(Decimal("17"), ".parquet", "17", id="parquet-decimal-without-decimals"),
        pytest.param("x" * 255, ".parquet", "x" * 255, id="longest"),
        pytest.param(1.5, ".ndjson", "bad_type", id="json-float"),
        pytest.param(True, ".ndjson", "bad_type", id="json-boolean"),
        pytest.param({"a": 1}, ".ndjson", "bad_type", id="json-object"),
        pytest.param(["a"], ".ndjson", "bad_type", id="json-array"),
        pytest.param(None, ".ndjson", "missing_field", id="json-null"),
        pytest.param(1.0, ".parquet", "bad_type", id="parquet-double"),
        pytest.param(True, ".parquet", "bad_type", id="parquet-boolean"),
        pytest.param(b"u", ".parquet", "bad_type", id="parquet-binary"),
        pytest.param(dt.date(2024, 1, 1), ".parquet", "bad_type", id="parquet-date"),
    ],
)
def test_ids_are_text_or_integers(tmp_path: Path, value: object, suffix: str, expected: str) -> None:
    reading = read(tmp_path, "events", write(tmp_path / f"e{suffix}", [{**EVENT, "user_id": value}]))
    assert reading.reasons.get(1, reading.records[0]["user_id"]) == expected


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("value", "suffix", "millionths"),
    [
        pytest.param("19.99", ".csv", 19_990_000, id="text"),
        pytest.param("+5", ".csv", 5_000_000, id="plus"),
        pytest.param(".5", ".csv", 500_000, id="no-integer-part"),
        pytest.param("5.", ".csv", 5_000_000, id="no-decimals"),
        pytest.param("1.50000000", ".csv", 1_500_000, id="zeros-beyond-six"),
        pytest.param("1.5e3", ".csv", 1_500_000_000, id="exponent"),
        pytest.param("15e-7", ".csv", None, id="exponent-beyond-six"),
        pytest.param("1_000", ".csv", None, id="underscore"),
        pytest.param("0x10", ".csv", None, id="hexadecimal"),
        pytest.param(" 5", ".csv", None, id="blank"),
        pytest.param("nan", ".csv", None, id="nan"),
        pytest.param("Infinity", ".csv", None, id="infinity"),
        pytest.param("1,50", ".csv", None, id="comma"),
        pytest.param("999999999999.999999", ".csv", 999_999_999_999_999_999, id="largest"),
        pytest.param("1000000000000", ".csv", None, id="too-large"),
        pytest.param(49.90, ".ndjson", 49_900_000, id="json-number"),
        pytest.param("49.90", ".ndjson", 49_900_000, id="json-text"),
        pytest.param(123456789.123457, ".ndjson", 123_456_789_123_457, id="json-15-digits"),
        pytest.param(12345678901.123457, ".ndjson", None, id="json-17-digits"),
        pytest.param("12345678901.123457", ".ndjson", 12_345_678_901_123_457, id="json-17-digits-as-text"),
        pytest.param(True, ".ndjson", None, id="json-boolean"),
        pytest.param(Decimal("0.1234567"), ".parquet", None, id="decimal-7"),
        pytest.param(Decimal("0.12345600"), ".parquet", 123_456, id="decimal-8-exact"),
        pytest.param(7, ".parquet", 7_000_000, id="integer"),
        pytest.param(0.1, ".parquet", 100_000, id="double"),
        pytest.param(0.285, ".parquet", 285_000, id="double-between"),
        pytest.param(123456789.123457, ".parquet", 123_456_789_123_457, id="double-15-digits"),
        pytest.param(12345678901.25, ".parquet", 12_345_678_901_250_000, id="large-double"),
        pytest.param(0.1 + 0.2, ".parquet", None, id="double-sum"),
        pytest.param(float("nan"), ".parquet", None, id="double-nan"),
        pytest.param(float("inf"), ".parquet", None, id="double-infinity"),
    ],
)
def test_prices_are_exact_or_refused(tmp_path: Path, value: object, suffix: str, millionths: int | None) -> None:
    reading = read(tmp_path, "events", write(tmp_path / f"e{suffix}", [{**PURCHASE, "price": value}]))
    if millionths is None:
        assert reading.reasons == {1: "bad_amount"}
    else:
        assert reading.rejected == []
        record = reading.records[0]
        assert record["amount"] == millionths
        assert record["price"] == Decimal(millionths) / 1_000_000


@pytest.mark.parametrize(
    ("value", "suffix", "expected"),
    [
        pytest.param("", ".csv", 1, id="missing-is-one"),
        pytest.param("1000000", ".csv", 1_000_000, id="largest"),
        pytest.param("2.0", ".csv", 2, id="as-spreadsheets-write-it"),
        pytest.param("1000001", ".csv", None, id="too-many"),
        pytest.param("1.5", ".csv", None, id="fraction"),
        pytest.param("-1", ".csv", None, id="negative"),
        pytest.param("0x10", ".csv", None, id="hexadecimal"),
        pytest.param(3, ".ndjson", 3, id="json"),
        pytest.param(3.0, ".parquet", 3, id="double"),
        pytest.param(2.5, ".parquet", None, id="double-fraction"),
        pytest.param(2**40, ".parquet", None, id="long"),
    ],
)
def test_quantities_are_whole(tmp_path: Path, value: object, suffix: str, expected: int | None) -> None:
    reading = read(tmp_path, "events", write(tmp_path / f"e{suffix}", [{**PURCHASE, "quantity": value}]))
    if expected is None:
        assert reading.reasons == {1: "bad_amount"}
    else:
        assert reading.rejected == []
        assert (reading.records[0]["quantity"], reading.records[0]["amount"]) == (expected, expected * 10_000_000)


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_properties_may_be_an_object_of_their_own(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"e{suffix}", [{**EVENT, "properties": {"cart": {"total": 5}}}])
    reading = read(tmp_path, "events", path)
    assert reading.records[0]["properties"] == '{"cart":{"total":5}}'


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("False", False), ("1", True), ("0", False), ("", False)]
)
def test_machine_is_a_truth_value(tmp_path: Path, value: str, expected: bool) -> None:
    reading = read(tmp_path, "events", write(tmp_path / "e.csv", [{**OPEN, "machine": value}]))
    assert reading.records[0]["machine"] is expected


def test_the_first_reason_of_the_list_wins(tmp_path: Path) -> None:
    rows = [
        {**PURCHASE, "currency": "EURO", "price": "x", "kind": "purchase", "occurred_at": "never", "user_id": ""},
        {**PURCHASE, "currency": "EURO", "price": "x", "kind": "purchase", "occurred_at": "never"},
        {**PURCHASE, "currency": "EURO", "price": "x"},
        {**PURCHASE, "currency": "EURO"},
    ]
    reading = read(tmp_path, "events", write(tmp_path / "e.csv", rows))
    assert reading.reasons == {1: "missing_field", 2: "bad_time", 3: "bad_amount", 4: "bad_currency"}


def test_messages_show_at_most_sixty_characters_of_a_value(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", [{**EVENT, "occurred_at": "x" * 1000}])
    message = read(tmp_path, "events", path).messages[1]
    assert message.startswith('occurred_at "' + "x" * 60 + '…" is not a time')


def test_only_what_became_of_messages_must_name_a_known_campaign(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", [{**EVENT, "campaign_id": "other"}, OPEN])
    reading = read(tmp_path, "events", path)
    assert reading.rejected == []
    assert [record["campaign"] for record in reading.records] == [-1, 0]


def test_a_campaign_with_one_variant_needs_no_variant_id(tmp_path: Path) -> None:
    row = {"user_id": "u", "campaign_id": "welcome", "exposed_at": "2024-01-01T00:00:00Z"}
    reading = read(tmp_path, "exposures", write(tmp_path / "x.csv", [row]), options=ReadOptions())
    assert (reading.records[0]["campaign"], reading.records[0]["variant"]) == (2, 0)
