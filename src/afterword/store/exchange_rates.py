"""The workspace's exchange rates (rule 27): dated, the value of one unit of a currency in the reporting currency."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from afterword.errors import UserError
from afterword.money import parse_currency
from afterword.store.metadata_database import Database
from afterword.store.metadata_tables import exchange_rates as table

MOST = 50_000
"""At one go."""
COLUMNS = ("date", "currency", "rate")
_RATE = re.compile(r"\+?([0-9]{1,20}(\.[0-9]{0,12}0*)?|\.[0-9]{1,12}0*)")


@dataclass(frozen=True, slots=True, order=True)
class ExchangeRate:
    """One unit of a currency on a day."""

    currency: str
    day: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of rates that were given."""

    added: int
    replaced: int
    same: int


def read_rate(said_date: str, currency: str, said_rate: str) -> ExchangeRate:
    """Read one; raises `UserError` for what is no day, currency or rate."""
    try:
        day = date.fromisoformat(said_date.strip())
    except ValueError:
        raise UserError(f'date is "{said_date[:40]}", must be a day such as 2026-03-31') from None
    text = said_rate.strip()
    if not _RATE.fullmatch(text) or not Decimal(text):
        raise UserError(f'rate is "{said_rate[:60]}", must be a number above 0 with at most 12 decimals')
    return ExchangeRate(parse_currency(currency[:40]), day, Decimal(text))


def read_csv(text: str) -> list[ExchangeRate]:
    """Read lines of date, currency and rate under a line with these names; raises `UserError` naming the line."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in names]:
        raise UserError(f"the first line lacks {', '.join(missing)}: it must name the columns {', '.join(COLUMNS)}")
    rows.fieldnames = names
    found = []
    for row in rows:
        try:
            found.append(read_rate(*(row[name] or "" for name in COLUMNS)))
        except UserError as error:
            raise UserError(f"line {rows.line_num}: {error}") from None
    return found


def _text(rate: Decimal) -> str:
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class ExchangeRates:
    """The rates of a workspace. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, currency: str | None = None) -> Sequence[ExchangeRate]:
        """Return all, or those of a currency, in the order of currency and day."""
        wanted = sa.select(table).order_by(table.c.currency, table.c.date)
        if currency is not None:
            wanted = wanted.where(table.c.currency == currency)
        with self._database.reading() as connection:
            rows = connection.execute(wanted)
            return [ExchangeRate(row.currency, date.fromisoformat(row.date), Decimal(row.rate)) for row in rows]

    def state(self) -> tuple[int, int]:
        """Return what is another whenever the rates are: how many there are, and when one was last changed."""
        with self._database.reading() as connection:
            count, last = connection.execute(sa.select(sa.func.count(), sa.func.max(table.c.changed_at))).one()
            return int(count), int(last or 0)

    def take(self, rates: Sequence[ExchangeRate], reporting: str, now: int) -> Taken:
        """Add rates, in place of those of the same currency and day; all or none.

        Raises:
            UserError: too many or none, two of one day that differ, or one of the reporting currency.

        """
        if not 0 < len(rates) <= MOST:
            raise UserError(f"there are {len(rates)} rates, must be from 1 to {MOST:,} at one go")
        given: dict[tuple[str, str], str] = {}
        for one in rates:
            if one.currency == reporting:
                raise UserError(f"{reporting} is the reporting currency: one {reporting} is one {reporting}")
            key, text = (one.currency, one.day.isoformat()), _text(one.rate)
            if given.setdefault(key, text) != text:
                raise UserError(f"{one.currency} has two rates on {one.day}: {given[key]} and {text}")
        with self._database.writing() as connection:
            there = {(row.currency, row.date): row.rate for row in connection.execute(sa.select(table))}
            _, last = connection.execute(sa.select(sa.func.count(), sa.func.max(table.c.changed_at))).one()
            at = max(now, int(last or 0) + 1)  # a clock that was set back must not hide a change
            changed = {key: text for key, text in given.items() if there.get(key) != text}
            replaced = [key for key in changed if key in there]
            for currency, day in replaced:
                connection.execute(sa.delete(table).where(table.c.currency == currency, table.c.date == day))
            rows = [
                {"currency": currency, "date": day, "rate": text, "changed_at": at}
                for (currency, day), text in changed.items()
            ]
            if rows:
                connection.execute(sa.insert(table), rows)
        return Taken(len(changed) - len(replaced), len(replaced), len(given) - len(changed))

    def remove(self, currency: str, first: date, last: date) -> int:
        """Remove the rates of a currency from one day to another; return how many there were."""
        these = (table.c.currency == currency, table.c.date.between(first.isoformat(), last.isoformat()))
        with self._database.writing() as connection:
            return connection.execute(sa.delete(table).where(*these)).rowcount
