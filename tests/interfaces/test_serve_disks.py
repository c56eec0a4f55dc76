"""Disks and files that fail under a server: a sentence, nothing acknowledged lost, and it goes on when mended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.failing import is_up, message_of, mounted, until_ready
from tests.interfaces.serving import Client, purchase, wait_for


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    if not mounted(place, "-o", "size=96m,nr_inodes=120"):
        pytest.skip("mounting a tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, how: str) -> bool:
    return (
        subprocess.run(["mount", "-o", f"remount,{how}", str(place)], capture_output=True, check=False).returncode == 0
    )


def events_of(client: Client) -> int:
    client.loaded()
    return int(client.get("/api/report").json()["facts"]["events"])


def test_a_disk_without_a_place_for_another_file(serving: Serving, disk: Path) -> None:
    served = serving(disk)
    client = served.start()
    assert client.post("/api/events", purchase("u")).status_code == 201
    client.loaded()
    fillers = disk / "fillers"
    fillers.mkdir()
    with suppress(OSError):
        for n in range(1000):
            (fillers / str(n)).touch()
    assert len(list(fillers.iterdir())) < 1000
    codes = [client.post("/api/events", purchase("u", product_id=str(n))).status_code for n in range(20)]
    assert set(codes) <= {201, 503}
    for path in fillers.iterdir():
        path.unlink()
    until_ready(served)
    assert client.post("/api/events", purchase("u", product_id="last")).status_code == 201
    assert events_of(client) == codes.count(201) + 2
    assert served.stop() == 0


@pytest.mark.slow
def test_a_disk_that_can_only_be_read_from_now_on(serving: Serving, tmp_path: Path) -> None:
    """As a file system does that found an error in itself."""
    served = serving(tmp_path / "served")
    served.data.mkdir()
    if not mounted(served.data, "-o", "size=96m"):
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        client = served.start()
        assert client.post("/api/events", purchase("u")).status_code == 201
        assert events_of(client) == 1
        # Files that are open for writing keep the kernel from it; an image on a loop device would not be asked.
        if remount(served.data, "ro"):
            answer = client.post("/api/events", purchase("u", product_id="refused"))
            assert answer.status_code == 503
            remount(served.data, "rw")
        else:
            served.kill()
            served.wait_for_answering()
            assert remount(served.data, "ro")
            code, said = served.refused()
            assert code == 2
            assert "cannot be written to" in said
            assert "Traceback" not in said
            assert remount(served.data, "rw")
            client = served.start()
        assert client.post("/api/events", purchase("u", product_id="later")).status_code == 201
        assert events_of(client) == 2
        served.stop()
    finally:
        subprocess.run(["umount", "-l", str(served.data)], check=True)


@pytest.mark.slow
def test_facts_that_are_damaged_are_refused_and_come_back_from_the_log(serving: Serving) -> None:
    served = serving()
    client = served.start()
    for n in range(3):
        assert client.post("/api/events", purchase("u", product_id=str(n))).status_code == 201
    client.loaded()
    assert served.stop() == 0
    served.wait_for_answering()
    facts = served.data / "facts.duckdb"
    good = facts.read_bytes()
    for bad in (b"nonsense" * 4096, good[:8192] + os.urandom(len(good) - 8192)):
        facts.write_bytes(bad)
        served.begin()
        wait_for(lambda: is_up(served), 30)
        wait_for(lambda: f"{facts} is " in message_of(served), 60)
        assert "open in another process" not in message_of(served)
        answer = client.post("/api/events", purchase("u"))
        assert answer.status_code == 503
        assert "Traceback" not in answer.text
        assert client.get("/api/report").status_code == 503
        assert served.stop() == 0
        served.wait_for_answering()
    facts.unlink()
    client = served.start()
    assert client.post("/api/events", purchase("u", product_id="later")).status_code == 201
    assert events_of(client) == 4


@pytest.mark.sampled(2)
@pytest.mark.parametrize("left", [None, b"short"])
def test_a_secret_that_is_lost_is_not_made_anew(serving: Serving, left: bytes | None) -> None:
    served = serving()
    client = served.start()
    assert client.post("/api/events", purchase("u")).status_code == 201
    assert served.stop() == 0
    served.wait_for_answering()
    secret = served.data / "secret"
    good = secret.read_bytes()
    secret.unlink()
    if left is not None:
        secret.write_bytes(left)
    code, said = served.refused()
    assert code == 2
    assert "facts about persons who were erased would be taken in again; put it back from a backup" in said
    secret.write_bytes(good)
    assert served.start().post("/api/events", purchase("u")).status_code == 201


@pytest.mark.slow
def test_a_process_that_cannot_be_started_is_told_of_and_started_later(serving: Serving) -> None:
    served = serving()
    client = served.start()
    served.fault("no-start")
    served.kill_answering()
    wait_for(lambda: "the process that answers cannot be started (No such file" in message_of(served), 20)
    assert client.post("/api/events", purchase("u")).status_code == 201
    served.mend()
    until_ready(served)
    assert events_of(client) == 1
    assert served.err.read_text().count("cannot be started") == 1
