"""A row of a file and the same item in a request are accepted or rejected alike, for the same reason."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afterword.intake.native import read_events
from afterword.model import EventKind
from tests.intake.fact_files import read
from tests.intake.requests import EVENT, OPEN, PURCHASE, RECEIVED_AT

REFUND = {**PURCHASE, "kind": "refund", "refund_of": "p"}
CUSTOM = {**EVENT, "kind": "custom", "name": "n"}
KEPT = (
    *("event_id", "user_id", "name", "product_id", "order_id", "app_id", "app_version", "from_version", "device_id"),
    *("occurred_at", "price", "quantity", "currency", "exposure_id", "machine", "refund_of"),
)


def compare(directory: Path, rows: list[Any]) -> tuple[list[str | None], dict[int, tuple[str, str]]]:
    """Read rows in both ways and hold them together; return the reasons, and both sentences of what is rejected."""
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    (directory / "e.ndjson").write_text("".join(line + "\n" for line in lines))
    reading = read(directory, "events", str(directory / "e.ndjson"))
    accepted = read_events(f"[{','.join(lines)}]".encode(), None, RECEIVED_AT).accepted
    ours: dict[int, str | None] = {each.item: each.reason.value for each in accepted.rejected}
    theirs = {row - 1: reason for row, reason in reading.reasons.items()}
    assert {item: (why, rows[item]) for item, why in ours.items()} == {n: (why, rows[n]) for n, why in theirs.items()}
    for event in accepted.events:
        record = reading.records[event.item]
        assert EventKind(record["kind"]).label == event.kind
        for name in KEPT:
            mine = getattr(event, name)
            kept = record[name]
            assert mine == kept if name != "price" or kept is None else type(kept)(mine) == kept, (
                name,
                rows[event.item],
            )
        if isinstance(rows[event.item].get("properties"), dict):
            assert json.loads(bytes(event.properties)) == json.loads(record["properties"])
    sentences = {each.item: (each.message, reading.messages[each.item + 1]) for each in accepted.rejected}
    return [ours.get(item) for item in range(len(rows))], sentences


def each(row: dict[str, Any], name: str, *values: Any) -> list[dict[str, Any]]:
    return [{**row, name: value} for value in values]


ROWS: list[Any] = [
    *(EVENT, PURCHASE, REFUND, CUSTOM, OPEN),
    *each(EVENT, "user_id", "", None),
    *each(EVENT, "kind", "", None),
    *each(EVENT, "occurred_at", "", None),
    *each(EVENT, "user_id", 0, -1, 1.0, 1.5, True, [], {}, "ü" * 255, "ü" * 256, 10**30, "\0", " "),
    *each(EVENT, "kind", "Session", 1, True, [], "custom", "refund", "upgrade", "message_click"),
    *each(EVENT, "occurred_at", 1733045400, True, [], "2024-12-01", "2024-13-01", "1969-01-01"),
    *each(EVENT, "occurred_at", "2024-12-01T09:30:00 -5:00", "20241201T093000Z", "2201-01-01T00Z"),
    *each(EVENT, "occurred_at", "2024-12-01T24:00:00.5Z", "2024-12-01T09:30:00+16", "9:30"),
    *each(PURCHASE, "price", 19.99, 0, -1, "-1", "1e3", "1e13", "+1.", ".5", "1,5", True, [], 1e-7),
    *each(PURCHASE, "price", 10**12, 10**12 - 1, 0.1 + 0.2, "0.0000001", "1.0000000", "NaN", None),
    *each(PURCHASE, "quantity", 0, 1, 10**6, 10**6 + 1, 1.0, 1.5, "2.0", "x", True, [], None, ""),
    *each({**PURCHASE, "price": 10**9}, "quantity", 999, 1000),
    *each(PURCHASE, "currency", "eur", "EURO", "E1R", 5, [], None, "", "aß"),
    *each(REFUND, "price", 0, -1, "0.000001"),
    *each(OPEN, "machine", True, "FALSE", 1, 0, "1", 1.0, 2, "yes", [], None, ""),
    *each(OPEN, "channel", "email", "mail", "Email", 1, [], None, ""),
    *each(EVENT, "properties", {}, {"a": "\0"}, [], 5, "5", " {}", "{", "", None, True),
    *each(EVENT, "properties", {"a": "x" * 102_000}, {"a": "x" * 102_400}),
    *each(CUSTOM, "name", "", None, 5, 1.5, "n" * 256),
    {**EVENT, "user_id": "\ud800"},
    {**EVENT, "properties": {"a": "\udc00"}},
    *(5, [], "x", {}),
    {**PURCHASE, "user_id": "", "kind": "purchse", "occurred_at": "x", "price": "x", "currency": "x"},
    {**PURCHASE, "occurred_at": "2024-12-01", "price": "x", "currency": "x", "properties": 5, "name": "n" * 256},
    {**PURCHASE, "currency": "x", "properties": 5, "name": "n" * 256, "channel": "x"},
]


def test_a_table_of_rows(tmp_path: Path) -> None:
    reasons, sentences = compare(tmp_path, ROWS)
    assert set(reasons) == {
        *(None, "missing_field", "bad_type", "bad_time", "ambiguous_time", "bad_kind", "bad_amount", "bad_currency"),
        *("bad_properties", "too_long", "too_large", "unknown_channel"),
    }
    for row, reason in zip(ROWS, reasons, strict=True):  # alone, so that a good one is decoded all at once
        alone = read_events(json.dumps([row]).encode(), None, RECEIVED_AT).accepted
        assert [each.reason.value for each in alone.rejected] == ([] if reason is None else [reason])
    for item, (ours, theirs) in sentences.items():
        # Files have flags to say what such a time means, broken lines, and other ways to guess and to write 1e-7.
        if reasons[item] not in ("bad_time", "ambiguous_time") and not theirs.startswith(("the line", "price 1e-7")):
            assert ours.split(", did")[0] == theirs.split(", did")[0]


def test_a_number_of_many_digits_is_exact_in_a_request_alone(tmp_path: Path) -> None:
    # A file's reader would hand it on as a binary float, so there it must be text.
    line = json.dumps({**PURCHASE, "price": "P"}).replace('"P"', "1234567890.123456")
    (tmp_path / "e.ndjson").write_text(line)
    assert read(tmp_path, "events", str(tmp_path / "e.ndjson")).reasons == {1: "bad_amount"}
    assert [event.price for event in read_events(line.encode(), None, RECEIVED_AT).accepted.events] == [
        "1234567890.123456"
    ]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10**13),
    st.decimals(-10, 10**6, places=3).map(float),
    st.text(max_size=5),
    st.sampled_from(["", "0", "1", "-1", "1.5", "1e3", "true", "{}", '{"a": 1}', "eur", "USD", "email", "u" * 300]),
    st.sampled_from(["2024-12-01T09:30:00Z", "2024-12-01", "2024-12-01 9:30", "2024-12-01T09:30:00.1234567-5"]),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)
NAMES = st.sampled_from([*KEPT, "kind", "channel", "properties"])
CHANGED = st.builds(
    lambda row, changes: {**row, **changes},
    st.sampled_from([EVENT, PURCHASE, REFUND, CUSTOM, OPEN]),
    st.dictionaries(NAMES, SCALARS, min_size=1, max_size=2),
)


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(CHANGED, min_size=20, max_size=60))
def test_any_row(rows: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        compare(Path(directory), rows)
