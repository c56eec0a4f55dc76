"""Who is behind a number (rule 38)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from afterword.attribution.facts import DERIVED_BIT, EXPOSURES
from afterword.errors import UserError, nearest
from afterword.model import LETTERS, Campaign, Channel, Counting, EventKind, Outcome
from afterword.workspace.inputs import Inputs
from afterword.workspace.session import Session

TOTAL, TOTAL_WITH_CONTROL = "total", "total_with_control"
"""Names of the report's total rows: the messaged variants, and all of them."""
IN_STATE = {
    "converted": "converted",
    "pending": "NOT converted AND pending",
    "not_converted": "NOT converted AND NOT pending",
    "exposed": "TRUE",
}
STATES = tuple(IN_STATE)
"""States of units; `IN_STATE` has the SQL for each."""
MARKS = {
    "after_open": "c.after_open",
    "after_click": "c.after_click",
    "no_step": "c.step < 0",
}
"""Parts of those who converted: after an open, after a click, and before any message of a Canvas."""
STEP, ALSO = "step:", "also_"
"""Beginnings of states: who converted by a Canvas step, whose id follows, and who also converted on another conversion
event, whose letter follows."""
EXPOSURES_OF_ALL, OUTCOME, REPORTED, RECEIVED = "exposures", "outcome:", "reported:", "received:"
"""States that list what was counted there: all exposures; beginnings of those with an outcome, and of those of whose
message an event was reported, whose kind follows; and who received a message of a Canvas step, whose id follows."""
NEWS = tuple(kind.label for kind in EventKind if kind.label.startswith("message_"))
NO_CHANNEL = "none"
OF_REPORTED = "x.exposure IN (SELECT exposure FROM reported_exposures)"


@dataclass(frozen=True, slots=True)
class Narrow:
    """A group of a breakdown; as it is here, everybody."""

    channel: str = ""
    """One, or `none`: nobody says which."""
    attribute: str = ""
    """The name of one of the users' attributes."""
    value: str | None = None
    """Of the attribute; None: it is not known."""


EVERYBODY = Narrow()


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: pages count from 1."""

    number: int
    rows: int

    def start(self, total: int) -> int:
        """Return the place of its first row, of the last page where there is no such page."""
        pages = max(1, -(-total // self.rows))
        return (min(self.number, pages) - 1) * self.rows


WHOLE = Page(1, 1 << 62)


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
    channel: int | None = None
    """A unit converted, or was exposed if it did not, on this channel; -1 is none."""
    attribute: str = ""
    value: str | None = None
    reported: str = ""
    """The kind of event that was reported of an exposure's message."""


def asked(campaign: Campaign, variant: str | None, event: str, state: str, narrow: Narrow = EVERYBODY) -> Asked:
    """Check what is asked for; see `Results.users`."""
    variants = tuple(_variants(campaign, variant))
    if (found := _counted_apart(campaign, variants, state)) is not None:
        if narrow != EVERYBODY:
            raise UserError(f'state is "{state[:60]}", which cannot be narrowed by channel or attribute')
        return found
    if narrow.value is not None and not narrow.attribute:
        raise UserError(f'value is "{narrow.value[:60]}", but no attribute is named')
    found = _of_units(campaign, variants, event, state)
    return replace(found, channel=_channel(narrow.channel), attribute=narrow.attribute, value=narrow.value)


def _counted_apart(campaign: Campaign, variants: tuple[int, ...], state: str) -> Asked | None:
    """Return what is asked for where that is not units in a state of conversion."""
    if state == EXPOSURES_OF_ALL:
        return Asked(campaign, variants, 0, EXPOSURES_OF_ALL)
    if state.startswith(OUTCOME):
        code = _place("outcome", state.removeprefix(OUTCOME), [one.value for one in Outcome])
        return Asked(campaign, variants, 0, EXPOSURES_OF_ALL, part=f"x.outcome = {code}")
    if state.startswith(REPORTED):
        kind = NEWS[_place("event of a message", state.removeprefix(REPORTED), NEWS)]
        return Asked(campaign, variants, 0, EXPOSURES_OF_ALL, part=OF_REPORTED, reported=kind)
    if state.startswith(RECEIVED):
        step = _step(campaign, state.removeprefix(RECEIVED))
        return Asked(campaign, variants, 0, RECEIVED, part=f"x.step = {step}")
    return None


