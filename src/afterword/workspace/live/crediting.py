"""The credit of events over all campaigns: the events and exposures of a period, in order, and who gets what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.compiled import I32, I64
from afterword.attribution.credit import (
    Credited,
    Events,
    Touches,
    Triggered,
    decay_weights,
    no_credit,
    share_out,
)
from afterword.attribution.matching import EVENT_KINDS
from afterword.attribution.reading import Step
from afterword.errors import UserError
from afterword.intake.fact_tables import FactTables
from afterword.model import ConversionEvent, Definitions, EventKind
from afterword.reports.credited import Counted, Sum, credit_data
from afterword.reports.exchange import MAX_RATE_AGE_DAYS, Rates
from afterword.reports.holdouts import holdout_report
from afterword.reports.report import iso_time
from afterword.store.holdouts import Holdout
from afterword.store.sql import literals
from afterword.workspace.live.funnel import count_funnel
from afterword.workspace.live.gathering import unread_columns
from afterword.workspace.live.holding_out import REPORTED, HoldoutQuestion, measure, meets
from afterword.workspace.live.state import State, by_number, read_known
from afterword.workspace.verdicts import History

MICROSECONDS = 1_000_000
EPOCH_DAY = "DATE '1970-01-01'"
MOST_SUMS = 1_000
"""Of money at one go: exchange rates are dated, so there may be many."""


@dataclass(frozen=True, slots=True)
class CreditQuestion:
    """What is to be credited."""

    definitions: Definitions
    event: ConversionEvent
    """Its deadline is the window."""
    first: int | None = None
    """Only events from this time on, in epoch microseconds."""
    last: int | None = None
    """Only events up to this time."""
    once_per_user: bool = True
    holdouts: tuple[Holdout, ...] = ()
    """All of the workspace: those of the period are measured by the same event."""
    histories: Mapping[str, History] = field(default_factory=dict)
    """Of the campaigns, for what they brought against control."""

    def __post_init__(self) -> None:
        if self.event.kind not in REPORTED:
            raise UserError(
                f"a {self.event.kind} cannot be credited over campaigns, must be one of {', '.join(REPORTED)}: "
                "an open or click is of one campaign's message, and upgrades follow from sessions one by one"
            )

    @property
    def key(self) -> str:
        """A name that equal questions share."""
        # Not by comparing: for Python 50 is 50.00 and 1 is True, for a filter they are not.
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return "the credit over campaigns"

    @property
    def described(self) -> dict[str, Any]:
        """What is asked, as JSON."""
        event = self.event
        return {
            "conversion_event": {
                **{"kind": event.kind.value, "name": event.name, "apps": list(event.apps)},
                **{"products": list(event.products), "filters": len(event.where)},
            },
            "window_seconds": event.deadline_seconds,
            "from": None if self.first is None else iso_time(self.first),
            "to": None if self.last is None else iso_time(self.last),
            "count": "users" if self.once_per_user else "events",
        }


def answered(
    con: duckdb.DuckDBPyConnection, question: CreditQuestion, facts: FactTables, state: State, as_of: int, step: Step
) -> dict[str, Any]:
    """Return the credit as JSON, with what holdouts say beside it; the arguments are those of `credit`."""
    workspace = question.definitions.workspace
    counted = credit(con, question, facts, state, as_of, step)
    first, last = question.first or 0, as_of if question.last is None else question.last
    beside = []
    for holdout in question.holdouts:
        if holdout.from_at <= last and first < holdout.until_at and holdout.from_at <= as_of:
            others = [one for one in question.holdouts if one.name != holdout.name]
            asked = HoldoutQuestion(workspace, holdout, others, question.event)
            ended = as_of >= holdout.until_at - 1
            measured = measure(con, asked, facts, state, as_of)
            found = holdout_report(measured, holdout.share, workspace.currency, ended=ended)
            period = {"from": iso_time(holdout.from_at), "until": iso_time(holdout.until_at)}
            said = {name: found[name] for name in ("conversions", "revenue", "warnings")}
            beside.append({"name": holdout.name, **period, **said})
    return {
        "as_of": iso_time(as_of),
        "timezone": workspace.timezone,
        **question.described,
        **credit_data(counted, question.definitions.campaigns, workspace.currency),
        "holdouts": beside,
    }


def credit(
    con: duckdb.DuckDBPyConnection, question: CreditQuestion, facts: FactTables, state: State, as_of: int, step: Step
) -> Counted:
    """Share out the credit of all events of the period.

    Args:
        con: a cursor of a snapshot; temporary tables are left in it.
        question: what is asked.
        facts: under the question's definitions.
        state: of the results: facts that they do not know are not looked at.
        as_of: epoch microseconds.
        step: told (what, share done or None).

    """
    step("reading exposures", None)
    place_campaigns(con, question.definitions)
    edges = _edges(question)
    touches = _touches(con, edges)
    step("reading events", None)
    known = f"position <= {-1 if state.position is None else state.position}"
    _find_events(con, question, facts, known, as_of)
    sums = _number_sums(con, facts, question.definitions.workspace.currency)
    events, triggered, first_day = _events(con, facts, known)
    step("sweeping users", None)
    days = int(events.day.max()) + 1 if len(events.day) else 0
    window = question.event.deadline_seconds * MICROSECONDS
    parts: list[Credited] = []
    for begin in range(0, max(1, len(sums)), MOST_SUMS):
        into = no_credit(len(question.definitions.campaigns), min(MOST_SUMS, len(sums) - begin), days)
        part = _of_sums(events, begin)
        share_out(part, touches, triggered, window, question.once_per_user, decay_weights(), into)
        parts.append(into)
        step("sweeping users", min(1.0, (begin + MOST_SUMS) / max(1, len(sums))))
    step("counting", None)
    persons = parts[0]
    if not question.once_per_user:
        persons = no_credit(len(question.definitions.campaigns), 0, days)
        unpaid = events._replace(money=np.full_like(events.money, -1))
        share_out(unpaid, touches, triggered, window, True, decay_weights(), persons)
    last = as_of if question.last is None else min(as_of, question.last)
    converted = persons.every, int(persons.counts[0])
    funnel = count_funnel(con, question.definitions.campaigns, facts, known, edges, last, converted)
    return Counted(parts[0], np.concatenate([part.money for part in parts], axis=2), sums, first_day, funnel)


def _of_sums(events: Events, begin: int) -> Events:
    """Return the events with those sums of money that are done at one go; the first time they count besides."""
    inside = (events.money >= begin) & (events.money < begin + MOST_SUMS)
    money: I32 = np.where(inside, events.money - begin, -1).astype(np.int32)
    return events._replace(money=money, wanted=np.zeros_like(events.wanted) if begin else events.wanted)


def place_campaigns(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Make the table `placed`: each variant's campaign and variant in the rows, and the campaign's place among all.

    Raises:
        NotDerived: the definitions are not those of the last refresh.

    """
    by_number(con, definitions)
    numbers = {one.id: one.number for one in read_known(con)}
    rows = [
        (numbers[campaign.id], number, place, variant.control)
        for place, campaign in enumerate(definitions.campaigns)
        for number, variant in enumerate(campaign.variants)
    ]
    names, kinds = ("campaign", "variant", "place", "control"), (pa.int32(), pa.int32(), pa.int32(), pa.bool_())
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    con.register(
        "placed_rows",
        pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)}),
    )
    con.execute("CREATE OR REPLACE TEMP TABLE placed AS FROM placed_rows")
    con.unregister("placed_rows")


