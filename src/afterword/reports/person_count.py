"""From derived rows to `PersonDays`, as the rows come by or from the database: the same passes count both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afterword.attribution.compiled import I64
from afterword.attribution.derive import Rows
from afterword.attribution.stored import stacked
from afterword.model import LETTERS, Campaign, Definitions
from afterword.precedence import give_way
from afterword.reports.person_cells import CAPPED, DAY_BITS, MONEY, WORD, PersonCells
from afterword.reports.person_money import LINE_COLUMNS, PERSON_COLUMNS, Apart, Products, add_apart, rates_of
from afterword.reports.persons import GUARDRAILS, NO_DAYS, REVENUE, WINSORISED, DaySums, PersonDays
from afterword.reports.sql import query

MILLION = 1_000_000
QUERY_ROWS = 1 << 18
NO_APART: Products = [0] * 5

Columns = NDArray[np.float64]


def caps_of(campaigns: Sequence[Campaign]) -> dict[str, Decimal]:
    """Return what a person's revenue counts for at most by the plans of campaigns, by their ids."""
    return {one.id: cap for one in campaigns if (cap := one.analysis.winsorize) is not None}


class PersonCount:
    """Counts the derived rows `persons` and `person_money`, part after part."""

    def __init__(self, definitions: Definitions, as_of: int, caps: Mapping[str, Decimal] | None = None) -> None:
        """Count nothing yet.

        Args:
            definitions: the campaigns.
            as_of: epoch microseconds; who comes of age later is left out.
            caps: what a person's revenue counts for at most among the winsorised, by the campaign's id; if None as
                the campaigns' plans say.

        """
        self._campaigns = definitions.campaigns
        caps = caps_of(self._campaigns) if caps is None else caps
        self._currency = definitions.workspace.currency
        of = (caps.get(campaign.id) for campaign in self._campaigns)
        self._caps = [None if cap is None else int(cap * MILLION) for cap in of]
        self._cells = PersonCells(self._campaigns, definitions.workspace.timezone, as_of, self._caps)
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
        letters = _by_day(*_letters(self._cells.letters.filled()))
        money = [_by_day(*columns) for columns in _money(self._cells.money.filled(), apart)]
        key, n = self._cells.first_days.filled()
        first = _by_day(key, n[np.newaxis].astype(np.float64))
        days = []
        for index, campaign in enumerate(self._campaigns):
            give_way()
            places = [index << 4 | variant for variant in range(len(campaign.variants))]
            metrics = [_metrics(campaign, place << 3, letters, money) for place in places]
            if self._caps[index] is not None:
                for place, by_name in zip(places, metrics, strict=True):
                    by_name[WINSORISED] = money[0].get(place << 3 | CAPPED, NO_DAYS)
            exposed = [first.get(place, NO_DAYS) for place in places]
            listed = [list(zip(one.days.tolist(), one.columns[0].astype(int).tolist(), strict=True)) for one in exposed]
            days.append(PersonDays(metrics, listed, [dict(apart.unconverted[place]) for place in places]))
        return days

    def _add_apart(self, con: duckdb.DuckDBPyConnection) -> Apart:
        lines, people = stacked(self._lines), stacked(self._apart)
        codes = dict(con.execute("SELECT currency, code FROM currencies").fetchall())
        rates = rates_of(con, codes, lines, self._currency)
        return add_apart(people, np.concatenate(self._keys), lines, codes, rates, self._caps)


def _by_day(key: I64, columns: Columns) -> dict[int, DaySums]:
    """Return what was counted by what it is of, each in order of day: the upper and the lower part of its key."""
    order = np.argsort(key)
    key, columns = key[order], columns[:, order]
    what, begins = np.unique(key >> DAY_BITS, return_index=True)
    ends = np.append(begins, len(key))[1:].tolist()
    day = (key & ((1 << DAY_BITS) - 1)) - 1
    return {
        of: DaySums(day[low:high], columns[:, low:high])
        for of, low, high in zip(what.tolist(), begins.tolist(), ends, strict=True)
    }


def _letters(cells: I64) -> tuple[I64, Columns]:
    return cells[0], cells[1:].astype(np.float64)


def _money(cells: I64, apart: Apart) -> list[tuple[I64, Columns]]:
    """Return revenue and the guardrails."""
    key, n, guards, words = cells[0], cells[1].astype(np.float64), cells[2:5].astype(np.float64), cells[5:]
    known = np.zeros(len(key), np.bool_) if not apart.sums else np.isin(key, np.fromiter(apart.sums, np.int64))
    money = np.zeros((5, len(key)))
    for place in np.flatnonzero(words.any(axis=0) | known).tolist():
        money[:, place] = _in_currency(words[:, place].tolist(), apart.sums.get(int(key[place]), NO_APART))
    y, x, yy, xx, xy = money
    nothing = np.zeros_like(n)
    counted = [np.stack([n, guard, guard, n, n, guard, *[nothing] * 4]) for guard in guards]
    return [(key, columns) for columns in (np.stack([n, y, yy, n, n, y, x, xx, xy, x]), *counted)]


def _in_currency(words: Sequence[int], apart: Products) -> list[float]:
    """Return y, x, yy, xx, xy of a cell: exact until a division of integers gives the nearest float."""
    exact = [_whole(words[:2]), _whole(words[2:4]), *(_whole(words[at : at + 4]) for at in (4, 8, 12))]
    units = (MILLION, MILLION, MILLION**2, MILLION**2, MILLION**2)
    return [(one + other) / unit for one, other, unit in zip(exact, apart, units, strict=True)]


def _whole(words: Sequence[int]) -> int:
    return sum(word << (WORD * place) for place, word in enumerate(words))


def _metrics(
    campaign: Campaign, place: int, letters: Mapping[int, DaySums], money: Sequence[Mapping[int, DaySums]]
) -> dict[str, DaySums]:
    metrics = {
        LETTERS[letter]: letters.get(place | letter, NO_DAYS) for letter in range(len(campaign.conversion_events))
    }
    named = zip((REVENUE, *GUARDRAILS), money, strict=True)
    return metrics | {name: of.get(place | MONEY, NO_DAYS) for name, of in named}


def query_persons(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, as_of: int, caps: Mapping[str, Decimal] | None = None
) -> list[PersonDays]:
    """Count the stored rows."""
    count = PersonCount(definitions, as_of, caps)
    lines = _columns(con.sql(query("person_money")).to_arrow_table())
    for batch in con.sql(query("persons")).to_arrow_reader(QUERY_ROWS):
        give_way()
        count.add(_columns(pa.Table.from_batches([batch])), lines)
        lines = {name: column[:0] for name, column in lines.items()}
    return count.days(con)


def _columns(rows: pa.Table) -> Rows:
    return {name: rows.column(name).to_numpy() for name in rows.column_names}
