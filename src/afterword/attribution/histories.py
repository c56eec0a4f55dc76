"""One part's histories: the facts of a range of users, in the order in which the sweep walks them."""

from __future__ import annotations

from collections.abc import Iterable
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
    version_changes,
)
from afterword.attribution.repetitions import RowSet
from afterword.attribution.runs import Runs, Text, take_text
from afterword.attribution.sorting import Ordered, Ties, id_ties, order_rows, taken
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
    """A kind of fact of one part: columns and ids in stored order, and the order of the rulebook.

    Of most columns few values are ever asked for, so they stay where they are.
    """

    order: I32
    columns: dict[str, NDArray[Any]]
    ids: Text
    numbers: I32
    """For facts without an id: their number among equals, which ends the derived id (rule 33)."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a whole column in the rulebook's order."""
        return taken(self.columns[name], self.order)

    def at(self, name: str, places: I32) -> NDArray[Any]:
        """Return a column's values at some places of the rulebook's order."""
        return taken(self.columns[name], taken(self.order, places))

    def value(self, name: str, place: int) -> int:
        """Return a column's value at one place of the rulebook's order."""
        return int(self.columns[name][self.order[place]])

    def id_text(self, places: I32) -> Text:
        """Return the ids of facts given by their place in the rulebook's order."""
        ids = Text(*take_text(self.ids.offsets, self.ids.data, taken(self.order, places)))
        if not len(self.numbers):
            return ids
        return Text(*append_numbers(ids.offsets, ids.data, self.numbers[places]))

    def ties(self, places: I32, before: I32, after: I32) -> Ties:
        """Return the order of rows that speak of the facts at `places`: `before`, the fact's id, `after`."""
        if len(self.numbers):
            return id_ties(self.id_text(places))._replace(before=before, after=after)
        names = taken(self.order, places)
        return Ties(before, self.ids.offsets, self.ids.data, names, after, np.empty(0, np.int32))


def _facts(ordered: Ordered, columns: dict[str, NDArray[Any]], ids: Text) -> Facts:
    """Return facts in order; number the equal ones among those without an id."""
    numbers: I32 = np.empty(0, np.int32)
    if np.bitwise_or.reduce(columns["row"], initial=0) >> DERIVED_BIT & 1:
        derived = (columns["row"] >> DERIVED_BIT) & 1 == 1
        numbers = number_equals(ordered, derived, ids.offsets, ids.data)
    return Facts(ordered.rows, columns, ids, numbers)


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


def _loaded(runs: Runs, part: int, names: Iterable[str], dropped: RowSet) -> tuple[I32, dict[str, NDArray[Any]], Text]:
    """Load a part's columns and ids, and say which of its rows count: the others are left out in ordering."""
    columns = {name: runs.column(part, name) for name in names}
    keep = dropped.without(columns["row"])
    if keep is None:
        keep = np.arange(len(columns["row"]), dtype=np.int32)
    return keep, columns, runs.text(part, "id")


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
    keep, columns, ids = _loaded(stores.exposures, part, EXPOSURE_COLUMNS, stores.dropped_exposures)
    ordered = order_rows(keep, columns["user"], columns["time"], id_ties(ids), first_user, users)
    x = _facts(ordered, columns, ids)
    exposures = Exposures(ordered.offsets, ordered.time, x["campaign"], x["variant"], x["channel"])
    events, shifts, e, unclear = _events(stores, part, first_user, exposures, x, rules, words)
    steps, s = _steps(stores, part, first_user, exposures, x)
    return History(first_user, users, events, exposures, steps, shifts, e, x, s, unclear)


EVENT_COLUMNS = ("row", "user", "time", "class", "value", "label")
EXPOSURE_COLUMNS = ("row", "user", "time", "campaign", "variant", "channel", "outcome", "named", "trigger")
STEP_COLUMNS = ("row", "user", "time", "campaign", "step", "named")


def _events(
    stores: Stores, part: int, first_user: int, exposures: Exposures, x: Facts, rules: Rules, words: Vocabulary
) -> tuple[Events, Shifts, Facts, I32]:
    """Return the events, those moved to the exposures that they triggered, their facts, and the unclear ones."""
    names = (*EVENT_COLUMNS, *(("named",) if stores.triggers else ()))
    keep, columns, ids = _loaded(stores.events, part, names, stores.dropped_events)
    ties = id_ties(ids)._replace(after=columns["class"], rank=words.kind.astype(np.int32))
    users = len(exposures.offsets) - 1
    ordered = order_rows(keep, columns["user"], columns["time"], ties, first_user, users)
    facts = _facts(ordered, columns, ids)
    kind = facts["class"]
    link, channel, unclear = _message_links(facts, kind, first_user, exposures, x, rules, words)
    changes = version_changes(
        ordered.offsets, kind, facts["value"], facts["label"], words.session, words.version_from, words.version
    )
    shifts, shifted = _shifts(facts, ordered, kind, exposures, x, rules, words)
    return Events(ordered.offsets, ordered.time, kind, changes, link, channel, shifted), shifts, facts, unclear


