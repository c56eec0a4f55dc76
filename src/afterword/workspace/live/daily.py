"""The numbers of one campaign by day, from the derived rows and the facts about its messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any

import duckdb

from afterword.model import Campaign, Channel, Counting, Definitions, Outcome
from afterword.reports.daily import Cell, DailyNumbers, Earned, first_of
from afterword.reports.exchange import Money, load_rates
from afterword.workspace.live.state import State, by_number, read_known

EPOCH = date(1970, 1, 1)
OUTCOMES = list(Outcome)
CHANNELS = [channel.value for channel in Channel]
REVENUE_CELLS = """
CREATE OR REPLACE TEMP TABLE revenue_cells AS
SELECT variant, CASE WHEN channel >= 0 THEN channel ELSE $only END AS channel, step, currency, occurred_day,
    sum(amount - refunded) AS net
FROM credited
WHERE campaign = $campaign AND occurred_day BETWEEN $first AND $last
GROUP BY ALL"""
REVENUE = """
SELECT variant, channel, step, code, occurred_day, net
FROM revenue_cells JOIN currencies USING (currency)
ORDER BY ALL"""
USED = """
SELECT DISTINCT CASE WHEN channel >= 0 THEN channel ELSE $only END FROM exposures WHERE campaign = $campaign"""
MESSAGE_COUNTS = """
SELECT kind, variant, channel, day, count(*) AS n, count(*) FILTER (place = 1) AS firsts
FROM ({rows})
GROUP BY ALL"""
FIRST_DAY = "SELECT min(exposed_day) FROM exposures WHERE campaign = $campaign"
REPORTED = """
CREATE OR REPLACE TEMP TABLE reported_exposures AS
SELECT exposure FROM ({rows}) WHERE kind = $kind AND place = 1"""
EXPOSED = """
SELECT min(exposed_at), max(exposed_at) FROM exposures
WHERE campaign = $campaign AND list_contains($messaged::INTEGER[], variant)"""


def read_daily(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, campaign_id: str, days: tuple[date, date]
) -> DailyNumbers:
    """Return the numbers of a campaign from a first to a last day; `con` is a cursor of a snapshot.

    Raises:
        NotDerived: the definitions are not those of the last refresh.

    """
    campaign, number = _campaign(con, definitions, campaign_id)
    only = CHANNELS.index(campaign.channels[0]) if len(campaign.channels) == 1 else -1
    span: dict[str, Any] = {"campaign": number, "only": only, "first": days[0], "last": days[1]}
    timezone = definitions.workspace.timezone
    cells = [*_counts(con, campaign, span), *_messages(con, campaign, span, state, timezone)]
    earned = tuple(_revenue(con, span, definitions.workspace.currency))
    names = {"channels": CHANNELS, "campaign_id": campaign_id}
    reported = frozenset((kind, code) for kind, code in con.execute(_query("message_kinds"), names).fetchall())
    used = frozenset(channel for (channel,) in con.execute(USED, {"campaign": number, "only": only}).fetchall())
    return DailyNumbers(campaign, cells, earned, reported, used)


def read_exposed(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, campaign_id: str
) -> tuple[int | None, int | None]:
    """Return the times of the first and the last exposure to a message of the campaign."""
    campaign, number = _campaign(con, definitions, campaign_id)
    first, last = con.execute(EXPOSED, {"campaign": number, "messaged": _messaged(campaign)}).fetchall()[0]
    return first, last


def find_reported(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, state: State, campaign_id: str, kind: str
) -> None:
    """Make the table `reported_exposures`: those of a campaign that `read_daily` counts once for a kind of event."""
    campaign, number = _campaign(con, definitions, campaign_id)
    (first,) = con.execute(FIRST_DAY, {"campaign": number}).fetchall()[0]
    span = {"campaign": number, "only": -1, "first": first, "last": date.max}
    said = _of_messages(campaign, span, state, definitions.workspace.timezone)
    con.execute(REPORTED.format(rows=_query("message_rows")), {**said, "kind": kind})


def _campaign(con: duckdb.DuckDBPyConnection, definitions: Definitions, campaign_id: str) -> tuple[Campaign, int]:
    by_number(con, definitions)  # are the rows those of these definitions?
    number = next(one.number for one in read_known(con) if one.id == campaign_id)
    return definitions.campaigns[definitions.index_of(campaign_id)], number


def _messaged(campaign: Campaign) -> list[int]:
    return [place for place, variant in enumerate(campaign.variants) if not variant.control]


def _counts(con: duckdb.DuckDBPyConnection, campaign: Campaign, span: dict[str, Any]) -> Iterator[Cell]:
    codes = {"sent": OUTCOMES.index(Outcome.SENT), "failed": OUTCOMES.index(Outcome.FAILED)}
    rows = con.execute(_query("daily_counts"), {**span, **codes, "messaged": _messaged(campaign)}).fetchall()
    return (Cell(*row) for row in rows)


def _messages(
    con: duckdb.DuckDBPyConnection, campaign: Campaign, span: dict[str, Any], state: State, timezone: str
) -> Iterator[Cell]:
    rows = con.execute(
        MESSAGE_COUNTS.format(rows=_query("message_rows")), _of_messages(campaign, span, state, timezone)
    ).fetchall()
    for kind, variant, channel, day, n, firsts in rows:
        yield Cell(variant, channel, -1, kind, day, n)
        yield Cell(variant, channel, -1, first_of(kind), day, firsts)


def _of_messages(campaign: Campaign, span: dict[str, Any], state: State, timezone: str) -> dict[str, Any]:
    """Return the parameters of the query `message_rows`."""
    return {
        **span,
        "campaign_id": campaign.id,
        "per_channel": campaign.counting is Counting.ONCE_PER_CHANNEL,
        "channels": CHANNELS,
        "bounced": OUTCOMES.index(Outcome.BOUNCED),
        "as_of": state.as_of,
        "position": -1 if state.position is None else state.position,
        "timezone": timezone,
    }


def _revenue(con: duckdb.DuckDBPyConnection, span: dict[str, Any], currency: str) -> Iterator[Earned]:
    con.execute(REVENUE_CELLS, span)
    rates = load_rates(con, currency)
    for variant, channel, step, code, day, net in con.execute(REVENUE).fetchall():
        money = Money()
        rates.book(money, code, (day - EPOCH) // timedelta(days=1), int(net))
        yield Earned(variant, channel, step, day, money.converted)


@cache
def _query(name: str) -> str:
    return (resources.files("afterword.workspace.live") / f"{name}.sql").read_text(encoding="utf-8")
