"""Finding and reading fact files: formats, compressions, globs, mixed schemas, and files that cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afterword.errors import UserError
from afterword.intake.scan import check_renamed_columns, stage
from afterword.intake.side_tables import load_merges, load_rates
from afterword.intake.sources import ReadOptions, find_files
from tests.intake.fact_files import DEFINITIONS, database, read, write, write_bytes

FORMATS = [".csv", ".csv.gz", ".csv.zst", ".ndjson", ".jsonl", ".json", ".ndjson.gz", ".json.zst", ".parquet"]

ROWS: list[dict[str, Any]] = [
    {
        "event_id": "p-1",
        "user_id": "ünï",
        "kind": "purchase",
        "occurred_at": "2024-01-01T00:00:00Z",
        "price": "19.99",
        "quantity": "2",
        "currency": "eur",
        "product_id": 'a,"b"\nc',
        "properties": '{"a":[1,{"b":"x"}]}',
    },
    {"event_id": "s-1", "user_id": "017", "kind": "session", "occurred_at": "2024-01-01T00:00:00.5+01:00"},
    {"user_id": "u", "kind": "message_open", "occurred_at": "2024-01-02T00:00:00Z", "campaign_id": "welcome"},
    {"user_id": "u", "kind": "nonsense", "occurred_at": "2024-01-02T00:00:00Z"},
]


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_rows_in_every_format_give_the_same_values(tmp_path: Path, suffix: str) -> None:
    expected = read(tmp_path, "events", write(tmp_path / "first.csv", ROWS))
    reading = read(tmp_path, "events", write(tmp_path / f"facts{suffix}", ROWS))
    assert [record["reason"] for record in expected.records] == [0, 0, 0, 6]
    assert reading.records == expected.records
    assert [line[1:] for line in reading.rejected] == [line[1:] for line in expected.rejected]


def test_globs_directories_and_paths_name_each_file_once(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, ROWS[:1]) for name in ("b.csv", "a.csv", "c[1].csv")]
    (tmp_path / "README.txt").write_text("not facts")
    names = [Path(file.path).name for file in find_files("events", [str(tmp_path / "*.csv"), paths[0], str(tmp_path)])]
    assert names == ["a.csv", "b.csv", "c[1].csv"]
    assert [Path(f.path).name for f in find_files("events", [paths[2]])] == ["c[1].csv"]


def test_a_parquet_file_whose_name_looks_like_a_glob_is_read(tmp_path: Path) -> None:
    write(tmp_path / "e1.parquet", ROWS)
    odd = write(tmp_path / "e[1]'*.parquet", ROWS[:1])
    reading = read(tmp_path, "events", odd)
    assert (reading.scan.inputs, len(reading.records)) == ((odd,), 1)


def test_files_of_several_schemas_and_formats_are_one_scan(tmp_path: Path) -> None:
    event = {"user_id": "u", "kind": "session", "occurred_at": "2024-01-01T00:00:00Z"}
    paths = [
        write(tmp_path / "a.parquet", [event, event]),
        write(tmp_path / "b.csv", [event, {**event, "kind": "x"}]),
        write(tmp_path / "c.parquet", [{**event, "app_id": "ios"}]),
        write(tmp_path / "d.parquet", [event, {**event, "user_id": None}, event]),
    ]
    reading = read(tmp_path, "events", *paths)
    counts = {reading.scan.inputs[record["file"]]: record["record"] for record in reading.records}
    assert counts == dict(zip(paths, [2, 2, 1, 3], strict=True))
    assert [(file, row, reason) for file, row, reason, _ in reading.rejected] == [
        (paths[1], 2, "bad_kind"),
        (paths[3], 2, "missing_field"),
    ]
    equal = {record["content"] for record in reading.records if not record["reason"] and record["app_id"] is None}
    assert len(equal) == 1, "equal content has an equal hash, whatever file it is in"


def test_csv_records_of_the_wrong_length_are_rejected_with_their_number(tmp_path: Path) -> None:
    text = (
        'user_id,kind,occurred_at\r\n"a\r\nb",session,2024-01-01T00:00:00Z\r\n\r\nshort\r\n'
        'x,session,2024-01-01T00:00:00Z,more\r\n"say ""hi""",session,2024-01-01T00:00:00Z'
    )
    reading = read(tmp_path, "events", write_bytes(tmp_path / "e.csv", text.encode("utf-8-sig")))
    assert [(record["record"], record["user_id"]) for record in reading.records if not record["reason"]] == [
        (1, "a\r\nb"),
        (4, 'say "hi"'),
    ]
    assert [line[1:] for line in reading.rejected] == [
        (2, "bad_type", "the record has 1 cells; the header has 3"),
        (3, "bad_type", "the record has 4 cells; the header has 3"),
    ]


