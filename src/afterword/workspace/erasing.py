"""Erasing persons from a data directory that no server has open (rule 36): facts, results, log, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from afterword.errors import UserError
from afterword.store.database_file import rewrite_database
from afterword.store.erasing import Erasure, Policy, erase, finish
from afterword.store.erasing_log import change
from afterword.workspace.data_directory import FACTS, TEMPORARY, Answering, open_answering, open_intake
from afterword.workspace.reopened_log import ReopenedLog

EVERYTHING = 1 << 62
"""Later than any answer to a request was kept."""
MEMORY = 1 << 30


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasing one person did."""

    user_id: str
    """As it was asked for."""
    ids: int
    """How many ids the person had."""
    facts: int
    """Events, exposures and step messages that were made anonymous or removed."""


def erase_persons(
    path: Path,
    users: Sequence[str],
    policy: Policy,
    *,
    memory: str | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    metadata_url: str | None = None,
) -> list[Erased]:
    """Erase persons, named by any of their ids, from everything in a data directory.

    What is durable is loaded first. Then, person by person, facts and results are erased and the log is rewritten; at
    last the answers kept for repeated requests go, and the database is copied into a fresh file without its old blocks.
    A crash leaves some persons erased and others not: run it again.

    Args:
        path: the data directory.
        users: ids.
        policy: what stays of the facts.
        memory: such as "4GB".
        clock: the time, in microseconds since 1970.
        chance: returns so many unpredictable bytes.
        metadata_url: where campaigns and keys are kept, if not in the directory.

    Raises:
        UserError: a server has the directory open, or there is none.

    """
    if not (path / FACTS).exists():
        raise UserError(f"there is no data directory at {path}: name one with --data")
    problems: list[str] = []
    with open_intake(path, clock=clock, chance=chance, metadata_url=metadata_url) as intake:
        with open_answering(
            path,
            memory=memory,
            threads=None,
            clock=clock,
            durable=lambda: intake.log.durable,
            tell=lambda message, _error: problems.append(message),
            metadata_url=metadata_url,
        ) as answering:
            if not answering.keeper.caught_up(None):
                raise UserError(f"what is in the log cannot be loaded: {'; '.join(problems)}")
            answering.keeper.stop()
            erased = [_erase_one(answering, intake.log, user, policy, clock, chance) for user in users]
        intake.metadata.idempotency.prune(EVERYTHING)
        rewrite_database(path / FACTS, MEMORY, 1, path / TEMPORARY)
    return erased


def _erase_one(
    answering: Answering,
    log: ReopenedLog,
    user: str,
    policy: Policy,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
) -> Erased:
    con = answering.facts.cursor()
    ids = _ids_of(con, user)
    erasure = Erasure.of(ids, policy, chance)
    changed = erase(con, erasure, key=answering.secret, erased_at=clock())
    touched = [*ids, *([erasure.replacement] if erasure.replacement is not None else [])]
    as_of = max(clock(), answering.live.state.as_of)
    answering.live.refresh(answering.definitions(), touched, merges_changed=True, erasures=[erasure], as_of=as_of)
    # A number stays with a person for ever, also without rows: not with an erased one.
    con.execute("DELETE FROM derived.users WHERE list_contains($ids, user_id)", {"ids": ids}).fetchall()
    log.rewrite(change(con, erasure))
    finish(con, erasure)
    return Erased(user, len(ids), sum(changed[kind] for kind in ("events", "exposures", "step_messages")))


def _ids_of(con: duckdb.DuckDBPyConnection, user: str) -> list[str]:
    """Return all ids of a person, merges followed (rule 37)."""
    found = con.execute(
        """
        WITH RECURSIVE pairs AS (
            SELECT from_user_id AS a, to_user_id AS b FROM merges UNION SELECT to_user_id, from_user_id FROM merges
        ), ids AS (
            SELECT $user AS id UNION SELECT b FROM pairs JOIN ids ON a = id
        )
        SELECT id FROM ids ORDER BY id""",
        {"user": user},
    ).fetchall()
    return [row[0] for row in found]
