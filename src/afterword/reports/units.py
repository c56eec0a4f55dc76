"""Counts of units (users, exposures, or users and channels) per variant and total, from the recipients.

A scope is a row of the variant table: the variants in order, then the total without control, then the
total with control. A total counts each unit once, also one that saw several variants.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from afterword.model import LETTERS, Campaign, Counting
from afterword.reports.sql import Columns, Ints, empty, fetch, summed
from afterword.stats.rates import Clusters, Counts, design_effect

TOTAL, WITH_CONTROL = -1, -2
"""The total without control and the total with control, as queries name them."""


@dataclass(frozen=True, slots=True)
class Cells(Columns):
    """Units that look alike (queries `recipient_cells` and `several_cells`)."""

    scope: Ints
    several: Ints
    day: Ints
    converted: Ints
    pending: Ints
    matured: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class PersonSums(Columns):
    """Sums over persons (queries `person_sums` and `several_person_sums`)."""

    scope: Ints
    several: Ints
    persons: Ints
    squares: Ints
    cross_a: Ints
    squares_a: Ints
    any_a: Ints
    cross_b: Ints
    squares_b: Ints
    any_b: Ints
    cross_c: Ints
    squares_c: Ints
    any_c: Ints
    cross_d: Ints
    squares_d: Ints
    any_d: Ints


T = TypeVar("T", Cells, PersonSums)


@dataclass(frozen=True, slots=True)
class LetterUnits:
    """Units of one scope on one conversion event."""

    converted: int
    pending: int
    matured_n: int
    matured_converted: int
    compared_converted: int
    also: tuple[int, ...]
    """Units that converted on this conversion event and on A, B, C, D."""
    design_effect: float


@dataclass(frozen=True, slots=True)
class FirstDays:
    """Units of one scope per day of first exposure; lists run over `days`, per conversion event the inner ones."""

    days: list[int]
    n: list[int]
    matured_n: list[list[int]]
    converted: list[list[int]]
    matured_converted: list[list[int]]


@dataclass(frozen=True, slots=True)
class ScopeUnits:
    """Units of one scope."""

    exposed: int
    persons: int
    several_variants: int
    compared_n: int
    letters: tuple[LetterUnits, ...]
    first_days: FirstDays


@dataclass(frozen=True, slots=True)
class UnitTables:
    """The four queries' results over all campaigns."""

    cells: Cells
    several: Cells
    persons: PersonSums
    several_persons: PersonSums


def members(campaign: Campaign, scope: int) -> list[int]:
    """The variants of a scope: a variant alone, then all with a message, then all."""
    count = len(campaign.variants)
    if scope < count:
        return [scope]
    return [index for index, variant in enumerate(campaign.variants) if scope > count or not variant.control]


def load_units(con: duckdb.DuckDBPyConnection, campaigns: tuple[Campaign, ...], as_of_us: int) -> UnitTables:
    """Run the queries over the recipients."""
    return UnitTables(
        fetch(con, Cells, "recipient_cells", as_of=as_of_us),
        fetch(con, Cells, "several_cells", as_of=as_of_us),
        *load_persons(con, campaigns),
    )


def load_persons(con: duckdb.DuckDBPyConnection, campaigns: tuple[Campaign, ...]) -> tuple[PersonSums, PersonSums]:
    """Run the queries over the persons that may have several units."""
    clustered = [i for i, campaign in enumerate(campaigns) if campaign.counting is not Counting.ONCE_PER_USER]
    if not clustered:
        return empty(PersonSums), empty(PersonSums)
    return (
        fetch(con, PersonSums, "person_sums", campaigns=clustered),
        fetch(con, PersonSums, "several_person_sums", campaigns=clustered),
    )


def scope_units(tables: UnitTables, index: int, campaign: Campaign) -> list[ScopeUnits]:
    """The counts of one campaign: its variants, total, total with control."""
    cells, persons = _scoped(tables, index, campaign)
    letters = len(campaign.conversion_events)
    return [_scope(cells, persons, scope, letters) for scope in range(len(campaign.variants) + 2)]


def sizes(tables: UnitTables, index: int, campaign: Campaign) -> list[tuple[int, int]]:
    """Return units and persons of one campaign's scopes, as `scope_units` does, and nothing else."""
    cells, persons = _scoped(tables, index, campaign)
    return [_size(cells, persons, scope)[:2] for scope in range(len(campaign.variants) + 2)]


