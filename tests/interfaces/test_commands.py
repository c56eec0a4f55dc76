"""The commands from end to end, on the README's example: what they print, what they return, what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from tests.example import write_example

RUN = ["run", "campaigns.yaml", "--exposures", "exposures.csv", "--events", "events.csv"]
RESULTS = Path("afterword-results")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def finished(example: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(RUN) == 0
    capsys.readouterr()
    return example


def test_run_prints_the_report_and_leaves_the_results(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    printed = capsys.readouterr()
    assert "Cart rescue" in printed.out
    assert "afterword-results" in printed.out
    assert printed.err == ""
    assert {path.name for path in RESULTS.iterdir()} >= {
        "conversions.parquet",
        "credited_purchases.parquet",
        "rejected.parquet",
        "report.html",
        "report.json",
        "run.json",
    }


def test_run_json_is_the_report_and_nothing_else(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((RESULTS / "report.json").read_text("utf-8"))
    message, control = printed["campaigns"][0]["variants"]
    assert (message["exposed"], message["conversions"]["A"]["converted"]) == (2, 1)
    assert (control["exposed"], control["conversions"]["A"]["converted"]) == (1, 0)


def test_several_files_after_one_option_are_all_read(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = (example / "events.csv").read_text("utf-8").splitlines()
    for number, row in enumerate(rows):
        (example / f"events-{number}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    several = ["events-0.csv", "events-1.csv", "events-2.csv"]
    assert main([*RUN[:-1], *several, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["events"] == 3


def test_a_results_directory_that_exists_is_replaced_only_by_force(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (RESULTS / "report.json").read_bytes()
    assert main(RUN) == 2
    assert "--force" in capsys.readouterr().err
    assert (RESULTS / "report.json").read_bytes() == before
    assert main([*RUN, "--force"]) == 0


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
def test_report_prints_the_variants(finished: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "cart-rescue", "--format", form]) == 0
    printed = capsys.readouterr().out
    assert "control" in printed


def test_report_json_is_the_campaigns_part(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "cart-rescue", "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert main(["report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["campaigns"] == [one]


def test_an_unknown_campaign_names_the_nearest(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "cart-rescu"]) == 2
    assert 'did you mean "cart-rescue"?' in capsys.readouterr().err


def test_explain_names_the_event_that_came_too_late(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "cart-rescue", "ben"]) == 0
    printed = capsys.readouterr().out
    assert "p-2" in printed
    assert "too_late: purchase p-2 came 1 second after the deadline" in printed
    assert printed.count("too_late") == 1


def test_explain_json_has_the_verdict(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "cart-rescue", "ben", "--json"]) == 0
    assert "too_late" in json.dumps(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("options", "people"),
    [
        pytest.param(["--variant", "message", "--converted"], ["ann"], id="converted"),
        pytest.param(["--variant", "message", "--not"], ["ben"], id="not-converted"),
        pytest.param(["--variant", "message", "--pending"], [], id="pending"),
        pytest.param(["--not"], ["ben", "eve"], id="not-converted-of-all-variants"),
        pytest.param([], ["ann"], id="converted-unless-said-otherwise"),
    ],
)
def test_users_lists_those_behind_a_number(
    finished: Path, options: list[str], people: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["users", "cart-rescue", "--event", "A", "--json", *options]) == 0
    assert sorted(row["user_id"] for row in json.loads(capsys.readouterr().out)) == people


def test_users_says_on_stderr_how_many_there_are(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "cart-rescue", "--not"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "user_id\nben\neve\n"
    assert printed.err == "2 users not converted\n"
    assert main(["users", "cart-rescue", "--variant", "message"]) == 0
    assert capsys.readouterr().err == "1 user converted\n"


def test_run_says_what_was_read_and_what_was_left_aside(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (example / "events.csv").open("a", encoding="utf-8") as file:
        file.write(
            "p-1,ann,purchase,2026-03-04T18:30:00Z,tea,12.50,EUR\np-3,ann,buys,2026-03-04T18:30:00Z,tea,12.50,EUR\n"
        )
        file.write("p-4,ann,purchase,2026-03-10 18:30:00,tea,1.50,EUR\n")
        file.write("p-9,ann,purchase,2026-03-12T18:30:00Z,tea,12.50,EUR\n")
    assert main([*RUN, "--as-of", "2026-03-11T00:00:00Z"]) == 0
    said = capsys.readouterr().out.splitlines()[-4:-1]
    assert said == [
        "Read 3 exposures and 4 events; 1 repetition counted once, 1 fact later than the report.",
        "Rejected 1 row (1 bad_kind); afterword-results/rejected.parquet says which and why.",
        "Note: times without an offset were read as UTC.",
    ]


def test_verify_says_same(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(RESULTS)]) == 0
    assert capsys.readouterr().out == "same\n"


def test_verify_names_a_file_that_changed(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = (finished / "events.csv").read_text("utf-8").replace("2026-03-05T09:00:01Z", "2026-03-05T09:00:00Z")
    (finished / "events.csv").write_text(changed, encoding="utf-8")
    assert main(["verify", str(RESULTS)]) == 2
    assert "events.csv has changed" in capsys.readouterr().err


def test_doctor_finds_nothing_in_good_files(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *RUN[1:]]) == 0
    assert not RESULTS.exists()


def test_doctor_names_the_rows_that_cannot_be_used(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (example / "events.csv").open("a", encoding="utf-8") as file:
        file.write("p-3,ann,purchase,2026-03-04,tea,12.50,EUR\n")
    assert main(["doctor", *RUN[1:]]) == 2
    assert "ambiguous_time" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("deadline: 3 days", "deadline: 31 days", "31 days", id="deadline-too-long"),
        pytest.param("share: 50}", "share: 49}", "sum to", id="shares"),
        pytest.param("kind: purchase", "kind: purchases", 'did you mean "purchase"?', id="kind"),
    ],
)
def test_a_wrong_definition_is_refused_and_nothing_is_written(
    example: Path, old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (example / "campaigns.yaml").read_text("utf-8")
    (example / "campaigns.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert main(RUN) == 2
    assert said in capsys.readouterr().err
    assert not RESULTS.exists()


def test_strict_refuses_rejected_rows(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (example / "events.csv").open("a", encoding="utf-8") as file:
        file.write("p-3,ann,purchase,yesterday,tea,12.50,EUR\n")
    assert main([*RUN, "--strict"]) == 2
    assert "bad_time" in capsys.readouterr().err
    assert not RESULTS.exists()
    assert main(RUN) == 0


def test_results_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--results", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
