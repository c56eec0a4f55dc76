"""One part's histories: the facts of a range of users, in the order in which the sweep walks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterword.attribution.compiled import I8, I32, I64, U8
from afterword.attribution.facts import DERIVED_BIT
from afterword.attribution.ordering import (
    append_numbers,
    find_shifts,
    link_named,
    number_equals,
    order_rows,
    version_changes,
)
from afterword.attribution.repetitions import RowSet
from afterword.attribution.runs import Runs, Text, take_text
from afterword.attribution.streams import (
    NOT_NAMED,
    OPEN,
    PER_CHANNEL,
    Events,
    Exposures,
    Rules,
    Shifts,
    Steps,
)


@dataclass(frozen=True)
class Vocabulary:
    """What the integers of the event stream stand for."""

    kind: U8
    """By class: the event kind's code."""
    session: U8
    """By class: 1 session, 2 stated upgrade, else 0."""
    version_from: I32
    """By label: the code of a stated upgrade's version before."""
    version: I32
    """By label: the code of the version shown."""
    channel: I8
    """By label: the channel of an open or click."""


@dataclass(frozen=True)
class Facts:
    """A kind of fact of one part: columns in stored order, and the order of the rulebook."""

    order: I32
    columns: dict[str, NDArray[Any]]
    ids: Text
    numbers: I32
    """For facts without an id: their number among equals, which ends the derived id (rule 33)."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def id_text(self, rows: I32) -> Text:
        """Return the ids of facts given by their place in the rulebook's order."""
        ids = Text(*take_text(self.ids.offsets, self.ids.data, self.order[rows]))
        if not len(self.numbers):
            return ids
        return Text(*append_numbers(ids.offsets, ids.data, self.numbers[rows]))


def _facts(order: I32, columns: dict[str, NDArray[Any]], ids: Text) -> Facts:
    """Return facts in order; number the equal ones among those without an id."""
    derived = (columns["row"] >> DERIVED_BIT) & 1 == 1
    numbers: I32 = np.empty(0, np.int32)
    if derived.any():
        numbers = number_equals(order, columns["user"], columns["time"], derived, ids.offsets, ids.data)
    return Facts(order, columns, ids, numbers)


@dataclass(frozen=True)
class History:
    """Everything that the sweep needs of one part, and what names its facts."""

    first_user: int
    users: int
    events: Events
    exposures: Exposures
    steps: Steps
    shifts: Shifts
    event_facts: Facts
    exposure_facts: Facts
    step_facts: Facts
    channel_unclear: I32
    """Opens and clicks under once per channel whose channel nobody says: rejected."""


@dataclass(frozen=True)
class Stores:
    """The gathered facts and the rows that do not count."""

    events: Runs
    exposures: Runs
    steps: Runs
    dropped_events: RowSet
    dropped_exposures: RowSet
    dropped_steps: RowSet
    triggers: bool
    """Whether any exposure names the event that triggered it."""


def _kept(runs: Runs, part: int, names: tuple[str, ...], dropped: RowSet) -> tuple[dict[str, NDArray[Any]], Text]:
    """Load a part's columns and ids without the rows that were dropped."""
    columns = {name: runs.column(part, name) for name in names}
    ids = runs.text(part, "id")
    keep = dropped.without(columns["row"])
    if keep is None:
        return columns, ids
    return {name: column[keep] for name, column in columns.items()}, Text(*take_text(ids.offsets, ids.data, keep))


def _sorted(columns: dict[str, NDArray[Any]], order: I32) -> dict[str, NDArray[Any]]:
    return {name: column[order] for name, column in columns.items()}


def load_history(stores: Stores, part: int, first_user: int, users: int, rules: Rules, words: Vocabulary) -> History:
    """Load one part and bring it into order.

    Args:
        stores: the gathered facts.
        part: which part.
        first_user: the first user of the part; users are counted from it.
        users: how many users the part has.
        rules: the sweep's tables.
        words: what the integers stand for.

    """
    x_columns, x_ids = _kept(stores.exposures, part, EXPOSURE_COLUMNS, stores.dropped_exposures)
    x_user = x_columns["user"] - np.int32(first_user)
    none = np.zeros(len(x_user), np.int32)
    x_order, x_offsets = order_rows(x_user, x_columns["time"], none, none, x_ids.offsets, x_ids.data, users)
    x = _sorted(x_columns, x_order)
    exposures = Exposures(x_offsets, x["time"], x["campaign"], x["variant"], x["channel"])

    names = (*EVENT_COLUMNS, *(("named",) if stores.triggers else ()))
    e_columns, e_ids = _kept(stores.events, part, names, stores.dropped_events)
    e_user = e_columns["user"] - np.int32(first_user)
    kinds = words.kind[e_columns["class"]].astype(np.int32)
    e_order, e_offsets = order_rows(
        e_user, e_columns["time"], np.zeros(len(e_user), np.int32), kinds, e_ids.offsets, e_ids.data, users
    )
    e = _sorted(e_columns, e_order)
    link, channel, unclear = _message_links(e, e_user[e_order], x, x_offsets, rules, words)
    changes = version_changes(
        e_offsets, words.session[e["class"]], e["value"], e["label"], words.version_from, words.version
    )
    shifts, shifted = _shifts(e, e_offsets, e_ids, e_order, x, x_offsets, rules, words, users)
    events = Events(e_offsets, e["time"], e["class"], changes, link, channel, shifted)

    steps, step_facts = _steps(stores, part, first_user, users, x, x_offsets)
    return History(
        first_user, users, events, exposures, steps, shifts,
        _facts(e_order, e, e_ids), _facts(x_order, x, x_ids), step_facts, unclear,
    )  # fmt: skip


