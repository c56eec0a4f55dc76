"""The two sides of a holdout, counted from the facts: who was known, who did what, and what that brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from afterword.attribution.filters import filter_condition
from afterword.attribution.matching import EVENT_KINDS
from afterword.errors import UserError
from afterword.intake.fact_tables import FactTables
from afterword.model import ConversionEvent, ConversionKind, EventKind, Workspace
from afterword.reports.exchange import MAX_RATE_AGE_DAYS, ONE, Rates
from afterword.reports.holdouts import EVERYONE_ELSE, HELD_OUT, Measured, Side
from afterword.selection.holdouts import drawn_sql
from afterword.stats.sums import Sums
from afterword.store.holdouts import Holdout
from afterword.store.sql import literals
from afterword.workspace.live.state import State

ACROSS, IN_OTHERS = "across", "in_others"
REPORTED = (ConversionKind.SESSION, ConversionKind.PURCHASE, ConversionKind.CUSTOM)


@dataclass(frozen=True, slots=True)
class HoldoutQuestion:
    """What is asked of a holdout."""

    workspace: Workspace
    holdout: Holdout
    others: Sequence[Holdout]
    """All other holdouts."""
    event: ConversionEvent
    """What counts as a conversion; its deadline means nothing here."""

    def __post_init__(self) -> None:
        if self.event.kind not in REPORTED:
            raise UserError(
                f"kind is {self.event.kind}, against a holdout it must be one of {', '.join(REPORTED)}: "
                "who is held out has no message to open or click, and upgrades follow from sessions one by one"
            )


def measure(
    con: duckdb.DuckDBPyConnection, question: HoldoutQuestion, facts: FactTables, state: State, as_of: int
) -> Measured:
    """Count both sides as of a time; `con` is a cursor of a snapshot, in which temporary tables are left."""
    known = f"position <= {-1 if state.position is None else state.position}"
    first, end = question.holdout.from_at, min(question.holdout.until_at, as_of + 1)
    _find_sides(con, question, facts, known, end)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE holdout_events AS SELECT e.*, side, coalesce(a.person, e.user_id) AS person "
        f"FROM ({facts.relation('events', f'WHERE {known} AND occurred_at >= {first} AND occurred_at < {end}')}) e "
        "LEFT JOIN derived.aliases a ON a.user_id = e.user_id "
        "JOIN holdout_sides s ON s.person = coalesce(a.person, e.user_id) WHERE reason = 0"
    )
    sides = {HELD_OUT: Side(), EVERYONE_ELSE: Side()}
    counts = dict(con.execute("SELECT side, count(*) FROM holdout_sides GROUP BY side").fetchall())
    did = dict(
        con.execute(
            f"SELECT side, count(DISTINCT person) FROM holdout_events WHERE {meets(question.event)} GROUP BY side"
        ).fetchall()
    )
    for name, side in sides.items():
        side.known, side.converted = counts.get(name, 0), did.get(name, 0)
    _add_revenue(con, question, facts, known, as_of, sides)
    return Measured(sides[HELD_OUT], sides[EVERYONE_ELSE], counts.get(ACROSS, 0), counts.get(IN_OTHERS, 0))


def _find_sides(
    con: duckdb.DuckDBPyConnection, question: HoldoutQuestion, facts: FactTables, known: str, end: int
) -> None:
    """Make the table `holdout_sides` of persons who were known before the end.

    What became of a message, and having been exposed to one, makes nobody known: who is held out has neither, and
    the sides would not be alike.
    """
    holdout = question.holdout
    at_the_time = [one for one in question.others if one.from_at < holdout.until_at and holdout.from_at < one.until_at]
    other = " OR ".join(["FALSE", *(drawn_sql(one, "user_id") for one in at_the_time)])
    own = literals(kind.label for kind in EventKind if kind < EventKind.MESSAGE_DELIVERED)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE holdout_sides AS
        WITH ids AS (
            SELECT user_id FROM {facts.table("events")}
            WHERE {known} AND occurred_at < {end} AND kind IN (SELECT unnest({own}))
            UNION
            SELECT user_id FROM {facts.table("attributes")} WHERE {known} AND arrived_at < {end}
        ), drawn AS (
            SELECT coalesce(person, user_id) AS person, {drawn_sql(holdout, "user_id")} AS held, {other} AS other
            FROM ids LEFT JOIN derived.aliases USING (user_id)
        )
        SELECT person, CASE
            WHEN bool_and(held) THEN '{HELD_OUT}' WHEN bool_or(held) THEN '{ACROSS}'
            WHEN bool_or(other) THEN '{IN_OTHERS}' ELSE '{EVERYONE_ELSE}' END AS side
        FROM drawn GROUP BY person"""
    )


