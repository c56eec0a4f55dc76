"""An import through the server that has the data directory open."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any

import msgspec

from afterword.errors import UserError
from afterword.interfaces.client import Server
from afterword.workspace.importing.importing import Imported, Job, import_files
from afterword.workspace.importing.ledger import Standing, Told
from afterword.workspace.session import Progress

PATH = "/api/imports"
PATIENCE_SECONDS = 600.0
"""How long a server that says to come again is asked again: what an import brings must be loaded in the meantime."""
WAITING = 2
"""Batches on their way: one is sent while the next is made."""
LOOK_SECONDS = 0.2


def import_through(server: Server, job: Job, progress: Progress) -> Imported:
    """Import through a running server, and wait until its results know what was imported.

    Raises:
        UserError: what is to be imported cannot be used; what went in before stays.
        AfterwordError: the server failed or went away: the same import goes on where it was.

    """
    with ServerLog(replace(server, patience=PATIENCE_SECONDS)) as log:
        imported = import_files(job, log, progress)
        log.catch_up(progress)
    return imported


class ServerLog:
    """Sends rows to a server."""

    def __init__(self, server: Server) -> None:
        """Take the server."""
        self._server = server
        self._pool = ThreadPoolExecutor(1, "afterword-import")
        self._waiting: deque[Future[Any]] = deque()
        self._position = 0
        self._timezone: str | None = None

    def __enter__(self) -> ServerLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def timezone(self) -> str:
        """Of the workspace."""
        if self._timezone is None:
            self._timezone = str(self._server.get(PATH)["timezone"])
        return self._timezone

    def begin(self, file: str, name: str, *, again: bool) -> Standing:
        """Begin the import of a file, or find out how far it is."""
        query = {"name": name, "again": "true" if again else None}
        return msgspec.convert(self._server.ask("PUT", f"{PATH}/{file}", query=query), Standing)

    def send(self, file: str, after: int, rows: int, body: bytes) -> None:
        """Hand in rows; waits for those before the last ones."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        query = {"after": after, "rows": rows}
        self._waiting.append(self._pool.submit(self._server.post, f"{PATH}/{file}/rows", body, query))

    def finish(self, file: str, told: Told) -> None:
        """Wait until all rows are on the disk, and note what became of them."""
        while self._waiting:
            self._waiting.popleft().result()
        found = self._server.post(f"{PATH}/{file}/finish", msgspec.json.encode(told))
        self._position = max(self._position, found["position"])

    def catch_up(self, progress: Progress) -> None:
        """Wait until the server's results know what was imported."""
        first: int | None = None
        while self._position:
            state = self._server.get(PATH)
            if state["failure"]:
                raise UserError(f"all rows are in the log, but loading has stopped: {state['failure']}")
            if state["attributed"] >= self._position:
                return
            first = state["loaded"] if first is None else first
            if state["loaded"] < self._position:
                progress("loading", (state["loaded"] - first) / max(1, self._position - first))
            else:
                progress("bringing results up to date", None)
            time.sleep(LOOK_SECONDS)
