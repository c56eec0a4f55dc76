"""From a message to the chosen event: how many were reached, opened, clicked and converted, per campaign and together.

The exposures are those that credit is shared over: to a message, from one window before the period to its end. So who
converted here is who had a message before, of the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from afterword.attribution.compiled import I64
from afterword.intake.fact_tables import FactTables
from afterword.model import Campaign, Channel, ConversionKind, Counting
from afterword.reports.credited import Funnel, FunnelOf
from afterword.store.sql import literals

CHANNELS = [channel.value for channel in Channel]
OPEN, CLICK = ConversionKind.MESSAGE_OPEN.value, ConversionKind.MESSAGE_CLICK.value


def count_funnel(
    con: duckdb.DuckDBPyConnection,
    campaigns: Sequence[Campaign],
    facts: FactTables,
    known: str,
    edges: Sequence[str],
    last: int,
    converted: tuple[I64, int],
) -> Funnel:
    """Count persons, each once.

    Args:
        con: a cursor of a snapshot with the table `placed`.
        campaigns: in the order of their places.
        facts: the facts.
        known: which of them the results know.
        edges: which exposures there are, as conditions.
        last: opens and clicks after this do not count, in epoch microseconds.
        converted: persons with the event in a window, by campaign and in all.

    """
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE reached AS
        SELECT "user", place, {_lane("channel", campaigns)} AS lane, min(exposed_at) AS since
        FROM derived.exposures JOIN placed USING (campaign, variant) WHERE {" AND ".join(edges)} GROUP BY ALL"""
    )
    reached, everybody = _counted(con, "FROM reached", len(campaigns))
    _find_reactions(con, campaigns, facts, known, last)
    reported = con.execute(
        f"""SELECT DISTINCT kind, campaign_id, channel FROM {facts.table("events")}
        WHERE kind IN ('{OPEN}', '{CLICK}')"""
    ).fetchall()
    opened, all_opened = _reacted(con, OPEN, campaigns, reported)
    clicked, all_clicked = _reacted(con, CLICK, campaigns, reported)
    persons, total = converted
    steps = zip(reached, opened, clicked, map(int, persons), strict=True)
    return Funnel(FunnelOf(everybody, all_opened, all_clicked, total), [FunnelOf(*each) for each in steps])


def _lane(channel: str, campaigns: Sequence[Campaign]) -> str:
    """Return SQL for what keeps the messages of a campaign apart: the channel, by rule 16, or nothing (-1)."""
    places = [place for place, one in enumerate(campaigns) if one.counting is Counting.ONCE_PER_CHANNEL]
    return f"CASE WHEN place IN ({', '.join(map(str, [-1, *places]))}) THEN coalesce({channel}, -1) ELSE -1 END"


def _find_reactions(
    con: duckdb.DuckDBPyConnection, campaigns: Sequence[Campaign], facts: FactTables, known: str, last: int
) -> None:
    """Make the table `reactions`: who opened or clicked a message of which of the campaigns."""
    said = f"list_position({literals(CHANNELS)}, e.channel) - 1"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE reactions AS
        WITH told AS (
            SELECT e.kind, e.occurred_at, e.exposure_id, u."user", p.place,
                {_lane(said, campaigns)} AS lane
            FROM {facts.table("events")} e LEFT JOIN derived.aliases a ON a.user_id = e.user_id
            JOIN derived.users u ON u.user_id = coalesce(a.person, e.user_id)
            JOIN derived.campaigns c ON c.campaign_id = e.campaign_id
            JOIN (SELECT DISTINCT campaign, place FROM placed) p ON p.campaign = c.campaign
            WHERE e.kind IN ('{OPEN}', '{CLICK}') AND NOT (e.machine AND e.kind = '{CLICK}')
                AND e.occurred_at <= {last} AND e.{known}
        )
        SELECT DISTINCT kind, "user", place
        FROM told t JOIN reached r USING ("user", place)
        -- Which message it was may be said; else it is the latest one before (rule 13), which is reached if any is.
        LEFT JOIN (
            SELECT * FROM derived.exposures JOIN placed USING (campaign, variant)
            WHERE NOT control AND exposed_at <= {last}
        ) x USING ("user", place, exposure_id)
        WHERE CASE WHEN x.exposed_at IS NULL THEN t.lane = r.lane AND t.occurred_at >= r.since
            ELSE x.exposed_at >= r.since END"""
    )


def _reacted(
    con: duckdb.DuckDBPyConnection, kind: str, campaigns: Sequence[Campaign], reported: Sequence[tuple[str, str, str]]
) -> tuple[list[int | None], int | None]:
    """Return how many reacted so, by campaign and in all; None where nobody would have told."""
    counts, everybody = _counted(con, f"FROM reactions WHERE kind = '{kind}'", len(campaigns))
    ids = {campaign for each, campaign, _ in reported if each == kind}
    channels = {channel for each, _, channel in reported if each == kind}
    tells = [one.id in ids or any(channel.value in channels for channel in one.channels) for one in campaigns]
    return [n if told else None for n, told in zip(counts, tells, strict=True)], everybody if any(tells) else None


def _counted(con: duckdb.DuckDBPyConnection, source: str, places: int) -> tuple[list[int], int]:
    """Return how many persons there are, by campaign and in all."""
    found = dict(con.execute(f'SELECT place, count(DISTINCT "user") {source} GROUP BY place').fetchall())
    everybody = con.execute(f'SELECT count(DISTINCT "user") {source}').fetchall()[0][0]
    return [int(found.get(place, 0)) for place in range(places)], int(everybody)
