"""What becomes of single rows of history: values, reasons, attributes, ids; and which files are read at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import afterword
from afterword.errors import UserError
from afterword.intake.history import HistoryKind
from afterword.intake.native import read_events
from afterword.intake.sources import ReadOptions, find_files
from afterword.log import Frame
from afterword.workspace.data_directory import open_intake
from tests.extent import slow_but
from tests.intake.fact_files import Row, write
from tests.workspace.import_world import NOW, Directory, Stopped

AT = "2026-03-02T09:00:00Z"
BOUGHT = {"user_id": "ann", "kind": "purchase", "occurred_at": AT, "price": "9.90", "currency": "EUR"}
NAMES = ("x.csv", "x.csv.gz", "x.ndjson", "x.ndjson.zst", "x.parquet")
DEFINITIONS = """
campaigns:
  - {id: cart, variants: [{id: a, share: 100}], conversion_events: [{kind: purchase, deadline: 3 days}]}
"""
GOOD = {"user_id": "ann", "campaign_id": "cart", "variant_id": "a", "exposed_at": AT, "exposure_id": "x"}


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "data")


def imported(directory: Directory, kind: HistoryKind, path: str, **how: Any) -> dict[str, int]:
    """Import a file; return how many rows were rejected by reason."""
    return dict(directory.take({kind: find_files(kind, [path])}, **how).rejected)


def listed(path: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


BAD: Sequence[Row] = [
    {**BOUGHT, "event_id": "good"},
    {**BOUGHT, "user_id": ""},
    {**BOUGHT, "kind": "purchas"},
    {**BOUGHT, "kind": "custom"},
    {**BOUGHT, "occurred_at": "2026-03-02"},
    {**BOUGHT, "occurred_at": "yesterday"},
    {**BOUGHT, "price": "1,50"},
    {**BOUGHT, "price": "-1"},
    {**BOUGHT, "quantity": "0"},
    {**BOUGHT, "price": "900000000000", "quantity": "1000000"},
    {**BOUGHT, "currency": "euro"},
    {**BOUGHT, "properties": "[1]"},
    {**BOUGHT, "properties": json.dumps({"long": "x" * 102_400})},
    {**BOUGHT, "product_id": "p" * 256},
    {**BOUGHT, "machine": "perhaps"},
    {**BOUGHT, "channel": "telegram"},
    {**BOUGHT, "kind": "message_open"},
    {**BOUGHT, "kind": "refund", "refund_of": "good", "price": "0"},
]


@pytest.mark.parametrize("name", slow_but(NAMES[1::2] + NAMES[-1:], NAMES[0:3:2]))
def test_rows_are_rejected_as_a_run_rejects_them(name: str, directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / name, BAD)
    (tmp_path / "campaigns.yaml").write_text(DEFINITIONS)
    exposures = write(tmp_path / "exposures.csv", [GOOD])
    ran = afterword.run(tmp_path / "campaigns.yaml", exposures=exposures, events=path, out=tmp_path / "out")
    expected = listed(tmp_path / "out" / "rejected.parquet")
    assert len(expected) == len(BAD) - 1
    assert imported(directory, "events", path) == ran.json["facts"]["rejected"]
    assert listed(directory.rejected) == expected
    stored = directory.rows("rejected", "item + 1, kind, reason, message")
    assert stored == [(row, "events", reason, message) for _, row, reason, message in expected]


def test_records_that_cannot_be_read_are_told_with_their_number(directory: Directory, tmp_path: Path) -> None:
    path = tmp_path / "merges.csv"
    path.write_text("from_user_id,to_user_id\na,b,c\n1,2\n,4\n")
    assert imported(directory, "merges", str(path)) == {"bad_type": 1, "missing_field": 1}
    assert [row[1:3] for row in sorted(listed(directory.rejected))] == [(1, "bad_type"), (3, "missing_field")]
    assert directory.rows("merges", "from_user_id, to_user_id") == [("1", "2")]


def test_lines_without_any_object_are_all_rejected(directory: Directory, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("1\n{}\nnonsense\n")
    assert imported(directory, "events", str(path)) == {"bad_type": 2, "missing_field": 1}


@pytest.mark.parametrize("name", slow_but(NAMES[1::2] + NAMES[-1:], NAMES[0:3:2]))
def test_every_column_arrives_as_the_file_has_it(name: str, directory: Directory, tmp_path: Path) -> None:
    row = {
        "event_id": "e\u0001\"\\ü", "user_id": "017", "kind": "refund",
        "occurred_at": "2026-03-02 10:30:00.1234567+01:00",
        "name": "n", "product_id": "p", "order_id": "o", "app_id": "ios", "app_version": "1.2", "from_version": "1.1",
        "device_id": "d", "price": "000123.450000", "quantity": "3", "currency": "eur", "campaign_id": "not yet",
        "channel": "in_app", "exposure_id": "x", "machine": "TRUE", "properties": ' {"b": 1.0, "a": [1, {"c": "ü"}]}\n',
        "refund_of": "r",
    }  # fmt: skip
    assert imported(directory, "events", write(tmp_path / name, [row])) == {}
    columns = (
        "event_id, user_id, kind, occurred_at, name, product_id, order_id, app_id, app_version, from_version, "
        "device_id, price, quantity, currency, campaign_id, channel, exposure_id, machine, properties, refund_of"
    )
    (found,) = directory.rows("events", columns)
    assert found == (
        row["event_id"], "017", "refund", 1772443800123456, "n", "p", "o", "ios", "1.2", "1.1", "d",
        Decimal("123.450000"), 3, "EUR", "not yet", "in_app", "x", True, '{"b":1.0,"a":[1,{"c":"ü"}]}', "r",
    )  # fmt: skip


def test_what_lies_in_the_future_of_the_import_is_rejected(directory: Directory, tmp_path: Path) -> None:
    last, first = NOW + 1_000_000 + 300_000_000, NOW + 1_000_000 + 300_000_001
    rows = [{**GOOD, "exposure_id": str(at), "exposed_at": at} for at in (last, first)]
    path = write(tmp_path / "x.parquet", rows)
    assert imported(directory, "exposures", path, options=ReadOptions(time_unit="us")) == {"in_future": 1}
    assert listed(directory.rejected) == [
        (path, 2, "in_future", f"exposed_at {first} is 301 s after its receipt, must be at most 300 s")
    ]


def test_an_import_that_goes_on_later_judges_by_when_it_began(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterword.workspace.importing.reading.BATCH_ROWS", 1)
    rows = [{**GOOD, "exposure_id": str(n), "exposed_at": NOW + n * 400_000_000} for n in range(3)]
    path, options = write(tmp_path / "x.parquet", rows), ReadOptions(time_unit="us")
    with pytest.raises(Stopped):
        imported(directory, "exposures", path, options=options, stop_after=1)
    directory.clock += 3_600_000_000
    assert imported(directory, "exposures", path, options=options) == {"in_future": 2}
    assert len(directory.rows("exposures")) == 1


def test_objects_that_the_log_cannot_hold_are_rejected(directory: Directory, tmp_path: Path) -> None:
    texts = [f'{{"a": {"[" * 101 + "]" * 101}}}', '{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1}']
    path = write(tmp_path / "x.csv", [{**BOUGHT, "event_id": str(n), "properties": t} for n, t in enumerate(texts)])
    assert imported(directory, "events", path) == {"bad_properties": 3}
    assert [row[2] for row in listed(directory.rejected)] == ["bad_properties"] * 3
    assert directory.rows("events", "event_id") == [("3",)]


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        pytest.param(
            "users.csv",
            [{"user_id": "a", "zip": "017", "plan": ""}, {"user_id": "b", "zip": "", "plan": "pro"}],
            [("a", "zip", '"017"'), ("b", "plan", '"pro"')],
            id="text-stays-text",
        ),
        pytest.param(
            "users.ndjson",
            [{"user_id": "a", "n": 1, "s": "1", "t": True, "o": {"x": [1]}, "none": None, "f": 1.5}],
            [("a", "f", "1.5"), ("a", "n", "1"), ("a", "o", '{"x":[1]}'), ("a", "s", '"1"'), ("a", "t", "true")],
            id="json-keeps-its-types",
        ),
        pytest.param(
            "users.parquet",
            [{"user_id": "a", "n": 1, "d": Decimal("1.50"), "t": False, "f": float("nan"), "l": ["x"]}],
            [("a", "d", "1.5"), ("a", "l", '["x"]'), ("a", "n", "1"), ("a", "t", "false")],
            id="parquet-keeps-its-types",
        ),
    ],
)
def test_columns_of_users_become_attributes(
    name: str, rows: Sequence[Row], expected: list[tuple[str, str, str]], directory: Directory, tmp_path: Path
) -> None:
    assert imported(directory, "users", write(tmp_path / name, rows)) == {}
    assert sorted(directory.rows("attributes", "user_id, name, value")) == expected


def test_a_user_column_may_have_another_name(directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / "users.csv", [{"customer": "a", "plan": "pro"}])
    imported(directory, "users", path, options=ReadOptions({"customer": "user_id"}))
    assert directory.rows("attributes", "user_id, name, value") == [("a", "plan", '"pro"')]


@pytest.mark.parametrize("name", slow_but(NAMES[1::2] + NAMES[-1:], NAMES[0:3:2]))
def test_facts_without_ids_are_those_that_a_request_would_bring(
    name: str, directory: Directory, tmp_path: Path
) -> None:
    rows = [BOUGHT, {**BOUGHT, "properties": '{"b": 1, "a": 2.0}'}, BOUGHT, {**BOUGHT, "kind": "session"}, BOUGHT]
    imported(directory, "events", write(tmp_path / name, rows))
    ids = directory.rows("events", "event_id")
    assert len(set(ids)) == len(rows)
    sent = json.dumps([{**row, **({"properties": {"a": 2, "b": 1}} if "properties" in row else {})} for row in rows])
    with open_intake(directory.path, clock=lambda: NOW, chance=bytes) as intake:
        accepted = read_events(sent.encode(), None, NOW).accepted
        intake.log.append(Frame(NOW, "facts", "", msgspec.json.encode(accepted))).result()
    assert directory.rows("events", "event_id") == ids
    assert directory.rows("loaded", "repetitions") == [(len(rows),)]


def test_files_are_imported_once(directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [GOOD])
    (tmp_path / "copy.csv").write_bytes(Path(path).read_bytes())
    files = {"exposures": find_files("exposures", [path, tmp_path / "copy.csv"])}
    first, second = directory.take(files), directory.take(files)  # type: ignore[arg-type]
    assert (first.accepted["exposures"], first.again) == (1, [str(tmp_path / "copy.csv")])
    assert (second.accepted.total(), second.again) == (0, [path, str(tmp_path / "copy.csv")])
    assert directory.rows("loaded", "position, repetitions") == [(1, 0)]


def test_again_means_again(directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [GOOD])
    for _ in range(2):
        imported(directory, "exposures", path, again=True)
    assert directory.rows("loaded", "position, repetitions") == [(2, 1)]
    assert len(directory.rows("exposures")) == 1


def test_other_options_make_it_another_file(directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [{**GOOD, "exposed_at": "2026-03-02"}])
    assert imported(directory, "exposures", path) == {"ambiguous_time": 1}
    assert imported(directory, "exposures", path, options=ReadOptions(dates="start-of-day")) == {}
    assert directory.rows("exposures", "exposed_at") == [(1772409600000000,)]


def test_strict_imports_nothing_if_a_row_is_rejected(directory: Directory, tmp_path: Path) -> None:
    good, bad = write(tmp_path / "x.csv", [GOOD]), write(tmp_path / "y.csv", [GOOD, {**GOOD, "channel": "fax"}])
    with pytest.raises(UserError, match=r"1 row would be rejected .*unknown_channel.*y\.csv, row 2: channel") as told:
        imported(directory, "exposures", str(tmp_path / "[xy].csv"), strict=True)
    assert "nothing was imported" in str(told.value)
    assert [row[1] for row in listed(directory.rejected)] == [2]
    assert directory.rows("exposures") == []
    assert imported(directory, "exposures", good, strict=True) == {}
    assert imported(directory, "exposures", bad) == {"unknown_channel": 1}


def test_a_column_that_no_file_has_cannot_be_renamed(directory: Directory, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [{**GOOD, "medium": "email"}])
    with pytest.raises(UserError, match='no file has a column "medim", did you mean "medium"'):
        imported(directory, "exposures", path, options=ReadOptions({"medim": "channel"}))


def test_a_file_without_a_mandatory_column_stops_all(directory: Directory, tmp_path: Path) -> None:
    write(tmp_path / "x.csv", [GOOD])
    write(tmp_path / "y.csv", [{"user": "a"}])
    with pytest.raises(UserError, match=r'y\.csv has no column "user_id"'):
        imported(directory, "exposures", str(tmp_path / "*.csv"))
    assert directory.rows("exposures") == []


def test_damage_in_a_file_is_told_and_mended_by_another_import(directory: Directory, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({name: [value] * 20_000 for name, value in GOOD.items()}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"x\.parquet cannot be read as Parquet"):
        imported(directory, "exposures", str(path))
    path.write_bytes(whole)
    assert imported(directory, "exposures", str(path)) == {}
