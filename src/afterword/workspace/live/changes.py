"""What a refresh changes about conversions, written to the feed in the refresh's own transaction.

Rows are collected in the words of the result files before and after they are replaced; what is only before is taken
back, what is only after is gained, and a conversion of which anything else is new is both. `definition_version` alone
is no change: a new definition tells only of the conversions that are others under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from afterword.model import LETTERS, Campaign, Channel
from afterword.store.erasing import Erasure

CONVERSION, RETRACTION = "conversion", "retraction"
COMPARED = (
    *("campaign_id", "conversion_event", "user_id", "exposure_id", "variant_id", "channel", "step_id"),
    *("exposed_at", "converted_at", "event_id", "after_open", "after_click"),
)
"""What makes two conversions the same."""
IDS = ("user_id", "exposure_id", "event_id")
"""What erasing a person replaces."""

_TABLE = """
CREATE OR REPLACE TEMP TABLE told_{side} (campaign_id VARCHAR, conversion_event VARCHAR, user_id VARCHAR,
    exposure_id VARCHAR, variant_id VARCHAR, channel VARCHAR, step_id VARCHAR, exposed_at BIGINT, converted_at BIGINT,
    event_id VARCHAR, after_open BOOLEAN, after_click BOOLEAN, definition_version VARCHAR)"""
_COLLECT = """
INSERT INTO told_{side}
SELECT m.campaign_id, $letters[c.letter + 1], u.user_id, x.exposure_id, n.variants[c.variant + 1],
    CASE WHEN c.channel >= 0 THEN $channels[c.channel + 1] END, CASE WHEN c.step >= 0 THEN n.steps[c.step + 1] END,
    c.exposed_at, c.converted_at, c.event_id, c.after_open, c.after_click, n.version
FROM derived.conversions c
JOIN derived.campaigns m USING (campaign)
JOIN derived.names n USING (campaign)
JOIN derived.users u USING ("user")
JOIN derived.exposures x ON x.campaign = c.campaign AND x.exposure = c.exposure
WHERE list_contains($campaigns, c.campaign) {only}"""


def begin(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables for what is collected."""
    for side in ("before", "after"):
        con.execute(_TABLE.format(side=side))


def collect(con: duckdb.DuckDBPyConnection, side: str, campaigns: list[int], users: str | None = None) -> None:
    """Take note of conversions as they are now.

    Args:
        con: in the transaction of the refresh.
        side: "before" or "after" rows are replaced.
        campaigns: numbers of campaigns.
        users: a table of the users' numbers, column `user`; None is everybody.

    """
    only = "" if users is None else f'AND c."user" IN (SELECT "user" FROM {users})'
    parameters = {"letters": list(LETTERS), "channels": [channel.value for channel in Channel], "campaigns": campaigns}
    con.execute(_COLLECT.format(side=side, only=only), parameters)


def forget_names(con: duckdb.DuckDBPyConnection, campaigns: list[int]) -> None:
    """Remove what the numbers of campaigns stood for."""
    con.execute("DELETE FROM derived.names WHERE list_contains(?, campaign)", [campaigns])


def remember_names(con: duckdb.DuckDBPyConnection, number: int, campaign: Campaign, version: str) -> None:
    """Take note of what the numbers of a campaign stand for."""
    variants, steps = [one.id for one in campaign.variants], [one.id for one in campaign.steps]
    con.execute("INSERT INTO derived.names VALUES (?, ?, ?, ?)", [number, version, variants, steps])


def record(con: duckdb.DuckDBPyConnection, at: int, erasures: Sequence[Erasure]) -> int:
    """Write the difference between before and after to the feed; return how many changes that is.

    All that is taken back comes before all that is gained, so a conversion that changed ends as what it is now.

    Args:
        con: in the transaction of the refresh, after all rows were replaced.
        at: the time of the refresh, in epoch microseconds.
        erasures: persons who were erased and leave the feed, or become strangers in it.

    """
    con.execute("INSERT INTO derived.feed SELECT ?, 0, 0 WHERE NOT EXISTS (FROM derived.feed)", [at])
    if erasures:
        _erase(con, erasures)
    columns = ", ".join(COMPARED)
    found: Any = con.execute(
        f"""
        INSERT INTO derived.changes BY NAME
        WITH changed AS (
            SELECT '{RETRACTION}' AS kind, b.* FROM told_before b ANTI JOIN told_after a ON {_same("b", "a")}
            UNION ALL
            SELECT '{CONVERSION}' AS kind, a.* FROM told_after a ANTI JOIN told_before b ON {_same("a", "b")}
        )
        SELECT (last + row_number() OVER (ORDER BY kind DESC, {columns}))::UBIGINT AS sequence,
            $at AS changed_at, kind, {_id()} AS conversion_id, {columns}, definition_version
        FROM changed, derived.feed ORDER BY sequence""",
        {"at": at},
    ).fetchall()
    count = int(found[0][0])
    if count:
        con.execute("UPDATE derived.feed SET last = last + ?", [count])
    return count


def _id(of: str = "") -> str:
    """Return what result files call a conversion (decision 0009)."""
    return f"concat_ws('/', {of}campaign_id, {of}conversion_event, {of}exposure_id, {of}event_id)"


def _same(left: str, right: str, columns: tuple[str, ...] = COMPARED) -> str:
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)


def _erase(con: duckdb.DuckDBPyConnection, erasures: Sequence[Erasure]) -> None:
    """Let persons leave the feed, which makes no change: a retraction would name whom nobody may name any more.

    Where the facts stay as a stranger's, the person's conversions become the stranger's where they stand, if they are
    still there. Everything else of the person goes, and what is left of both sides is told of as always.
    """
    pairs = [(name, erasure.replacement) for erasure in erasures for name in erasure.user_ids]
    names, strangers = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    con.register("erased_rows", pa.table({"id": names, "replacement": strangers}))
    con.execute("CREATE OR REPLACE TEMP TABLE erased_ids AS FROM erased_rows")
    con.unregister("erased_rows")
    theirs = "user_id IN (SELECT id FROM erased_ids)"
    shown = ("replacement", *(name for name in COMPARED if name not in IDS))
    place = f"row_number() OVER (PARTITION BY {', '.join(shown)} ORDER BY event_id, exposure_id) AS place"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE became AS
        WITH was AS (SELECT *, {place} FROM told_before JOIN erased_ids ON id = user_id),
        stranger AS (
            SELECT *, user_id AS replacement, {place} FROM told_after
            WHERE user_id IN (SELECT replacement FROM erased_ids)
        )
        SELECT {_id("was.")} AS old_id, stranger.*
        FROM was JOIN stranger ON {_same("was", "stranger", (*shown, "place"))}"""
    )
    sets = ", ".join(f"{name} = became.{name}" for name in IDS)
    con.execute(
        f"""
        UPDATE derived.changes SET conversion_id = {_id("became.")}, {sets}
        FROM became WHERE old_id = conversion_id AND kind = '{CONVERSION}' AND sequence IN (
            SELECT max(sequence) FROM derived.changes
            WHERE kind = '{CONVERSION}' AND conversion_id IN (SELECT old_id FROM became) GROUP BY conversion_id)"""
    )
    con.execute(f"DELETE FROM derived.changes WHERE {theirs}")
    con.execute(f"DELETE FROM told_before WHERE {theirs}")
    con.execute(f"DELETE FROM told_after a USING became WHERE {_same('a', 'became')}")
