"""Who is to be swept again, and their facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from afterword.attribution.facts import Source
from afterword.attribution.matching import Matching
from afterword.attribution.people import persons_of
from afterword.attribution.persons import LOOKED_BACK
from afterword.attribution.reading import Scans
from afterword.intake.fact_tables import FactTables
from afterword.intake.facts import TIMES
from afterword.intake.sources import Kind
from afterword.model import Campaign, ConversionKind, Definitions, EventKind
from afterword.store.sql import literal
from afterword.store.user_hashes import user_hash_sql
from afterword.workspace.live.state import State

KINDS: tuple[Kind, ...] = ("exposures", "events", "step_messages")
NAMING: tuple[Kind, ...] = ("exposures", "step_messages")
"""Kinds of facts that all name a campaign."""
MANY = 10_000
"""From so many users on their rows are in nearly every part of a table, which has to be read in any case."""
NEVER_READ = frozenset({"order_id"})
"""Columns that only tell repetitions from conflicts; the tables of facts have neither."""
OF_CAMPAIGNS = "SEMI JOIN intake_campaigns USING (campaign_id)"
CONTENT = frozenset({"order_id", "properties", "refund_of"})


@dataclass(frozen=True, slots=True)
class Since:
    """What is new: facts after a position of the log, and facts whose time has come since."""

    position: int
    after: int
    """Facts up to this time were seen, in epoch microseconds."""
    as_of: int


@dataclass(frozen=True, slots=True)
class Touched:
    """What new facts touch."""

    persons: int
    """How many persons are to be swept."""
    everything: bool
    """Whether users are named: it is not known which of their facts changed."""
    earliest: int | None
    """The earliest time at which something new counts, whoever's, in epoch microseconds; None if nothing is new."""
    campaigns: frozenset[str]
    """Ids of campaigns that new facts name, or whose exposures name new facts; some may not be defined."""


def last_position(con: duckdb.DuckDBPyConnection, facts: FactTables) -> int | None:
    """Return the highest position of the log among the facts and what was rejected, which reports count too."""
    names = (*KINDS, "merges", "rejected")
    parts = " UNION ALL ".join(f"SELECT max(position) AS position FROM {facts.table(name)}" for name in names)
    found = con.execute(f"SELECT max(position) FROM ({parts})").fetchall()[0][0]
    return None if found is None else int(found)


def next_due(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State) -> int | None:
    """Return the time of the earliest fact that is known but later than the rows' `as_of`, None without any."""
    parts = " UNION ALL ".join(
        f"SELECT min({TIMES[kind]}) AS time FROM {facts.table(kind)} "
        f"WHERE {TIMES[kind]} > $as_of AND position <= $position"
        for kind in KINDS
    )
    known = {"as_of": state.as_of, "position": -1 if state.position is None else state.position}
    found = con.execute(f"SELECT min(time) FROM ({parts})", known).fetchall()[0][0]
    return None if found is None else int(found)


def renew_aliases(con: duckdb.DuckDBPyConnection, facts: FactTables) -> list[str]:
    """Find the person of every merged id again (rule 37); return all ids whose histories that changes."""
    merges = con.sql(f"SELECT DISTINCT from_user_id, to_user_id FROM {facts.table('merges')}").to_arrow_table()
    persons = persons_of(merges.column(0).to_pylist(), merges.column(1).to_pylist()) if merges.num_rows else {}
    merged = {name: person for name, person in persons.items() if name != person}
    table = pa.table({"user_id": pa.array(merged, pa.string()), "person": pa.array(merged.values(), pa.string())})
    con.register("new_aliases", table)
    changed = con.execute(
        """
        SELECT unnest([user_id, o.person, n.person]) AS user_id
        FROM derived.aliases o FULL JOIN new_aliases n USING (user_id) WHERE o.person IS DISTINCT FROM n.person"""
    ).fetchall()
    if changed:
        con.execute("DELETE FROM derived.aliases")
        con.execute("INSERT INTO derived.aliases BY NAME FROM new_aliases")
    con.unregister("new_aliases")
    return sorted({name for (name,) in changed if name is not None})


