"""`afterword backup`: what was acknowledged before it began is in it once, and it can be served as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from afterword.interfaces.cli import main
from afterword.log import Writer, verify
from tests.interfaces.conftest import Serving
from tests.interfaces.failing import mounted
from tests.interfaces.load import Load, check, prepare
from tests.interfaces.serving import Served, campaign, exposures, purchase

SENDERS = 3


def restored(serving: Serving, backup: Path, key: str) -> Served:
    """Return what serves a backup, put in the place of a data directory."""
    served = serving()
    backup.rename(served.data)
    served.key = key
    return served


@pytest.mark.slow
def test_what_was_acknowledged_before_is_there_once_and_the_results_are_right(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, load = serving(), Load(7)
    client = served.start()
    prepare(client)
    threads = [threading.Thread(target=load.run, args=(served, 0, number)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    made = []
    for turn in range(3):
        time.sleep(0.7)
        promised = load.acknowledged
        assert main(["backup", "--data", str(served.data), "--out", str(tmp_path / f"b{turn}"), "--json"]) == 0
        made.append((tmp_path / f"b{turn}", promised, json.loads(capsys.readouterr().out)))
    load.stopping.set()
    for thread in threads:
        thread.join()
    client.loaded()
    assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] > 0
    assert served.stop() == 0
    assert not load.faults
    for path, _, told in made:
        assert not (path / "running.json").exists()
        assert verify(path / "log").bad is None
        assert told["loaded"] <= told["position"]
        assert {file.stat().st_mode & 0o077 for file in path.rglob("*")} == {0}
    path, promised, _ = made[-1]
    assert len(promised) > 20
    again = restored(serving, path, served.key)
    client = again.start()
    assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] > 0
    assert client.post("/api/events", purchase("u1", product_id="after")).status_code == 201
    client.loaded()
    assert again.stop() == 0
    again.wait_for_answering()
    load.sent.append(load.sent[-1].__class__("", {}, "after", 1, None, again=False, acknowledged=True))
    check(again.data, load, {*promised, "after"}, tmp_path / "aside")


def test_the_server_keeps_its_lock_on_the_facts(serving: Serving, tmp_path: Path) -> None:
    served = serving()
    served.start().post("/api/events", purchase("u"))
    assert main(["backup", "--data", str(served.data), "--out", str(tmp_path / "backup")]) == 0
    opening = f"import duckdb; duckdb.connect({str(served.data / 'facts.duckdb')!r})"
    done = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True, check=False)
    assert "lock" in done.stderr


def test_without_a_server_and_after_old_segments_are_gone(serving: Serving, tmp_path: Path) -> None:
    """The facts of what the log has no more are in the backup's own."""
    served = serving()
    client = served.start()
    client.launch(campaign())
    client.post("/api/exposures", exposures(["u0", "u1", "u2"]))
    client.post("/api/events", [purchase(f"u{n}") for n in range(3)])
    client.loaded()
    assert served.stop() == 0
    served.wait_for_answering()
    log = Writer(served.data / "log")
    removed = log.retain(loaded_up_to=log.durable, received_before=time.time_ns() // 1000 + 10**9)
    log.close()
    assert removed.first > 0
    (served.data / "imports").mkdir(exist_ok=True)
    (served.data / "imports" / "events.json").write_text("how far an import is")
    out = tmp_path / "backup"
    assert main(["backup", "--data", str(served.data), "--out", str(out)]) == 0
    assert (out / "imports" / "events.json").read_text() == "how far an import is"
    again = restored(serving, out, served.key)
    client = again.start()
    assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] == 3
    client.post("/api/events", purchase("u0"))
    client.loaded()
    assert client.get("/api/report").json()["facts"]["events"] == 4


def test_where_a_backup_cannot_be_nothing_is_left(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serving()
    client = served.start()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine")
    command = ["backup", "--data", str(served.data), "--out"]
    for out, sentence in (
        (taken, "is there already: name a new directory"),
        (served.data / "backup", "is in the data directory: name a place outside of it"),
        (Path("/proc/backup"), "the backup could not be written to /proc/backup"),
    ):
        assert main([*command, str(out)]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["backup", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "there is no data directory at" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("served")) == ["taken"]
    assert client.post("/api/events", purchase("u")).status_code == 201


@pytest.mark.slow
def test_a_disk_that_is_full(serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small"
    if not mounted(small, "-o", "size=64m"):
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        served, other = serving(small), serving()
        served.start().post("/api/events", purchase("u"))
        assert main(["backup", "--data", str(served.data), "--out", str(tmp_path / "out")]) == 1
        assert "a copy of facts.duckdb takes" in capsys.readouterr().err
        assert served.stop() == 0
        other.start().post("/api/events", purchase("u"))
        with pytest.raises(OSError, match="No space left"):
            (small / "filler").write_bytes(bytes(65 << 20))
        assert main(["backup", "--data", str(other.data), "--out", str(small / "backup")]) == 2
        assert "(No space left on device): nothing was left there" in capsys.readouterr().err
        assert not list(small.glob("backup*"))
        assert not (tmp_path / "out").exists()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