def _of_units(campaign: Campaign, variants: tuple[int, ...], event: str, state: str) -> Asked:
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
    apart = (EXPOSURES_OF_ALL, f"{OUTCOME}sent", f"{REPORTED}{NEWS[0]}", f"{RECEIVED}ID")
    known = [*STATES, *MARKS, f"{STEP}ID", f"{ALSO}b", *apart]
    raise UserError(f'state is "{state[:60]}", must be one of {", ".join(known)}{nearest(state, known)}')


def list_users(
    inputs: Inputs, campaign_id: str, variant: str | None, event: str, state: str, channel: str
) -> list[dict[str, Any]]:
    """List the units of the campaign's counting that are in a state; see `Results.users`."""
    only = inputs.only(campaign_id)
    index = only.definitions.index_of(campaign_id)
    wanted = asked(only.definitions.campaigns[index], variant, event, state, Narrow(channel))
    if wanted.reported:
        raise UserError(f'state is "{state[:60]}", which only a server lists: a run does not count these events')
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
        con: with derived rows in `recipients` and the other tables, and a table `users` (user, user_id); with
            `attribute_values` (user, value) and `reported_exposures` (exposure) where they are asked for.
        index: the campaign's number in the rows.
        wanted: which units.
        as_of: epoch microseconds.
        names: gives the ids of the campaign's exposures by their numbers in the rows.

    """
    if wanted.state in (EXPOSURES_OF_ALL, RECEIVED):
        return _list_apart(con, index, wanted, names)
    rows = _units(con, index, wanted, as_of)
    if wanted.campaign.counting is not Counting.ONCE_PER_EXPOSURE:
        return [_row(wanted.campaign, row) for row in rows]
    exposures = names()
    # Of equal times in order of the id: numbers tell only in which order facts came.
    rows.sort(key=lambda row: (row[0].encode(), row[2], exposures[row[3]].encode()))
    return [{"user_id": row[0], "exposure_id": exposures[row[3]]} for row in rows]


def list_page(
    con: duckdb.DuckDBPyConnection,
    index: int,
    wanted: Asked,
    as_of: int,
    names: Callable[[], dict[int, str]],
    page: Page,
) -> tuple[list[dict[str, Any]], int]:
    """Return a page of what `list_units` lists, the last one where there is no such page, and how many there are."""
    if wanted.state in (EXPOSURES_OF_ALL, RECEIVED) or wanted.campaign.counting is Counting.ONCE_PER_EXPOSURE:
        listed = list_units(con, index, wanted, as_of, names)
        start = page.start(len(listed))
        return listed[start : start + page.rows], len(listed)
    rows = _units(con, index, wanted, as_of, f"LIMIT {page.rows} OFFSET {(page.number - 1) * page.rows}")
    if rows or page.number == 1:
        return [_row(wanted.campaign, row) for row in rows], rows[0][4] if rows else 0
    (first,) = _units(con, index, wanted, as_of, "LIMIT 1") or [(None,) * 4 + (0,)]
    last = Page(page.start(first[4]) // page.rows + 1, page.rows)
    return list_page(con, index, wanted, as_of, names, last)


def _units(
    con: duckdb.DuckDBPyConnection, index: int, wanted: Asked, as_of: int, limit: str = ""
) -> list[tuple[Any, ...]]:
    """Return user id, channel, time, exposure and how many there are in all, of each unit."""
    campaign, bit = wanted.campaign, 1 << wanted.letter
    window = campaign.conversion_events[wanted.letter].deadline_seconds * 1_000_000 if campaign.conversion_events else 0
    # A unit with several of the wanted variants is one unit: it converted if any row did (rule 16).
    return con.execute(
        f"""
        WITH units AS (
            SELECT "user", channel, exposure, bit_or(converted) AS bits,
                bool_or(converted & {bit} <> 0) AS converted,
                bool_or(latest AND unit_converted & {bit} = 0 AND last_exposed_at + {window} > $as_of) AS pending,
                min(first_exposed_at) AS first_exposed_at
            FROM recipients WHERE campaign = {index} AND list_contains($variants, variant) GROUP BY ALL
        )
        SELECT u.user_id, units.channel, first_exposed_at, units.exposure, count(*) OVER () AS units
        FROM units JOIN users u ON u."user" = units."user"
        WHERE {IN_STATE[wanted.state]} AND {wanted.part}{_marked(wanted, index)}{_of_attribute(wanted)}
        ORDER BY u.user_id, channel, first_exposed_at {limit}""",
        {
            "as_of": as_of,
            "variants": list(wanted.variants),
            **({} if wanted.value is None else {"value": wanted.value}),
        },
    ).fetchall()


def _row(campaign: Campaign, unit: tuple[Any, ...]) -> dict[str, Any]:
    if campaign.counting is Counting.ONCE_PER_CHANNEL:
        return {"user_id": unit[0], "channel": list(Channel)[unit[1]].value}
    return {"user_id": unit[0]}


def _marked(wanted: Asked, index: int) -> str:
    """SQL: a unit has a conversion, or an exposure, of the part asked for."""
    channel = "" if wanted.channel is None else f"c.channel = {wanted.channel}"
    table, first = "exposures", ""
    if wanted.state == "converted":
        table, first = "conversions", f"c.letter = {wanted.letter}"
    if not (marks := [mark for mark in (wanted.mark, channel) if mark]):
        return ""
    unit = {
        Counting.ONCE_PER_CHANNEL: "c.channel = units.channel",
        Counting.ONCE_PER_EXPOSURE: "c.exposure = units.exposure",
    }
    all_of = " AND ".join(one for one in (first, *marks, unit.get(wanted.campaign.counting, "")) if one)
    return f"""
            AND EXISTS (FROM {table} c WHERE c.campaign = {index} AND list_contains($variants, c.variant)
                AND c."user" = units."user" AND {all_of})"""


def _of_attribute(wanted: Asked) -> str:
    """SQL: the attribute of a unit's user is the one asked for."""
    if not wanted.attribute:
        return ""
    known, such = ("NOT EXISTS", "") if wanted.value is None else ("EXISTS", " AND v.value = $value")
    return f"""
            AND {known} (FROM attribute_values v WHERE v."user" = units."user"{such})"""