def meets(event: ConversionEvent) -> str:
    """Return the SQL condition under which an event is one that counts (rule 5)."""
    kinds = ", ".join(str(int(kind)) for kind in EVENT_KINDS[event.kind])
    parts = [f"kind IN ({kinds})"]
    for column, names in (("name", [event.name] if event.name else []), ("app_id", event.apps)):
        if names:
            parts.append(f"coalesce(list_contains({literals(names)}, {column}), false)")
    if event.products:
        parts.append(f"coalesce(list_contains({literals(event.products)}, product_id), false)")
    parts += [filter_condition(filter_) for filter_ in event.where]
    return " AND ".join(f"({part})" for part in parts)


def _add_revenue(
    con: duckdb.DuckDBPyConnection,
    question: HoldoutQuestion,
    facts: FactTables,
    known: str,
    as_of: int,
    sides: dict[str, Side],
) -> None:
    """Add what purchases of the period brought, less what was given back of them (rules 27 and 28)."""
    refunds = facts.relation("events", f"WHERE {known} AND kind = 'refund' AND occurred_at <= {as_of}")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE holdout_money AS
        WITH refunds AS (
            SELECT refund_of, currency, sum(amount) AS amount FROM ({refunds}) WHERE reason = 0 GROUP BY ALL
        ), purchases AS (
            SELECT * FROM holdout_events WHERE kind = {int(EventKind.PURCHASE)}
        ), given_back AS (
            SELECT p.event_id, sum(r.amount) AS amount
            FROM purchases p JOIN refunds r ON r.refund_of = p.event_id AND coalesce(r.currency = p.currency, true)
            GROUP BY p.event_id
        )
        SELECT side, person, p.currency, p.amount - coalesce(g.amount, 0) AS net,
            timezone($timezone, make_timestamptz(occurred_at))::DATE - DATE '1970-01-01' AS day
        FROM purchases p LEFT JOIN given_back g USING (event_id)""",
        {"timezone": question.workspace.timezone},
    )
    rates = _rates(con, facts, question.workspace.currency)
    rows: list[tuple[str, int, int]] = []
    cells = con.execute("SELECT side, currency, day, sum(net), count(*) FROM holdout_money GROUP BY ALL").fetchall()
    for name, currency, day, net, purchases in cells:
        if name in sides:
            rates.book(sides[name].money, currency, day, int(net), purchases)
        if (rate := rates.rate(currency, day)) is not None:
            rows.append((currency, day, rate))
    used = {(currency, day): rate / ONE for currency, day, rate in rows}
    table = {"currency": [key[0] for key in used], "day": [key[1] for key in used], "rate": list(used.values())}
    schema = pa.schema([("currency", pa.string()), ("day", pa.int64()), ("rate", pa.float64())])
    con.register("holdout_rates", pa.table(table, schema))
    sums = con.execute(
        """
        SELECT side, sum(y), sum(y * y) FROM (
            SELECT side, person, sum(net::DOUBLE * rate) AS y
            FROM holdout_money m JOIN holdout_rates r ON r.currency = m.currency AND r.day = m.day GROUP BY side, person
        ) GROUP BY side"""
    ).fetchall()
    con.unregister("holdout_rates")
    found = {name: (y, yy) for name, y, yy in sums}
    for name, side in sides.items():
        y, yy = found.get(name, (0.0, 0.0))
        side.revenue = Sums(n=side.known, y=y, yy=yy, m=side.known, mm=side.known, my=y)


def _rates(con: duckdb.DuckDBPyConnection, facts: FactTables, currency: str) -> Rates:
    """Return the exchange rates that the money may need."""
    if not con.execute("SELECT count(*) FROM holdout_money").fetchall()[0][0]:
        return Rates(currency)
    found = con.execute(
        f"""
        SELECT currency, date - DATE '1970-01-01' AS day, rate FROM {facts.table("rates")}
        WHERE currency IN (SELECT currency FROM holdout_money) AND date - DATE '1970-01-01'
            BETWEEN (SELECT min(day) - {MAX_RATE_AGE_DAYS} FROM holdout_money) AND (SELECT max(day) FROM holdout_money)
        ORDER BY ALL"""
    ).fetchall()
    return Rates(currency, found)
