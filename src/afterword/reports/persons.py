"""What persons did by the time they came of age: the sums on which comparisons rest (rules 17 and 40).

A person who was exposed to one variant of a campaign only enters once, on the calendar day (of the workspace's time
zone) of the first exposure plus the metric's deadline, with what had happened by then, and never changes: `y`, over
`m` units. The covariate `x` is what the same person did in the 14 days before the first exposure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, itemgetter
from typing import TypeAlias, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I64
from afterword.attribution.derive import Rows
from afterword.attribution.stored import stacked
from afterword.model import LETTERS, Campaign, Definitions
from afterword.reports.person_cells import DAY_BITS, LETTER_SUMS, MONEY, WORD, PersonCells
from afterword.reports.person_money import LINE_COLUMNS, PERSON_COLUMNS, Apart, Products, add_apart, rates_of
from afterword.reports.sql import query
from afterword.stats.rates import Counts
from afterword.stats.sums import Sums

T = TypeVar("T")
MILLION = 1_000_000
QUERY_ROWS = 1 << 18
REVENUE = "revenue"
UNSUBSCRIBES, COMPLAINTS, BOUNCES = GUARDRAILS = ("unsubscribes", "complaints", "bounces")
"""Persons with at least one such event of the campaign's messages, not by a machine, within the primary window."""

Days: TypeAlias = Sequence[tuple[int, Sums]]
"""Days since 1970 with the persons who came of age on each, in order; a day on which nobody did is left out."""


@dataclass(frozen=True, slots=True)
class PersonDays:
    """One campaign's persons of a single variant, by day."""

    metrics: Sequence[Mapping[str, Days]] = ()
    """By variant, as in the definition: the days of each letter that the campaign has, of `REVENUE`, of `GUARDRAILS`.

    All are there, with no day where nobody has come of age. A letter's `y` counts the units (of `m`) that had
    converted, revenue's is money in the reporting currency, a guardrail's is 1 or 0. `x` is 0 for guardrails.
    """
    first_exposed: Sequence[Sequence[tuple[int, int]]] = ()
    """By variant: days since 1970 and how many persons were first exposed on each, of age or not."""
    unconverted: Sequence[Mapping[str, int]] = ()
    """By variant: millionths per currency of revenue that has no rate and is therefore in no sum."""

    def of(self, variant: int, metric: str) -> Days:
        """Return the days of one variant and metric."""
        return self.metrics[variant][metric]

    def total(self, variant: int, metric: str, until: int | None = None) -> Sums:
        """Return the sums over all days, or those up to a day."""
        days = self.of(variant, metric)
        return reduce(add, (sums for day, sums in days if until is None or day <= until), Sums())


class PersonCount:
    """Counts the derived rows `persons` and `person_money`, part after part."""

    def __init__(self, definitions: Definitions, as_of: int) -> None:
        self._campaigns = definitions.campaigns
        self._currency = definitions.workspace.currency
        self._cells = PersonCells(self._campaigns, definitions.workspace.timezone, as_of)
        self._apart: list[Rows] = []
        self._keys: list[I64] = []
        self._lines: list[Rows] = []

    def add(self, people: Rows, lines: Rows) -> None:
        """Take the rows of the next part; persons and their lines may come in different parts."""
        self._cells.add(people)
        if len(lines["net"]):
            self._lines.append({name: lines[name] for name in LINE_COLUMNS})
        apart = np.flatnonzero(people["apart"])
        if len(apart):
            here = {name: column[apart] for name, column in people.items()}
            self._apart.append({name: here[name] for name in PERSON_COLUMNS})
            self._keys.append(self._cells.keys(here, MONEY))

    def days(self, con: duckdb.DuckDBPyConnection) -> list[PersonDays]:
        """Return what was counted, by campaign; `con` holds the tables `currencies` and `rates`."""
        apart = self._add_apart(con) if self._lines else Apart()
        letters = _by_day(_letter_sums(self._cells.letters.filled()))
        money = _by_day(_money_sums(self._cells.money.filled(), apart))
        first = _by_day(self._cells.first_days.filled().T.tolist())
        days = []
        for index, campaign in enumerate(self._campaigns):
            places = [index << 4 | variant for variant in range(len(campaign.variants))]
            metrics = [_metrics(campaign, place << 3, letters, money) for place in places]
            unconverted = [dict(apart.unconverted[place]) for place in places]
            days.append(PersonDays(metrics, [first.get(place, []) for place in places], unconverted))
        return days

    def _add_apart(self, con: duckdb.DuckDBPyConnection) -> Apart:
        lines, people = stacked(self._lines), stacked(self._apart)
        codes = dict(con.execute("SELECT currency, code FROM currencies").fetchall())
        rates = rates_of(con, codes, lines, self._currency)
        return add_apart(people, np.concatenate(self._keys), lines, codes, rates)


