"""A database in memory with the facts staged, for the time of one piece of work."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import duckdb

from afterword.attribution.canonical import add_canonical_json
from afterword.attribution.embedded import Attribution, attribute
from afterword.attribution.facts import FactTable, Source
from afterword.attribution.gather import Limits
from afterword.attribution.reading import Scans
from afterword.attribution.stored import Receiver
from afterword.errors import UserError
from afterword.intake.scan import Scan, check_renamed_columns, stage
from afterword.intake.side_tables import load_merges, load_rates
from afterword.intake.sources import InputFile, Kind
from afterword.settings import memory_bytes, thread_count
from afterword.store.connection import open_memory
from afterword.store.sql import literal
from afterword.workspace.failures import mistake_of
from afterword.workspace.inputs import Inputs

Progress = Callable[[str, float | None], None]
FACTS: tuple[Kind, ...] = ("exposures", "events", "step_messages")
BATCH_ROWS_VARIABLE = "AFTERWORD_BATCH_ROWS"
BATCH_ROWS = 1 << 18
DATABASE_SHARE = 0.4
STORE_SHARE = 0.4
"""Of the memory allowed; the rest is for what is under way between the two."""


def no_progress(stage_name: str, done: float | None) -> None:
    """Say nothing."""


class Session:
    """Stages inputs and attributes them; everything temporary is gone when it closes."""

    def __init__(
        self,
        inputs: Inputs,
        *,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        directory: Path | None = None,
    ) -> None:
        """Open a session.

        Args:
            inputs: what to read.
            memory: such as "4GB".
            threads: how many; all cores if None.
            progress: told (stage, share done or None).
            directory: where temporary files go; the system's place if None.

        """
        self.inputs = inputs
        self.progress = progress or no_progress
        total = memory_bytes(memory)
        count = thread_count(threads, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        rows = int(os.environ.get(BATCH_ROWS_VARIABLE, BATCH_ROWS))
        self.files: dict[Kind, Sequence[InputFile]] = {}
        self.scans: dict[Kind, Scan] = {}
        self._directory = Path(tempfile.mkdtemp(prefix="afterword-", dir=directory))
        self.limits = Limits(int(total * STORE_SHARE), self._directory, rows, count)
        # Kept order makes the record numbers of staged files those of the files.
        self.con: duckdb.DuckDBPyConnection = open_memory(
            int(total * DATABASE_SHARE), count, self._directory, preserve_insertion_order=True
        )
        add_canonical_json(self.con)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            mistake = None if error is None else self._mistake(error)
        finally:
            self.con.close()
            shutil.rmtree(self._directory, ignore_errors=True)
        if mistake is not None:
            raise mistake from error

    def _mistake(self, error: BaseException) -> UserError | None:
        return mistake_of(error, self.con, [file for found in self.files.values() for file in found])

    def stage(self) -> None:
        """Find the files and make them readable."""
        inputs = self.inputs
        for kind, source in inputs.sources.items():
            self.files[kind] = source.inputs()
        for kind in FACTS:
            self.progress(f"staging {kind.replace('_', ' ')}", None)
            self.scans[kind] = stage(
                self.con, kind, self.files[kind], inputs.options, self._directory, inputs.definitions
            )
        load_merges(self.con, self.files["merges"], inputs.options, self._directory)
        load_rates(self.con, self.files["rates"], inputs.options, self._directory)
        check_renamed_columns(inputs.options, self.scans.values())

    def attribute(self, users: Sequence[str] | None = None, receiver: Receiver | None = None) -> Attribution:
        """Attribute the staged facts, or those of some users only; without a receiver, into tables of `con`."""
        sources = {kind: self.source(kind, self.relation(kind, users)) for kind in FACTS}
        scans = Scans(sources["events"], sources["exposures"], sources["step_messages"])
        return attribute(
            self.con, self.inputs.definitions, scans, self.limits, self.inputs.as_of, self.progress, receiver
        )

    def relation(self, kind: Kind, users: Sequence[str] | None = None) -> str:
        """Return the SELECT of a kind of fact, for some users if they are named."""
        relation = self.scans[kind].relation_sql
        if users is None:
            return relation
        listed = ", ".join(literal(user) for user in users)
        return f"SELECT * FROM ({relation}) WHERE user_id IN ({listed})"

    def disputed(self, table: FactTable, users: Sequence[str]) -> str:
        """Return the SELECT of some users' facts and of others with the same ids, so that rule 33 sees them all."""
        listed = ", ".join(literal(user) for user in users)
        return (
            f"SELECT * FROM ({self.relation(table.kind)}) WHERE user_id IN ({listed}) OR "
            f"({table.id} IS NOT NULL AND {table.id} IN (SELECT {table.id} FROM ({self.relation(table.kind, users)})))"
        )

    def source(self, kind: Kind, relation: str) -> Source:
        """Return what attribution reads of a kind of fact: a SELECT of rows of its scan."""
        scan = self.scans[kind]
        return Source(relation, max(1, len(self.files[kind])), scan.has, scan.ids_complete)

    def require_exposures(self, found: Attribution) -> None:
        """Refuse to report on nothing: no row of the exposures could be used."""
        if found.exposures:
            return
        counts = [f"{n:,} {reason}" for reason, n in found.rejected.items()]
        if found.after_as_of:
            later = "fact is" if found.after_as_of == 1 else "facts are"
            counts.append(f"{found.after_as_of:,} {later} later than the as-of time")
        reasons = ", ".join(counts) or "the files have no rows"
        raise UserError(f"no usable exposure is left ({reasons}); `afterword doctor` shows which rows and why")
