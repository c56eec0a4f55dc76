"""One person's facts, for explanations."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from afterword.attribution.facts import FactTable, Source
from afterword.attribution.gather import Limits
from afterword.intake.fact_tables import FactTables
from afterword.intake.sources import Kind
from afterword.workspace.live.gathering import KINDS, of_users
from afterword.workspace.live.state import State


class PersonFacts:
    """The facts of one person, copied aside (`workspace.explaining.Facts`); ids are unique in the tables."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, limits: Limits, facts: FactTables, state: State, user: str
    ) -> None:
        """Copy what is known of the person with an id, up to the position of the derived rows.

        Args:
            con: a cursor; temporary tables are left in it.
            limits: memory and batch size.
            facts: the tables of facts.
            state: of the derived rows.
            user: any of the person's ids.

        """
        self.con = con
        self.limits = limits
        self._facts = facts
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE told AS
            WITH named AS (SELECT coalesce((SELECT person FROM derived.aliases WHERE user_id = $user), $user) AS id)
            SELECT id AS user_id FROM named UNION SELECT user_id FROM derived.aliases JOIN named ON person = id""",
            {"user": user},
        )
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE merges AS SELECT user_id AS from_user_id, person AS to_user_id
            FROM derived.aliases SEMI JOIN told USING (user_id)"""
        )
        self._known = f"position <= {-1 if state.position is None else state.position}"
        for kind in KINDS:
            relation = facts.relation(kind, of_users(con, facts, kind, "told", self._known))
            con.execute(f"CREATE OR REPLACE TEMP TABLE told_{kind} AS {relation}")

    def relation(self, kind: Kind, users: Sequence[str] | None = None) -> str:
        """Return the SELECT of a kind of fact, of all users or of this person."""
        if users is None:
            return self._facts.relation(kind, f"WHERE {self._known}")
        return f"SELECT * FROM told_{kind}"

    def disputed(self, table: FactTable, users: Sequence[str]) -> str:
        """Return the SELECT of the person's facts: nobody else's have their ids."""
        return self.relation(table.kind, users)

    def source(self, kind: Kind, relation: str) -> Source:
        """Return what attribution reads of a kind of fact."""
        return Source(relation, 1, self._facts.columns(kind), True)