def _by_day(counted: Iterable[tuple[int, T]]) -> dict[int, list[tuple[int, T]]]:
    """Sort what was counted by what it is of and by day: the upper and the lower part of its key."""
    found: dict[int, list[tuple[int, T]]] = {}
    for key, value in sorted(counted, key=itemgetter(0)):
        found.setdefault(key >> DAY_BITS, []).append(((key & ((1 << DAY_BITS) - 1)) - 1, value))
    return found


def _letter_sums(cells: I64) -> Iterator[tuple[int, Sums]]:
    for key, n, *sums in cells.T.tolist():
        yield key, Sums(n, **dict(zip(LETTER_SUMS, map(float, sums), strict=True)))


def _money_sums(cells: I64, apart: Apart) -> Iterator[tuple[int, tuple[Sums, ...]]]:
    """Return the sums of revenue and of the guardrails."""
    for key, n, unsubscribed, complained, bounced, *words in cells.T.tolist():
        products = [_whole(words[:2]), _whole(words[2:4]), *(_whole(words[at : at + 4]) for at in (4, 8, 12))]
        if key in apart.sums:
            products = [one + other for one, other in zip(products, apart.sums[key], strict=True)]
        guards = (Sums.of_counts(Counts(n, count)) for count in (unsubscribed, complained, bounced))
        yield key, (_revenue(n, products), *guards)


def _whole(words: Sequence[int]) -> int:
    return sum(word << (WORD * place) for place, word in enumerate(words))


def _revenue(n: int, products: Products) -> Sums:
    """Return sums in the currency: the division of integers gives the nearest float."""
    y, x = (one / MILLION for one in products[:2])
    yy, xx, xy = (one / MILLION**2 for one in products[2:])
    return Sums(n, y, yy, n, n, y, x, xx, xy, x)


def _metrics(
    campaign: Campaign,
    place: int,
    letters: Mapping[int, Days],
    money: Mapping[int, Sequence[tuple[int, tuple[Sums, ...]]]],
) -> dict[str, Days]:
    metrics: dict[str, Days] = {
        LETTERS[letter]: letters.get(place | letter, []) for letter in range(len(campaign.conversion_events))
    }
    of_money = money.get(place | MONEY, [])
    for index, name in enumerate((REVENUE, *GUARDRAILS)):
        metrics[name] = [(day, sums[index]) for day, sums in of_money]
    return metrics


def query_persons(con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of: int) -> list[PersonDays]:
    """Count the stored rows: the database reads them, and the same passes count them."""
    count = PersonCount(definitions, as_of)
    none = _columns(con.sql(f"FROM ({query('person_money')}) LIMIT 0").to_arrow_table())
    for batch in con.sql(query("persons")).to_arrow_reader(QUERY_ROWS):
        count.add(_columns(batch), none)
    lines = _columns(con.sql(query("person_money")).to_arrow_table())
    people = _columns(con.sql(f"FROM ({query('persons')}) LIMIT 0").to_arrow_table())
    count.add(people, lines)
    return count.days(con)


def _columns(rows: pa.Table | pa.RecordBatch) -> Rows:
    columns = {name: rows.column(name) for name in rows.schema.names}
    return {
        name: (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).to_numpy(
            zero_copy_only=False
        )
        for name, column in columns.items()
    }
