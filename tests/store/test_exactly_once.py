"""Whatever happens in the middle, everything is loaded once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

import afterword
from afterword.store.loader import Loader
from tests.extent import THOROUGH
from tests.store.world import KEY, Request, bought, everything, loaded, opened, write


class Interrupted(BaseException):
    """As a signal would: no `Exception`."""


class Fragile:
    """A connection whose statement number `fails_at` fails, before it is done or after."""

    def __init__(self, con: duckdb.DuckDBPyConnection, fails_at: int, *, after: bool) -> None:
        self._con = con
        self._left = fails_at
        self._after = after

    def execute(self, statement: str, parameters: object = None) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Interrupted(statement)
        result = self._con.execute(statement, parameters)
        if self._left == 0:
            result.fetchall()
            raise Interrupted(statement)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


def requests(count: int) -> list[Request]:
    """Requests with a bit of everything; every third repeats the one before, every fourth has a conflict."""
    each: list[Request] = []
    for number in range(count):
        mark = number - (number % 3 == 2)
        facts = [bought(0, f"u{mark}", mark, event_id=f"e{mark}"), bought(1, "ann", mark), bought(2, "eve", once=False)]
        if number % 4 == 3:
            facts.append(bought(3, "bob", number, event_id="e0"))
        each.append(
            {
                "events": facts,
                "exposures": [{"item": 4, "user_id": "ann", "campaign_id": "c", "exposed_at": mark}],
                "attributes": [{"item": 5, "user_id": "ann", "values": {"n": number}}],
                "merges": [{"item": 6, "from_user_id": "ann", "to_user_id": f"u{mark}"}],
                "rejected": [{"item": 7, "kind": "events", "reason": "bad_time", "message": "no"}],
            }
        )
    return each


@pytest.mark.parametrize("after", [False, True], ids=["before-a-statement", "after-a-statement"])
def test_a_failure_at_any_statement_leaves_all_or_nothing(tmp_path: Path, after: bool) -> None:
    end = write(tmp_path / "log", requests(4))
    with loaded(tmp_path / "straight", requests(4)) as straight:
        expected = everything(straight)
    with opened(tmp_path) as con:
        loader = Loader(con, tmp_path / "log", tombstone_key=KEY)
        nothing, fails_at = everything(con), 0
        while loader.position < end:
            fails_at += 1 if THOROUGH else 3
            loader._con = cast(duckdb.DuckDBPyConnection, Fragile(con, fails_at, after=after))
            try:
                loader.load(end)
            except Interrupted:
                assert everything(con) in (nothing, expected)
            loader._con = con
        assert fails_at > 40
        assert loader.load(end).position == end
        assert everything(con) == expected
        again = write(tmp_path / "log", requests(4)[:1])
        assert loader.load(again).repetitions == 4  # the ids are known, however it ended


def test_a_killed_process_has_loaded_all_or_nothing_of_each_batch(tmp_path: Path) -> None:
    each = requests(40)
    end = write(tmp_path / "log", each)
    with loaded(tmp_path / "straight", each) as straight:
        expected = everything(straight)
    paths = [str(Path(afterword.__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "tests.store.load_child", str(tmp_path), str(end)]
    seen = 0
    for batches in (1, 5, 2, 7) if THOROUGH else (1, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            for _ in range(batches):
                seen = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
        with opened(tmp_path) as con:
            assert seen <= Loader(con, tmp_path / "log").position <= end
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    with opened(tmp_path) as con:
        assert everything(con) == expected
