"""Users of files, assigned and written out: by a definition file here, or by whoever is asked for some at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from afterword.errors import UserError, nearest
from afterword.intake.side_tables import load_users
from afterword.intake.sources import ReadOptions, find_files
from afterword.model import Definitions
from afterword.selection.assignment import split_of
from afterword.selection.named_queries import assign_in_sql
from afterword.settings import memory_bytes
from afterword.store.connection import open_memory
from afterword.store.sql import literal
from afterword.workspace.failures import leave, mistake_of_writing
from afterword.workspace.live.exporting import OPTIONS, Form

BATCH_USERS = 10_000
DATABASE_SHARE = 0.7
_COLUMNS = pa.schema([("user_id", pa.string()), ("variant_id", pa.string()), ("held_out", pa.string())])

Answers = Iterable[Mapping[str, str | None]]
"""Rows with `user_id`, `variant_id` and `held_out`."""


class UsersToAssign:
    """The users of files, each once; everything temporary is gone when it closes."""

    def __init__(self, paths: Sequence[str], rename: Mapping[str, str], *, memory: str | None = None) -> None:
        """Read files with a column `user_id`. Raises `UserError` for what cannot be read, naming file and row."""
        self._files = find_files("users", paths)
        self._directory = Path(tempfile.mkdtemp(prefix="afterword-"))
        threads = os.cpu_count() or 1
        budget = int(memory_bytes(memory) * DATABASE_SHARE)
        self._con = open_memory(budget, threads, self._directory, preserve_insertion_order=True)
        try:
            self.count = load_users(self._con, self._files, ReadOptions(rename), self._directory)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __enter__(self) -> UsersToAssign:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._con, self._files, self._directory, error)

    def assign(self, definitions: Definitions, campaign_id: str, form: Form, path: Path) -> None:
        """Write the variants that a campaign of a definition file gives at its launch. Raises `UserError`."""
        found = {campaign.id: campaign for campaign in definitions.campaigns}
        if campaign_id not in found:
            raise UserError(f'unknown campaign "{campaign_id}"{nearest(campaign_id, found)}')
        assigned = assign_in_sql(self._con, split_of(found[campaign_id]))
        assigned.create_view("assigned")
        self._write("SELECT user_id, variant_id, NULL::VARCHAR AS held_out FROM assigned", form, path)

    def ask(self, answers: Callable[[list[str]], Answers], form: Form, path: Path) -> None:
        """Write what `answers` says of each `BATCH_USERS` users."""
        batches = [pa.RecordBatch.from_pylist(list(answers(users)), _COLUMNS) for users in self._batches()]
        answered = pa.Table.from_batches(batches, _COLUMNS)
        self._con.register("answered", answered)
        self._write("SELECT user_id, variant_id, held_out FROM answered", form, path)

    def _batches(self) -> Iterator[list[str]]:
        with self._con.cursor() as cursor:
            cursor.execute("FROM users_to_assign")
            while rows := cursor.fetchmany(BATCH_USERS):
                yield [user for (user,) in rows]

    def _write(self, select: str, form: Form, path: Path) -> None:
        try:
            self._con.execute(f"COPY ({select}) TO {literal(str(path))} ({OPTIONS[form]})")
        except duckdb.Error as error:
            if (mistake := mistake_of_writing(error, path)) is not None:
                raise mistake from error
            raise
