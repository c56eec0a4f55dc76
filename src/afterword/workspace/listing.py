"""Who is behind a number (rule 38)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.facts import DERIVED_BIT, EXPOSURES
from afterword.errors import UserError, nearest
from afterword.model import LETTERS, Campaign, Channel, Counting
from afterword.workspace.inputs import Inputs
from afterword.workspace.session import Session

TOTAL, TOTAL_WITH_CONTROL = "total", "total_with_control"
"""Names of the report's total rows: the messaged variants, and all of them."""
STATES = ("converted", "pending", "not_converted", "exposed")
MARKS = {
    "after_open": "c.after_open",
    "after_click": "c.after_click",
    "no_step": "c.step < 0",
}
"""Parts of those who converted: after an open, after a click, and before any message of a Canvas."""
STEP, ALSO = "step:", "also_"
"""Beginnings of states: who converted by a Canvas step, whose id follows, and who also converted on another conversion
event, whose letter follows."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose units are asked for."""

    campaign: Campaign
    variants: tuple[int, ...]
    letter: int
    state: str
    part: str = "TRUE"
    """SQL: a unit that converted is of the part asked for."""
    mark: str = ""
    """SQL: a conversion `c` is of the part asked for; empty where that does not depend on the conversion."""


def asked(campaign: Campaign, variant: str | None, event: str, state: str) -> Asked:
    """Check what is asked for; see `Results.users`."""
    variants = tuple(_variants(campaign, variant))
    if state == "exposed" and not campaign.conversion_events:
        return Asked(campaign, variants, 0, state)
    letter = _letter(campaign, event)
    if state in STATES:
        return Asked(campaign, variants, letter, state)
    if state in MARKS:
        return Asked(campaign, variants, letter, "converted", mark=MARKS[state])
    if state.startswith(STEP):
        step = _step(campaign, state.removeprefix(STEP))
        return Asked(campaign, variants, letter, "converted", mark=f"c.step = {step}")
    if state.startswith(ALSO):
        other = 1 << _letter(campaign, state.removeprefix(ALSO))
        return Asked(campaign, variants, letter, "converted", part=f"bits & {other} <> 0")
    known = [*STATES, *MARKS, f"{STEP}ID", f"{ALSO}b"]
    raise UserError(f'state is "{state[:60]}", must be one of {", ".join(known)}{nearest(state, known)}')


def list_users(inputs: Inputs, campaign_id: str, variant: str | None, event: str, state: str) -> list[dict[str, Any]]:
    """List the units of the campaign's counting that are in a state; see `Results.users`."""
    only = inputs.only(campaign_id)
    index = only.definitions.index_of(campaign_id)
    wanted = asked(only.definitions.campaigns[index], variant, event, state)
    with Session(only) as session:
        session.stage()
        found = session.attribute()
        ids = found.results.users
        session.con.register("users", pa.table({"user": np.arange(len(ids), dtype=np.int32), "user_id": ids}))
        return list_units(session.con, index, wanted, found.as_of, lambda: _exposure_names(session, index))


