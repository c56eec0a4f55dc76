"""`afterword export`: the same files through the server, from a directory that no server has open, and of results."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from afterword.interfaces.cli import main
from tests.interfaces.braze_world import bought, exposed, world
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase

SUFFIXES = ("ndjson", "csv", "parquet")
USERS = ("cli-ann", "cli-ben", "cli-eve")


def said(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(shlex.split(line))
    told = capsys.readouterr()
    return code, told.out + told.err


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that no server has open."""
    path = tmp_path_factory.mktemp("closed") / "data"
    with world(path) as opened:
        opened.launched(campaign("spring"))
        opened.facts(
            exposures=[exposed(f"x-{user}", user, "a", "2024-11-01T00:00:00Z") for user in USERS],
            events=[bought(f"p-{user}", user, "2024-11-02T00:00:00.5Z", "9.50") for user in USERS],
        )
    return path


@pytest.fixture(scope="module")
def served(shared: Served) -> Client:
    """The same with a server."""
    client = shared.clients[0]
    client.launch(campaign("exports"))
    client.post("/api/exposures", exposures(USERS, of="exports"))
    client.post("/api/events", {"events": [purchase(user, event_id=f"p-{user}") for user in USERS]})
    client.loaded()
    return client


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", ["conversions", "credited-purchases"])
def test_a_server_is_asked(
    served: Client, shared: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, what: str
) -> None:
    out = tmp_path / f"rows.{suffix}"
    line = f"export exports --data {shared.data} --what {what} --out {out} --variant a"
    assert said(line, capsys) == (0, f"{out} is written.\n")
    answer = served.get(f"/api/{what}?campaign=exports&format={suffix}")
    if suffix == "csv":
        # Only `as_of` can differ.
        assert len(out.read_text().splitlines()) == len(answer.text.splitlines()) == 1 + len(USERS)
    else:
        assert [row["event_id"] for row in rows(out)] == [f"p-{user}" for user in USERS]
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_directory_without_a_server_is_opened(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.ndjson"
    assert said(f"export --data {closed} --event A --out {out}", capsys) == (0, f"{out} is written.\n")
    found = rows(out)
    assert [row["user_id"] for row in found] == list(USERS)
    assert found[0]["converted_at"] == "2024-11-02T00:00:00.500000Z"
    code, told = said(f"export --data {closed} --facts {tmp_path / 'facts'}", capsys)
    assert code == 0
    command = told.splitlines()[-1].strip().removeprefix("afterword ")
    results = tmp_path / "results"
    assert said(f"{command} --out {results} --json", capsys)[0] == 0
    again = rows(results / "conversions.parquet")
    names = ("conversion_id", "definition_version", "event_id")
    assert [[row[name] for name in names] for row in again] == [[row[name] for name in names] for row in found]


def test_results_of_files_are_exported_as_well(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, results = tmp_path / "facts", tmp_path / "results"
    command = said(f"export --data {closed} --facts {facts}", capsys)[1].splitlines()[-1].removeprefix("  afterword ")
    assert said(f"{command} --out {results} --json", capsys)[0] == 0
    for what, name in (("conversions", "conversions"), ("credited-purchases", "credited_purchases")):
        expected = rows(results / f"{name}.parquet")
        for suffix in SUFFIXES:
            out = tmp_path / f"{name}.{suffix}"
            line = f"export spring --results {results} --what {what} --variant a --out {out}"
            assert said(line, capsys) == (0, f"{out} is written.\n")
        assert rows(tmp_path / f"{name}.parquet") == expected
        assert [row["event_id"] for row in rows(tmp_path / f"{name}.ndjson")] == [row["event_id"] for row in expected]
        assert (tmp_path / f"{name}.csv").read_text().splitlines()[0].split(",") == list(expected[0])


def test_what_cannot_be_is_refused_and_nothing_is_left(
    closed: Path, shared: Served, served: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    data = f"export --data {shared.data}"
    for line, sentence in (
        (f"{data} --out {there}", "there.csv exists; name another file with --out, or replace it with --force"),
        (f"{data} --out {tmp_path}/rows.xlsx", "must end in .parquet, .csv or .ndjson"),
        (f"{data} --out {tmp_path}/none/rows.csv", "none/rows.csv cannot be written"),
        (data, "name either a file with --out"),
        (f"{data} --out {tmp_path}/a.csv --facts {tmp_path}/b", "name either a file with --out"),
        (f"{data} --facts {tmp_path}", "exists and is no empty directory"),
        (f"{data} exports --facts {tmp_path}/f", "--facts exports all facts"),
        (f"export --facts {tmp_path}/f", "--facts exports a data directory"),
        (f"{data} exportt --out {tmp_path}/a.csv", 'did you mean "exports"'),
        (f"{data} exports --variant b --out {tmp_path}/a.csv", 'unknown variant "b"'),
        (f"{data} --what credited-purchases --event A --out {tmp_path}/a.csv", "leave --event away"),
    ):
        code, told = said(line, capsys)
        assert code == 2, told
        assert sentence in told
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert there.read_text() == "mine"
    assert said(f"{data} exports --out {there} --force", capsys)[0] == 0
    assert len(there.read_text().splitlines()) == 1 + len(USERS)
