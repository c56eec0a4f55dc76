"""A refresh: the users whom new facts touched and the campaigns that changed are derived again."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from afterword.attribution.embedded import attribute
from afterword.attribution.gather import Limits
from afterword.attribution.reading import Scans
from afterword.intake.definitions import definition_version
from afterword.intake.fact_tables import FactTables, fact_tables
from afterword.model import Campaign, Definitions
from afterword.store.erasing import Erasure
from afterword.store.facts import without_checkpoint
from afterword.workspace.live import changes
from afterword.workspace.live.gathering import (
    Since,
    find_touched,
    gather_campaigns,
    gather_users,
    last_position,
    reached,
    renew_aliases,
)
from afterword.workspace.live.staging import Staged, number_staged, place_staged
from afterword.workspace.live.state import TABLES, State, basis_of, read_known, read_state


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    version: int
    """Of the results, which grows when rows may have changed, or what reports count besides."""
    as_of: int
    """Epoch microseconds."""
    users: int
    """Persons who were swept again."""
    campaigns: tuple[str, ...]
    """Campaigns that were derived again as a whole, or are gone."""
    changes: int
    """How many conversions were gained and taken back."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased from the facts."""

    persons: tuple[Erasure, ...] = ()
    others: tuple[str, ...] = ()
    """Users whose results that may change."""

    @property
    def ids(self) -> list[str]:
        """All ids of the persons."""
        return [user for person in self.persons for user in person.user_ids]


Erase = Callable[[duckdb.DuckDBPyConnection], Erased]
"""Erases persons from the facts, in the transaction that derives the results again."""


def nothing() -> bool:
    """Do nothing, and let the refresh go on."""
    return False


class Superseded(Exception):
    """A refresh gave up, as what it would have found is not worth waiting for; nothing of it is left."""


