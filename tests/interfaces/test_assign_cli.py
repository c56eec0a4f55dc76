"""`afterword assign`: the same variants from a definition file and from a data directory, through its server."""

from __future__ import annotations

import csv
import io
import json
import resource
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from shutil import which
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afterword.interfaces.cli import main
from tests.interfaces.serving import Client, Served, campaign

ALL = campaign("assign-cli", channels=["email"])


def said(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(shlex.split(line))
    told = capsys.readouterr()
    return code, told.out, told.err


def variants(text: str) -> dict[str, str]:
    return {row["user_id"]: row["variant_id"] for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("assign")
    (path / "campaigns.json").write_text(json.dumps({"campaigns": [ALL]}))
    (path / "users.csv").write_text("user_id,city\n" + "".join(f"u-{n},Köln\n" for n in range(150)) + "u-7,Köln\n")
    (path / "more.ndjson").write_text('{"user_id": 17}\n{"user_id": "日本語, \\"x\\""}\n')
    pq.write_table(pa.table({"customer": [f"p-{n}" for n in range(50)]}), path / "users.parquet")
    return path


def test_a_file_and_a_server_give_the_same(client: Client, shared: Served, files: Path, capsys: Any) -> None:
    named = f"--users {files}/users.csv {files}/more.ndjson"
    code, by_file, told = said(f"assign assign-cli {named} --campaigns {files}/campaigns.json", capsys)
    assert (code, told) == (0, "152 users assigned\n")
    found = variants(by_file)
    assert list(found)[:2] == ["u-0", "u-1"]
    assert list(found)[-2:] == ["17", '日本語, "x"']
    assert set(found.values()) == {"a", "control"}
    client.launch(ALL)
    code, by_server, told = said(f"assign assign-cli {named} --data {shared.data}", capsys)
    assert (code, by_server, told) == (0, by_file, "152 users assigned\n")
    client.loaded()
    assert sum(row["exposed"] for row in client.report("assign-cli")["variants"]) == 0


def test_the_disk_that_is_full_is_named(files: Path, tmp_path: Path, capsys: Any) -> None:
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        users = tmp_path / "users.csv"
        users.write_text("user_id\n" + "".join(f"user-{n}\n" for n in range(20_000)))
        line = f"assign assign-cli --users {users} --campaigns {files}/campaigns.json --out {place}/assigned.csv"
        code, _, told = said(line, capsys)
        assert (code, told) == (2, f"there is no space left in {place}: free some, or name a file on another disk\n")
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_recording_says_how_to_go_on_without_exposing_anybody_twice(
    client: Client, shared: Served, files: Path, capsys: Any
) -> None:
    client.launch(campaign("assign-cli-again", counting="once_per_exposure"))
    line = f"assign assign-cli-again --users {files}/users.csv --data {shared.data} --record"
    code, _, told = said(line, capsys)
    assert code == 0
    assert "who is recorded by then is not recorded again" in told
    again = told.split("run the same command again with ")[1].split(" added")[0]
    assert said(f"{line} {again}", capsys)[0] == 0
    client.loaded()
    assert sum(row["exposures"] for row in client.report("assign-cli-again")["variants"]) == 150


def test_recorded_users_are_exposed(client: Client, shared: Served, files: Path, tmp_path: Path, capsys: Any) -> None:
    client.launch(campaign("assign-cli-record", counting="once_per_exposure"))
    line = (
        f"assign assign-cli-record --users {files}/users.parquet --map customer=user_id --data {shared.data} --record "
        f"--exposed-at 2026-03-01T09:00:00Z --channel email --force --out {tmp_path}/assigned.parquet"
    )
    for _ in range(2):  # the same time: the same exposures
        code, _out, told = said(line, capsys)
        recorded = "50 users assigned, 50 of them recorded as exposed at 2026-03-01T09:00:00Z"
        assert (code, told) == (0, f"{recorded}: {tmp_path}/assigned.parquet\n")
    rows = pq.read_table(tmp_path / "assigned.parquet").to_pylist()
    client.loaded()
    exposed = {row["id"]: row["exposed"] for row in client.report("assign-cli-record")["variants"]}
    assert exposed == dict(Counter(row["variant_id"] for row in rows))
    assert {row["held_out"] for row in rows} == {None}


def test_lines_are_written_where_the_name_says_so(files: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "assigned.ndjson"
    line = f"assign assign-cli --users {files}/more.ndjson --campaigns {files}/campaigns.json --out {out}"
    assert said(line, capsys)[0] == 0
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert [row["user_id"] for row in rows] == ["17", '日本語, "x"']
    code, _out, told = said(line, capsys)
    assert (code, told) == (2, f"{out} exists; name another file with --out, or replace it with --force\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param("--campaigns {f}/campaigns.json", "no users are named", id="no-users"),
        pytest.param("--users {f}/users.csv", "name a definition file with --campaigns, or a data", id="no-source"),
        pytest.param("--users {f}/users.csv --campaigns {f}/campaigns.json --data {f}", "both --campaigns", id="both"),
        pytest.param("--users {f}/users.csv --campaigns {f}/campaigns.json --record", "exposures are rec", id="record"),
        pytest.param("--users {f}/users.csv --data {f} --channel email", "add --record", id="channel"),
        pytest.param("--users {f}/users.parquet --campaigns {f}/campaigns.json", "user_id", id="no-column"),
        pytest.param("--users {f}/none.csv --campaigns {f}/campaigns.json", "users: there is no file", id="no-file"),
        pytest.param(
            "--users {f}/users.csv --campaigns {f}/campaigns.json --out x.txt", "must end in .parq", id="form"
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(files: Path, arguments: str, sentence: str, capsys: Any) -> None:
    code, out, told = said(f"assign assign-cli {arguments.format(f=files)}", capsys)
    assert (code, out) == (2, "")
    assert sentence in told
    assert told.count("\n") == 1


def test_a_row_without_a_user_is_named(files: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "holes.csv").write_text('user_id,x\nann,1\n"",2\n')
    code, _out, told = said(
        f"assign assign-cli --users {tmp_path}/holes.csv --campaigns {files}/campaigns.json", capsys
    )
    assert code == 2
    assert f"{tmp_path}/holes.csv, row 2: user_id is missing" in told


def test_a_row_with_a_blank_user_is_named(
    client: Client, shared: Served, files: Path, tmp_path: Path, capsys: Any
) -> None:
    blanks = ["   ", "\t", "\u2003\u00a0", "\x1f"]
    for blank in blanks:
        (tmp_path / "blank.csv").write_text(f'user_id,x\nann,1\n"{blank}",2\n')
        for place in (f"--campaigns {files}/campaigns.json", f"--data {shared.data}"):
            code, out, told = said(f"assign assign-cli --users {tmp_path}/blank.csv {place}", capsys)
            sentence = "row 2: user_id is blank, must have at least one character that is no space"
            assert (code, out, told) == (2, "", f"{tmp_path}/blank.csv, {sentence}\n")
    client.launch(campaign("assign-blank"))
    answer = client.post("/api/assign", {"campaign_id": "assign-blank", "users": ["ann", *blanks]}).json()
    assert [one["user_id"] for one in answer["assigned"]] == ["ann"]
    assert {(one["item"], one["reason"]) for one in answer["rejected"]} == {(n, "missing_field") for n in (1, 2, 3, 4)}


@pytest.mark.slow
def test_a_file_past_the_limit_of_the_process_is_no_fault_of_ours(files: Path, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id\n" + "".join(f"user-{n}\n" for n in range(20_000)))
    line = [sys.executable, "-m", "afterword", "assign", "assign-cli", "--users", str(tmp_path / "users.csv")]
    line += ["--campaigns", str(files / "campaigns.json"), "--out", str(tmp_path / "assigned.csv")]
    limited = 65_536
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limited, limited)),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("raise the limit on the size of files (ulimit -f)\n")
    assert not (tmp_path / "assigned.csv").exists()


def test_a_campaign_that_the_file_does_not_have_is_named(files: Path, capsys: Any) -> None:
    code, _out, told = said(f"assign asign-cli --users {files}/users.csv --campaigns {files}/campaigns.json", capsys)
    assert (code, told) == (2, 'unknown campaign "asign-cli", did you mean "assign-cli"?\n')
