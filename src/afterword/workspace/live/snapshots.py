"""What is asked of results: each question of one state of the database, and all of them gone before it is closed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from afterword.errors import UserError
from afterword.intake.fact_tables import FactTables, fact_tables
from afterword.model import Definitions
from afterword.workspace.live.state import State, read_state

INTERRUPT_SECONDS = 0.05


class Stopping(UserError):
    """Nothing can be asked any more."""


class Snapshots:
    """Gives cursors for questions; any thread may take one."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Take a connection of which cursors are made."""
        self._con = con
        self._changed = threading.Condition()
        self._asking: set[duckdb.DuckDBPyConnection] = set()
        self._stopping = False

    @contextmanager
    def open(
        self, definitions: Definitions, *, scans: bool = True
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, State, FactTables]]:
        """Give a cursor that sees one state of the database; what it makes is temporary.

        Without `scans` the facts are not there as the definitions see them, which costs something.

        Raises:
            Stopping: nothing can be asked any more.

        """
        with self._changed:
            if self._stopping:
                raise Stopping("the server is stopping")
            cursor = self._con.cursor()
            self._asking.add(cursor)
        try:
            cursor.execute("SET search_path = 'derived,main'")
            cursor.execute("BEGIN TRANSACTION")
            state = read_state(cursor)
            yield cursor, state, fact_tables(cursor, definitions, scans=scans)
        finally:
            with self._changed:
                self._asking.discard(cursor)
                cursor.close()
                self._changed.notify_all()

    def stop(self) -> None:
        """Interrupt what is being asked and wait until it has ended; nothing can be asked afterwards."""
        with self._changed:
            self._stopping = True
            while self._asking:
                for cursor in self._asking:
                    cursor.interrupt()
                self._changed.wait(INTERRUPT_SECONDS)  # who counted between two queries has begun the next one
