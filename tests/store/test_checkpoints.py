"""A commit may leave the checkpoint that is due to later, and later it is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from afterword.store import facts
from afterword.store.facts import checkpoint_if_due, without_checkpoint
from tests.store.world import opened

STEP = "INSERT INTO step_messages SELECT 'm' || i, 'u', 'c', 's', 0, NULL, i, i, 0, 0, 1 FROM range({}, {}) t(i)"


def waiting(path: Path) -> int:
    """Return the bytes of the write-ahead log."""
    log = path.with_name(f"{path.name}.wal")
    return log.stat().st_size if log.exists() else 0


def test_a_checkpoint_that_is_left_out_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "CHECKPOINT_BYTES", 10_000)
    monkeypatch.setattr(facts, "CHECKPOINT_THRESHOLD", "10kB")
    path = tmp_path / "facts.duckdb"
    with opened(tmp_path) as con:
        con.execute("CHECKPOINT")
        assert not checkpoint_if_due(con, path)
        with without_checkpoint(con):
            con.execute(STEP.format(0, 5_000))
        assert waiting(path) > 10_000
        with con.cursor() as reads:
            reads.execute("BEGIN")
            reads.execute("SELECT count(*) FROM step_messages").fetchall()
            con.execute("UPDATE step_messages SET step_id = 't' WHERE received_at < 100")
            assert not checkpoint_if_due(con, path)
            assert waiting(path) > 10_000
            reads.execute("ROLLBACK")
        assert checkpoint_if_due(con, path)
        assert waiting(path) < 10_000
        con.execute(STEP.format(5_000, 10_000))  # the usual way
        assert waiting(path) < 10_000
        assert con.execute("SELECT count(*) FROM step_messages").fetchall() == [(10_000,)]
