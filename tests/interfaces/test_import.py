"""`afterword import` in processes of its own: killed and begun again, and through a running server."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

import afterword
from afterword.intake.accepted import Accepted, Exposure
from afterword.interfaces.cli import main
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, wait_for

USERS, ROWS = 400, 30_000
START = 1_772_000_000_000_000
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process; return what it prints. What it writes where it stands is the test's."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object, code: int = 0) -> str:
        capsys.readouterr()
        found = main([str(word) for word in words])
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out if code == 0 else printed.err

    return command


def write_history(directory: Path, of: str, rows: int = ROWS) -> list[str]:
    """Write a campaign's exposures and many purchases, none of which has an id; return the options that name them."""
    directory.mkdir(parents=True, exist_ok=True)
    chance = random.Random(of)
    with (directory / "exposures.csv").open("w") as file:
        file.write("user_id,campaign_id,variant_id,exposed_at\n")
        for user in range(USERS):
            file.write(f"{of}-{user},{of},{chance.choice(('a', 'control'))},{START + user}\n")
    with (directory / "events.csv").open("w") as file:
        file.write("user_id,kind,occurred_at,product_id,price,currency,properties\n")
        for row in range(rows):
            at, price = START + chance.randrange(4 * 86_400_000_000), chance.randrange(100)
            kind = "purchase" if row % 1000 else "purchas"
            file.write(f'{of}-{chance.randrange(USERS)},{kind},{at},tea,{price}.5,EUR,"{{""n"": {row % 7}}}"\n')
    (directory / "campaigns.yaml").write_text(json.dumps({"campaigns": [{**campaign(of), "channels": []}]}))
    return [
        "--exposures",
        str(directory / "exposures.csv"),
        "--events",
        str(directory / "events.csv"),
        "--time-unit",
        "us",
    ]


def expected(directory: Path) -> dict[str, Any]:
    """What a run over the same files reports."""
    ran = afterword.run(
        directory / "campaigns.yaml",
        exposures=directory / "exposures.csv",
        events=directory / "events.csv",
        time_unit="us",
        out=directory / "results",
    )
    report: dict[str, Any] = json.loads(json.dumps(ran.json))
    assert report["campaigns"][0]["variants"][0]["conversions"]["A"]["converted"] > 0
    return report