def find_touched(con: duckdb.DuckDBPyConnection, facts: FactTables, since: Since, users: Iterable[str]) -> Touched:
    """Find whose derived rows may have changed: tables `touched`, `swept` and `swept_ids`.

    Touched are the users that are named, those of new facts, those of facts whose time has come, and those whose
    purchases are refunded by such facts, whoever sent them. Swept are their persons, with all ids of each. Of many
    events only those count whose user was exposed or merged: nobody else can convert.
    """
    con.register("named_users", pa.table({"user_id": pa.array(users, pa.string())}))
    con.execute("CREATE OR REPLACE TEMP TABLE named AS SELECT DISTINCT user_id FROM named_users")
    con.unregister("named_users")
    for kind in KINDS:
        only = _reachable(con, facts, since) if kind == "events" else "TRUE"
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE new_{kind} AS
            SELECT DISTINCT user_id FROM ({_new(facts, kind, since, "user_id", only)})"""
        )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE refunded AS SELECT user_id, occurred_at AS time FROM {facts.table("events")} e
        SEMI JOIN ({_new(facts, "events", since, "refund_of", "kind = 'refund'")}) n ON n.refund_of = e.event_id
        WHERE kind = 'purchase'"""
        if _are_any(con, f"FROM {facts.table('events')} WHERE kind = 'refund'")
        else "CREATE OR REPLACE TEMP TABLE refunded (user_id VARCHAR, time BIGINT)"
    )
    news = (*(f"new_{kind}" for kind in KINDS), "refunded")
    touching = " UNION ".join(f"SELECT user_id FROM {name}" for name in news)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE touched AS SELECT user_id FROM named UNION {touching};
        CREATE OR REPLACE TEMP TABLE swept AS SELECT DISTINCT coalesce(person, user_id) AS user_id
        FROM touched LEFT JOIN derived.aliases USING (user_id);
        CREATE OR REPLACE TEMP TABLE swept_ids AS SELECT user_id FROM swept
        UNION SELECT a.user_id FROM derived.aliases a SEMI JOIN swept s ON s.user_id = a.person"""
    )
    persons, everything = con.execute("SELECT (SELECT count(*) FROM swept), (SELECT count(*) FROM named)").fetchall()[0]
    return Touched(int(persons), bool(everything), _earliest(con, facts, since), _named_campaigns(con, facts, since))


def _earliest(con: duckdb.DuckDBPyConnection, facts: FactTables, since: Since) -> int | None:
    times = [f"SELECT min(time) AS time FROM ({_new(facts, kind, since, 'position')})" for kind in KINDS]
    every = " UNION ALL ".join([*times, "SELECT min(time) FROM refunded"])
    found = con.execute(f"SELECT min(time) FROM ({every})").fetchall()[0][0]
    return None if found is None else int(found)


def _reachable(con: duckdb.DuckDBPyConnection, facts: FactTables, since: Since) -> str:
    """Return the condition on new events that their user has derived rows or a new exposure, or was merged."""
    new = f"SELECT DISTINCT user_hash FROM ({_new(facts, 'events', since, 'user_hash')})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE new_hashes AS {new}")
    users, exposed = con.execute(
        "SELECT (SELECT count(*) FROM new_hashes), (SELECT count(*) FROM derived.users)"
    ).fetchall()[0]
    if users < MANY or users < exposed:
        return "TRUE"  # to look at all who were exposed would cost more than it saves
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE reachable AS
        SELECT {user_hash_sql("user_id")} AS user_hash FROM derived.users WHERE user_hash IN (FROM new_hashes)
        UNION SELECT user_hash FROM ({_new(facts, "exposures", since, "user_hash")})
        UNION SELECT {user_hash_sql("unnest([user_id, person])")} FROM derived.aliases"""
    )
    return "user_hash IN (SELECT user_hash FROM reachable)"


def _named_campaigns(con: duckdb.DuckDBPyConnection, facts: FactTables, since: Since) -> frozenset[str]:
    """Return the campaigns that new facts name, and those of exposures that name a new event."""
    parts = [f"SELECT campaign_id FROM ({_new(facts, kind, since, 'campaign_id')})" for kind in NAMING]
    triggered = f"FROM {facts.table('exposures')} WHERE trigger_event_id IS NOT NULL"
    if _are_any(con, triggered):  # few workspaces have any; the ids of all new events need not be read for them
        events = f"SELECT event_id FROM ({_new(facts, 'events', since, 'event_id')})"
        parts.append(f"SELECT campaign_id {triggered} AND trigger_event_id IN ({events})")
    return frozenset(name for (name,) in con.execute(" UNION ".join(parts)).fetchall())


