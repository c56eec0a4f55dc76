"""Starts that cannot be: exit code 2 and one sentence; stops that leave nothing undone; and starts after a crash."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from afterword.errors import UserError
from afterword.interfaces.cli import main
from tests.interfaces.conftest import Serving
from tests.interfaces.failing import is_up, message_of, mounted, until_ready
from tests.interfaces.nursery import ROOT
from tests.interfaces.serving import Client, campaign, exposures, purchase, wait_for


class TestAtStart:
    def test_a_port_in_use_costs_no_key(self, serving: Serving) -> None:
        served = serving()
        with socket.create_server(("127.0.0.1", served.port)):
            code, said = served.refused()
        assert code == 2
        assert f"cannot listen on 127.0.0.1:{served.port} (Address already in use)" in said
        assert "Traceback" not in said
        assert not served.data.exists()
        assert served.start().get("/api/campaigns").status_code == 200  # with the key that it has just shown

    def test_a_second_server_on_the_same_directory(self, serving: Serving) -> None:
        first = serving()
        client = first.start()
        second = serving(first.directory)
        second.port = 0
        second.directory.joinpath("err.txt").unlink()
        code, said = second.refused()
        assert code == 2
        assert "only one may write a log: stop it first" in said
        assert client.post("/api/events", purchase("u")).status_code == 201

    def test_a_directory_that_is_a_file(self, serving: Serving) -> None:
        served = serving()
        served.data.write_text("")
        code, said = served.refused()
        assert (code, "is a file; name a directory" in said) == (2, True)

    def test_metadata_that_is_damaged(self, serving: Serving) -> None:
        served = serving()
        served.start()
        assert served.stop() == 0
        good = (served.data / "metadata.sqlite").read_bytes()
        for bad in (b"nonsense" * 1000, good[:100] + os.urandom(len(good) - 100)):
            (served.data / "metadata.sqlite").write_bytes(bad)
            code, said = served.refused()
            assert (code, "is damaged or no SQLite database; put back the last backup" in said) == (2, True), said
        (served.data / "metadata.sqlite").write_bytes(good)
        assert served.start().get("/api/campaigns").status_code == 200

    def test_a_segment_without_its_seal(self, serving: Serving) -> None:
        served = serving()
        for n in range(2):
            assert served.start().post("/api/events", purchase(f"u{n}")).status_code == 201
            assert served.stop() == 0
        first = sorted((served.data / "log").glob("*.seg"))[0]
        good = first.read_bytes()
        first.write_bytes(good[:-3])
        code, said = served.refused()
        assert code == 2
        assert "its seal is missing" in said
        assert "restore this file from a backup" in said
        first.write_bytes(good)
        served.start()

    @pytest.mark.slow
    def test_a_log_that_is_not_the_one_that_was_loaded(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.post("/api/events", purchase("u1"))
        client.post("/api/events", purchase("u2"))
        client.loaded()
        served.stop()
        (served.data / "log").rename(served.data / "log-aside")
        served.begin()
        wait_for(lambda: is_up(served), 30)
        wait_for(lambda: "new ones would be taken for old" in message_of(served), 30)
        answer = client.post("/api/events", purchase("u3"))
        assert (answer.status_code, "put the log back" in answer.json()["message"]) == (503, True)
        served.stop()
        for path in (served.data / "log").iterdir():
            path.unlink()
        (served.data / "log").rmdir()
        (served.data / "log-aside").rename(served.data / "log")
        assert served.start().post("/api/events", purchase("u3")).status_code == 201

    def test_a_directory_that_cannot_be_written(self, serving: Serving, tmp_path: Path) -> None:
        served = serving(tmp_path / "read-only")
        served.data.mkdir(parents=True)
        if not mounted(served.data, "-o", "ro"):
            pytest.skip("mounting a tmpfs is not permitted here")
        try:
            code, said = served.refused()
            assert (code, "cannot be written to" in said) == (2, True), said
            subprocess.run(["mount", "-o", "remount,rw", str(served.data)], check=True)
            assert served.start().post("/api/events", purchase("u")).status_code == 201
            served.stop()
        finally:
            subprocess.run(["umount", "-l", str(served.data)], check=True)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        pytest.param("--memory", "lots", 'memory is "lots"', id="memory-is-no-amount"),
        pytest.param("--memory", "1MB", "memory is", id="too-little-memory"),
        pytest.param("--threads", "0", "threads is 0, must be at least 1", id="no-thread"),
        pytest.param("--port", "99999", "port is 99999, must be between 0", id="no-such-port"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_made(
    option: str, value: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    assert main(["serve", "--data", str(data), option, value]) == UserError.exit_code
    assert sentence in capsys.readouterr().err
    assert not data.exists()


def test_the_command_itself_serves_and_what_reads_facts_is_in_the_other_process(serving: Serving) -> None:
    served = serving()
    command = [sys.executable, "-m", "afterword", "serve", "--data", str(served.data), "--port", str(served.port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONUNBUFFERED", None)  # the key must be there although stdout is a file
    with served.out.open("w") as out, served.err.open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
    try:
        wait_for(lambda: is_up(served), 30)
        until_ready(served)
        found = re.search(r"An admin key, shown this once: (\S+)", served.out.read_text())
        assert found is not None
        assert served.client(found[1]).post("/api/events", purchase("u")).status_code == 201
        (answering,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert libraries_of(process.pid) == [False, False]
        assert libraries_of(int(answering)) == [True, True]
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def libraries_of(process: int) -> list[bool]:
    """Return whether a process has loaded what reads facts."""
    loaded = Path(f"/proc/{process}/maps").read_text()
    return [name in loaded for name in ("duckdb", "llvmlite")]


class TestStopping:
    def test_a_stop_seals_the_log_and_closes_the_database(self, serving: Serving) -> None:
        for by in (signal.SIGTERM, signal.SIGINT):
            served = serving()
            client = served.start()
            assert client.post("/api/events", purchase("u")).status_code == 201
            client.loaded()
            assert served.stop(by) == 0
            assert not served.err.read_text()
            served.wait_for_answering(1)
            assert not (served.data / "facts.duckdb.wal").exists()
            assert not list(served.data.glob("temporary/*"))
            with duckdb.connect(str(served.data / "facts.duckdb"), read_only=True) as con:
                assert con.execute("SELECT count(*) FROM events").fetchall() == [(1,)]

    def test_a_request_under_way_is_answered(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.launch(campaign())
        client.post("/api/exposures", exposures(["u"]))
        client.loaded()
        served.fault("slow-report", 2)
        answers: list[int] = []
        thread = threading.Thread(target=ask, args=(client, answers))
        thread.start()
        time.sleep(0.5)
        assert served.stop() == 0
        thread.join()
        assert answers == [200]

    def test_who_waits_for_results_is_told_to_come_again(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        served.fault("slow-refresh", 4)
        time.sleep(0.6)
        client.launch(campaign())
        answers: list[int] = []
        thread = threading.Thread(target=ask, args=(client, answers))
        thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 9
        thread.join()
        assert answers == [503]

    def test_a_start_after_a_crash_is_quick_and_says_what_was_cut(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        for n in range(20):
            client.post("/api/events", [purchase(f"u{n}", product_id=str(m)) for m in range(500)])
        served.kill()
        last = sorted((served.data / "log").glob("*.seg"))[-1]
        last.write_bytes(last.read_bytes() + b"AWFR torn")
        client = served.start()
        assert served.ready_seconds < 20
        assert "the last 9 bytes were no whole request and were cut off" in served.err.read_text()
        client.loaded()
        assert client.get("/api/report").json()["facts"]["events"] == 10_000


def ask(client: Client, answers: list[int]) -> None:
    answers.append(client.get("/api/campaigns/cart-rescue/report").status_code)