def list_units(
    con: duckdb.DuckDBPyConnection, index: int, wanted: Asked, as_of: int, names: Callable[[], dict[int, str]]
) -> list[dict[str, Any]]:
    """List units in order of user, channel and time.

    Args:
        con: with derived rows in `recipients`, and a table `users` (user, user_id).
        index: the campaign's number in the rows.
        wanted: which units.
        as_of: epoch microseconds.
        names: gives the ids of the campaign's exposures by their numbers in the rows.

    """
    campaign = wanted.campaign
    bit = 1 << wanted.letter
    window = campaign.conversion_events[wanted.letter].deadline_seconds * 1_000_000 if campaign.conversion_events else 0
    # A unit with several of the wanted variants is one unit: it converted if any row did (rule 16).
    rows = con.execute(
        f"""
        WITH units AS (
            SELECT "user", channel, exposure, bit_or(converted) AS bits,
                bool_or(converted & {bit} <> 0) AS converted,
                bool_or(latest AND unit_converted & {bit} = 0 AND last_exposed_at + {window} > ?) AS pending,
                min(first_exposed_at) AS first_exposed_at
            FROM recipients WHERE campaign = {index} AND list_contains(?, variant) GROUP BY ALL
        )
        SELECT u.user_id, units.channel, first_exposed_at, units.exposure,
            CASE WHEN converted THEN 'converted' WHEN pending THEN 'pending' ELSE 'not_converted' END AS state
        FROM units JOIN users u ON u."user" = units."user"
        WHERE {wanted.part}{_marked(wanted, index)}
        ORDER BY u.user_id, channel, first_exposed_at""",
        [as_of, list(wanted.variants), *([list(wanted.variants)] if wanted.mark else [])],
    ).fetchall()
    exposures: dict[int, str] = {}
    if campaign.counting is Counting.ONCE_PER_EXPOSURE:
        exposures = names()
        # Of equal times in order of the id: numbers tell only in which order facts came.
        rows.sort(key=lambda row: (row[0].encode(), row[2], exposures[row[3]].encode()))
    listed = []
    for user_id, channel, _, exposure, found_state in rows:
        if wanted.state not in ("exposed", found_state):
            continue
        row: dict[str, Any] = {"user_id": user_id}
        if campaign.counting is Counting.ONCE_PER_CHANNEL:
            row["channel"] = list(Channel)[channel].value
        if campaign.counting is Counting.ONCE_PER_EXPOSURE:
            row["exposure_id"] = exposures[exposure]
        listed.append(row)
    return listed


def _marked(wanted: Asked, index: int) -> str:
    """SQL: a unit has a conversion of the part asked for."""
    if not wanted.mark:
        return ""
    unit = {
        Counting.ONCE_PER_CHANNEL: " AND c.channel = units.channel",
        Counting.ONCE_PER_EXPOSURE: " AND c.exposure = units.exposure",
    }
    return f"""
            AND EXISTS (FROM conversions c WHERE c.campaign = {index} AND c.letter = {wanted.letter}
                AND list_contains(?, c.variant) AND c."user" = units."user" AND {wanted.mark}
                {unit.get(wanted.campaign.counting, "")})"""


def _exposure_names(session: Session, campaign: int) -> dict[int, str]:
    """Return the ids of the campaign's exposures by row; derived ones are numbered as everywhere (rule 33)."""
    named = f"SELECT {EXPOSURES.row_sql()} AS row, {EXPOSURES.id_sql()} AS id FROM ({session.relation('exposures')}) s"
    rows = session.con.execute(
        f"""
        SELECT row, CASE WHEN row >> {DERIVED_BIT} & 1 = 0 THEN id
            ELSE id || '-' || row_number() OVER (PARTITION BY id ORDER BY row) END
        FROM ({named} WHERE reason = 0) JOIN exposures ON exposure = row WHERE campaign = ?""",
        [campaign],
    ).fetchall()
    return dict(rows)


def _letter(campaign: Campaign, event: str) -> int:
    letters = LETTERS[: len(campaign.conversion_events)]
    if len(event) != 1 or event.upper() not in letters:
        having = f"has {', '.join(letters)}" if letters else "has no conversion event"
        raise UserError(f'unknown conversion event "{event}": {campaign.id} {having}')
    return letters.index(event.upper())


def _step(campaign: Campaign, step: str) -> int:
    known = [one.id for one in campaign.steps]
    if step not in known:
        raise UserError(f'unknown step "{step[:60]}" of {campaign.id}{nearest(step, known)}')
    return known.index(step)


def _variants(campaign: Campaign, variant: str | None) -> list[int]:
    """Return the variants of a row of the report; the totals have names too."""
    names = [one.id for one in campaign.variants]
    if variant in names:
        return [names.index(variant)]
    if variant in (None, TOTAL_WITH_CONTROL):
        return list(range(len(names)))
    if variant == TOTAL:
        return [index for index, one in enumerate(campaign.variants) if not one.control]
    known = [*names, TOTAL, TOTAL_WITH_CONTROL]
    raise UserError(f'unknown variant "{variant}" of {campaign.id}{nearest(variant, known)}')
