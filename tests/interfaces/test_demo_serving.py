"""`afterword demo` with its data served: what the pages and commands say is what was printed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import afterword
from afterword.interfaces.cli import main
from afterword.interfaces.client import Server, find_server
from afterword.interfaces.demo_serving import serve_demo
from tests.interfaces.nursery import ROOT
from tests.interfaces.serving import Served, wait_for

SECONDS = 120.0


@dataclass
class Demo:
    """A demo that is served, from the port's first taker on."""

    directory: Path
    process: subprocess.Popen[str]

    @property
    def printed(self) -> str:
        return (self.directory.parent / "out.txt").read_text()

    @property
    def data(self) -> Path:
        return self.directory / "afterword-data"

    @property
    def server(self) -> Server:
        found = find_server(self.data)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, shared: Served) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo") / "demo"
    command = [sys.executable, "-m", "afterword", "demo", "--out", str(directory), "--serve"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with suppress(OSError), socket.create_server(("127.0.0.1", 8640)):  # or else it is somebody else who has it
        with (directory.parent / "out.txt").open("w") as out, (directory.parent / "err.txt").open("w") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, text=True, env=environment)
        found = Demo(directory, process)
        wait_for(lambda: "asks the same server" in found.printed, SECONDS)
    wait_for(lambda: find_server(found.data) is not None, SECONDS)
    yield found
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.fixture(scope="module")
def served(demo: Demo) -> dict[str, Any]:
    """The report through the server."""
    found: dict[str, Any] = demo.server.get("/api/report")
    return found


def test_the_numbers_are_those_of_a_run_over_the_files_as_of_now(demo: Demo, served: dict[str, Any]) -> None:
    results = afterword.run(
        demo.directory / "campaigns.yaml",
        exposures=str(demo.directory / "exposures-*"),
        events=str(demo.directory / "events-*"),
        step_messages=str(demo.directory / "step-messages-*"),
        out=demo.directory.parent / "as-of-now",
        as_of=served["as_of"],
    )
    assert served["campaigns"] == results.json["campaigns"]


def test_whoever_converted_when_it_was_printed_has_converted(demo: Demo, served: dict[str, Any]) -> None:
    printed = afterword.open_results(demo.directory / "afterword-results").json["campaigns"]
    assert [campaign["id"] for campaign in printed] == [campaign["id"] for campaign in served["campaigns"]]
    assert [counts(campaign) for campaign in printed] == [counts(campaign) for campaign in served["campaigns"]]


def counts(campaign: dict[str, Any]) -> dict[str, tuple[int, str, dict[str, int]]]:
    """Return what does not depend on when it is asked for: by variant who was exposed, converted, and spent."""
    return {
        row["id"]: (
            row["exposed"],
            row["revenue"]["amount"],
            {letter: conversions["converted"] for letter, conversions in row["conversions"].items()},
        )
        for row in campaign["variants"]
    }


def test_it_says_where_and_with_which_key(demo: Demo) -> None:
    assert "Port 8640 is in use by something else, so a free one is taken." in demo.printed
    key = re.search(r"The first visit asks for an admin key, which is: (\S+)", demo.printed)
    address = re.search(r"^  (http://127\.0\.0\.1:\d+)/campaign\?id=welcome$", demo.printed, re.MULTILINE)
    assert key is not None
    assert address is not None
    assert address[1] == demo.server.running.address
    waits = {"Prefer": "wait=30"}
    with httpx.Client(
        base_url=address[1], headers=waits, trust_env=False, follow_redirects=True, timeout=60.0
    ) as browser:
        password = "a long enough one"
        first = {"key": key[1], "name": "Ann", "email": "ann@example.com", "password": password, "again": password}
        page = browser.post("/welcome", data=first)
        assert (page.status_code, "Men&#39;s or women&#39;s merchandise" in page.text) == (200, True)
        page = browser.get("/campaign?id=welcome")
        assert (page.status_code, "Ten percent off" in page.text) == (200, True)


def test_it_is_not_served_twice(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(afterword.UserError, match=f"is served already, at {demo.server.running.address}: stop that"):
        serve_demo(demo.directory, ["welcome"])
    assert main(["report", "welcome", "--data", str(demo.data)]) == 0
    assert "Ten percent off" in capsys.readouterr().out


def test_what_is_no_data_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "afterword-data").mkdir()
    (tmp_path / "afterword-data" / "mine").write_text("")
    with pytest.raises(afterword.UserError, match="exists and is no data directory: move it away"):
        serve_demo(tmp_path, ["welcome"])
    assert (tmp_path / "afterword-data" / "mine").exists()