def _edges(question: CreditQuestion) -> list[str]:
    """Return which exposures could have an event of the period in their window: to a message, control earns nothing."""
    edges = ["NOT control"]
    if question.first is not None:
        edges.append(f"exposed_at >= {question.first - question.event.deadline_seconds * MICROSECONDS}")
    if question.last is not None:
        edges.append(f"exposed_at <= {question.last}")
    return edges


def _touches(con: duckdb.DuckDBPyConnection, edges: Sequence[str]) -> Touches:
    table = con.sql(
        f"""
        SELECT "user"::BIGINT AS "user", exposed_at, place FROM derived.exposures JOIN placed USING (campaign, variant)
        WHERE {" AND ".join(edges)} ORDER BY "user", exposed_at, exposure_id"""
    ).to_arrow_table()
    user, at, place = (column.to_numpy() for column in table.columns)
    return Touches(user, at, place)


def _find_events(
    con: duckdb.DuckDBPyConnection, question: CreditQuestion, facts: FactTables, known: str, as_of: int
) -> None:
    """Make the table `credit_events`: what meets the conversion event, and all purchases, less what was given back.

    Persons without any exposure have negative numbers, by the hash of their id.
    """
    event = question.event
    last = as_of if question.last is None else min(as_of, question.last)
    first = "" if question.first is None else f"AND occurred_at >= {question.first}"
    kinds = literals(sorted({kind.label for kind in (*EVENT_KINDS[event.kind], EventKind.PURCHASE)}))
    named = f"AND (kind <> 'custom' OR list_contains({literals([event.name])}, name))" if event.name else ""
    only = f"WHERE {known} AND list_contains({kinds}, kind) {named} AND occurred_at <= {last} {first}"
    asked = Definitions(question.definitions.workspace, ())
    unread = unread_columns(asked) - {where.property.removeprefix("$") for where in event.where}
    if any(not where.property.startswith("$") for where in event.where):
        unread -= {"properties"}
    refunds = facts.relation("events", f"WHERE {known} AND kind = 'refund' AND occurred_at <= {as_of}")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE credit_events AS
        WITH chosen AS (
            SELECT *, {meets(event)} AS wanted FROM ({facts.relation("events", only, without=unread)}) WHERE reason = 0
        ), refunds AS (
            SELECT refund_of, currency, sum(amount)::BIGINT AS amount FROM ({refunds}) WHERE reason = 0 GROUP BY ALL
        ), given_back AS (
            SELECT event_id, sum(r.amount)::BIGINT AS back
            FROM chosen c JOIN refunds r ON r.refund_of = c.event_id AND coalesce(r.currency = c.currency, true)
            WHERE kind = {int(EventKind.PURCHASE)} GROUP BY event_id
        )
        SELECT coalesce(u."user"::BIGINT, -1 - CAST(hash(coalesce(a.person, c.user_id)) >> 1 AS BIGINT)) AS number,
            c.event_id, occurred_at, wanted, c.kind = {int(EventKind.PURCHASE)} AS paid,
            c.amount - coalesce(CASE WHEN paid THEN back END, 0) AS net, c.currency,
            timezone($timezone, make_timestamptz(occurred_at))::DATE - {EPOCH_DAY} AS day
        FROM chosen c LEFT JOIN given_back g ON g.event_id = c.event_id
        LEFT JOIN derived.aliases a ON a.user_id = c.user_id
        LEFT JOIN derived.users u ON u.user_id = coalesce(a.person, c.user_id)
        WHERE wanted OR paid""",
        {"timezone": question.definitions.workspace.timezone},
    )


def _number_sums(con: duckdb.DuckDBPyConnection, facts: FactTables, currency: str) -> list[Sum]:
    """Make the table `credit_sums`, which gives each currency and day the number of its sum: equal rates share one."""
    days = con.execute("SELECT DISTINCT currency, day FROM credit_events WHERE paid ORDER BY ALL").fetchall()
    rates = Rates(currency)
    if any(code != currency for code, _ in days):
        rows = con.execute(
            f"""
            SELECT currency, date - {EPOCH_DAY} AS day, rate FROM {facts.table("rates")}
            WHERE currency IN (SELECT currency FROM credit_events) AND date - {EPOCH_DAY}
                BETWEEN {days[0][1] if len(days) == 1 else min(day for _, day in days)} - {MAX_RATE_AGE_DAYS}
                AND {max(day for _, day in days)} ORDER BY ALL"""
        ).fetchall()
        rates = Rates(currency, rows)
    sums: dict[Sum, int] = {}
    numbers = [sums.setdefault(Sum(code, rates.rate(code, day)), len(sums)) for code, day in days]
    table = pa.table(
        {
            "currency": pa.array([code for code, _ in days], pa.string()),
            "day": pa.array([day for _, day in days], pa.int64()),
            "number_of_sum": pa.array(numbers, pa.int32()),
        }
    )
    con.register("credit_sum_rows", table)
    con.execute("CREATE OR REPLACE TEMP TABLE credit_sums AS FROM credit_sum_rows")
    con.unregister("credit_sum_rows")
    return list(sums)


def _events(con: duckdb.DuckDBPyConnection, facts: FactTables, known: str) -> tuple[Events, Triggered, int]:
    """Read the events in order, with the exposures that they triggered, and their first day."""
    first_day = int(con.execute("SELECT coalesce(min(day), 0) FROM credit_events").fetchall()[0][0])
    table = con.sql(
        f"""
        SELECT number, occurred_at, (e.day - {first_day})::INTEGER AS day, wanted::UTINYINT AS wanted,
            coalesce(CASE WHEN paid THEN number_of_sum END, -1)::INTEGER AS money,
            CASE WHEN paid THEN net ELSE 0 END::BIGINT AS amount, e.rowid AS place
        FROM credit_events e LEFT JOIN credit_sums s ON s.currency = e.currency AND s.day = e.day
        ORDER BY number, occurred_at, event_id, e.rowid"""
    ).to_arrow_table()
    user, at, day, wanted, money, amount, place = (column.to_numpy() for column in table.columns)
    found = con.execute(
        f"""
        SELECT e.rowid, p.place, min(x.exposed_at)
        FROM {facts.table("exposures")} f JOIN derived.exposures x USING (exposure_id)
        JOIN (SELECT DISTINCT campaign, place FROM placed) p ON p.campaign = x.campaign
        JOIN credit_events e ON e.event_id = f.trigger_event_id AND e.number = x."user"
        WHERE f.{known} AND f.trigger_event_id IS NOT NULL AND x.exposed_at <= e.occurred_at
        GROUP BY ALL"""
    ).fetchnumpy()
    rows, campaign, exposed = (np.asarray(column) for column in found.values())
    places = np.argsort(place) if len(rows) else place
    of: I64 = places[np.searchsorted(place, rows.astype(np.int64), sorter=places)] if len(rows) else places[:0]
    order = np.lexsort((campaign, of))
    triggers: I64 = np.zeros(len(user) + 1, np.int64)
    np.cumsum(np.bincount(of, minlength=len(user)), out=triggers[1:])
    events = Events(user, at, day, wanted, money, amount, triggers)
    return events, Triggered(campaign[order].astype(np.int32), exposed[order].astype(np.int64)), first_day