EVENT_COLUMNS = ("row", "user", "time", "class", "value", "label")
EXPOSURE_COLUMNS = ("row", "user", "time", "campaign", "variant", "channel", "outcome", "named", "trigger")
STEP_COLUMNS = ("row", "user", "time", "campaign", "step", "named")


def _message_links(
    e: dict[str, NDArray[Any]], user: I32, x: dict[str, NDArray[Any]], x_offsets: I64, rules: Rules, words: Vocabulary
) -> tuple[I32, I8, I32]:
    """Return for each event the exposure it names, its channel, and the rows whose channel is unclear."""
    count = len(user)
    link: I32 = np.full(count, NOT_NAMED, np.int32)
    channel: I8 = np.full(count, -1, np.int8)
    rows = np.flatnonzero(rules.campaign[e["class"]] >= 0).astype(np.int32)
    if not len(rows):
        return link, channel, rows
    campaign = rules.campaign[e["class"][rows]]
    link[rows] = link_named(user[rows], e["value"][rows], campaign, x_offsets, x["named"], x["campaign"])
    label = e["label"][rows]
    own = np.where(label >= 0, words.channel[label], -1).astype(np.int8)
    per_channel = rules.counting[campaign] == PER_CHANNEL
    from_exposure = (own < 0) & per_channel & (link[rows] >= 0)
    own[from_exposure] = x["channel"][link[rows][from_exposure]]
    channel[rows] = own
    # A machine's open counts nowhere; explanations only want to know its channel.
    human = rules.role[e["class"][rows]] >= OPEN
    link[rows[~human]] = NOT_NAMED
    return link, channel, rows[human & per_channel & (own < 0)]


def _shifts(
    e: dict[str, NDArray[Any]], e_offsets: I64, e_ids: Text, e_order: I32,
    x: dict[str, NDArray[Any]], x_offsets: I64, rules: Rules, words: Vocabulary, users: int,
) -> tuple[Shifts, U8]:  # fmt: skip
    """Return the triggering events at their exposures (rule 9), and a mark on each such event."""
    shifted: U8 = np.zeros(len(e["time"]), np.uint8)
    if "named" not in e:
        none: I32 = np.empty(0, np.int32)
        nobody: I64 = np.zeros(users + 1, np.int64)
        return Shifts(nobody, np.empty(0, np.int64), none, none, np.empty(0, np.uint8)), shifted
    user, time, event, slot, roles = find_shifts(
        x_offsets, x["time"], x["campaign"], x["channel"], x["trigger"],
        e_offsets, e["time"], e["named"], rules.counting,
    )  # fmt: skip
    shifted[event] = 1
    kind = words.kind[e["class"][event]].astype(np.int32)
    ids = Text(*take_text(e_ids.offsets, e_ids.data, e_order[event]))
    order, offsets = order_rows(user, time, kind, np.zeros(len(kind), np.int32), ids.offsets, ids.data, users)
    return Shifts(offsets, time[order], event[order], slot[order], roles[order]), shifted


def _steps(
    stores: Stores, part: int, first_user: int, users: int, x: dict[str, NDArray[Any]], x_offsets: I64
) -> tuple[Steps, Facts]:
    """Return the step messages at their effective times (rule 18)."""
    columns, ids = _kept(stores.steps, part, STEP_COLUMNS, stores.dropped_steps)
    if not len(columns["time"]):
        empty: I32 = np.empty(0, np.int32)
        steps = Steps(np.zeros(users + 1, np.int64), np.empty(0, np.int64), empty, empty, empty)
        return steps, _facts(empty, columns, ids)
    user = columns["user"] - np.int32(first_user)
    link = link_named(user, columns["named"], columns["campaign"], x_offsets, x["named"], x["campaign"])
    time = columns["time"].copy()
    named = link >= 0
    time[named] = np.maximum(time[named], x["time"][link[named]])
    after = np.zeros(len(user), np.int32)
    order, offsets = order_rows(user, time, columns["step"], after, ids.offsets, ids.data, users)
    steps = Steps(offsets, time[order], columns["campaign"][order], columns["step"][order], link[order])
    return steps, _facts(order, _sorted(columns, order), ids)
