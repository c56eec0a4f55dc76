"""The facts made again from the log, into a new file that takes the old one's place."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from afterword.attribution.gather import Limits
from afterword.errors import UserError
from afterword.log import LogError, begins_at
from afterword.settings import memory_bytes, thread_count
from afterword.store.database_file import put_database_in_place, remove_database
from afterword.store.erasing import add_tombstones, read_tombstones
from afterword.store.facts import open_facts
from afterword.store.loader import Loader
from afterword.store.metadata import Metadata
from afterword.workspace.answering import BATCH_ROWS, DATABASE_SHARE, STORE_SHARE
from afterword.workspace.data_directory import FACTS, LOG, SECRET, TEMPORARY, open_intake
from afterword.workspace.erasing import Erasing
from afterword.workspace.live import Live

Progress = Callable[[int, int], None]
"""Told how many requests of how many are loaded."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gave."""

    requests: int
    rows: dict[str, int]
    """By table."""
    problem: str | None
    """Why the old facts could not be read, so that the log alone said who was erased."""


def replay(
    path: Path,
    *,
    memory: str | None,
    threads: int | None,
    clock: Callable[[], int],
    chance: Callable[[int], bytes],
    progress: Progress,
    metadata_url: str | None = None,
) -> Replayed:
    """Load the whole log of a directory that no server has open into a new file, and put it in place.

    Until then the old one is left alone. Erased persons stay erased: the log is without them and keeps
    their tombstones; those of deletions that the log still has are erased again.

    Args:
        path: the data directory.
        memory: such as "4GB".
        threads: all cores if None.
        clock: the time, in microseconds since 1970.
        chance: returns so many unpredictable bytes.
        progress: told how far it is.
        metadata_url: where campaigns and keys are kept, if not in the directory.

    Raises:
        UserError: a server has the directory open, there is none, or the log no longer begins at its beginning.

    """
    if not (path / LOG).is_dir():
        raise UserError(f"there is no log in {path}: name the data directory with --data")
    with open_intake(path, clock=clock, chance=chance, metadata_url=metadata_url) as intake:
        if first := begins_at(path / LOG):
            raise UserError(
                f"the log begins at {first}, as older segments were removed: it cannot bring back all facts; "
                f"put back a backup of {FACTS} instead"
            )
        aside = path / f"{FACTS}.new"
        remove_database(aside)
        places = _Places(path, aside, memory_bytes(memory), thread_count(threads, os.cpu_count() or 1))
        stones, problem = _tombstones(places)
        end = intake.log.durable
        try:
            with closing(open_facts(aside, places.database_memory, places.threads, places.temporary)) as facts:
                _load(facts, path, end, progress)
                _derive(facts, places, intake.metadata, clock(), chance)
                add_tombstones(facts, stones)
                rows = _counted(facts)
                facts.execute("CHECKPOINT").fetchall()
            put_database_in_place(aside, path / FACTS)
        except LogError as error:
            raise UserError(f"the log cannot be replayed, the facts are as they were: {error}") from error
        finally:
            remove_database(aside)
    return Replayed(end, rows, problem)


@dataclass(frozen=True, slots=True)
class _Places:
    path: Path
    aside: Path
    memory: int
    threads: int

    @property
    def temporary(self) -> Path:
        return self.path / TEMPORARY

    @property
    def database_memory(self) -> int:
        return int(self.memory * DATABASE_SHARE)


def _tombstones(places: _Places) -> tuple[list[tuple[str, int]], str | None]:
    """Return what the old facts know of erased persons, or why they cannot be read."""
    if not (places.path / FACTS).exists():
        return [], None
    try:
        with closing(open_facts(places.path / FACTS, places.database_memory, 1, places.temporary)) as facts:
            return read_tombstones(facts), None
    except (UserError, duckdb.Error) as error:
        if "another process" in str(error):
            raise
        return [], str(error).splitlines()[0]


def _load(facts: duckdb.DuckDBPyConnection, path: Path, end: int, progress: Progress) -> None:
    loader = Loader(facts.cursor(), path / LOG, tombstone_key=(path / SECRET).read_bytes())
    for loaded in loader.batches(end):
        progress(loaded.position, end)


def _derive(
    facts: duckdb.DuckDBPyConnection, places: _Places, metadata: Metadata, at: int, chance: Callable[[int], bytes]
) -> None:
    places.temporary.mkdir(exist_ok=True)
    limits = Limits(int(places.memory * STORE_SHARE), places.temporary, BATCH_ROWS, places.threads)
    erasing = Erasing(facts, metadata, (places.path / SECRET).read_bytes(), chance)
    Live(facts, limits).refresh(metadata.campaigns.definitions(), as_of=at, erase=erasing.erase(at))


def _counted(facts: duckdb.DuckDBPyConnection) -> dict[str, int]:
    tables = ("events", "exposures", "step_messages", "merges", "attributes", "rejected")
    return {table: int(facts.execute(f"SELECT count(*) FROM main.{table}").fetchall()[0][0]) for table in tables}
