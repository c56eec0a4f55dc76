"""The rows of the result files, written from the derived rows: all of them, or page by page in the files' order.

The database writes the file itself, and what it must sort may spill to the disk, so memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from afterword.errors import UserError, nearest
from afterword.intake.definitions import definition_version
from afterword.model import LETTERS, Campaign, Channel, Definitions
from afterword.store.sql import identifier, literal
from afterword.workspace.live.state import by_number
from afterword.workspace.result_files import CONVERSIONS, CREDITED

Key = tuple[str | int, ...]
"""What a row is ordered by; of each table in its own way."""


class Form(StrEnum):
    """How rows are written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Rows(StrEnum):
    """Whose rows are exported."""

    CONVERSIONS = "conversions"
    CREDITED = "credited_purchases"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the result file."""
        return tuple((CONVERSIONS if self is Rows.CONVERSIONS else CREDITED).names)

    @property
    def key_types(self) -> tuple[type[str] | type[int], ...]:
        """The types of what rows are ordered by: ids as text, times and places as numbers."""
        if self is Rows.CONVERSIONS:
            return (str, int, str, int, str)
        return (str, str, int, str, int, str)


TIMES = frozenset({"exposed_at", "converted_at", "occurred_at", "as_of"})
AMOUNTS = frozenset({"amount", "refunded"})
OPTIONS = {
    Form.NDJSON: "FORMAT json",
    Form.CSV: "FORMAT csv, HEADER true",
    Form.PARQUET: "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 262144",
}
CAMPAIGNS = """
CREATE OR REPLACE TEMP TABLE wanted_campaigns AS
SELECT unnest($campaign::INTEGER[]) AS campaign, unnest($campaign_id::VARCHAR[]) AS campaign_id,
    unnest($version::VARCHAR[]) AS version, unnest($variants::VARCHAR[][]) AS variants,
    unnest($steps::VARCHAR[][]) AS steps, unnest($variant::INTEGER[]) AS variant"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows, how they are written, and how many of them."""

    rows: Rows = Rows.CONVERSIONS
    form: Form = Form.NDJSON
    campaign: str | None = None
    """All campaigns if None."""
    event: str | None = None
    """A conversion event by its letter; only of conversions."""
    variant: str | None = None
    """Of the campaign, which must be named then."""
    after: Key | None = None
    """Only what comes after a row with this key, whether it is there or not."""
    limit: int | None = None
    """All rows if None."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file holds."""

    rows: int
    last: Key | None
    """The key of the last row where more rows follow it."""
    as_of: int
    """Epoch microseconds."""
    version: int
    """Of the results."""


def write_rows(
    con: duckdb.DuckDBPyConnection, definitions: Definitions, wanted: Wanted, as_of: int, path: Path
) -> tuple[int, Key | None]:
    """Write a file; return how many rows it has, and the key of the last one where more follow.

    Args:
        con: a cursor of a snapshot.
        definitions: all campaigns.
        wanted: which rows.
        as_of: the time of the results, in epoch microseconds.
        path: the file.

    Raises:
        NotDerived: the definitions are not those of the last refresh.
        UserError: there is no such campaign, variant or conversion event.

    """
    _name_campaigns(con, definitions, wanted)
    select, parameters = _select(wanted, as_of)
    order = ", ".join(f"place_{number}" for number in range(1, len(wanted.rows.key_types) + 1))
    if wanted.limit is None:
        copied = con.execute(copy_sql(wanted, f"({select}) ORDER BY {order}", path), parameters).fetchall()
        return int(copied[0][0]), None
    more = wanted.limit + 1
    con.execute(f"CREATE OR REPLACE TEMP TABLE page AS FROM ({select}) ORDER BY {order} LIMIT {more}", parameters)
    copied = con.execute(copy_sql(wanted, f"page ORDER BY {order} LIMIT {wanted.limit}", path)).fetchall()
    rest = f"SELECT {order} FROM page ORDER BY {order} OFFSET {wanted.limit - 1}"
    last = con.execute(rest).fetchall()
    return int(copied[0][0]), last[0] if len(last) > 1 else None