def converted(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what of a campaign does not depend on when it is reported: all windows ended long ago."""
    (found,) = report["campaigns"]
    rows = [(one["id"], one["exposed"], one["revenue"]["amount"], one["conversions"]["A"]) for one in found["variants"]]
    return [(*row, counted["converted"], counted["not_converted"]) for *row, counted in rows]


def begin(words: Sequence[object], directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "afterword", *map(str, words)]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def logged(data: Path) -> int:
    """Return the size of the log."""
    return sum(path.stat().st_size for path in (data / "log").glob("*.seg")) if (data / "log").is_dir() else 0


def stored(data: Path) -> list[tuple[Any, ...]]:
    """Return how many exposures, events, rejected rows, repetitions and conversions there are."""
    tables = ("exposures", "events", "rejected", "derived.conversions")
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    with duckdb.connect(str(data / "facts.duckdb"), read_only=True) as con:
        return con.execute(f"SELECT {counts}, repetitions FROM loaded").fetchall()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path, run: Run) -> None:
    options = write_history(tmp_path, "killed")
    data = tmp_path / "data"
    run("apply", tmp_path / "campaigns.yaml", "--yes", "--data", data)
    chance = random.Random(3)
    for size in (1, 150_000, 300_000):
        kill_at(begin(["import", *options, "--data", data], tmp_path), data, size, chance.uniform(0, 0.05))
    run("import", *options, "--data", data)
    rows = sum(row[3] for row in converted(expected(tmp_path)))
    refused = -(-ROWS // 1000)
    assert stored(data) == [(USERS, ROWS - refused, refused, rows, 0)]


def kill_at(process: subprocess.Popen[str], data: Path, size: int, seconds: float) -> None:
    """Kill an import some time after the log has passed a size."""
    wait_for(lambda: logged(data) > size or process.poll() is not None, 60)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


class TestThroughARunningServer:
    def test_results_are_those_of_a_run(self, shared: Served, client: Client, tmp_path: Path, run: Run) -> None:
        options = write_history(tmp_path, "through", 12_000)
        client.launch({**campaign("through"), "channels": []})
        out = run("import", *options, "--data", shared.data, "--rejected", tmp_path / "no.parquet")
        assert out.splitlines()[:2] == [
            f"Imported {USERS} exposures, 11,988 events.",
            f"Rejected 12 rows (12 bad_kind); {tmp_path / 'no.parquet'} says which and why.",
        ]
        report = client.get("/api/campaigns/through/report").json()  # the import has waited for it
        assert converted(report) == converted(expected(tmp_path))
        again = run("import", *options, "--data", shared.data)
        assert again.startswith("2 files were imported before and left alone")

    def test_users_and_merges_come_too(self, shared: Served, client: Client, tmp_path: Path, run: Run) -> None:
        (tmp_path / "users.csv").write_text("user_id,plan\nimported,pro\n")
        (tmp_path / "merges.csv").write_text("from_user_id,to_user_id\nimported,imported-too\n,\n")
        files = ["--users", tmp_path / "users.csv", "--merges", tmp_path / "merges.csv"]
        out = json.loads(
            run("import", *files, "--data", shared.data, "--json", "--rejected", tmp_path / "rejected.parquet")
        )
        assert out["accepted"] == {"users": 1, "merges": 1}
        assert out["rejected"] == {"missing_field": 1}
        answer = client.post("/users/export/ids", {"external_ids": ["imported"]})
        assert answer.json()["users"][0]["custom_attributes"] == {"plan": "pro"}

    def test_strict_says_with_exit_code_2_what_is_wrong(self, shared: Served, tmp_path: Path, run: Run) -> None:
        options = write_history(tmp_path, "strict", 10)
        said = run("import", *options, "--strict", "--data", shared.data, "--rejected", tmp_path / "r.parquet", code=2)
        assert 'events.csv, row 1: kind "purchas" is not one of' in said

    @pytest.mark.slow
    def test_it_waits_where_the_server_asks_to_and_goes_on_after_its_crash(
        self, serving: Serving, tmp_path: Path, run: Run
    ) -> None:
        served = serving(unloaded_bytes=1)  # each batch must be loaded before the next is taken
        served.start().launch({**campaign("crash"), "channels": []})
        options = write_history(tmp_path, "crash", 5_000)
        rejected = ["--rejected", tmp_path / "rejected.parquet"]
        process = begin(["import", *options, "--data", served.data, *rejected], tmp_path)
        wait_for(lambda: logged(served.data) > 20_000 or process.poll() is not None, 60)
        served.kill()
        _, said = process.communicate(timeout=60)
        assert (process.returncode, "went away" in said) == (1, True), said
        client = served.start()
        run("import", *options, "--data", served.data, *rejected)
        report = client.get("/api/campaigns/crash/report").json()
        assert converted(report) == converted(expected(tmp_path))
        assert report["facts"]["repetitions"] == 0
        assert report["facts"]["rejected"] == {"bad_kind": 5}


class TestTheRoutes:
    def test_rows_come_in_order_and_once(self, client: Client) -> None:
        path, row = f"/api/imports/{'0' * 64}", msgspec.json.encode(Accepted(exposures=[Exposure(0, "u", "c", 1)]))
        assert client.post(f"{path}/rows?after=0&rows=1", row).status_code == 409
        began = client.send("PUT", f"{path}?name=x.csv").json()
        assert (began["name"], began.get("rows", 0)) == ("x.csv", 0)
        assert client.post(f"{path}/rows?after=0&rows=1", row).status_code == 201
        assert client.post(f"{path}/rows?after=0&rows=1", row).status_code == 409
        assert client.post(f"{path}/finish", {"rows": 7}).status_code == 409
        assert client.send("PUT", path).json()["rows"] == 1
        assert client.post(f"{path}/finish", {"rows": 1, "accepted": 1}).status_code == 200
        assert client.send("PUT", path).json()["finished"] == {"rows": 1, "accepted": 1}

    @pytest.mark.parametrize(
        ("body", "rows", "words"),
        [
            pytest.param(b"", 1, "not in the form of the log", id="empty"),
            pytest.param(b'{"exposures": [{"item": 0}]}', 1, "user_id", id="fields-missing"),
            pytest.param(b'{"exposures": []}', 1, "0 rows, must have 1", id="too-few"),
            pytest.param(b'{"nonsense": []}', 0, "nonsense", id="unknown-list"),
            pytest.param(
                b'{"exposures": [{"item": 0, "user_id": "", "campaign_id": "c", "exposed_at": 1}]}',
                1, "length", id="id",
            ),
            pytest.param(
                b'{"exposures": [{"item": 0, "user_id": "u", "campaign_id": "c", "exposed_at": 7289654400000000}]}',
                1, "exposed_at", id="time",
            ),
            pytest.param(
                b'{"events": [{"item": 0, "user_id": "u", "kind": "purchas", "occurred_at": 1}]}', 1, "kind", id="kind"
            ),
        ],
    )  # fmt: skip
    def test_what_is_no_body_of_an_import_is_refused(self, client: Client, body: bytes, rows: int, words: str) -> None:
        path = f"/api/imports/{'1' * 64}"
        client.send("PUT", path)
        answer = client.post(f"{path}/rows?after=0&rows={rows}", body)
        assert (answer.status_code, words in answer.json()["message"]) == (400, True), answer.text

    @pytest.mark.parametrize("name", ["x", "A" * 64, "..%2F" + "0" * 61])
    def test_a_name_is_64_hexadecimal_digits(self, client: Client, name: str) -> None:
        assert client.send("PUT", f"/api/imports/{name}").status_code in (400, 404)
