"""503 and one sentence while a server runs; what was acknowledged is kept, and it goes on when the cause is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.interfaces.conftest import Serving
from tests.interfaces.failing import is_up, message_of, mounted, until_ready
from tests.interfaces.serving import campaign, exposures, purchase, wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    if not mounted(place, "-o", "size=64m"):
        pytest.skip("mounting a tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


class TestWhileRunning:
    def test_a_full_disk(self, serving: Serving, small_disk: Path) -> None:
        served = serving(small_disk, free_bytes=0)
        client = served.start()
        client.launch(campaign())
        client.post("/api/exposures", exposures(["u0"]))
        client.loaded()
        filler = small_disk / "filler"
        fill(filler)
        codes = []
        for n in range(200):
            answer = client.post("/api/events", [purchase("u0", product_id=f"{n}", name=os.urandom(120).hex())] * 50)
            codes.append(answer.status_code)
            if codes.count(503) > 5:
                break
        assert set(codes) <= {201, 503}
        assert 503 in codes
        assert "No space left on device" in answer.text or "loading has stopped" in answer.text
        assert message_of(served)
        filler.unlink()
        until_ready(served)
        assert client.post("/api/events", purchase("u0", product_id="last")).status_code == 201
        client.loaded()
        (variant, _) = client.report("cart-rescue")["variants"]
        items = codes.count(201) * 50 + 1
        assert float(variant["revenue"]["unconverted"]["EUR"]) == pytest.approx(9.5 * items)
        assert served.stop() == 0

    @pytest.mark.slow
    def test_a_log_that_cannot_be_written_is_opened_again(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        assert client.post("/api/events", purchase("u1")).status_code == 201
        served.fault("full-log")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda n: client.post("/api/events", purchase(f"x{n}")), range(12)))
        assert {answer.status_code for answer in answers} == {503}
        said = answers[0].json()["message"]
        assert "could not be written from position 1 on (No space left on device): free some space" in said
        assert "could not be written from position 1 on" in message_of(served)
        time.sleep(3)  # opening it again is tried, and fails
        assert message_of(served)
        served.mend()
        until_ready(served, 15)
        assert client.post("/api/events", purchase("u2")).status_code == 201
        assert client.metric("afterword_log_position") == 2
        client.loaded()
        assert client.get("/api/report").json()["facts"]["events"] == 2
        assert "the log was opened again after it had failed" in served.err.read_text()
        assert served.stop() == 0

    def test_little_space_is_said_before_there_is_none(self, serving: Serving, small_disk: Path) -> None:
        served = serving(small_disk, free_bytes=8 << 20)
        client = served.start()
        (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - (4 << 20)))
        wait_for(lambda: "MiB of the disk are free, 8.0 must be" in message_of(served), 5)
        answer = client.post("/api/events", purchase("u"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        (small_disk / "filler").unlink()
        until_ready(served, 5)
        assert client.post("/api/events", purchase("u")).status_code == 201

    @pytest.mark.slow
    def test_the_database_is_held_by_another_process(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.post("/api/events", purchase("u1"))
        client.loaded()
        assert served.stop() == 0
        holding = (
            f"import duckdb, sys; con = duckdb.connect({str(served.data / 'facts.duckdb')!r}); "
            "print('held', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", holding]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            served.begin()
            wait_for(lambda: is_up(served), 30)
            wait_for(lambda: "facts.duckdb is open in another process" in message_of(served), 40)
            assert client.get("/api/report").status_code == 503
            # Facts can wait in the log.
            assert client.post("/api/events", purchase("u3")).status_code == 201
            holder.communicate()
        until_ready(served, 40)
        assert client.post("/api/events", purchase("u2")).status_code == 201
        client.loaded()
        assert client.get("/api/report").json()["facts"]["events"] == 3

    @pytest.mark.slow
    def test_metadata_locked_by_another_process_is_503_and_no_lost_request(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        held = sqlite3.connect(served.data / "metadata.sqlite", isolation_level=None)
        try:
            held.execute("BEGIN EXCLUSIVE")
            answer = client.post("/api/events", purchase("u"), Idempotency_Key="locked")
            assert answer.status_code == 503
            assert "another process has been writing for more than 5 seconds" in answer.json()["message"]
            assert client.post("/api/campaigns", campaign()).status_code == 503
        finally:
            held.close()
        assert client.post("/api/events", purchase("u"), Idempotency_Key="locked").status_code == 201
        assert client.post("/api/campaigns", campaign()).status_code == 201

    @pytest.mark.slow
    def test_a_clock_that_steps_back_an_hour(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.launch(campaign())
        client.post("/api/exposures", exposures(["u0", "u1"], ago=7200))
        client.post("/api/events", purchase("u0"))
        client.loaded()
        before = client.report("cart-rescue")
        served.fault("clock", -3600)
        assert client.get("/api/campaigns").status_code == 200
        late = client.post("/api/events", purchase("u1", ago=3700), Idempotency_Key="back")
        assert (late.status_code, late.json()["accepted"]) == (201, 1)
        # What is "now" by the right clock is an hour ahead by this one.
        assert client.post("/api/events", purchase("u1", ago=0)).json()["rejected"][0]["reason"] == "in_future"
        client.loaded()
        after = client.report("cart-rescue")
        converted = [r["variants"][0]["conversions"]["A"]["converted"] for r in (before, after)]
        assert converted == [1, 2]
        served.kill()
        client = served.start()
        assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] == 2
        changed = campaign(conversion_events=[{"kind": "purchase", "deadline": "1 day"}])
        assert client.put("/api/campaigns/cart-rescue", changed).status_code == 200
        assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] == 2

    def test_loading_that_fails_is_tried_again(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        served.fault("raise-load", "a fault of the test")
        assert client.post("/api/events", purchase("u1")).status_code == 201
        wait_for(lambda: message_of(served) == "loading has stopped: a fault of the test", 10)
        assert client.post("/api/events", purchase("u2")).status_code == 503
        assert client.get("/api/report").status_code == 503
        served.mend()
        until_ready(served, 10)
        client.loaded()
        assert client.get("/api/report").json()["facts"]["events"] == 1
        log = served.err.read_text()
        assert log.count("loading has stopped and is tried again: a fault of the test") == 1
        assert log.count("loading goes on") == 1

    @pytest.mark.slow
    def test_attribution_that_fails_stops_no_facts_and_shows_no_old_results(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.launch(campaign())
        client.post("/api/exposures", exposures(["u0"]))
        client.loaded()
        served.fault("raise-refresh", "a fault of the test")
        wait_for(lambda: client.get("/api/campaigns/cart-rescue/report").status_code == 503, 10)
        answer = client.get("/api/campaigns/cart-rescue/report")
        assert answer.json()["message"] == "the results are not up to date: a fault of the test"
        assert client.post("/api/events", purchase("u0")).status_code == 201
        assert message_of(served) == ""
        served.mend()
        client.loaded()
        assert client.report("cart-rescue")["variants"][0]["conversions"]["A"]["converted"] == 1

    def test_the_process_that_answers_is_started_again(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        client.launch(campaign())
        served.kill_answering()
        assert client.post("/api/exposures", exposures(["u0"])).status_code == 201
        assert client.get("/api/campaigns/cart-rescue/report").status_code in (200, 503)
        wait_for(lambda: client.get("/api/campaigns/cart-rescue/report").status_code == 200, 30)
        client.loaded()
        assert client.report("cart-rescue")["variants"][0]["exposed"] == 1

    @pytest.mark.slow
    def test_a_sealed_segment_that_is_damaged_before_it_is_loaded(self, serving: Serving) -> None:
        served = serving()
        client = served.start()
        served.fault("raise-load", "a fault of the test")
        assert client.post("/api/events", purchase("u1", product_id=os.urandom(100).hex())).status_code == 201
        assert served.stop() == 0
        served.mend()
        first = sorted((served.data / "log").glob("*.seg"))[0]
        good = first.read_bytes()
        first.write_bytes(good[:120] + bytes([good[120] ^ 1]) + good[121:])
        served.begin()
        wait_for(lambda: is_up(served), 30)
        wait_for(lambda: "is damaged at byte" in message_of(served), 20)
        assert "restore this file from a backup" in message_of(served)
        assert client.post("/api/events", purchase("u2")).status_code == 503
        first.write_bytes(good)
        until_ready(served)
        client.loaded()
        assert client.get("/api/report").json()["facts"]["events"] == 1


def fill(path: Path) -> None:
    """Take all the space that is left, but for a little."""
    # With a buffer the last page could stay in it when the disk is full, and closing the file would fail.
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    size = path.stat().st_size
    os.truncate(path, max(0, size - (96 << 10)))
