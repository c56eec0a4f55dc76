"""What the derived rows stand for: as of when, up to which position of the log, under which definitions."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources

import duckdb

from afterword import __version__
from afterword.errors import UserError
from afterword.intake.definitions import definition_version
from afterword.model import Campaign, Definitions, Variant, Workspace
from afterword.store.sql import identifier

TABLES = ("recipients", "exposures", "conversions", "credited", "received", "persons", "person_money")
DERIVATION = 2
"""Grows when rows are derived in another way: version 2 derives persons."""
PROGRAM = f"afterword {__version__}, derivation {DERIVATION}, duckdb {duckdb.__version__}"
"""Another program may derive other rows, so it derives all again."""


class NotDerived(UserError):
    """The definitions are not those that the rows are derived under; `refresh` derives them again."""


@dataclass(frozen=True, slots=True)
class State:
    """What `derived.state` says."""

    version: int
    """Grows with every refresh that changed rows."""
    as_of: int
    """Epoch microseconds: no fact after this time was seen."""
    position: int | None
    """Facts up to this position of the log were seen; None before the first refresh."""


@dataclass(frozen=True, slots=True)
class Known:
    """A campaign with derived rows."""

    number: int
    id: str
    basis: str
    named: bool
    """Whether `derived.names` says what the numbers in its rows stand for; those of older versions do not."""


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the derived tables where they are not there yet."""
    con.execute((resources.files("afterword.workspace.live") / "tables.sql").read_text(encoding="utf-8"))


def create_like(con: duckdb.DuckDBPyConnection, prefix: str) -> None:
    """Create an empty temporary table for each derived one, with the prefix before its name.

    Not `AS FROM ... LIMIT 0`: in DuckDB 2.0.0 a table that a transaction made so and then filled with more than a row
    group reads as empty until the transaction ends.
    """
    for name in TABLES:
        columns = con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = 'derived' AND table_name = ? ORDER BY column_index",
            [name],
        ).fetchall()
        described = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {prefix}{name} ({described})")


def read_state(con: duckdb.DuckDBPyConnection) -> State:
    """Return the state as this connection sees it."""
    return State(*con.execute("SELECT version, as_of, position FROM derived.state").fetchall()[0])


def read_known(con: duckdb.DuckDBPyConnection) -> list[Known]:
    """Return the campaigns with derived rows, by number."""
    sql = """
        SELECT campaign, campaign_id, basis, campaign IN (SELECT campaign FROM derived.names)
        FROM derived.campaigns ORDER BY campaign"""
    return [Known(*row) for row in con.execute(sql).fetchall()]


KEPT = 2000
_BASES: OrderedDict[int, tuple[Campaign, tuple[Workspace, str], str]] = OrderedDict()
"""Of the campaigns asked for last, by where they are in memory: nothing that is kept here moves or ends."""


def basis_of(campaign: Campaign, workspace: Workspace) -> str:
    """Return a hash of all that a campaign's derived rows depend on besides the facts.

    That is more than its version (rule 6): rows hold numbers of variants and steps, days of the time zone, and sums in
    the reporting currency.
    """
    known = _BASES.get(id(campaign))
    if known is not None and known[0] is campaign and known[1] == (workspace, PROGRAM):
        return known[2]
    basis = _basis_of(campaign, workspace)
    _BASES[id(campaign)] = campaign, (workspace, PROGRAM), basis
    if len(_BASES) > KEPT:
        with suppress(KeyError):  # another thread was quicker
            _BASES.popitem(last=False)
    return basis


def _basis_of(campaign: Campaign, workspace: Workspace) -> str:
    parts = [
        PROGRAM,
        workspace.timezone,
        workspace.currency,
        definition_version(campaign),
        [variant.id for variant in campaign.variants],
        [step.id for step in campaign.steps],
        sorted(campaign.channels),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def by_number(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> Definitions:
    """Return the definitions with each campaign at the place of its number in the derived rows.

    Raises:
        NotDerived: a campaign was added, removed or changed since the last refresh.

    """
    known = read_known(con)
    bases = {campaign.id: basis_of(campaign, definitions.workspace) for campaign in definitions.campaigns}
    if {one.id: one.basis for one in known} != bases:
        raise NotDerived("the definitions have changed since the results were computed; they are being computed again")
    nobody = Campaign("", "campaign", "", (Variant("", 10_000),))
    places = [nobody] * (max((one.number for one in known), default=-1) + 1)
    for one in known:
        places[one.number] = definitions.campaigns[definitions.index_of(one.id)]
    return Definitions(definitions.workspace, tuple(places))