def _list_apart(
    con: duckdb.DuckDBPyConnection, index: int, wanted: Asked, names: Callable[[], dict[int, str]]
) -> list[dict[str, Any]]:
    """List exposures, or who received a message: exposures of a campaign that counts those, else persons."""
    table, at = ("exposures", "exposed_at") if wanted.state == EXPOSURES_OF_ALL else ("received", "received_at")
    by_exposure = table == "exposures" or wanted.campaign.counting is Counting.ONCE_PER_EXPOSURE
    rows = con.execute(
        f"""
        SELECT u.user_id, min(x.{at}), {"x.exposure" if by_exposure else "NULL"} AS exposure
        FROM {table} x JOIN users u ON u."user" = x."user"
        WHERE x.campaign = {index} AND list_contains($variants, x.variant) AND {wanted.part}
        GROUP BY ALL""",
        {"variants": list(wanted.variants)},
    ).fetchall()
    if not by_exposure:
        return [{"user_id": user} for user, _, _ in sorted(rows, key=lambda row: row[0].encode())]
    exposures = names()
    rows.sort(key=lambda row: (row[0].encode(), row[1], exposures[row[2]].encode()))
    return [{"user_id": user, "exposure_id": exposures[exposure]} for user, _, exposure in rows]


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


def _channel(channel: str) -> int | None:
    """Return the code of a channel, -1 of none; None where none is asked for."""
    return _place("channel", channel, [NO_CHANNEL, *(one.value for one in Channel)]) - 1 if channel else None


def _place(what: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise UserError(f'unknown {what} "{name[:60]}", must be one of {", ".join(known)}{nearest(name, known)}')
    return known.index(name)


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
