"""What makes sure, at next to no cost, that a refresh would find nothing to do."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from afterword.intake.fact_tables import fact_tables
from afterword.model import Definitions
from afterword.store.loader import loaded_position
from afterword.workspace.live.gathering import next_due
from afterword.workspace.live.refreshing import Refreshed
from afterword.workspace.live.state import read_state


@dataclass(frozen=True, slots=True)
class Settled:
    """How things stood after a refresh; as long as they stand so, another one would change nothing."""

    definitions: str
    loaded: int
    version: int
    until: int
    """Before this time no fact that is known comes due, nor must `as_of` be written again; epoch microseconds."""

    def still(self, con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of: int) -> Refreshed | None:
        """Return what a refresh would have done, nothing; None if it is to be made."""
        if as_of >= self.until or loaded_position(con) != self.loaded or repr(definitions) != self.definitions:
            return None
        return Refreshed(self.version, as_of, 0, (), 0)


def settle(con: duckdb.DuckDBPyConnection, definitions: Definitions, done: Refreshed, until: int) -> Settled:
    """Return how things stand after a refresh; `until` is when the next one is due in any case."""
    due = next_due(con, fact_tables(con, definitions), read_state(con))
    at = until if due is None else min(due, until)
    # Not the definitions themselves: for Python 50 is 50.00 and 1 is True, for a report they are not.
    return Settled(repr(definitions), loaded_position(con), done.version, at)