def _new(facts: FactTables, kind: Kind, since: Since, column: str, only: str = "TRUE") -> str:
    """Return the SELECT of a column and the `time` of new facts and of those whose time has come."""
    time = TIMES[kind]
    # Two queries and no OR: each is answered from the row groups that can have such rows.
    select = f"SELECT {column}, {time} AS time FROM {facts.table(kind)} WHERE {time} <= {since.as_of} AND {only} AND"
    return (
        f"{select} position > {since.position} "
        f"UNION ALL {select} position <= {since.position} AND {time} > {since.after}"
    )


def _are_any(con: duckdb.DuckDBPyConnection, rows: str) -> bool:
    return bool(con.execute(f"SELECT EXISTS (SELECT 1 {rows})").fetchall()[0][0])


def reached(
    con: duckdb.DuckDBPyConnection, touched: Touched, campaigns: Mapping[str, tuple[int, Campaign]]
) -> set[str]:
    """Return the campaigns whose rows the touched users' new facts may change.

    A fact after the end of a campaign's last window changes nothing in it, so old campaigns cost nothing. What counts
    at another time than its own names its campaign (exposures and step messages, rules 7 and 18), is named by an
    exposure (rule 9), or takes the time of the purchase that it names (refunds, rule 28).

    Args:
        con: with the derived rows.
        touched: what `find_touched` found.
        campaigns: the number in the rows and the definition, by id.

    """
    if touched.everything:
        return set(campaigns)
    if touched.earliest is None:
        return set()
    latest = dict(con.execute("SELECT campaign, max(exposed_at) FROM derived.exposures GROUP BY campaign").fetchall())
    found = set()
    for name, (number, campaign) in campaigns.items():
        windows = [event.deadline_seconds for event in campaign.conversion_events]
        end = latest.get(number, -1) + max([campaign.revenue_window_seconds, *windows]) * 1_000_000
        if name in touched.campaigns or (number in latest and touched.earliest <= end):
            found.add(name)
    return found


def gather_users(
    con: duckdb.DuckDBPyConnection, facts: FactTables, definitions: Definitions, meanwhile: Callable[[], None]
) -> Scans:
    """Copy the facts of the swept users: exposures, and of those who have any the rest.

    A refund counts whoever sent it and whenever, so those of the users' purchases come along (rule 28).
    """
    _gather_exposures(con, facts, f"{OF_CAMPAIGNS} {of_users(con, facts, 'exposures', 'swept_ids')}")
    meanwhile()
    unread = unread_columns(definitions)
    counting = counting_events(definitions)
    if "from_version" in unread:
        # Without upgrades nothing counts that came more than two weeks before the first exposure, but opens and clicks
        # that name theirs.
        first = con.execute("SELECT min(exposed_at) FROM gathered_exposures WHERE reason = 0").fetchall()[0][0] or 0
        first -= LOOKED_BACK
        named = "exposure_id IS NOT NULL AND kind IN ('message_open', 'message_click')"
        counting = f"(occurred_at >= {first} AND {counting} OR occurred_at < {first} AND {named})"
    exposed = of_users(con, facts, "events", "exposed_ids", counting)
    meanwhile()
    events = facts.relation("events", exposed, without=unread)
    others = facts.relation(
        "events",
        f"SEMI JOIN (SELECT event_id AS refund_of FROM gathered_events WHERE kind = {int(EventKind.PURCHASE)}) "
        "USING (refund_of) WHERE kind = 'refund' AND rowid + 1 NOT IN (SELECT record FROM gathered_events)",
        without=unread,
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE gathered_events AS {events}")
    con.execute(f"INSERT INTO gathered_events {others}")
    exposed = of_users(con, facts, "step_messages", "exposed_ids")
    con.execute(f"CREATE OR REPLACE TEMP TABLE gathered_step_messages AS {facts.relation('step_messages', exposed)}")
    return _scans(facts, "FROM gathered_events", unread)


def gather_campaigns(
    con: duckdb.DuckDBPyConnection,
    facts: FactTables,
    definitions: Definitions,
    *,
    known: str = "TRUE",
    exposed: str = "TRUE",
    every_event: bool = False,
) -> Scans:
    """Copy the exposures and step messages of the definitions' campaigns; events are read where they are.

    Args:
        con: a cursor; temporary tables are left in it.
        facts: under the definitions.
        definitions: whose facts are read.
        known: SQL that says which facts are looked at, all by default.
        exposed: SQL that says which of the exposures.
        every_event: also read the events that count for nothing, so that a comparison does not rely on their choice.

    """
    _gather_exposures(con, facts, f"{OF_CAMPAIGNS} WHERE {known} AND {exposed}")
    steps = facts.relation("step_messages", f"{OF_CAMPAIGNS} WHERE {known}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE gathered_step_messages AS {steps}")
    unread = unread_columns(definitions)
    counting = "TRUE" if every_event else counting_events(definitions)
    only = f"WHERE (user_id IN (SELECT user_id FROM exposed_ids) OR kind = 'refund') AND {known} AND {counting}"
    return _scans(facts, facts.relation("events", only, without=unread), unread)


def _gather_exposures(con: duckdb.DuckDBPyConnection, facts: FactTables, only: str) -> None:
    """Copy exposures, find all ids of the persons who have a usable one, and tell the engine who they are."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE gathered_exposures AS {facts.relation('exposures', only)}")
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE exposed_persons AS SELECT DISTINCT coalesce(person, user_id) AS person
        FROM gathered_exposures LEFT JOIN derived.aliases USING (user_id) WHERE reason = 0;
        CREATE OR REPLACE TEMP TABLE merges AS
        SELECT user_id AS from_user_id, person AS to_user_id
        FROM derived.aliases SEMI JOIN exposed_persons USING (person);
        CREATE OR REPLACE TEMP TABLE exposed_ids AS SELECT person AS user_id FROM exposed_persons
        UNION SELECT from_user_id FROM merges"""
    )


