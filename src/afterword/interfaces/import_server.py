"""An import through the server that has the data directory open."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec

from afterword.errors import UserError
from afterword.interfaces.client import Server
from afterword.workspace.importing.importing import Imported, Job, import_files
from afterword.workspace.importing.ledger import Standing, Told
from afterword.workspace.session import Progress

PATH = "/api/imports"
PATIENCE_SECONDS = 600.0
"""How long a server that says to come again is asked again: what an import brings must be loaded in the meantime."""
LOOK_SECONDS = 0.2


def import_through(server: Server, job: Job, progress: Progress) -> Imported:
    """Import through a running server, and wait until its results know what was imported.

    Raises:
        UserError: what is to be imported cannot be used; what went in before stays.
        AfterwordError: the server failed or went away: the same import goes on where it was.

    """
    log = ServerLog(replace(server, patience=PATIENCE_SECONDS))
    imported = import_files(job, log, progress)
    log.catch_up(progress)
    return imported


class ServerLog:
    """Sends rows to a server."""

    def __init__(self, server: Server) -> None:
        """Take the server."""
        self._server = server
        self._position = 0
        self._timezone: str | None = None

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
        """Hand in rows; they are on the disk when this returns."""
        self._server.post(f"{PATH}/{file}/rows", body, {"after": after, "rows": rows})

    def finish(self, file: str, told: Told) -> None:
        """Note that all rows are on the disk, and what became of them."""
        found = self._server.post(f"{PATH}/{file}/finish", msgspec.json.encode(told))
        self._position = max(self._position, found["position"])

    def catch_up(self, progress: Progress) -> None:
        """Wait until the server's results know what was imported."""
        state = self._server.get(PATH)
        first, wanted = state["loaded"], self._position or state["durable"]
        while state["attributed"] < wanted:
            if state["failure"]:
                raise UserError(f"all rows are in the log, but loading has stopped: {state['failure']}")
            if state["loaded"] < wanted:
                progress("loading", (state["loaded"] - first) / max(1, wanted - first))
            else:
                progress("bringing results up to date", None)
            time.sleep(LOOK_SECONDS)
            state = self._server.get(PATH)
