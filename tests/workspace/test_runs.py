"""A run, and what its results directory can do afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import afterword
from afterword.workspace.doctor import check
from afterword.workspace.verify import verify
from tests.example import write_example
from tests.workspace.worlds import run_world


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_example(out: str = "results", **options: Any) -> afterword.Results:
    arguments: dict[str, Any] = {"exposures": "exposures.csv", "events": "events.csv", "out": out, **options}
    return afterword.run("campaigns.yaml", **arguments)


def converted(results: afterword.Results) -> list[str]:
    return sorted(str(row[0]) for row in results.conversions.project("user_id").fetchall())


def test_verify_finds_the_same_again(tmp_path: Path) -> None:
    assert verify(run_world(tmp_path).path) == []


def test_rows_come_out_as_python_objects(example: Path) -> None:
    results = run_example()
    (row,) = results.conversions.fetchall()
    assert "ann" in row
    moments = [value for value in row if isinstance(value, datetime)]
    assert datetime(2026, 3, 2, 9, tzinfo=UTC) in moments
    assert datetime(2026, 3, 4, 18, 30, tzinfo=UTC) in moments
    assert results.credited_purchases.fetchall()


def test_verify_names_a_number_that_was_changed(example: Path) -> None:
    path = run_example().path / "report.json"
    report = json.loads(path.read_text("utf-8"))
    report["campaigns"][0]["variants"][0]["conversions"]["A"]["converted"] = 2
    path.write_text(json.dumps(report), encoding="utf-8")
    assert verify("results") == ["report.json campaigns[0].variants[0].conversions.A.converted: 2, now 1"]


@pytest.mark.parametrize("name", ["conversions.parquet", "credited_purchases.parquet"])
def test_verify_names_a_table_that_was_changed(example: Path, name: str) -> None:
    path = run_example().path / name
    table = pq.read_table(path)
    changed = table.set_column(table.column_names.index("user_id"), "user_id", pa.array(["eve"]))
    pq.write_table(changed, path)
    assert verify("results") == [f"{name}: rows differ"]
    pq.write_table(table.slice(0, 0), path)
    assert verify("results") == [f"{name}: 0 rows, now 1"]
    path.write_bytes(b"PAR1")
    (difference,) = verify("results")
    assert difference.startswith(f"{name}: damaged")


def test_the_same_facts_in_another_format_give_the_same_results(example: Path) -> None:
    first = run_example()
    for name in ("exposures", "events"):
        duckdb.execute(
            f"COPY (SELECT * FROM read_csv('{name}.csv', all_varchar = true)) TO '{name}.parquet'"
        ).fetchall()
    second = run_example("second", exposures="exposures.parquet", events="events.parquet")
    assert verify("second") == []
    for table in ("conversions.parquet", "credited_purchases.parquet", "rejected.parquet"):
        assert pq.read_table(first.path / table).equals(pq.read_table(second.path / table))
    reports = [{**results.json, "fingerprint": None} for results in (first, second)]
    assert reports[0] == reports[1]
    assert first.json["fingerprint"]["definitions"] == second.json["fingerprint"]["definitions"]
    assert first.json["fingerprint"]["facts"] != second.json["fingerprint"]["facts"]


def test_run_json_says_what_was_read_and_brings_it_back(example: Path) -> None:
    (example / "lake.sql").write_text("SELECT *, occurred_at AS seen FROM 'events.csv' -- all\n;", encoding="utf-8")
    results = run_example(
        events=(), events_sql="lake.sql", rename={"campaign_id": "campaign_id"}, dates="end-of-day", time_unit="ms"
    )
    data = json.loads((results.path / "run.json").read_text("utf-8"))
    assert [(entry["kind"], Path(entry["path"]).name) for entry in data["inputs"]] == [
        ("exposures", "exposures.csv"),
        ("events", "lake.sql"),
    ]
    inputs = afterword.open_results("results").inputs
    assert inputs.definitions == afterword.load_definitions("campaigns.yaml")
    assert inputs.options.rename == {"campaign_id": "campaign_id"}
    assert (inputs.options.dates, inputs.options.time_unit) == ("end-of-day", "ms")
    assert inputs.sources["exposures"].paths == (str(example / "exposures.csv"),)
    assert inputs.sources["events"].sql == "SELECT *, occurred_at AS seen FROM 'events.csv' -- all\n;"
    assert inputs.as_of == int(datetime(2026, 3, 9, 8, tzinfo=UTC).timestamp()) * 1_000_000
    assert verify("results") == []


@pytest.mark.parametrize("written", ["2026-03-05T00:00:00Z", "2026-03-05T00:00:00", datetime(2026, 3, 5, tzinfo=UTC)])
def test_as_of_leaves_later_facts_aside(example: Path, written: str | datetime) -> None:
    results = run_example(as_of=written)
    assert results.as_of == datetime(2026, 3, 5, tzinfo=UTC)
    assert results.json["facts"]["after_as_of"] == 2
    message = results.json["campaigns"][0]["variants"][0]["conversions"]["A"]
    assert (message["converted"], message["pending"], message["not_converted"]) == (1, 1, 0)


@pytest.mark.parametrize("inline", [True, False])
def test_facts_come_from_statements(example: Path, inline: bool) -> None:
    statements = {
        kind: f"SELECT * FROM read_csv('{kind}.csv', all_varchar = true);" for kind in ("exposures", "events")
    }
    if not inline:
        for kind, text in statements.items():
            (example / f"{kind}.sql").write_text(text, encoding="utf-8")
        statements = {kind: f"{kind}.sql" for kind in statements}
    results = run_example(
        exposures=(), events=(), exposures_sql=statements["exposures"], events_sql=statements["events"]
    )
    assert converted(results) == ["ann"]
    assert results.explain("cart-rescue", user="ben").overall == {"A": "too_late"}
    with pytest.raises(afterword.UserError, match="from files or from a statement, not from both"):
        run_example("other", events_sql="SELECT 1")


def test_rates_convert_what_is_in_other_currencies(example: Path) -> None:
    path = example / "events.csv"
    path.write_text(path.read_text("utf-8").replace("12.50,EUR", "10.00,CHF"), encoding="utf-8")
    (example / "rates.csv").write_text("date,currency,rate\n2026-03-01,CHF,1.05\n", encoding="utf-8")
    without, given = run_example(), run_example("second", rates="rates.csv")
    revenue = [results.json["campaigns"][0]["variants"][0]["revenue"] for results in (without, given)]
    assert (revenue[0]["amount"], revenue[0]["unconverted"]) == ("0.00", {"CHF": "10.00"})
    assert (revenue[1]["amount"], revenue[1]["unconverted"]) == ("10.50", {})


def test_a_merged_person_is_explained_by_any_of_the_ids(example: Path) -> None:
    (example / "merges.csv").write_text("from_user_id,to_user_id\nann,anna\nann-old,ann\n", encoding="utf-8")
    with (example / "events.csv").open("a", encoding="utf-8") as file:
        file.write("p-0,ann-old,purchase,2026-03-02T10:00:00Z,tea,1.00,EUR\n")
    results = run_example(merges="merges.csv")
    assert converted(results) == ["anna"]
    stories = [results.explain("cart-rescue", user=user) for user in ("ann", "anna", "ann-old")]
    assert {story.person for story in stories} == {"anna"}
    assert {story.verdicts for story in stories} == {stories[0].verdicts}
    assert [entry.text for entry in stories[0].entries] == [
        "exposed by email: variant message",
        "bought tea for 1.00 EUR",
        "bought tea for 12.50 EUR",
    ]
    (verdict,) = stories[0].verdicts
    assert verdict.text == "purchase p-0 came 1 hour after the exposure"


def test_doctor_counts_what_a_run_would_reject(example: Path) -> None:
    assert check("campaigns.yaml", exposures="exposures.csv", events="events.csv").healthy
    with (example / "events.csv").open("a", encoding="utf-8") as file:
        file.write("p-3,ann,purchase,yesterday,tea,12.50,EUR\np-4,ann,buys,2026-03-04T18:30:00Z,,,\n")
    found = check("campaigns.yaml", exposures="exposures.csv", events="events.csv")
    assert not found.healthy
    assert [(kind.kind, kind.rows, kind.rejected) for kind in found.kinds] == [
        ("exposures", 3, {}),
        ("events", 5, {"bad_kind": 1, "bad_time": 1}),
    ]
    assert run_example().json["facts"]["rejected"] == found.kinds[1].rejected
    assert check("campaigns.yaml", exposures="nothing.csv").problems == ["exposures: there is no file nothing.csv"]
    assert not (example / "doctor").exists()


def test_results_in_no_named_place_are_temporary(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    results = afterword.run("campaigns.yaml", exposures="exposures.csv", events="events.csv")
    assert [results.path] == list(temporary.iterdir())
    (example / "bad.csv").write_text("user_id,kind,occurred_at\nann,buys,2026-03-04T18:30:00Z\n", encoding="utf-8")
    with pytest.raises(afterword.UserError, match="1 row was rejected"):
        afterword.run("campaigns.yaml", exposures="exposures.csv", events="bad.csv", strict=True)
    assert [results.path] == list(temporary.iterdir())


def test_tables_are_relations_and_leave_nothing_in_the_results(example: Path) -> None:
    results = run_example()
    before = {path.name for path in results.path.iterdir()}
    for _ in range(3):
        opened = afterword.open_results(results.path)
        assert opened.conversions.project("user_id, event_id").fetchall() == [("ann", "p-1")]
        assert opened.credited_purchases.aggregate("sum(amount)::VARCHAR").fetchall() == [("12.500000",)]
        assert opened.rejected.fetchall() == []
    assert {path.name for path in results.path.iterdir()} == before


def test_a_damaged_table_is_named(example: Path) -> None:
    results = run_example()
    (results.path / "conversions.parquet").write_bytes(b"nothing")
    with pytest.raises(afterword.UserError, match=r"conversions\.parquet is damaged"):
        _ = results.conversions


def test_notebooks_show_the_page_in_a_frame(example: Path) -> None:
    results = run_example()
    for shown in (results._repr_html_(), results.report("cart-rescue")._repr_html_()):
        assert shown.startswith("<iframe srcdoc=")
        assert "Cart rescue" in shown
        assert "<html" not in shown
    assert repr(results) == "Results('results'), as of 2026-03-09T08:00:00Z: cart-rescue"