def of_users(con: duckdb.DuckDBPyConnection, facts: FactTables, kind: Kind, ids: str, only: str = "TRUE") -> str:
    """Return SQL after FROM that restricts facts to those of some users, found by hash: others' ids are not read.

    It is to be used before this is called again with the same connection.

    Args:
        con: where a temporary table `sought` is made of the users' hashes, and where they are few, one `near_` and the
            kind of the rows that have them; the SQL reads them.
        facts: the tables of facts.
        kind: of fact.
        ids: a table of the users' ids, `user_id`.
        only: what else the facts must meet.

    """
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE sought AS SELECT DISTINCT {user_hash_sql('user_id')} AS user_hash FROM {ids}"
    )
    near = f"user_hash IN (SELECT user_hash FROM sought) AND {only}"
    if con.execute("SELECT count(*) FROM sought").fetchall()[0][0] < MANY:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE near_{kind} AS SELECT rowid AS row FROM {facts.table(kind)} WHERE {near}"
        )
        near = f"rowid IN (SELECT row FROM near_{kind})"
    # Of the column itself the database would make a filter of the scan, and read everybody's ids for it.
    return f"WHERE {near} AND concat(user_id, '') IN (SELECT user_id FROM {ids})"


def _scans(facts: FactTables, events: str, unread: frozenset[str]) -> Scans:
    columns = {kind: facts.columns(kind) - CONTENT - unread for kind in KINDS}
    return Scans(
        Source(events, 1, columns["events"], True),
        # Others' exposures make nobody a person.
        Source("FROM gathered_exposures WHERE reason = 0", 1, columns["exposures"], True),
        Source("FROM gathered_step_messages", 1, columns["step_messages"], True),
    )


def unread_columns(definitions: Definitions) -> frozenset[str]:
    """Return the columns of events that no conversion event asks for."""
    events = [event for campaign in definitions.campaigns for event in campaign.conversion_events]
    asked = {where.property for event in events for where in event.where}
    unread = set(NEVER_READ)
    if all(name.startswith("$") for name in asked):
        unread.add("properties")
    if all(event.kind is not ConversionKind.UPGRADE for event in events):
        unread |= {"from_version", "device_id"} | ({"app_version"} - {name[1:] for name in asked})
    return frozenset(unread)


def counting_events(definitions: Definitions) -> str:
    """Return the SQL condition on the table of events that everything meets which may count for a campaign.

    Most events of most people are none that a conversion event asks for, such as pages that were opened.
    """
    tokens = Matching(definitions).tokens
    kinds = {token.kind.label for token in tokens if token.key is None} | {EventKind.REFUND.label}
    names = {token.key for token in tokens if token.kind is EventKind.CUSTOM and token.key is not None}
    condition = f"kind IN ({_listed(kinds)})"
    return f"({condition} OR (kind = 'custom' AND name IN ({_listed(names)})))" if names else condition


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(literal(text) for text in sorted(texts))
