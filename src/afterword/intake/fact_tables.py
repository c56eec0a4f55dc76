"""The tables of facts of a data directory (`store/facts.sql`) as scans: the same columns and rules as for files.

What a fact must be in itself was checked when it was accepted, so only what depends on the definitions is looked at:
an exposure may wait for its campaign to be defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from afterword.intake.columns import Raw, form_of
from afterword.intake.facts import TIMES, columns_of
from afterword.intake.known import create_known
from afterword.intake.proofs import Proof
from afterword.intake.relations import RowReader
from afterword.intake.sources import Kind, ReadOptions
from afterword.model import Definitions
from afterword.store.sql import identifier

FACT_KINDS: tuple[Kind, ...] = ("exposures", "events", "step_messages")
MICROSECONDS = ReadOptions(time_unit="us")


@dataclass(frozen=True, slots=True)
class FactTables:
    """The facts as definitions see them. The connection holds the definitions' names until others are asked for."""

    catalog: str
    raws: dict[Kind, dict[str, Raw]]
    timezone: str

    def table(self, name: str) -> str:
        """Return the full name of a table of facts: a temporary one of the same name would hide a shorter one."""
        return f"{identifier(self.catalog)}.main.{identifier(name)}"

    def columns(self, kind: Kind) -> frozenset[str]:
        """Return the columns that the files of this kind have too."""
        return frozenset(self.raws[kind])

    def relation(self, kind: Kind, only: str = "", *, without: frozenset[str] = frozenset()) -> str:
        """Return the SELECT of normalised rows, the unusable ones too; file is 0, the record the row's id + 1.

        Args:
            kind: of fact.
            only: SQL after FROM that restricts the rows, such as `SEMI JOIN users USING (user_id)`.
            without: columns that nobody asks for, NULL in all rows; reading them would only cost time.

        """
        raws = {name: raw for name, raw in self.raws[kind].items() if name not in without}
        return RowReader(kind, raws, self._raw(kind, raws, only), MICROSECONDS, self.timezone, accepted=True).relation()

    def _raw(self, kind: Kind, raws: dict[str, Raw], only: str) -> str:
        columns = ", ".join(f"{identifier(name)} AS {raw.sql}" for name, raw in raws.items())
        # A row's id is stable for as long as a transaction lasts, and for rows that were there before it began.
        return f"SELECT 0::INTEGER AS file, (rowid + 1)::BIGINT AS record, {columns} FROM {self.table(kind)} {only}"


def fact_tables(con: duckdb.DuckDBPyConnection, definitions: Definitions, *, scans: bool = True) -> FactTables:
    """Return the tables of facts under some definitions, whose names become temporary tables of the connection.

    Without `scans` there are only names of tables: that is quick, whatever there is defined.
    """
    if scans:
        create_known(con, definitions)
    catalog = str(con.execute("SELECT current_database()").fetchall()[0][0])
    return FactTables(catalog, _raws(con, catalog) if scans else {}, definitions.workspace.timezone)


def _raws(con: duckdb.DuckDBPyConnection, catalog: str) -> dict[Kind, dict[str, Raw]]:
    """Return the columns of each table that are those of files; an id that must be there is never empty."""
    # One look: each goes through all that the database has.
    described = con.execute(
        "SELECT table_name, column_name, data_type, NOT is_nullable FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = 'main' ORDER BY table_name, column_index",
        [catalog],
    ).fetchall()
    found: dict[Kind, dict[str, Raw]] = {}
    for kind in FACT_KINDS:
        known = columns_of(kind)
        found[kind] = {
            name: Raw(
                name,
                form_of(kind_of_column),
                kind_of_column,
                identifier(f"r_{name}"),
                proof=Proof(never_null=required, never_empty=required and name != TIMES[kind]),
            )
            for table, name, kind_of_column, required in described
            if table == kind and name in known
        }
    return found
