"""Opening the database file says what is wrong with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from afterword.errors import UserError
from tests.store.world import TABLES, opened


def test_tables_are_made_once_and_stay(tmp_path: Path) -> None:
    with opened(tmp_path) as con:
        con.execute("INSERT INTO deletions VALUES ('ann', 0, 0, 0, 'counts')")
    with opened(tmp_path) as con:
        assert {row[0] for row in con.execute("SHOW TABLES").fetchall()} == {
            *TABLES,
            "tombstones",
            "loaded",
            "erasures",
            "refused",
            "old_blocks",
            "hashing",
        }
        assert con.execute("SELECT user_id FROM deletions").fetchall() == [("ann",)]
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_a_file_that_another_process_holds(tmp_path: Path) -> None:
    path = tmp_path / "facts.duckdb"
    holder = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UserError, match="open in another process"):
            opened(tmp_path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "facts.duckdb").write_bytes(b"user_id,kind\n" * 1000)
    with pytest.raises(UserError, match="no DuckDB file"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["facts.duckdb", "facts.duckdb.wal"])
def test_a_file_that_is_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / "damaged").mkdir()
    with opened(tmp_path) as con:
        con.execute("CHECKPOINT")
        con.execute("INSERT INTO merges SELECT i, i, i, i, i FROM range(1000) t(i)")
        for each in ("facts.duckdb", "facts.duckdb.wal"):  # as a kill leaves them
            shutil.copy(tmp_path / each, tmp_path / "damaged" / each)
    data = bytearray((tmp_path / "damaged" / name).read_bytes())
    data[len(data) // 2 if name.endswith(".wal") else 100] ^= 255
    (tmp_path / "damaged" / name).write_bytes(data)
    with pytest.raises(UserError, match=r"is damaged \(.*put back the last backup, or, .* move this file and its .wal"):
        opened(tmp_path / "damaged")


def test_a_file_that_must_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb.connect(str(tmp_path / "facts.duckdb")).close()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write whatever the mode says
    with pytest.raises(UserError, match="cannot be written"):
        opened(tmp_path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    from afterword.store.facts import open_facts

    with pytest.raises(UserError, match="cannot be opened"):
        open_facts(tmp_path / "none" / "facts.duckdb", 100_000_000, 1, tmp_path)