def _name_campaigns(con: duckdb.DuckDBPyConnection, definitions: Definitions, wanted: Wanted) -> None:
    """Tell the query the numbers and names of the campaigns that are wanted."""
    places = by_number(con, definitions)
    chosen = [_checked(definitions, wanted)] if wanted.campaign is not None else list(definitions.campaigns)
    if wanted.variant is not None and wanted.campaign is None:
        raise UserError("variant belongs to a campaign: name that too")
    if wanted.event is not None and (len(wanted.event) != 1 or wanted.event not in LETTERS):
        raise UserError(f'event is "{wanted.event[:60]}", must be one of {", ".join(LETTERS)}')
    if wanted.event is not None and wanted.rows is Rows.CREDITED:
        raise UserError("purchases are credited whatever the conversion events are: leave event away")
    variant = None
    if wanted.variant is not None:
        variant = [one.id for one in chosen[0].variants].index(wanted.variant)
    con.execute(
        CAMPAIGNS,
        {
            "campaign": [places.index_of(campaign.id) for campaign in chosen],
            "campaign_id": [campaign.id for campaign in chosen],
            "version": [definition_version(campaign) for campaign in chosen],
            "variants": [[one.id for one in campaign.variants] for campaign in chosen],
            "steps": [[one.id for one in campaign.steps] for campaign in chosen],
            "variant": [variant] * len(chosen),
        },
    )


def _checked(definitions: Definitions, wanted: Wanted) -> Campaign:
    """Return the campaign that is wanted, which has the variant that is."""
    found = {campaign.id: campaign for campaign in definitions.campaigns}.get(wanted.campaign or "")
    if found is None:
        known = [campaign.id for campaign in definitions.campaigns]
        raise UserError(f'unknown campaign "{wanted.campaign}"{nearest(wanted.campaign or "", known)}')
    variants = [variant.id for variant in found.variants]
    if wanted.variant is not None and wanted.variant not in variants:
        raise UserError(f'unknown variant "{wanted.variant}" of {found.id}{nearest(wanted.variant, variants)}')
    return found


def _select(wanted: Wanted, as_of: int) -> tuple[str, dict[str, Any]]:
    """Return the query of the rows, and its parameters."""
    channels = [channel.value for channel in Channel]
    parameters: dict[str, Any] = {
        "channels": channels,
        "channel_order": [sorted(channels).index(channel) for channel in channels],
    }
    if wanted.rows is Rows.CONVERSIONS:
        letter = None if wanted.event is None else LETTERS.index(wanted.event)
        parameters |= {"letters": list(LETTERS), "letter": letter, "as_of": as_of}
    select = _query(wanted.rows)
    if wanted.after is not None:
        names = [f"after_{number}" for number in range(1, len(wanted.after) + 1)]
        select = f"FROM ({select}) WHERE {_later(names)}"
        parameters |= dict(zip(names, wanted.after, strict=True))
    return select, parameters


def _later(names: Sequence[str]) -> str:
    """SQL: the row comes after the one whose key the parameters give."""
    condition = ""
    for number, name in reversed(list(enumerate(names, start=1))):
        equal = f" OR (place_{number} = ${name} AND ({condition}))" if condition else ""
        condition = f"place_{number} > ${name}{equal}"
    return condition


def copy_sql(wanted: Wanted, source: str, path: Path) -> str:
    """Return the statement that writes a file of what `source`, SQL after FROM, has; its times are microseconds."""
    columns = ", ".join(_written(name, wanted.form) for name in wanted.rows.columns)
    return f"COPY (SELECT {columns} FROM {source}) TO {literal(str(path))} ({OPTIONS[wanted.form]})"


def _written(name: str, form: Form) -> str:
    """SQL: a column as a form writes it."""
    column = identifier(name)
    if name in TIMES and form is Form.PARQUET:
        return f"make_timestamptz({column}) AS {column}"
    if name in TIMES:
        fraction = f"CASE WHEN {column} % 1000000 <> 0 THEN strftime(make_timestamp({column}), '.%f') ELSE '' END"
        return f"concat(strftime(make_timestamp({column}), '%Y-%m-%dT%H:%M:%S'), {fraction}, 'Z') AS {column}"
    if name in AMOUNTS and form is Form.NDJSON:
        return f"{column}::VARCHAR AS {column}"
    return column


@cache
def _query(rows: Rows) -> str:
    return (resources.files("afterword.workspace.live") / f"{rows.value}.sql").read_text(encoding="utf-8")
