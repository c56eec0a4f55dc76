"""What came in last, and what could not be used: a look at the tables of facts as they are loaded (rule 35)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from afterword.reports.report import iso_time

WIDER: Final = 16
"""By how much the look at the log's end is widened while it shows too few facts."""
_LATEST: Final = """
SELECT * FROM (
    SELECT position, item, arrived_at, kind, user_id, occurred_at, campaign_id, NULL AS variant_id,
        CASE kind WHEN 'custom' THEN name WHEN 'purchase' THEN product_id ELSE app_id END AS name
    FROM main.events WHERE position >= $first
    UNION ALL
    SELECT position, item, arrived_at, 'exposure', user_id, exposed_at, campaign_id, variant_id, NULL
    FROM main.exposures WHERE position >= $first
    UNION ALL
    SELECT position, item, arrived_at, 'step_message', user_id, received_at, campaign_id, NULL, step_id
    FROM main.step_messages WHERE position >= $first
)
ORDER BY position DESC, item DESC, kind LIMIT $limit"""
_REJECTED: Final = """
SELECT reason, timezone($timezone, make_timestamptz(arrived_at))::DATE AS day, count(*) AS n
FROM main.rejected WHERE arrived_at >= $since GROUP BY ALL ORDER BY reason, day"""
_EXAMPLES: Final = """
SELECT reason, kind, message, item, arrived_at FROM main.rejected WHERE arrived_at >= $since
QUALIFY row_number() OVER (PARTITION BY reason ORDER BY position DESC, item DESC) <= $examples
ORDER BY reason, position DESC, item DESC"""


def latest(con: duckdb.DuckDBPyConnection, loaded: int, limit: int, senders: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the facts that were loaded last, the last first; who sent each is for the caller to name.

    Args:
        con: with the tables of facts.
        loaded: the position up to which the log is loaded.
        limit: how many facts at most.
        senders: ids of keys by position of the log, as far as they are remembered.

    """
    width = max(1, limit)
    while True:
        # Only the end of the tables is read, however long they are.
        first = max(0, loaded - width)
        rows = con.execute(_LATEST, {"first": first, "limit": limit})
        names = [column[0] for column in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        if len(found) == limit or first == 0:
            return [_told(row, senders) for row in found]
        width *= WIDER


def _told(row: Mapping[str, Any], senders: Mapping[int, str]) -> dict[str, Any]:
    return {
        "kind": row["kind"],
        "user_id": row["user_id"],
        "name": row["name"],
        "campaign": row["campaign_id"],
        "variant": row["variant_id"],
        "occurred_at": iso_time(row["occurred_at"]),
        "received_at": iso_time(row["arrived_at"]),
        "key": senders.get(row["position"]),
        "position": row["position"],
        "item": row["item"],
    }


@dataclass(frozen=True, slots=True)
class Refusals:
    """Items of one reason that could not be used."""

    reason: str
    days: dict[str, int]
    """How many, by day of receipt in the workspace's time zone; days without any are left out."""
    examples: list[dict[str, Any]]
    """The last of them, the last first."""

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.days.values())


def refusals(con: duckdb.DuckDBPyConnection, since: int, timezone: str, examples: int) -> list[Refusals]:
    """Return what was rejected since a time of receipt, the commonest reason first.

    Args:
        con: with the tables of facts.
        since: epoch microseconds.
        timezone: whose days are counted.
        examples: how many of each reason at most.

    """
    days: dict[str, dict[str, int]] = {}
    for reason, day, n in con.execute(_REJECTED, {"since": since, "timezone": timezone}).fetchall():
        days.setdefault(reason, {})[day.isoformat()] = n
    shown: dict[str, list[dict[str, Any]]] = {reason: [] for reason in days}
    for reason, kind, message, item, at in con.execute(_EXAMPLES, {"since": since, "examples": examples}).fetchall():
        shown[reason].append({"kind": kind, "message": message, "item": item, "received_at": iso_time(at)})
    found = [Refusals(reason, by_day, shown[reason]) for reason, by_day in days.items()]
    return sorted(found, key=lambda one: (-one.count, one.reason))
