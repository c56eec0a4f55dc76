"""Whatever is wrong with what was given: exit code 2, a sentence that helps, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input_world import OUT, RUN, World, small_disk, world

__all__ = ["world"]

FIFTH = "".join(f"      - {{kind: custom, name: n{i}, deadline: 1 day}}\n" for i in range(4))
DEADLINE = "kind: purchase, deadline: 3 days"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(
            "deadline: 3 days}\n",
            f"deadline: 3 days}}\n{FIFTH}",
            ["5 conversion events", "at most 4"],
            id="fifth-event",
        ),
        pytest.param("deadline: 3 days", "deadline: 31 days", ["31 days", "at most 30 days"], id="31-days"),
        pytest.param("deadline: 3 days", "deadline: 0 seconds", ["0 seconds", "at least 1 second"], id="0-seconds"),
        pytest.param("share: 50}", "share: 49}", ["99", "100"], id="shares-sum-to-99"),
        pytest.param("kind: purchase", "kind: purchas", ['"purchas"', 'did you mean "purchase"?'], id="unknown-kind"),
        pytest.param("kind: purchase", "kind: custom", ["name"], id="missing-custom-name"),
        pytest.param("campaigns:", "campaigns: [", ["campaigns.yaml", "line"], id="no-yaml"),
        pytest.param("  - id: cart-rescue\n", "  -\n", ["id"], id="campaign-without-id"),
    ],
)
def test_wrong_definition(world: World, old: str, new: str, words: list[str]) -> None:
    world.replace("campaigns.yaml", old, new)
    sentence = world.refused(*RUN)
    assert [word for word in words if word not in sentence] == [], sentence


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda path: path.unlink(), "campaigns.yaml", id="not-there"),
        pytest.param(make_directory, "campaigns.yaml", id="a-directory"),
        pytest.param(lambda path: path.write_bytes(b""), "empty", id="empty"),
        pytest.param(lambda path: path.write_text("campaigns: []\n"), "campaign", id="no-campaign"),
        pytest.param(lambda path: path.write_bytes(b"campaigns: \xff\xfe"), "UTF-8", id="not-utf-8"),
    ],
)
def test_definition_file_that_cannot_be_used(world: World, spoil: Callable[[Path], object], words: str) -> None:
    spoil(world.home / "campaigns.yaml")
    assert words in world.refused(*RUN)


def test_missing_column_names_those_that_are_there(world: World) -> None:
    world.replace("events.csv", "occurred_at", "ocurred_at")
    sentence = world.refused(*RUN)
    assert 'events.csv has no column "occurred_at"' in sentence
    assert 'did you mean "ocurred_at"?' in sentence
    assert "--map ocurred_at=occurred_at" in sentence


def test_no_usable_exposure(world: World) -> None:
    path = world.home / "exposures.csv"
    path.write_text(path.read_text("utf-8").replace("cart-rescue", "cart-rescu"), encoding="utf-8")
    sentence = world.refused(*RUN)
    assert "no usable exposure is left (3 unknown_campaign)" in sentence
    assert "doctor" in sentence


def test_no_exposure_before_as_of(world: World) -> None:
    assert "6 facts are later than the as-of time" in world.refused(*RUN, "--as-of", "2020-01-01T00:00:00Z")


def test_no_exposures_named(world: World) -> None:
    assert "--exposures" in world.refused("run", "campaigns.yaml", "--events", "events.csv")


def test_strict_refuses_any_rejected_row(world: World) -> None:
    world.append("events.csv", "p-3,ann,purchase,yesterday,tea,12.50,EUR")
    sentence = world.refused(*RUN, "--strict")
    assert "1 row was rejected (1 bad_time)" in sentence
    assert 'events.csv, row 4: occurred_at "yesterday"' in sentence


def test_time_without_date_rejects_the_row_alone(world: World) -> None:
    world.append("events.csv", "p-3,ann,purchase,12:30:00,tea,12.50,EUR")
    assert "(1 bad_time)" in world.refused(*RUN, "--strict")
    printed = world.done(*RUN)
    assert "Rejected 1 row (1 bad_time); afterword-results/rejected.parquet says which and why." in printed
    (row,) = pq.read_table(world.home / OUT / "rejected.parquet").to_pylist()
    assert (row["file"], row["row"], row["reason"]) == ("events.csv", 4, "bad_time")
    assert '"12:30:00"' in row["message"]


def test_csv_that_is_not_utf_8(world: World) -> None:
    with (world.home / "events.csv").open("ab") as file:
        file.write("p-3,ann,purchase,2026-03-04T18:30:00Z,thé,12.50,EUR\n".encode("latin-1"))
    sentence = world.refused(*RUN)
    assert "events.csv" in sentence
    assert "UTF-8" in sentence


def events_parquet(world: World, rows: int) -> Path:
    path = world.home / "events.parquet"
    table = pa.table(
        {
            "event_id": [f"e-{i}" for i in range(rows)],
            "user_id": [f"u-{i}" for i in range(rows)],
            "kind": ["session"] * rows,
            "occurred_at": ["2026-03-04T18:30:00Z"] * rows,
        }
    )
    pq.write_table(table, path, compression="none", use_dictionary=False)
    return path


PARQUET_RUN = (*RUN[:-1], "events.parquet")


def test_truncated_parquet(world: World) -> None:
    path = events_parquet(world, 1000)
    path.write_bytes(path.read_bytes()[:5000])
    assert "events.parquet cannot be read as Parquet" in world.refused(*PARQUET_RUN)


def test_parquet_with_a_hole(world: World) -> None:
    path = events_parquet(world, 10_000)
    content = bytearray(path.read_bytes())
    content[1000:60_000] = b"\xff" * 59_000
    path.write_bytes(content)
    assert "events.parquet cannot be read" in world.refused(*PARQUET_RUN)


def test_file_of_unknown_ending(world: World) -> None:
    (world.home / "events.csv").rename(world.home / "events.xlsx")
    sentence = world.refused(*RUN[:-1], "events.xlsx")
    assert "events.xlsx" in sentence
    assert ".parquet" in sentence


@pytest.mark.parametrize("events", ["nothing.csv", "events-*.csv"])
def test_file_that_is_not_there(world: World, events: str) -> None:
    assert events in world.refused(*RUN[:-1], events)


def test_directory_without_files(world: World) -> None:
    (world.home / "lake").mkdir()
    assert "the directory lake has no files to read; expected .csv" in world.refused(*RUN[:-1], "lake")


def test_results_that_exist_stay_unless_forced(world: World) -> None:
    world.done(*RUN)
    assert "afterword-results exists" in world.refused(*RUN)
    world.append("events.csv", "p-3,ann,purchase,yesterday,tea,12.50,EUR")
    assert "bad_time" in world.refused(*RUN, "--force", "--strict")
    world.done(*RUN, "--force")
    assert json.loads((world.home / OUT / "report.json").read_text("utf-8"))["facts"]["rejected"] == {"bad_time": 1}
    assert {path.name for path in world.home.iterdir()} == {"campaigns.yaml", "exposures.csv", "events.csv", OUT}


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_directory_of_other_things_is_never_replaced(world: World, force: tuple[str, ...]) -> None:
    (world.home / OUT).mkdir()
    (world.home / OUT / "thesis.tex").write_text("two years of work", encoding="utf-8")
    assert "name another" in world.refused(*RUN, *force)


def test_results_cannot_take_the_place_of_a_file(world: World) -> None:
    assert "events.csv exists and is no directory" in world.refused(*RUN, "--out", "events.csv", "--force")


def test_results_cannot_be_below_a_file(world: World) -> None:
    assert "cannot write results to events.csv/results" in world.refused(*RUN, "--out", "events.csv/results")


def test_wrong_as_of(world: World) -> None:
    assert '"tomorrow", must be a time in ISO 8601' in world.refused(*RUN, "--as-of", "tomorrow")
    assert "a date without a time" in world.refused(*RUN, "--as-of", "2026-03-09")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--memory", "lots"], 'memory is "lots"', id="memory"),
        pytest.param(["--memory", "1MB"], "at least 100MB", id="little-memory"),
        pytest.param(["--threads", "0"], "threads is 0, must be at least 1", id="threads"),
        pytest.param(["--time-unit", "hours"], "hours", id="time-unit"),
        pytest.param(["--map", "customer=user_id"], 'no file has a column "customer"', id="map-of-nothing"),
        pytest.param(["--map", "user_id=user"], 'did you mean "user_id"?', id="map-to-nothing"),
        pytest.param(["--rates", "rates.csv"], "rates.csv", id="rates"),
        pytest.param(["--merges", "merges.csv"], "merges.csv", id="merges"),
    ],
)
def test_wrong_option(world: World, options: list[str], words: str) -> None:
    assert words in world.refused(*RUN, *options)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param("SELECT nothing FROM 'events.csv'", "nothing", id="unknown-column"),
        pytest.param("SELEC 1", "is not SQL", id="no-sql"),
        pytest.param("SELECT 1; SELECT 2", "one SELECT", id="two-statements"),
        pytest.param("DROP TABLE merges", "one SELECT", id="no-select"),
        pytest.param("SELECT * FROM 'nowhere.parquet'", "nowhere.parquet", id="file-that-is-not-there"),
        pytest.param("SELECT user_id, kind FROM 'events.csv'", 'has no column "occurred_at"', id="missing-column"),
        pytest.param(
            "SELECT *, error('no, said the lake') AS name FROM 'events.csv'", "said the lake", id="fails-late"
        ),
    ],
)
def test_wrong_statement(world: World, statement: str, words: str) -> None:
    (world.home / "events.sql").write_text(statement, encoding="utf-8")
    sentence = world.refused(*RUN[:4], "--events-sql", "events.sql")
    assert "events.sql" in sentence
    assert words in sentence


def test_statement_file_that_cannot_be_read(world: World) -> None:
    assert "there is no file events.sql" in world.refused(*RUN[:4], "--events-sql", "events.sql")
    (world.home / "events.sql").write_bytes(b"SELECT '\xff'")
    assert "events.sql is not UTF-8" in world.refused(*RUN[:4], "--events-sql", "events.sql")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["report", "cart-rescu"], 'did you mean "cart-rescue"?', id="report"),
        pytest.param(["explain", "cart-rescu", "ann"], 'did you mean "cart-rescue"?', id="explain-campaign"),
        pytest.param(["users", "cart-rescu"], 'did you mean "cart-rescue"?', id="users-campaign"),
        pytest.param(["explain", "cart-rescue", "an"], 'about a user "an", did you mean "ann"?', id="explain-user"),
        pytest.param(["explain", "cart-rescue", "zoe"], 'no fact about a user "zoe"', id="explain-nobody-like"),
        pytest.param(["users", "cart-rescue", "--variant", "contrl"], 'did you mean "control"?', id="users-variant"),
        pytest.param(
            ["users", "cart-rescue", "--event", "B"], 'unknown conversion event "B": cart-rescue has A', id="B"
        ),
        pytest.param(["users", "cart-rescue", "--pending", "--not"], "only one of", id="two-states"),
        pytest.param(["report", "--results", "nowhere"], "there is no results directory nowhere", id="no-results"),
        pytest.param(["report", "--results", "."], "is no complete results directory", id="other-directory"),
        pytest.param(["verify", "nowhere"], "there is no results directory nowhere", id="verify-nothing"),
    ],
)
def test_wrong_question(world: World, words: list[str], said: str) -> None:
    world.done(*RUN)
    assert said in world.refused(*words)


QUESTIONS = (["explain", "cart-rescue", "ann"], ["users", "cart-rescue"], ["verify", OUT])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("words", QUESTIONS, ids=lambda words: words[0])
def test_changed_and_missing_input(world: World, words: list[str]) -> None:
    world.done(*RUN)
    world.replace("events.csv", "12.50", "99.50")
    assert "events.csv has changed since it was read for these results; run again" in world.refused(*words)
    (world.home / "events.csv").unlink()
    assert "events.csv is gone" in world.refused(*words)
    world.done("report", "cart-rescue")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("report.json", '{"as_of": "20', ["report", "cart-rescue"], id="report-cut"),
        pytest.param("report.json", "{}", ["users", "cart-rescue"], id="report-of-nothing"),
        pytest.param("report.json", "[]", ["explain", "cart-rescue", "ann"], id="report-is-a-list"),
        pytest.param("run.json", '{"definitions": {', ["explain", "cart-rescue", "ann"], id="run-cut"),
        pytest.param("run.json", "{}", ["users", "cart-rescue"], id="run-of-nothing"),
        pytest.param("run.json", "\ufeff", ["verify", OUT], id="run-empty"),
        pytest.param("run.json", '{"inputs": [1]}', ["verify", OUT], id="run-of-another-sort"),
    ],
)
def test_damaged_results(world: World, name: str, content: str, words: list[str]) -> None:
    world.done(*RUN)
    (world.home / OUT / name).write_text(content, encoding="utf-8")
    sentence = world.refused(*words)
    assert f"{name} is damaged" in sentence
    assert "afterword run" in sentence


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["report.json", "run.json", "conversions.parquet", "rejected.parquet"])
def test_incomplete_results(world: World, name: str) -> None:
    world.done(*RUN)
    (world.home / OUT / name).unlink()
    assert f"is no complete results directory: {name} is missing" in world.refused("report", "cart-rescue")


def many_rows(world: World, rows: int) -> None:
    lines = [f"user-{i},cart-rescue,message,2026-03-02T09:00:00Z,email\n" for i in range(rows)]
    with (world.home / "exposures.csv").open("a", encoding="utf-8") as file:
        file.writelines(lines)
    lines = [f"many-{i},user-{i},purchase,2026-03-02T10:00:00Z,tea,1.25,EUR\n" for i in range(rows)]
    with (world.home / "events.csv").open("a", encoding="utf-8") as file:
        file.writelines(lines)


def test_full_disk_for_results(world: World, tmp_path: Path) -> None:
    many_rows(world, 2_000)
    with small_disk(tmp_path / "disk", 64) as disk:
        sentence = world.refused(*RUN, "--out", str(disk / "deep" / "results"))
        assert list(disk.iterdir()) == []
    assert (
        sentence == f"cannot write results to {disk / 'deep' / 'results'}: No space left on device; nothing was changed"
    )


def test_full_disk_keeps_the_results_that_were_there(world: World, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 160) as disk:
        out = str(disk / "results")
        world.done(*RUN, "--out", out)
        before = (disk / "results" / "report.json").read_bytes()
        many_rows(world, 5_000)
        assert "No space left on device; nothing was changed" in world.refused(*RUN, "--out", out, "--force")
        assert [path.name for path in disk.iterdir()] == ["results"]
        assert (disk / "results" / "report.json").read_bytes() == before


def test_full_disk_for_temporary_files(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_rows(world, 5_000)
    with small_disk(tmp_path / "disk", 12) as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        sentence = world.refused(*RUN)
        assert list(disk.iterdir()) == []
    assert "\n" not in sentence
    assert f"no space left for temporary files in {disk}" in sentence
    assert "TMPDIR" in sentence
