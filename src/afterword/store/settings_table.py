"""The workspace's settings: time zone and reporting currency, one row."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from afterword.model import Workspace
from afterword.store.metadata_tables import workspace_settings as table


def read_workspace(connection: Connection) -> Workspace:
    """Return the settings, or the defaults as long as nothing was set."""
    row = connection.execute(sa.select(table.c.timezone, table.c.currency)).first()
    return Workspace() if row is None else Workspace(row.timezone, row.currency)


def write_workspace(connection: Connection, workspace: Workspace, now: int) -> None:
    """Set the settings, which have been checked."""
    values = {"timezone": workspace.timezone, "currency": workspace.currency, "updated_at": now}
    if connection.execute(sa.update(table).values(**values)).rowcount == 0:
        connection.execute(sa.insert(table).values(id=1, **values))
