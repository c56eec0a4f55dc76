"""The feed of changes as a receiver sees it, held against the conversions that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from afterword.model import LETTERS, Channel, Definitions
from afterword.reports.report import iso_time
from afterword.workspace.live import Live
from afterword.workspace.live.feed import Position, Wanted
from afterword.workspace.live.state import by_number

SHOWN = (
    *("conversion_id", "campaign_id", "conversion_event", "user_id", "exposure_id", "variant_id", "channel", "step_id"),
    *("exposed_at", "converted_at", "event_id", "after_open", "after_click"),
)
"""What makes a conversion; the version of the definition is not among it."""
CHANNELS = [channel.value for channel in Channel]

Conversion = tuple[Any, ...]


def read_all(live: Live, after: Position | None = None, limit: int = 7) -> list[dict[str, Any]]:
    """Read the feed page by page."""
    position, found = after or live.feed.state.beginning, list[dict[str, Any]]()
    while True:
        page = live.feed.read(position, limit, Wanted())
        found += page.changes
        position = page.reached
        if not page.more:
            return found


def apply(changes: list[dict[str, Any]], there: dict[str, Conversion]) -> None:
    """Do what a strict receiver does: only what is there is taken back, and only what is not comes."""
    for change in changes:
        content = tuple(change[name] for name in SHOWN)
        if change["kind"] == "retraction":
            assert there.pop(change["conversion_id"]) == content, change
        else:
            assert change["kind"] == "conversion"
            assert change["conversion_id"] not in there, change
            there[change["conversion_id"]] = content


def replayed(live: Live) -> set[Conversion]:
    """Return the conversions that the feed gives from its beginning."""
    changes = read_all(live)
    assert [change["sequence"] for change in changes] == sorted({change["sequence"] for change in changes})
    there: dict[str, Conversion] = {}
    apply(changes, there)
    return set(there.values())


def derived(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> set[Conversion]:
    """Return the conversions of the derived rows, named by hand."""
    campaigns = by_number(con, definitions).campaigns
    users = dict(con.execute('SELECT "user", user_id FROM derived.users').fetchall())
    rows = con.execute("SELECT campaign, exposure, exposure_id FROM derived.exposures").fetchall()
    exposures = {(campaign, exposure): name for campaign, exposure, name in rows}
    found = con.execute(
        """SELECT campaign, letter, "user", exposure, variant, channel, step, exposed_at, converted_at, event_id,
        after_open, after_click FROM derived.conversions"""
    ).fetchall()
    result = set()
    for number, letter, user, exposure, variant, channel, step, exposed, converted, event, opened, clicked in found:
        campaign, name = campaigns[number], exposures[number, exposure]
        result.add(
            (
                f"{campaign.id}/{LETTERS[letter]}/{name}/{event}",
                campaign.id,
                LETTERS[letter],
                users[user],
                name,
                campaign.variants[variant].id,
                CHANNELS[channel] if channel >= 0 else None,
                campaign.steps[step].id if step >= 0 else None,
                iso_time(exposed),
                iso_time(converted),
                event,
                opened,
                clicked,
            )
        )
    assert len(result) == len(found)
    return result


def of_results(directory: Path) -> set[Conversion]:
    """Return the conversions of a results directory."""
    rows = pq.read_table(directory / "conversions.parquet", columns=list(SHOWN)).to_pylist()
    for row in rows:
        for name in ("exposed_at", "converted_at"):
            row[name] = row[name].isoformat().replace("+00:00", "Z")
    return {tuple(row[name] for name in SHOWN) for row in rows}
