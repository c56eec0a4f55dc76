"""What makes sure, at next to no cost, that a refresh would find nothing to do."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from afterword.intake.fact_tables import FactTables
from afterword.model import Definitions
from afterword.store.loader import loaded_position
from afterword.workspace.live.gathering import next_due
from afterword.workspace.live.state import State


@dataclass(frozen=True, slots=True)
class Settled:
    """How things stood after a refresh."""

    definitions: str
    loaded: int
    """The position of the log up to which facts were loaded."""
    until: int
    """Before this time no fact that is known comes due, nor must `as_of` be written again; epoch microseconds."""

    def stands(self, con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of: int) -> bool:
        """Return whether another refresh would change nothing."""
        return as_of < self.until and loaded_position(con) == self.loaded and repr(definitions) == self.definitions


def settle(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, facts: FactTables, until: int
) -> Settled:
    """Return how things stand after a refresh; `until` is when the next one is due in any case."""
    due = next_due(con, facts, state)
    # Not the definitions themselves: for Python 50 is 50.00 and 1 is True, for a report they are not.
    return Settled(repr(definitions), loaded_position(con), until if due is None else min(due, until))
