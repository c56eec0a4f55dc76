"""Metadata: what people edit and what is looked up singly, in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType

from afterword.intake.definitions import check_definitions
from afterword.model import Definitions, Workspace
from afterword.store.accounts import Accounts
from afterword.store.audit import Audit
from afterword.store.campaigns import Campaigns
from afterword.store.drafts import Drafts
from afterword.store.exchange_rates import ExchangeRates
from afterword.store.holdouts import Holdouts
from afterword.store.idempotency import Idempotency
from afterword.store.identities import Identities
from afterword.store.keys import Keys
from afterword.store.metadata_database import Database, open_database
from afterword.store.plans import SETTINGS, Plan, apply_plan, make_plan
from afterword.store.selections import Selections
from afterword.store.sessions import Sessions
from afterword.store.settings_table import read_workspace, write_workspace
from afterword.store.webhooks import Webhooks

FILE_NAME = "metadata.sqlite"
"""The file within a data directory."""


class Metadata:
    """The open metadata of a workspace; a context manager that closes it. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.campaigns = Campaigns(database)
        self.holdouts = Holdouts(database)
        self.keys = Keys(database)
        self.selections = Selections(database)
        self.idempotency = Idempotency(database)
        self.webhooks = Webhooks(database)
        self.sessions = Sessions(database)
        self.accounts = Accounts(database, self.sessions.forget)
        self.identities = Identities(database, self.sessions.forget)
        self.exchange_rates = ExchangeRates(database)
        self.drafts = Drafts(database)
        self.audit = Audit(database)

    def workspace(self) -> Workspace:
        """Return the settings, or the defaults as long as nothing was set."""
        with self._database.reading() as connection:
            return read_workspace(connection)

    def set_workspace(self, workspace: Workspace, now: int) -> Workspace:
        """Set time zone and currency. Raises `DefinitionError` for what is neither."""
        workspace = check_definitions(Definitions(workspace)).workspace
        with self._database.writing() as connection:
            write_workspace(connection, workspace, now)
        return workspace

    def plan(
        self,
        definitions: Definitions,
        *,
        settings: Collection[str] = SETTINGS,
        launch: bool = True,
        source: str = "definitions",
    ) -> Plan:
        """Compare definitions with what is kept, and change nothing.

        `settings` are those that the definitions mean, not just default to; with `launch` drafts begin to run;
        `source` is the name that errors carry. Raises `DefinitionError` with all that is wrong or fixed at launch.
        """
        return make_plan(self._database, definitions, settings=settings, launch=launch, source=source)

    def apply(self, plan: Plan, now: int) -> None:
        """Do what the plan says, all or nothing. Raises `PlanOutdated` if that is no longer the same."""
        apply_plan(self._database, plan, now)

    def forget_naming(self, names: Callable[[bytes], bool]) -> int:
        """Forget kept answers that name an erased person, and whom the audit log names, also in old blocks.

        Returns how many. Raises `MetadataUnavailable`; then do it again.
        """
        found = self.idempotency.forget_naming(names) + self.audit.forget_naming(names)
        for table in ("idempotency", "audit"):
            self._database.free_old_blocks(table)
        return found

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Metadata:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_metadata(where: str | Path, *, create: bool = True, listing: bool = False) -> Metadata:
    """Open the metadata at a file or a `postgresql://` URL, and bring its schema up to date.

    Without `create` a file has to be there; with `listing` it is only read, which needs no room on the disk. Raises
    `UserError` where that cannot be: no file, a damaged one, one that a newer Afterword wrote, a server that does not
    answer. No error repeats a password.
    """
    return Metadata(open_database(where, create=create, listing=listing))
