"""One conversion event of a campaign by channel, or by an attribute of its users; from the derived rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb

from afterword.errors import UserError
from afterword.intake.fact_tables import FactTables
from afterword.model import LETTERS, Channel, Counting, Definitions
from afterword.stats import rates
from afterword.stats.rates import Counts
from afterword.workspace.live.state import State, by_number, read_known

CHANNELS = [channel.value for channel in Channel]
BY_CHANNEL, BY_ATTRIBUTE = "channel", "attribute:"
MOST_VALUES = 200
"""An attribute such as an address has a value for each person; the largest groups are told."""


def break_down(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    facts: FactTables,
    state: State,
    campaign_id: str,
    letter: str,
    by: str,
) -> dict[str, Any]:
    """Return who was exposed and who converted, by value and variant.

    A unit of the counting is in each channel that it was exposed through, and converted in that of the exposure that
    the conversion is credited to. The attribute is the latest that is known of any id of the person.

    Raises:
        NotDerived: the definitions are not those of the last refresh.
        UserError: there is no such conversion event, or `by` is neither `channel` nor `attribute:NAME`.

    """
    campaign = definitions.campaigns[definitions.index_of(campaign_id)]
    letters = LETTERS[: len(campaign.conversion_events)]
    if len(letter) != 1 or letter not in letters:
        raise UserError(f'campaign "{campaign_id}" has the conversion events {", ".join(letters) or "(none)"}')
    attribute = by.removeprefix(BY_ATTRIBUTE) if by.startswith(BY_ATTRIBUTE) else ""
    if by != BY_CHANNEL and not attribute:
        raise UserError(f'by is "{by[:60]}", must be channel, or attribute: and its name, such as attribute:country')
    by_number(con, definitions)
    number = next(one.number for one in read_known(con) if one.id == campaign_id)
    unit = {
        Counting.ONCE_PER_USER: 'x."user"::BIGINT',
        Counting.ONCE_PER_EXPOSURE: "x.exposure",
        Counting.ONCE_PER_CHANNEL: 'x."user"::BIGINT * 16 + x.channel',
    }[campaign.counting]
    value = "v.value" if attribute else "CASE WHEN x.channel >= 0 THEN $channels[x.channel + 1] END"
    said = {"campaign": number, "channels": CHANNELS}
    if attribute:
        find_values(con, facts, state, attribute)
        del said["channels"]
    joined = 'LEFT JOIN attribute_values v ON v."user" = x."user"' if attribute else ""
    found: dict[str | None, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for place, rows in enumerate(("derived.exposures x", "derived.conversions x")):
        only = "x.campaign = $campaign" + (f" AND x.letter = {letters.index(letter)}" if place else "")
        counted = con.execute(
            f"SELECT {value}, x.variant, count(DISTINCT {unit}) FROM {rows} {joined} WHERE {only} GROUP BY ALL", said
        ).fetchall()
        for of, variant, n in counted:
            found[of][variant][place] = n
    ranked = sorted(found, key=lambda of: (-sum(n for n, _ in found[of].values()), of is None, of or ""))
    return {
        "campaign": campaign_id,
        "by": by,
        "conversion_event": letter,
        "denominator": campaign.counting.denominator,
        "groups": [
            {
                "value": of,
                "variants": {
                    variant.id: _cell(*found[of].get(position, [0, 0]))
                    for position, variant in enumerate(campaign.variants)
                },
            }
            for of in ranked[:MOST_VALUES]
        ],
        "left_off": max(0, len(ranked) - MOST_VALUES),
    }


def find_values(con: duckdb.DuckDBPyConnection, facts: FactTables, state: State, attribute: str) -> None:
    """Make the table `attribute_values` of persons of whom the attribute is known."""
    position = -1 if state.position is None else state.position
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE attribute_values AS
        SELECT u."user", arg_max(coalesce(t.value ->> '$', t.value), (t.position, t.item)) AS value
        FROM {facts.table("attributes")} t LEFT JOIN derived.aliases a ON a.user_id = t.user_id
        JOIN derived.users u ON u.user_id = coalesce(a.person, t.user_id)
        WHERE t.name = $name AND t.position <= {position} AND t.value <> 'null' GROUP BY u."user\"""",
        {"name": attribute},
    )


def _cell(exposed: int, converted: int) -> dict[str, Any]:
    counts = Counts(exposed, converted)
    interval = rates.wilson(counts)
    return {
        "exposed": exposed,
        "converted": converted,
        "rate": rates.rate(counts),
        "interval": None if interval is None else [interval.low, interval.high],
    }