def _scoped(tables: UnitTables, index: int, campaign: Campaign) -> tuple[Cells, PersonSums | None]:
    control = np.array([variant.control for variant in campaign.variants], dtype=bool)
    cells = _with_totals(tables.cells.of(index), tables.several.of(index), control)
    if campaign.counting is Counting.ONCE_PER_USER:
        return cells, None
    return cells, _with_totals(tables.persons.of(index), tables.several_persons.of(index), control)


def _size(cells: Cells, persons: PersonSums | None, scope: int) -> tuple[int, int, int]:
    """Return units, persons, and persons of several variants."""
    here = cells.scope == scope
    exposed = int(cells.n[here].sum())
    if persons is None:
        return exposed, exposed, int((cells.n * cells.several)[here].sum())
    here = persons.scope == scope
    return exposed, int(persons.persons[here].sum()), int((persons.persons * persons.several)[here].sum())


def _with_totals(rows: T, several: T, control: NDArray[np.bool_]) -> T:
    """Rows of the variants, followed by the same units in the totals: those of one variant as they are."""
    total, with_control = len(control), len(control) + 1
    single = rows.several == 0
    messaged = single & ~control[rows.scope]
    parts = [
        (rows, np.ones_like(single), rows.scope),
        (rows, messaged, np.full_like(rows.scope, total)),
        (rows, single, np.full_like(rows.scope, with_control)),
        (several, np.ones(len(several.scope), dtype=bool), np.where(several.scope == TOTAL, total, with_control)),
    ]
    columns = {
        field.name: np.concatenate([getattr(part, field.name)[mask] for part, mask, _ in parts])
        for field in fields(rows)
    }
    columns["scope"] = np.concatenate([scope[mask] for _, mask, scope in parts])
    return type(rows)(**columns)


def _scope(cells: Cells, persons: PersonSums | None, scope: int, letters: int) -> ScopeUnits:
    exposed, all_persons, several = _size(cells, persons, scope)
    mine, persons = _rows_of(cells, scope), None if persons is None else _rows_of(persons, scope)
    return ScopeUnits(
        exposed=exposed,
        persons=all_persons,
        several_variants=several,
        compared_n=all_persons - several,
        letters=tuple(_letter(mine, persons, letter) for letter in range(letters)),
        first_days=_first_days(mine, letters),
    )


def _rows_of(rows: T, scope: int) -> T:
    mask = rows.scope == scope
    return type(rows)(**{field.name: getattr(rows, field.name)[mask] for field in fields(rows)})


def _letter(cells: Cells, persons: PersonSums | None, letter: int) -> LetterUnits:
    converted_n = cells.n * ((cells.converted >> letter) & 1)
    matured = (cells.matured >> letter) & 1
    count = int(converted_n.sum())
    if persons is None:
        compared, effect = int((converted_n * (1 - cells.several)).sum()), 1.0
    else:
        name = LETTERS[letter].lower()
        compared = int((getattr(persons, f"any_{name}") * (1 - persons.several)).sum())
        clusters = Clusters(
            persons=int(persons.persons.sum()),
            units_squared=int(persons.squares.sum()),
            units_converted=int(getattr(persons, f"cross_{name}").sum()),
            converted_squared=int(getattr(persons, f"squares_{name}").sum()),
        )
        effect = design_effect(Counts(int(cells.n.sum()), count), clusters)
    return LetterUnits(
        converted=count,
        pending=int((cells.n * ((cells.pending >> letter) & 1)).sum()),
        matured_n=int((cells.n * matured).sum()),
        matured_converted=int((converted_n * matured).sum()),
        compared_converted=compared,
        also=tuple(int((converted_n * ((cells.converted >> other) & 1)).sum()) for other in range(len(LETTERS))),
        design_effect=effect,
    )


def _first_days(cells: Cells, letters: int) -> FirstDays:
    days, position = np.unique(cells.day, return_inverse=True)
    size = len(days)
    matured = [cells.n * ((cells.matured >> letter) & 1) for letter in range(letters)]
    converted = [(cells.converted >> letter) & 1 for letter in range(letters)]
    return FirstDays(
        days=days.tolist(),
        n=summed(position, cells.n, size).tolist(),
        matured_n=[summed(position, m, size).tolist() for m in matured],
        converted=[summed(position, cells.n * c, size).tolist() for c in converted],
        matured_converted=[summed(position, m * c, size).tolist() for m, c in zip(matured, converted, strict=True)],
    )
