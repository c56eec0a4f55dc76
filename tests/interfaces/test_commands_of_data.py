"""Commands about a data directory: the same answers through the server that runs and, where none does, without it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest

from afterword.interfaces.cli import main
from afterword.interfaces.client import Server, find_server
from afterword.interfaces.directory import api_of
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

LATE = 5 * 86_400
"""Seconds ago: nobody exposed then can still convert, so nothing changes while the tests run."""
COMMANDS = {
    "report": 0,
    "report cart-rescue": 0,
    "report cart-rescue --json": 0,
    "report --format csv": 0,
    "report channels --format markdown": 0,
    "explain cart-rescue ann": 0,
    "explain channels ben": 0,
    "explain cart-rescue ben --json": 0,
    "explain cart-rescue anm": 2,
    "users cart-rescue --variant total": 0,
    "users channels --not": 0,
    "users cart-rescue --json": 0,
    "users cart-rescue --event D": 2,
    "report nothing": 2,
    "report drafted": 2,
    "plan cart-rescue --rate 4% --points 0.6%": 0,
    "plan channels --rate 4% --per-day 1000 --json": 0,
    "plan drafted --rate 4% --json": 0,
    "plan drafted": 2,  # there is no rate yet
    "plan cart-rescue --rate 0%": 2,
    "plan nothing": 2,
    "doctor --recompute": 0,
    "doctor --aa cart-rescue": 0,
    "doctor --aa cart-rescue --json": 0,
    "doctor --aa channels": 2,  # a user is several units there
    "doctor --aa nothing": 2,
}
"""With their exit codes."""


def said(data: Path, command: str) -> tuple[int, str, str]:
    """Return the exit code, and what was printed, without the time, for results grow older by themselves."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = main([*command.split(), "--data", str(data)])
    without_time = re.sub(r'as[ _]of"?:? "?[0-9][^"\n)]*', "as of then", out.getvalue())
    return code, without_time, err.getvalue()


