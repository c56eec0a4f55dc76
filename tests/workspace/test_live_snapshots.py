"""Questions end before the database that they are asked of is closed."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from afterword.model import Definitions
from afterword.workspace.live.snapshots import Snapshots, Stopping
from tests.workspace.live_world import LiveWorld


def test_what_is_asked_ends_before_the_database_is_closed(tmp_path: Path) -> None:
    snapshots, began, failed = Snapshots(LiveWorld(tmp_path).con), threading.Event(), threading.Event()

    def ask() -> None:
        with snapshots.open(Definitions()) as (con, _state, _facts):
            began.set()
            try:
                con.execute("SELECT count(*) FROM range(10_000_000_000_000) t(i) WHERE hash(i) % 7 = 0")
            except duckdb.InterruptException:
                failed.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(30)
    snapshots.stop()
    assert failed.is_set()
    asking.join(30)
    with pytest.raises(Stopping), snapshots.open(Definitions()):
        pass
