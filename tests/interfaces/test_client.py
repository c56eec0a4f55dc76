"""Commands find the server that has a directory open, are let in, and take its errors on as their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.interfaces.client import Server, ServerFailed, ServerRefused, find_server, quoted
from afterword.interfaces.running import FILE_NAME, Running, read_running
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, free_port


@pytest.fixture
def found(shared: Served) -> Server:
    server = find_server(shared.data)
    assert server is not None
    return server


class TestARunningServer:
    def test_is_found_and_lets_commands_in(self, shared: Served, found: Server) -> None:
        assert found.running.address == shared.address
        assert shared.process is not None
        assert found.running.pid == shared.process.pid
        assert isinstance(found.get("/api/campaigns")["campaigns"], list)  # the process that answers
        assert found.post("/api/events", {"events": []}) is not None  # the one that takes facts in

    def test_its_file_is_for_its_user_alone(self, shared: Served) -> None:
        assert (shared.data / FILE_NAME).stat().st_mode & 0o777 == 0o600

    def test_its_key_is_stored_nowhere(self, shared: Served, found: Server) -> None:
        key_id = found.running.key.split("_")[1]
        with_key = [
            path.name for path in shared.data.iterdir() if path.is_file() and key_id in path.read_text("latin-1")
        ]
        assert with_key == [FILE_NAME]
        assert found.running.key not in repr(found)

    @pytest.mark.parametrize("wrong", ["aw_aaaaaaaa_" + "a" * 52, "nonsense"])
    def test_another_key_is_not_let_in(self, found: Server, wrong: str) -> None:
        other = replace(found, running=replace(found.running, key=wrong))
        with pytest.raises(ServerRefused, match=r"is not the one that wrote .*running\.json: remove that file"):
            other.get("/api/campaigns")

    def test_a_key_that_shares_the_id_is_not_let_in(self, found: Server) -> None:
        head, key_id, rest = found.running.key.split("_")
        other = replace(
            found, running=replace(found.running, key=f"{head}_{key_id}_{rest[:-1]}{'ab'[rest[-1] == 'a']}")
        )
        with pytest.raises(ServerRefused):
            other.get("/api/campaigns")

    def test_what_it_refuses_is_the_users_mistake_in_its_words(self, found: Server) -> None:
        with pytest.raises(ServerRefused, match=r'unknown campaign "such & such\?"') as caught:
            found.get(f"/api/campaigns/{quoted('such & such?')}/report")
        assert (caught.value.status, caught.value.exit_code) == (404, UserError.exit_code)

    def test_queries_leave_out_what_is_none(self, client: Client, found: Server) -> None:
        client.launch(campaign("asked"))
        query = {"variant": None, "event": "A", "state": "converted"}
        assert found.get("/api/campaigns/asked/users", query) == {"users": []}


def test_a_stop_removes_the_file_and_a_kill_leaves_one_that_is_recognised(serving: Serving) -> None:
    served = serving()
    served.start()
    first = read_running(served.data)
    served.kill()
    assert read_running(served.data) == first
    assert find_server(served.data) is None
    served.wait_for_answering()
    served.start()
    again = find_server(served.data)
    assert again is not None
    assert first is not None
    assert again.running.key != first.key
    with pytest.raises(ServerRefused):
        replace(again, running=replace(again.running, key=first.key)).get("/api/campaigns")
    assert served.stop() == 0
    assert not (served.data / FILE_NAME).exists()


class TestNoServer:
    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"address": "http://127.0.0.1:1"}', '{"address": 1, "pid": "x"}']
    )
    def test_a_file_that_says_nothing(self, tmp_path: Path, content: str) -> None:
        (tmp_path / FILE_NAME).write_text(content)
        assert find_server(tmp_path) is None

    def test_no_directory_and_no_file(self, tmp_path: Path) -> None:
        assert find_server(tmp_path) is None
        assert find_server(tmp_path / "nowhere") is None

    def test_nobody_listens(self, tmp_path: Path) -> None:
        write(tmp_path, f"http://127.0.0.1:{free_port()}", os.getpid())
        assert find_server(tmp_path) is None

    def test_the_process_is_gone_and_the_port_anothers(self, tmp_path: Path, shared: Served) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        write(tmp_path, shared.address, gone.pid)
        assert find_server(tmp_path) is None

    def test_a_file_of_another_user(self, tmp_path: Path) -> None:
        write(tmp_path, "http://127.0.0.1:1", 1)
        (tmp_path / FILE_NAME).chmod(0)
        with not_root(), pytest.raises(UserError, match="runs, or ran, as another user; run the command as that user"):
            read_running(tmp_path)


@contextmanager
def not_root() -> Iterator[None]:
    """Be a user who may not read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


class Scripted(BaseHTTPRequestHandler):
    """Answers as each path says."""

    def do_GET(self) -> None:
        asked = self.server.asked = getattr(self.server, "asked", 0) + 1  # type: ignore[attr-defined]
        if self.path == "/later" and asked == 1:
            self.reply(503, b'{"message": "not yet"}', ("Retry-After", "0"))
        elif self.path == "/never":
            self.reply(503, b'{"message": "the disk is full"}', ("Retry-After", "9999"))
        elif self.path == "/fault":
            self.reply(500, b"<html>")
        elif self.path == "/gone":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"{")
        else:
            self.reply(200, b'{"asked": %d}' % asked)

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Server]:
    http = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield Server(tmp_path, Running(f"http://127.0.0.1:{http.server_port}", os.getpid(), "key"))
    http.shutdown()
    http.server_close()


class TestAServerInTrouble:
    def test_is_asked_again_when_it_says_so(self, scripted: Server) -> None:
        assert scripted.get("/later") == {"asked": 2}

    def test_that_cannot_for_long_is_not_waited_for(self, scripted: Server) -> None:
        with pytest.raises(ServerFailed, match="the disk is full") as caught:
            scripted.get("/never")
        assert (caught.value.status, caught.value.exit_code) == (503, 1)

    def test_that_says_nothing_useful(self, scripted: Server) -> None:
        with pytest.raises(ServerFailed, match="answered with status 500"):
            scripted.get("/fault")

    def test_that_goes_away_in_the_middle_of_an_answer(self, scripted: Server) -> None:
        with pytest.raises(ServerFailed, match="went away"):
            scripted.get("/gone")

    def test_that_went_away_before(self, tmp_path: Path) -> None:
        address = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(ServerFailed, match=f"{address} went away"):
            Server(tmp_path, Running(address, os.getpid(), "key")).get("/api/campaigns")


def write(directory: Path, address: str, pid: int) -> None:
    (directory / FILE_NAME).write_text(json.dumps({"address": address, "pid": pid, "key": "k"}))
    (directory / FILE_NAME).chmod(0o600)