def fill(client: Client) -> None:
    client.launch(campaign())
    events = [{"kind": "purchase", "deadline": "3 days"}, {"kind": "session", "deadline": "1 day"}]
    pairs = {"channels": ["email", "sms"], "counting": "once_per_channel", "conversion_events": events}
    client.launch(campaign("channels", **pairs))
    assert client.post("/api/campaigns", campaign("drafted")).status_code == 201
    for of in ("cart-rescue", "channels"):
        client.post("/api/exposures", exposures(["ann", "ben"], ago=LATE, of=of))
        client.post("/api/exposures", exposures(["eve"], "control", ago=LATE, of=of))
    sms = exposures(["ben"], ago=LATE - 60, of="channels")["exposures"][0]
    client.post("/api/exposures", {"exposures": [{**sms, "exposure_id": "sms", "channel": "sms"}]})
    client.post("/api/events", purchase("ann", ago=LATE - 600, event_id="p-1"))
    client.post("/api/events", purchase("ben", ago=60.0, event_id="p-2"))
    client.loaded()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, shared: Served) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A directory whose server has ended, and what commands said while it ran."""
    served = Served(tmp_path_factory.mktemp("ended"))
    try:
        fill(served.start())
        through_it = {command: said(served.data, command) for command in COMMANDS}
        assert served.stop() == 0
        yield served.data, through_it
    finally:
        served.close()


class TestWithoutAServer:
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_command_says_the_same_as_with_one(self, ended: tuple[Path, dict[str, Any]], command: str) -> None:
        data, through_the_server = ended
        code, out, err = said(data, command)
        assert (code, out, err) == through_the_server[command]
        assert code == COMMANDS[command]
        assert bool(out) == (code == 0)
        assert bool(err) == (code == 2 or (command.startswith("users") and "--json" not in command))

    def test_what_came_in_last_is_loaded_first(self, ended: tuple[Path, dict[str, Any]]) -> None:
        data, _ = ended
        facts = {"exposures": exposures(["joe"], ago=LATE, of="channels")["exposures"]}
        with api_of(data) as api:
            assert api.post("/api/exposures", facts)["accepted"] == 1
        assert "joe" in said(data, "users channels --not")[1]
        with api_of(data) as api:
            assert api.post("/api/events", purchase("joe", ago=LATE - 600))["accepted"] == 1
        assert "joe" in said(data, "users channels")[1]

    def test_two_commands_wait_for_one_another(self, ended: tuple[Path, dict[str, Any]]) -> None:
        data, _ = ended
        answers: list[Any] = []
        with api_of(data):
            waiting = threading.Thread(target=lambda: answers.append(said(data, "report")))
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive()
        waiting.join()
        assert answers[0][0] == 0

    def test_results_that_differ_are_named_with_exit_code_1(self, ended: tuple[Path, dict[str, Any]]) -> None:
        data, _ = ended
        first = "SELECT \"user\" FROM derived.users WHERE user_id = 'ann'"
        with duckdb.connect(str(data / "facts.duckdb")) as con:
            kept = con.execute(f'SELECT * FROM derived.recipients WHERE "user" = ({first})').fetchall()
            con.execute(f'DELETE FROM derived.recipients WHERE "user" = ({first})').fetchall()
        code, out, _ = said(data, "doctor --recompute")
        with duckdb.connect(str(data / "facts.duckdb")) as con:
            con.executemany(f"INSERT INTO derived.recipients VALUES ({', '.join('?' * len(kept[0]))})", kept)
        assert code == 1
        assert out.startswith("different: ")
        assert "cart-rescue, recipients: 1 missing, 0 too many; for example\n    wrong=missing, user_id=ann, " in out

    def test_no_admin_key_is_made_that_nobody_is_shown(
        self, tmp_path: Path, shared: Served, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "campaigns.yaml"
        file.write_text(json.dumps({"campaigns": [campaign()]}))
        data = str(tmp_path / "data")
        assert main(["apply", str(file), "--yes", "--data", data]) == 0
        assert "The server" not in capsys.readouterr().out
        assert main(["report", "--data", data]) == 0
        capsys.readouterr()
        assert main(["key", "list", "--data", data, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []


class TestWhileTheServerRuns:
    def test_json_is_the_apis_answer(self, shared: Served, client: Client) -> None:
        client.launch(campaign("told"))
        client.post("/api/exposures", exposures(["ann"], of="told"))
        client.loaded()
        _, out, _ = said(shared.data, "users told --pending --json")
        assert json.loads(out) == client.get("/api/campaigns/told/users?state=pending").json()
        assert json.loads(out) == {"users": [{"user_id": "ann"}]}

    def test_a_key_that_is_made_is_let_in_at_once_and_a_revoked_one_no_more(
        self, shared: Served, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = str(shared.data)
        assert main(["key", "create", "reader", "--permissions", "api.read", "--data", data, "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        client = shared.client(made["key"])
        assert client.get("/api/campaigns").status_code == 200
        assert main(["key", "revoke", made["id"], "--data", data]) == 0
        wait_for(lambda: client.get("/api/campaigns").status_code == 401, 5)

    def test_apply_says_when_results_follow_and_they_do(
        self, shared: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "campaigns.yaml"
        file.write_text(json.dumps({"campaigns": [campaign("applied")]}))
        assert main(["apply", str(file), "--yes", "--data", str(shared.data)]) == 0
        following = "The server computes the results; a report that is asked for now waits for them."
        assert following in capsys.readouterr().out
        assert main(["report", "applied", "--data", str(shared.data)]) == 0
        assert "Cart rescue" in capsys.readouterr().out

    def test_recomputing_waits_no_longer_than_it_is_told(self, client: Client) -> None:
        assert client.post("/api/recompute?wait=0").status_code == 202
        assert client.post("/api/recompute").json()["same"] is True
        answer = client.post("/api/recompute?wait=61")
        assert answer.status_code == 400
        assert answer.json()["message"] == 'wait is "61", must be a whole number from 0 to 60'


class TestWhatCannotBe:
    @pytest.mark.parametrize("words", [["report"], ["explain", "c", "u"], ["users", "c"], ["doctor", "--recompute"]])
    def test_there_is_no_directory(self, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*words, "--data", str(tmp_path)]) == 2
        assert capsys.readouterr().err == f"there is no data directory at {tmp_path}: name one with --data\n"

    def test_both_kinds_of_directory(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["report", "--data", "d", "--results", "r"]) == 2
        sentence = "both --data and --results are given: results are in one directory or in the other\n"
        assert capsys.readouterr().err == sentence

    def test_an_argument_goes_before_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("AFTERWORD_DATA", "d")
        assert main(["report", "--results", "nowhere"]) == 2
        assert "there is no results directory nowhere" in capsys.readouterr().err
        assert main(["report"]) == 2
        assert "there is no data directory at d" in capsys.readouterr().err
        monkeypatch.setenv("AFTERWORD_RESULTS", "r")
        assert main(["report"]) == 2
        assert "both AFTERWORD_DATA and AFTERWORD_RESULTS are given" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["doctor", "--data", "d"], "--data goes with --recompute"),
            (["doctor", "c.yaml", "--recompute"], "--recompute checks a data directory, and no files"),
        ],
    )
    def test_doctor_of_two_things(self, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(words) == 2
        assert sentence in capsys.readouterr().err


def test_a_lock_without_a_readable_file_is_named(
    shared: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterword.interfaces.directory.PATIENCE_SECONDS", 0.0)
    file = shared.data / "running.json"
    aside = file.rename(shared.data / "aside")
    try:
        assert main(["report", "--data", str(shared.data)]) == 2
        assert "is open in a process that answers no commands: " in capsys.readouterr().err
    finally:
        aside.rename(file)
    assert isinstance(find_server(shared.data), Server)
