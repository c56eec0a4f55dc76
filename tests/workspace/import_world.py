"""A data directory into which files are imported, stopped and imported again, without a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from afterword.attribution.gather import Limits
from afterword.intake.history import HistoryKind
from afterword.intake.sources import InputFile, ReadOptions
from afterword.model import Definitions
from afterword.store.facts import open_facts
from afterword.store.loader import Loader
from afterword.workspace.data_directory import FACTS, LOG, open_intake
from afterword.workspace.importing.importing import Imported, Job, Rejections, import_files
from afterword.workspace.importing.local import LocalLog
from afterword.workspace.live import Live

PLAIN = ReadOptions()
NOW = 1_900_000_000_000_000
"""Some time after all facts, so that nothing lies in the future."""


class Stopped(Exception):
    """An import that was stopped."""


@dataclass
class Directory:
    """A data directory into which files are imported."""

    path: Path
    clock: int = NOW
    imports: int = 0

    @property
    def rejected(self) -> Path:
        """Where rejected rows are listed."""
        return self.path.with_name("rejected.parquet")

    def take(
        self,
        files: Mapping[HistoryKind, Sequence[InputFile]],
        *,
        stop_after: int | None = None,
        options: ReadOptions = PLAIN,
        strict: bool = False,
        again: bool = False,
    ) -> Imported:
        """Import files; with a number, stop when so many batches were handed in."""
        self.clock += 1_000_000
        self.imports += 1
        rejections = Rejections(self.rejected)
        job = Job(files, options, rejections, strict=strict, again=again, memory="1GB", threads=2)
        with open_intake(self.path, clock=lambda: self.clock, chance=bytes) as intake:
            log = LocalLog(intake, lambda: self.clock)
            send, left = log.send, [stop_after]

            def sending(file: str, after: int, rows: int, body: bytes) -> None:
                if left[0] is not None:
                    if not left[0]:
                        raise Stopped
                    left[0] -= 1
                send(file, after, rows, body)

            vars(log)["send"] = sending
            try:
                return import_files(job, log, lambda _stage, _done: None)
            finally:
                job.rejections.close()

    @contextmanager
    def loaded(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Load what is in the log."""
        aside = self.path / "aside"
        aside.mkdir(exist_ok=True)
        con = open_facts(self.path / FACTS, 1 << 29, 2, aside)
        with con, open_intake(self.path, clock=lambda: NOW, chance=bytes) as intake:
            Loader(con.cursor(), self.path / LOG).load(intake.log.durable)
            yield con

    @contextmanager
    def results(self, definitions: Definitions, as_of: int) -> Iterator[Live]:
        """Load what is in the log, and derive."""
        with self.loaded() as con:
            live = Live(con, Limits(1 << 28, self.path / "aside", 1 << 16, 2))
            live.refresh(definitions, as_of=as_of)
            yield live

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return what is in a table of the store, in the order of its first column."""
        with self.loaded() as con:
            return con.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
