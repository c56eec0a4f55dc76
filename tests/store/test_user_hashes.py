"""A person's facts are found by a hash of the id, which every fact has."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from afterword.errors import UserError
from afterword.store import facts, statements, user_hashes
from afterword.store.facts import facts_sql
from afterword.store.user_hashes import complete_user_hashes, user_hash_sql
from tests.store.world import opened

STEP = """
INSERT INTO step_messages SELECT 'm' || i, 'u' || i % 7, 'c', 's', 0, NULL, i, i, 0, 0{hash} FROM range({rows}) t(i)"""


def wrong(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows have another hash than their user, or none."""
    sql = f"SELECT count(*) FROM step_messages WHERE user_hash IS DISTINCT FROM {user_hash_sql('user_id')}"
    return int(con.execute(sql).fetchall()[0][0])


def nullable(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the tables whose facts may be without a hash."""
    sql = "SELECT table_name FROM duckdb_columns() WHERE column_name = 'user_hash' AND is_nullable"
    return {str(row[0]) for row in con.execute(sql).fetchall()}


def test_facts_of_older_versions_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_hashes, "BATCH_ROWS", 1000)
    before = facts_sql().replace(",\n    user_hash UINTEGER NOT NULL", "")
    before = "\n".join(line for line in before.splitlines() if "user_hash" not in line and "hashing" not in line)
    with duckdb.connect(str(tmp_path / "facts.duckdb")) as con:
        con.execute(before)
        con.execute(STEP.format(hash="", rows=2500))
    with opened(tmp_path) as con:
        assert con.execute("SELECT count(*) FROM step_messages").fetchall() == [(2500,)]
        assert (wrong(con), nullable(con)) == (0, set())


def test_another_way_of_hashing_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path) as con:
        con.execute(STEP.format(hash=", 5", rows=100))
        assert wrong(con) == 100
    with opened(tmp_path) as con:
        assert wrong(con) == 100  # nobody looks at them again as long as DuckDB is the same
        con.execute("UPDATE hashing SET probe = probe + 1")
    with opened(tmp_path) as con:
        assert (wrong(con), nullable(con)) == (0, set())


def test_after_a_crash_the_rest_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_hashes, "BATCH_ROWS", 100)
    with opened(tmp_path) as con:
        con.execute(STEP.format(hash=", 5", rows=250))
        con.execute("UPDATE hashing SET probe = probe + 1")
        run, updates = statements.run, 0

        def fails(con: duckdb.DuckDBPyConnection, sql: str, *more: object) -> int:
            nonlocal updates
            updates += sql.startswith("UPDATE step_messages")
            if updates == 2:
                raise KeyboardInterrupt
            return run(con, sql, *more)

        monkeypatch.setattr(user_hashes, "run", fails)
        with pytest.raises(KeyboardInterrupt):
            complete_user_hashes(con)
        assert wrong(con) == 150
    monkeypatch.setattr(user_hashes, "run", run)
    with opened(tmp_path) as con:
        assert (wrong(con), nullable(con)) == (0, set())


def test_a_fact_without_one_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as con, pytest.raises(duckdb.ConstraintException):
        con.execute(STEP.format(hash=", NULL", rows=1))


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (duckdb.OutOfMemoryException("could not allocate block of size 256.0 KiB"), "give --memory more"),
        (duckdb.IOException("Could not write file: No space left on device"), "make room on the disk"),
        (duckdb.IOException("Corrupt database file: computed checksum 1 does not match 2"), "put back the last backup"),
    ],
)
def test_what_keeps_a_file_from_being_completed_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: duckdb.Error, way_out: str
) -> None:
    def fails(_con: duckdb.DuckDBPyConnection) -> None:
        raise error

    monkeypatch.setattr(facts, "complete_user_hashes", fails)
    with pytest.raises(UserError) as raised, opened(tmp_path):
        pass
    assert way_out in str(raised.value)
    assert str(error) in str(raised.value)
