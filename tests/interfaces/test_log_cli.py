"""`afterword log verify` and `log replay`, and what a server does whose facts are lost or whose log is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from afterword.errors import UserError
from afterword.interfaces.cli import main
from afterword.log.segments import segment_paths
from tests.interfaces.conftest import Serving
from tests.interfaces.serving import Client, Served, campaign, exposures, purchase, wait_for

Output = pytest.CaptureFixture[str]


def told(capsys: Output) -> Any:
    return json.loads(capsys.readouterr().out)


def fill(client: Client) -> None:
    client.launch(campaign())
    client.post("/api/exposures", exposures(["ann", "bob", "cy"]))
    client.post("/api/events", [purchase("ann", event_id="1"), purchase("bob", event_id="2")])
    client.post("/api/events", [purchase("ann", event_id="1"), purchase("bob", event_id="2", price="3")])
    client.post("/users/merge", {"merge_updates": [merge("bobby", "bob")]})
    client.post("/api/users/delete", {"user_ids": ["cy"]})
    client.post("/api/events", purchase("cy", event_id="late"))
    client.loaded()


def merge(one: str, into: str) -> dict[str, Any]:
    return {"identifier_to_merge": {"external_id": one}, "identifier_to_keep": {"external_id": into}}


def report_of(client: Client) -> dict[str, Any]:
    wait_for(lambda: client.get("/api/report").status_code == 200, 60)  # 503 while the facts' file is rewritten
    found = client.get("/api/report").json()
    return {"facts": found["facts"], "variants": found["campaigns"][0]["variants"]}


def rows_of(served: Served) -> dict[str, list[Any]]:
    """All rows but those in which a stranger has an id by chance."""
    tables = {
        "main.events": "* EXCLUDE (digest)",
        "main.merges": "*",
        "main.rejected": "*",
        "main.loaded": "*",
        "main.tombstones": "hash",
        "derived.recipients": '* EXCLUDE ("user", exposure)',
        "derived.credited": '* EXCLUDE ("user", exposure)',
    }
    with duckdb.connect(str(served.data / "facts.duckdb"), read_only=True) as con:
        return {
            name: sorted(con.execute(f"SELECT {of} FROM {name}").fetchall(), key=str) for name, of in tables.items()
        }


def test_replaying_gives_what_was_there_and_a_server_whose_facts_are_lost_does_so_by_itself(
    serving: Serving, capsys: Output
) -> None:
    served = serving()
    client = served.start()
    fill(client)
    before = report_of(client)
    assert main(["log", "verify", "--data", str(served.data), "--json"]) == 0  # beside the server
    assert told(capsys)["good"]
    assert main(["log", "replay", "--data", str(served.data)]) == UserError.exit_code
    assert "held by process" in capsys.readouterr().err
    assert served.stop() == 0
    served.wait_for_answering()
    rows = rows_of(served)
    assert main(["log", "replay", "--data", str(served.data), "--json"]) == 0
    answer = told(capsys)
    assert (answer["rows"]["events"], answer["rows"]["exposures"], answer["problem"]) == (2, 3, None)
    assert rows_of(served) == rows

    (served.data / "facts.duckdb").unlink()
    client = served.start()
    client.loaded()
    after = report_of(client)
    assert "facts.duckdb is not there: the facts of the log's" in served.err.read_text()
    assert after == before
    assert served.stop() == 0
    served.wait_for_answering()
    assert rows_of(served) == rows

    (served.data / "facts.duckdb").write_bytes(b"no database at all" * 1000)
    assert main(["log", "replay", "--data", str(served.data)]) == 0
    said = capsys.readouterr()
    assert "requests replayed: 2 events, 3 exposures" in said.out
    assert "who was erased is known from the log alone" in said.err
    assert rows_of(served) == rows


@pytest.mark.slow
def test_who_was_erased_for_good_stays_so_after_a_replay(serving: Serving, capsys: Output) -> None:
    served = serving(upkeep={"erase_within": 0})
    client = served.start()
    fill(client)
    wait_for(lambda: client.get("/api/users/deletions").json().get("stage") == "nothing", 60)
    before = report_of(client)
    assert served.stop() == 0
    served.wait_for_answering()
    rows = rows_of(served)
    (served.data / "facts.duckdb").unlink()
    assert main(["log", "replay", "--data", str(served.data)]) == 0
    capsys.readouterr()
    assert rows_of(served) == rows
    client = served.start()
    client.post("/api/events", purchase("cy", event_id="later"))
    client.loaded()
    assert report_of(client)["variants"] == before["variants"]


def test_a_damaged_log_is_told_of_and_not_replayed(serving: Serving, capsys: Output) -> None:
    served = serving()
    fill(served.start())
    assert served.stop() == 0
    served.wait_for_answering()
    path = segment_paths(served.data / "log")[0]
    size = (served.data / "facts.duckdb").stat().st_size
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert main(["log", "verify", "--data", str(served.data)]) == 1
    said = capsys.readouterr()
    assert "not good" in said.out
    assert f"{path} is damaged: byte " in said.err
    assert main(["log", "replay", "--data", str(served.data)]) == UserError.exit_code
    assert "the log cannot be replayed, the facts are as they were" in capsys.readouterr().err
    assert (served.data / "facts.duckdb").stat().st_size == size
    assert not list(served.data.glob("*.new*"))


def test_where_there_is_no_log(tmp_path: Path, capsys: Output) -> None:
    assert main(["log", "verify", "--data", str(tmp_path)]) == UserError.exit_code
    assert "there is no log in" in capsys.readouterr().err
    assert main(["log", "replay", "--data", str(tmp_path)]) == UserError.exit_code
    assert "there is no log in" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_old_segments_go_when_they_are_loaded(serving: Serving, capsys: Output) -> None:
    served = serving(upkeep={"keep_log": 2_000_000, "look_seconds": 0.2})
    client = served.start()
    fill(client)
    before = report_of(client)
    position = client.metric("afterword_log_position")
    wait_for(lambda: client.metric("afterword_log_first_position") >= position, 30)  # on a server where nothing happens
    assert client.metric("afterword_log_removed_segments_total") >= 1
    assert client.metric("afterword_log_removed_bytes_total") > 0
    assert client.metric("afterword_log_bytes") < 100
    assert served.stop() == 0
    served.wait_for_answering()
    client = served.start()
    client.post("/api/events", purchase("bob", event_id="3"))
    client.loaded()
    after = report_of(client)
    assert after["facts"]["events"] == before["facts"]["events"] + 1
    assert served.stop() == 0
    served.wait_for_answering()
    assert main(["log", "verify", "--data", str(served.data)]) == 0
    capsys.readouterr()
    assert main(["log", "replay", "--data", str(served.data)]) == UserError.exit_code
    assert "the log begins at" in capsys.readouterr().err
    (served.data / "facts.duckdb").rename(served.data / "aside")
    code, said = served.refused()
    assert (code, "put back the last backup of facts.duckdb" in said) == (UserError.exit_code, True)


def test_what_is_not_loaded_stays_in_the_log(serving: Serving) -> None:
    served = serving(upkeep={"keep_log": 1_000_000, "look_seconds": 0.1})
    client = served.start()
    client.launch(campaign())
    served.fault("raise-load", "no")
    assert client.post("/api/exposures", exposures(["ann"])).status_code == 201
    wait_for(lambda: len(segment_paths(served.data / "log")) > 1, 10)  # it is complete, and old a second later
    wait_for(lambda: client.http.get("/readyz").status_code == 503, 10)
    for _ in range(3):
        wait_for(lambda: client.metric("afterword_log_first_position") == 0, 1)
    served.mend()
    client.loaded()
    assert client.report("cart-rescue")["variants"][0]["exposed"] == 1
    wait_for(lambda: client.metric("afterword_log_first_position") == 1, 20)
