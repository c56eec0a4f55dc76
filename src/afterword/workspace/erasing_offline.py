"""Erasing persons from a data directory that no server has open: all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from afterword.errors import UserError
from afterword.intake.accepted import DIALECT, Accepted, Deletion
from afterword.log import Frame
from afterword.store.database_file import rewrite_database
from afterword.store.erasing_log import change, concerns
from afterword.workspace.answering import Answering, open_answering
from afterword.workspace.data_directory import FACTS, TEMPORARY, open_intake
from afterword.workspace.erasing import Found
from afterword.workspace.reopened_log import ReopenedLog

COMMAND = "afterword erase"
"""Stands in the log where else the key of who sent a request does."""
REWRITING_MEMORY = 1 << 30


def erase_persons(
    path: Path,
    users: Sequence[str],
    leave: str,
    *,
    memory: str | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    metadata_url: str | None = None,
) -> list[Found]:
    """Erase persons, named by any of their ids, from everything in a data directory; return what there was of them.

    What was asked for stands in the log before anything is done, so that a crash only delays it.

    Args:
        path: the data directory.
        users: ids.
        leave: `counts` or `nothing` of the facts.
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
            chance=chance,
            durable=lambda: intake.log.durable,
            tell=lambda message, _error: problems.append(message),
            metadata_url=metadata_url,
        ) as answering:
            _catch_up(answering, problems)
            found = answering.erasing.find(users)
            asked = Accepted(deletions=[Deletion(item, user, leave) for item, user in enumerate(users)])
            intake.log.append(Frame(clock(), DIALECT, COMMAND, msgspec.json.encode(asked))).result()
            _catch_up(answering, problems)
            answering.keeper.stop()
            _clean(answering, intake.log)
        rewrite_database(path / FACTS, REWRITING_MEMORY, 1, path / TEMPORARY)
    return found


def _catch_up(answering: Answering, problems: list[str]) -> None:
    if not answering.keeper.caught_up(None):
        raise UserError(f"what is in the log cannot be loaded: {'; '.join(problems)}")


def _clean(answering: Answering, log: ReopenedLog) -> None:
    up_to = log.durable
    persons = answering.erasing.for_the_log(up_to)
    log.rewrite(change(persons), concerns(persons))
    answering.erasing.forget(persons, up_to)