def _pause(meanwhile: Callable[[], bool]) -> None:
    if meanwhile():
        raise Superseded


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which campaigns keep their rows, and which are derived again."""

    kept: dict[str, int]
    """Id and number of those whose rows stand."""
    changed: dict[str, int]
    gone: dict[str, int]
    bases: dict[str, str]

    @property
    def rewritten(self) -> list[int]:
        return [*self.changed.values(), *self.gone.values()]


def refresh(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    users: Iterable[str],
    as_of: int,
    limits: Limits,
    meanwhile: Callable[[], bool] = nothing,
    *,
    erase: Erase | None = None,
) -> Refreshed:
    """Bring the derived rows up to all facts that are there and to `as_of`; see `Live.refresh`.

    `con` is a cursor of its own: temporary tables of many names are left in it.
    """
    con.execute("BEGIN TRANSACTION")
    try:
        erased = erase(con) if erase is not None else Erased()
        named = [*users, *erased.others, *erased.ids, *(one.replacement for one in erased.persons if one.replacement)]
        done = _refresh(con, definitions, named, as_of, limits, meanwhile, erased.persons)
        _forget(con, erased)
        # A checkpoint may take seconds, in which nobody would see what is derived.
        with without_checkpoint(con):
            con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a failed COMMIT has ended it already
            con.execute("ROLLBACK")
        raise
    return done


def _refresh(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    users: Iterable[str],
    as_of: int,
    limits: Limits,
    meanwhile: Callable[[], bool],
    erasures: Sequence[Erasure],
) -> Refreshed:
    state, plan = read_state(con), _plan(con, definitions)
    facts = fact_tables(con, definitions)
    as_of = max(as_of, state.as_of)  # what was seen once stays seen, whatever becomes of the clock
    position = last_position(con, facts)
    since = Since(-1 if state.position is None else state.position, state.as_of, as_of)
    merged = renew_aliases(con, facts) if erasures or _new_merges(con, facts, since) else []
    changes.begin(con)
    names, swept = set[str](), 0
    if plan.kept:
        touched = find_touched(con, facts, since, [*users, *merged])
        defined = {one.id: (plan.kept[one.id], one) for one in definitions.campaigns if one.id in plan.kept}
        names = reached(con, touched, defined)
        swept = touched.persons if names else 0
        if swept:
            _replace_users(con, _only(definitions, names), plan.kept, limits, as_of, meanwhile)
    _remember_campaigns(con, definitions, plan)
    if plan.changed:
        changed = _only(definitions, plan.changed)
        scans = gather_campaigns(con, fact_tables(con, changed), changed)
        _derive(con, changed, scans, limits, as_of, plan.changed, meanwhile)
        place_staged(con, "derived.")
        _pause(meanwhile)
        changes.collect(con, "after", list(plan.changed.values()))
    told = changes.record(con, as_of, erasures)
    if merged:
        con.execute("DELETE FROM derived.users WHERE user_id IN (SELECT user_id FROM derived.aliases)")
    version = state.version + bool(names or plan.rewritten)
    con.execute("UPDATE derived.state SET version = ?, as_of = ?, position = ?", [version, as_of, position])
    return Refreshed(version, as_of, swept, (*plan.changed, *plan.gone), told)


def _forget(con: duckdb.DuckDBPyConnection, erased: Erased) -> None:
    """Take erased persons out of what lasts: a number stays with a person for ever, also without rows."""
    if erased.persons:
        con.register("forgotten", pa.table({"user_id": pa.array(erased.ids, pa.string())}))
        con.execute("DELETE FROM derived.users WHERE user_id IN (SELECT user_id FROM forgotten)")
        con.unregister("forgotten")


def _plan(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> _Plan:
    """Compare the definitions with those of the rows; a new campaign takes the lowest number that is free."""
    bases = {campaign.id: basis_of(campaign, definitions.workspace) for campaign in definitions.campaigns}
    known = {one.id: one for one in read_known(con)}
    kept = {name: one.number for name, one in known.items() if bases.get(name) == one.basis and one.named}
    gone = {name: one.number for name, one in known.items() if name not in bases}
    changed = {name: one.number for name, one in known.items() if name in bases and name not in kept}
    taken = {one.number for name, one in known.items() if name in bases}
    free = (number for number in range(len(known) + len(bases)) if number not in taken)
    changed |= {name: next(free) for name in bases if name not in known}
    return _Plan(kept, changed, gone, bases)


def _new_merges(con: duckdb.DuckDBPyConnection, facts: FactTables, since: Since) -> bool:
    sql = f"SELECT count(*) FROM {facts.table('merges')} WHERE position > ?"
    return bool(con.execute(sql, [since.position]).fetchall()[0][0])


def _only(definitions: Definitions, names: Container[str]) -> Definitions:
    """Return the definitions of some campaigns. Nothing is taken from one campaign by another (rule 12)."""
    campaigns: tuple[Campaign, ...] = tuple(one for one in definitions.campaigns if one.id in names)
    return Definitions(definitions.workspace, campaigns)


def _derive(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    scans: Scans,
    limits: Limits,
    as_of: int,
    numbers: Mapping[str, int],
    meanwhile: Callable[[], bool],
    *,
    remember: bool = True,
) -> None:
    """Sweep and leave the rows, staged and numbered."""

    def step(_what: str, _done: float | None) -> None:
        meanwhile()  # the next pause gives up if need be: here files would be left open

    found = attribute(con, definitions, scans, limits, as_of, step, Staged())
    campaigns = {place: numbers[campaign.id] for place, campaign in enumerate(definitions.campaigns)}
    number_staged(con, found.results.users, campaigns, remember=remember)
    found.results.close()


def derive_all(con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, limits: Limits) -> None:
    """Derive all campaigns from all facts that the state knows, as of its time; leave the rows staged and numbered."""
    numbers = {one.id: one.number for one in read_known(con)}
    known = f"position <= {-1 if state.position is None else state.position}"  # more may be loaded by now
    scans = gather_campaigns(con, fact_tables(con, definitions), definitions, known=known, every_event=True)
    _derive(con, definitions, scans, limits, state.as_of, numbers, nothing, remember=False)


def _replace_users(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    numbers: Mapping[str, int],
    limits: Limits,
    as_of: int,
    meanwhile: Callable[[], bool],
) -> None:
    """Sweep the users to be swept and replace their rows in the definitions' campaigns."""
    _pause(meanwhile)
    scans = gather_users(con, fact_tables(con, definitions), definitions, lambda: _pause(meanwhile))
    _pause(meanwhile)
    _derive(con, definitions, scans, limits, as_of, numbers, meanwhile)
    _pause(meanwhile)
    campaigns = [numbers[campaign.id] for campaign in definitions.campaigns]
    _remove_users(con, campaigns)
    place_staged(con, "derived.")
    _pause(meanwhile)
    changes.collect(con, "after", campaigns, "staged_users")


def _remove_users(con: duckdb.DuckDBPyConnection, campaigns: list[int]) -> None:
    """Remove the rows of all swept persons, and of ids that are another's now, in some campaigns."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE outdated AS SELECT "user" FROM derived.users
        WHERE user_id IN (SELECT user_id FROM swept UNION SELECT user_id FROM touched)"""
    )
    changes.collect(con, "before", campaigns, "outdated")
    for name in TABLES:
        con.execute(
            f'DELETE FROM derived.{name} WHERE "user" IN (SELECT "user" FROM outdated) AND list_contains(?, campaign)',
            [campaigns],
        )


def _remember_campaigns(con: duckdb.DuckDBPyConnection, definitions: Definitions, plan: _Plan) -> None:
    """Remove the rows of changed campaigns and of those that are gone, and take note of the new definitions."""
    if not plan.rewritten:
        return
    changes.collect(con, "before", plan.rewritten)
    changes.forget_names(con, plan.rewritten)
    for name in TABLES:
        con.execute(f"DELETE FROM derived.{name} WHERE list_contains(?, campaign)", [plan.rewritten])
    con.execute("DELETE FROM derived.campaigns WHERE list_contains(?, campaign)", [plan.rewritten])
    for name, number in plan.changed.items():
        con.execute("INSERT INTO derived.campaigns VALUES (?, ?, ?)", [number, name, plan.bases[name]])
        campaign = definitions.campaigns[definitions.index_of(name)]
        changes.remember_names(con, number, campaign, definition_version(campaign))