def _message_links(
    facts: Facts, kind: I32, first_user: int, exposures: Exposures, x: Facts, rules: Rules, words: Vocabulary
) -> tuple[I32, I8, I32]:
    """Return for each event the exposure it names, its channel, and the rows whose channel is unclear."""
    link: I32 = np.full(len(kind), NOT_NAMED, np.int32)
    channel: I8 = np.full(len(kind), -1, np.int8)
    if not (rules.campaign >= 0).any():
        return link, channel, np.empty(0, np.int32)
    rows = np.flatnonzero(rules.campaign[kind] >= 0).astype(np.int32)
    if not len(rows):
        return link, channel, rows
    campaign = rules.campaign[kind[rows]]
    user = facts.at("user", rows) - np.int32(first_user)
    link[rows] = link_named(user, facts.at("value", rows), campaign, exposures.offsets, x["named"], exposures.campaign)
    label = facts.at("label", rows)
    own = np.where(label >= 0, words.channel[label], -1).astype(np.int8)
    per_channel = rules.counting[campaign] == PER_CHANNEL
    from_exposure = (own < 0) & per_channel & (link[rows] >= 0)
    own[from_exposure] = exposures.channel[link[rows][from_exposure]]
    channel[rows] = own
    # A machine's open counts nowhere; explanations only want to know its channel.
    human = rules.role[kind[rows]] >= OPEN
    link[rows[~human]] = NOT_NAMED
    return link, channel, rows[human & per_channel & (own < 0)]


def _shifts(
    facts: Facts, ordered: Ordered, kind: I32, exposures: Exposures, x: Facts, rules: Rules, words: Vocabulary
) -> tuple[Shifts, U8]:
    """Return the triggering events at their exposures (rule 9), and a mark on each such event."""
    shifted: U8 = np.zeros(len(kind), np.uint8)
    users = len(exposures.offsets) - 1
    if "named" not in facts.columns:
        none: I32 = np.empty(0, np.int32)
        nobody: I64 = np.zeros(users + 1, np.int64)
        return Shifts(nobody, np.empty(0, np.int64), none, none, np.empty(0, np.uint8)), shifted
    user, time, event, slot, roles = find_shifts(
        exposures.offsets, exposures.time, exposures.campaign, exposures.channel, x["trigger"],
        ordered.offsets, ordered.time, facts["named"], rules.counting,
    )  # fmt: skip
    shifted[event] = 1
    ids = Text(*take_text(facts.ids.offsets, facts.ids.data, facts.order[event]))
    ties = id_ties(ids)._replace(before=words.kind[kind[event]].astype(np.int32))
    order, offsets, time = order_rows(_all(event), user, time, ties, 0, users)
    return Shifts(offsets, time, event[order], slot[order], roles[order]), shifted


def _all(rows: NDArray[Any]) -> I32:
    return np.arange(len(rows), dtype=np.int32)


def _steps(stores: Stores, part: int, first_user: int, exposures: Exposures, x: Facts) -> tuple[Steps, Facts]:
    """Return the step messages at their effective times (rule 18)."""
    keep, columns, ids = _loaded(stores.steps, part, STEP_COLUMNS, stores.dropped_steps)
    users = len(exposures.offsets) - 1
    if not len(keep):
        empty: I32 = np.empty(0, np.int32)
        steps = Steps(np.zeros(users + 1, np.int64), np.empty(0, np.int64), empty, empty, empty)
        return steps, Facts(empty, columns, ids, empty)
    campaign = columns["campaign"]
    user = columns["user"] - np.int32(first_user)
    link = link_named(user, columns["named"], campaign, exposures.offsets, x["named"], exposures.campaign)
    named = link >= 0
    time = columns["time"].copy()
    time[named] = np.maximum(time[named], exposures.time[link[named]])
    ties = id_ties(ids)._replace(before=columns["step"])
    ordered = order_rows(keep, columns["user"], time, ties, first_user, users)
    order = ordered.rows
    steps = Steps(ordered.offsets, ordered.time, campaign[order], columns["step"][order], link[order])
    return steps, _facts(ordered, columns, ids)