def test_csv_records_keep_their_numbers_over_many_blocks(tmp_path: Path) -> None:
    good, bad = "u,session,2024-01-01T00:00:00Z," + "x" * 200, "broken"
    lines = [bad if number % 10_007 == 0 else good for number in range(1, 60_001)]
    path = write_bytes(tmp_path / "e.csv", "\n".join(["user_id,kind,occurred_at,name", *lines]).encode())
    reading = read(tmp_path, "events", path)
    assert sorted(reading.reasons) == [number for number, line in enumerate(lines, 1) if line == bad]
    assert [record["record"] for record in reading.records] == list(range(1, 60_001))


def test_malformed_json_lines_are_rejected_with_their_line_number(tmp_path: Path) -> None:
    good = '{"user_id": 1, "kind": "session", "occurred_at": "2024-01-01T00:00:00Z"}'
    path = write_bytes(tmp_path / "e.ndjson", "\n".join([good, "", '{"user_id": ', "[1]", "7", f"  {good}"]).encode())
    reading = read(tmp_path, "events", path)
    assert [record["record"] for record in reading.records if not record["reason"]] == [1, 6]
    assert reading.reasons == {3: "bad_type", 4: "bad_type", 5: "bad_type"}
    assert reading.messages[3] == "the line is not valid JSON"


def test_nothing_but_malformed_lines_is_nothing_but_rejected_records(tmp_path: Path) -> None:
    reading = read(tmp_path, "events", write_bytes(tmp_path / "e.ndjson", b"{\n[]\n"))
    assert reading.reasons == {1: "bad_type", 2: "bad_type"}


@pytest.mark.parametrize("name", ["e.ndjson", "e.parquet", "e.csv"])
def test_a_file_without_records_is_read(tmp_path: Path, name: str) -> None:
    if name == "e.parquet":
        empty = pa.table({key: pa.array([], pa.string()) for key in ("user_id", "kind", "occurred_at")})
        pq.write_table(empty, tmp_path / name)
    else:
        (tmp_path / name).write_text("user_id,kind,occurred_at\n" if name == "e.csv" else "")
    assert read(tmp_path, "events", str(tmp_path / name)).records == []


def test_no_inputs_are_an_empty_relation_of_the_same_columns(tmp_path: Path) -> None:
    some = read(tmp_path, "events", write(tmp_path / "e.csv", ROWS[:1]))
    with database(tmp_path) as connection:
        scan = stage(connection, "events", [], ReadOptions(), tmp_path / "staging", DEFINITIONS)
        relation = connection.sql(scan.relation_sql)
        assert relation.columns == list(some.records[0])
        assert relation.fetchall() == connection.sql(scan.rejected_sql()).fetchall() == []


def test_a_statement_brings_facts_of_any_type(tmp_path: Path) -> None:
    sql = """
        SELECT 12345678901234567890123456789::HUGEINT AS user_id, 'purchase'::ENUM('purchase') AS kind,
            TIMESTAMPTZ '2024-01-01 00:00:00Z' AS occurred_at, sum(2) AS quantity, 1.5 AS price, 'EUR' AS currency,
            {'a': 5::HUGEINT} AS properties, 'x' AS other; -- a comment
    """
    reading = read(tmp_path, "events", sql=sql)
    record = reading.records[0]
    assert reading.rejected == []
    assert record["user_id"] == "12345678901234567890123456789"
    assert (record["quantity"], record["amount"], record["properties"]) == (2, 3_000_000, '{"a":5}')
    assert reading.scan.notes == ("events: ignored columns: other",)


@pytest.mark.parametrize("sql", ["DROP TABLE x", "SELECT 1; SELECT 2", "SELEC 1", "SELECT * FROM nowhere", ""])
def test_what_is_not_one_working_select_is_refused(tmp_path: Path, sql: str) -> None:
    with pytest.raises(UserError, match="events-sql"):
        read(tmp_path, "events", sql=sql)


def refused(tmp_path: Path, name: str, data: bytes) -> str:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as error:
        read(tmp_path, "events", str(tmp_path / name))
    return str(error.value).replace(str(tmp_path) + "/", "")


HEADER = b"user_id,kind,occurred_at\n"


