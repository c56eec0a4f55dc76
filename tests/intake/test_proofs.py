"""Statistics of Parquet files: what they prove is left out of the scan, and the rows stay the same."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afterword.intake import proofs
from afterword.intake.proofs import NOTHING_PROVEN, Proof, proofs_of, together
from tests.intake.fact_files import read

TYPES = {"user_id": "VARCHAR", "price": "DECIMAL(18,2)", "quantity": "INTEGER", "weight": "DOUBLE"}


def _write(
    path: Path, groups: list[list[tuple[str | None, str | None, int | None]]], *, statistics: bool = True
) -> str:
    schema = pa.schema(
        [("user_id", pa.string()), ("price", pa.decimal128(18, 2)), ("quantity", pa.int32()), ("weight", pa.float64())]
    )
    with pq.ParquetWriter(path, schema, write_statistics=statistics) as writer:
        for rows in groups:
            prices = [None if price is None else Decimal(price) for _, price, _ in rows]
            columns = [[user for user, _, _ in rows], prices, [q for _, _, q in rows], [1.0 for _ in rows]]
            writer.write_table(pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema))
    return str(path)


GOOD: list[tuple[str | None, str | None, int | None]] = [("u1", "1.50", 1), ("u2", "999999.00", 3)]


def _proofs(tmp_path: Path, *groups: list[tuple[str | None, str | None, int | None]]) -> dict[str, Proof]:
    return proofs_of(duckdb.connect(), _write(tmp_path / "facts.parquet", list(groups)), TYPES)


def test_clean_row_groups_prove_everything(tmp_path: Path) -> None:
    proofs = _proofs(tmp_path, GOOD, GOOD)
    assert proofs["user_id"] == Proof(True, True)
    assert proofs["price"].within(0, 999_999)
    assert proofs["quantity"].within(1, 3)
    assert not proofs["quantity"].within(2, 3)


@pytest.mark.parametrize("bad", ["", None])
def test_one_row_group_undoes_the_proof_for_text(tmp_path: Path, bad: str | None) -> None:
    proof = _proofs(tmp_path, GOOD, [*GOOD, (bad, "1.00", 1)])["user_id"]
    assert proof.never_empty == (bad is None)
    assert proof.never_null == (bad is not None)


def test_one_row_group_undoes_the_proof_for_numbers(tmp_path: Path) -> None:
    proofs = _proofs(tmp_path, GOOD, [("u3", "-1.00", 1_000_001)])
    assert not proofs["price"].within(0, 999_999)
    assert not proofs["quantity"].within(1, 1_000_000)


def test_row_groups_of_missing_numbers_do_not_matter(tmp_path: Path) -> None:
    proofs = _proofs(tmp_path, GOOD, [("u3", None, None)])
    assert proofs["price"].within(0, 999_999)
    assert not proofs["price"].never_null


def test_no_statistics_no_proof(tmp_path: Path) -> None:
    path = _write(tmp_path / "bare.parquet", [GOOD], statistics=False)
    assert set(proofs_of(duckdb.connect(), path, TYPES).values()) == {NOTHING_PROVEN}


def test_floats_prove_no_bounds(tmp_path: Path) -> None:
    assert not _proofs(tmp_path, GOOD)["weight"].within(0, 10)


def test_files_together_prove_what_all_prove() -> None:
    one = Proof(True, True, Decimal(1), Decimal(2))
    assert together([one, Proof(True, False, Decimal(0), Decimal(9))]) == Proof(True, False, Decimal(0), Decimal(9))
    assert together([one, NOTHING_PROVEN]) == NOTHING_PROVEN


def _words(path: Path, table: pa.Table, **options: Any) -> frozenset[str] | None:
    pq.write_table(table, path, **options)
    return proofs_of(duckdb.connect(), str(path), {"user_id": "VARCHAR"}, ["user_id"])["user_id"].values


def test_the_words_of_a_column_are_read_where_they_are_few(tmp_path: Path) -> None:
    few = pa.table({"user_id": ["ann", "ben", None, ""] * 100_000})
    assert _words(tmp_path / "few.parquet", few) == frozenset({"ann", "ben", ""})
    assert _words(tmp_path / "plain.parquet", few, use_dictionary=False) is None
    many = pa.table({"user_id": [f"u-{number}" for number in range(100_000)]})
    assert _words(tmp_path / "many.parquet", many) is None


def test_row_groups_of_different_words_can_be_too_many_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "MOST_FEW", 3)
    three = pa.table({"user_id": ["ann", "ben", None, "eve"] * 1_000})
    assert _words(tmp_path / "three.parquet", three) == frozenset({"ann", "ben", "eve"})
    four = pa.table({"user_id": ["ann", "ben", "cai", "eve"] * 1_000})
    assert _words(tmp_path / "four.parquet", four) is None


def test_words_of_files_together_are_those_of_all() -> None:
    one, two = Proof(values=frozenset({"a"})), Proof(values=frozenset({"b", "long"}))
    assert together([one, two]).values == frozenset({"a", "b", "long"})
    assert together([one, two]).shorter_than(5)
    assert not together([one, two]).shorter_than(4)
    assert together([one, NOTHING_PROVEN]).values is None
    assert not NOTHING_PROVEN.shorter_than(1_000)


def _records(directory: Path, name: str, events: pa.Table, *, proven: bool) -> list[dict[str, Any]]:
    path = directory / f"{name}.parquet"
    pq.write_table(events, path, write_statistics=proven, use_dictionary=proven, row_group_size=2)
    return read(directory, "events", str(path)).records


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("column", "bad"),
    [
        *[(None, None), ("event_id", ""), ("event_id", None), ("user_id", ""), ("user_id", None), ("kind", "")],
        *[("name", ""), ("price", Decimal("-1.00")), ("price", None), ("price", Decimal("1000000000000.00"))],
        *[("quantity", 0), ("quantity", 1_000_001), ("quantity", None), ("currency", ""), ("name", "n" * 256)],
        *[("device_id", "ä" * 200), ("device_id", "d" * 256), ("kind", "purchas"), ("kind", "refund")],
        *[
            ("kind", "upgrade"),
            ("kind", "message_open"),
            ("currency", "EURO"),
            ("currency", "eur"),
            ("currency", "ſſſ"),
        ],
    ],
)
def test_rows_are_the_same_with_and_without_proofs(tmp_path: Path, column: str | None, bad: object) -> None:
    rows: list[dict[str, object]] = [
        {
            "event_id": f"e{i}", "user_id": f"u{i}", "kind": kind, "occurred_at": datetime(2024, 1, 1, i, tzinfo=UTC),
            "name": "n", "device_id": "d", "price": Decimal("2.50"), "quantity": 2, "currency": "EUR",
        }
        for i, kind in enumerate(["purchase", "custom", "session", "purchase", "purchase", "custom"])
    ]  # fmt: skip
    if column is not None:
        for i in (4, 5):
            rows[i][column] = bad
    schema = pa.schema(
        [(name, pa.string()) for name in ("event_id", "user_id", "kind", "name", "device_id", "currency")]
        + [("occurred_at", pa.timestamp("us", "UTC")), ("price", pa.decimal128(18, 2)), ("quantity", pa.int32())]
    )
    events = pa.Table.from_pylist(rows, schema)
    proven = _records(tmp_path, "proven", events, proven=True)
    assert proven == _records(tmp_path, "checked", events, proven=False)
    assert len(proven) == len(rows)
