"""Who is behind a number (rule 38)."""

from __future__ import annotations

from typing import Any

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


def list_users(inputs: Inputs, campaign_id: str, variant: str | None, event: str, state: str) -> list[dict[str, Any]]:
    """List the units of the campaign's counting that are in a state; see `Results.users`."""
    only = inputs.only(campaign_id)
    index = only.definitions.index_of(campaign_id)
    campaign = only.definitions.campaigns[index]
    letter = _letter(campaign, event)
    if state not in STATES:
        raise UserError(f'state is "{state}", must be one of {", ".join(STATES)}{nearest(state, STATES)}')
    wanted = _variants(campaign, variant)
    window = campaign.conversion_events[letter].deadline_seconds * 1_000_000
    with Session(only) as session:
        session.stage()
        found = session.attribute()
        bit = 1 << letter
        ids = found.results.users
        session.con.register("users", pa.table({"user": np.arange(len(ids), dtype=np.int32), "user_id": ids}))
        # A unit with several of the wanted variants is one unit: it converted if any row did (rule 16).
        rows = session.con.execute(
            f"""
            WITH units AS (
                SELECT "user", channel, exposure,
                    bool_or(converted & {bit} <> 0) AS converted,
                    bool_or(latest AND unit_converted & {bit} = 0 AND last_exposed_at + {window} > ?) AS pending,
                    min(first_exposed_at) AS first_exposed_at
                FROM recipients WHERE campaign = {index} AND list_contains(?, variant) GROUP BY ALL
            )
            SELECT u.user_id, units.channel, units.exposure,
                CASE WHEN converted THEN 'converted' WHEN pending THEN 'pending' ELSE 'not_converted' END AS state
            FROM units JOIN users u ON u."user" = units."user"
            ORDER BY units."user", channel, first_exposed_at, exposure""",
            [found.as_of, wanted],
        ).fetchall()
        names = _exposure_names(session, index) if campaign.counting is Counting.ONCE_PER_EXPOSURE else {}
    listed = []
    for user_id, channel, exposure, found_state in rows:
        if state not in ("exposed", found_state):
            continue
        row: dict[str, Any] = {"user_id": user_id}
        if campaign.counting is Counting.ONCE_PER_CHANNEL:
            row["channel"] = list(Channel)[channel].value
        if campaign.counting is Counting.ONCE_PER_EXPOSURE:
            row["exposure_id"] = names[exposure]
        listed.append(row)
    return listed


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