def test_files_that_cannot_be_read_are_refused_in_a_sentence(tmp_path: Path) -> None:
    parquet = Path(write(tmp_path / "whole.parquet", ROWS * 1000)).read_bytes()
    assert refused(tmp_path, "cut.parquet", parquet[:-100]).startswith("cut.parquet cannot be read as Parquet: ")
    latin = refused(tmp_path, "latin.csv", HEADER + "é,session,2024-01-01T00:00:00Z\n".encode("latin-1"))
    assert latin == "latin.csv is not UTF-8 (byte 0xE9 near position 25); save it as UTF-8"
    assert "l.ndjson is not UTF-8" in refused(tmp_path, "l.ndjson", '{"user_id": "é"}'.encode("latin-1"))
    assert refused(tmp_path, "array.json", b' [{"user_id": 1}]') == (
        "array.json is one JSON array; expected one object per line"
    )
    assert refused(tmp_path, "empty.csv", b"") == "empty.csv is empty; a CSV file starts with a line of column names"
    assert refused(tmp_path, "two.csv", b"user_id,kind,user_id\n") == 'two.csv has two columns "user_id"'
    assert refused(tmp_path, "quote.csv", HEADER + b'u,"session,2024-01-01T00:00:00Z\nu,x,y\n') == (
        'quote.csv has a quoted cell that never ends (a missing ")'
    )
    cut = gzip.compress(HEADER + b"u,session,2024-01-01T00:00:00Z\n" * 1000)[:-20]
    assert refused(tmp_path, "cut.csv.gz", cut).startswith("cut.csv.gz cannot be read: ")
    assert refused(tmp_path, "plain.csv.gz", HEADER).startswith("plain.csv.gz cannot be read: ")
    assert refused(tmp_path, "facts.xlsx", b"").startswith("facts.xlsx: cannot tell what this file is from its name")


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for pattern, sentence in (
        ("missing.csv", "events: there is no file"),
        ("*.csv", "events: no file matches"),
        ("none", "events: the directory"),
    ):
        with pytest.raises(UserError, match=sentence):
            find_files("events", [str(tmp_path / pattern)])


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", [{"userid": "u", "kind": "session", "occurred_at": "2024-01-01T00:00:00Z"}])
    with pytest.raises(UserError) as error:
        read(tmp_path, "events", path)
    assert str(error.value) == (
        f'{path} has no column "user_id" (its columns: userid, kind, occurred_at), did you mean "userid"? '
        "If it has another name, say so with --map userid=user_id"
    )


def test_columns_are_renamed_in_all_formats(tmp_path: Path) -> None:
    row = {'the user\'s/~"id"': "u", "user_id": "other", "kind": "session", "occurred_at": "2024-01-01T00:00:00Z"}
    options = ReadOptions(rename={'the user\'s/~"id"': "user_id"})
    for suffix in (".csv", ".ndjson", ".parquet"):
        reading = read(tmp_path, "events", write(tmp_path / f"e{suffix}", [row]), options=options)
        assert [record["user_id"] for record in reading.records] == ["u"]
        assert reading.scan.notes == ("events: ignored columns: user_id",)
        check_renamed_columns(options, [reading.scan])


def test_renaming_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", ROWS[1:2])
    with pytest.raises(UserError, match='there is no column "user", did you mean'):
        read(tmp_path, "events", path, options=ReadOptions(rename={"kind": "user"}))
    with pytest.raises(UserError, match='two columns are mapped to "user_id"'):
        read(tmp_path, "events", path, options=ReadOptions(rename={"a": "user_id", "b": "user_id"}))
    absent = ReadOptions(rename={"kid": "name"})
    with pytest.raises(UserError, match='no file has a column "kid", did you mean "kind"'):
        check_renamed_columns(absent, [read(tmp_path, "events", path, options=absent).scan])


def test_merges_are_read_with_their_ids_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "m.ndjson", [{"from_user_id": 7, "to_user_id": "b"}])
    with database(tmp_path) as connection:
        assert load_merges(connection, find_files("merges", [path]), ReadOptions(), tmp_path / "staging") == 1
        assert connection.execute("FROM merges").fetchall() == [("7", "b")]
        assert load_merges(connection, [], ReadOptions(), tmp_path / "staging") == 0


def test_rates_are_exact_and_repeated_ones_are_one(tmp_path: Path) -> None:
    row = {"date": "2024-01-01", "currency": "usd", "rate": "0.912345678901"}
    path = write(tmp_path / "r.csv", [row, row, {**row, "date": "2024-01-02", "rate": "1"}])
    with database(tmp_path) as connection:
        assert load_rates(connection, find_files("rates", [path]), ReadOptions(), tmp_path / "staging") == 2
        rows = connection.execute("SELECT date::VARCHAR, currency, rate::VARCHAR FROM rates ORDER BY date").fetchall()
    assert rows == [("2024-01-01", "USD", "0.912345678901"), ("2024-01-02", "USD", "1.000000000000")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rate": "0"}, 'row 2: rate "0" must be a number above 0 with at most 12 decimals'),
        ({"rate": "-1"}, 'row 2: rate "-1" must be'),
        ({"rate": ""}, "row 2: rate is missing"),
        ({"rate": "0.1234567890123"}, "row 2: rate"),
        ({"currency": "EURO"}, 'row 2: currency "EURO" is not a currency code'),
        ({"date": "01.02.2024"}, 'row 2: date "01.02.2024" is not a day'),
        ({"rate": "2"}, "rates: USD has two rates on 2024-01-01: 0.9"),
    ],
)
def test_a_bad_rate_refuses_the_file_and_names_the_row(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    row = {"date": "2024-01-01", "currency": "USD", "rate": "0.9"}
    path = write(tmp_path / "r.csv", [row, {**row, **change}])
    with database(tmp_path) as connection, pytest.raises(UserError) as error:
        load_rates(connection, find_files("rates", [path]), ReadOptions(), tmp_path / "staging")
    assert sentence in str(error.value)
