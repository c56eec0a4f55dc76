"""Why one user did or did not convert (rule 39): the sweep itself, uncompiled, with a trace.

The trace and the order of the user's facts give, per conversion event and exposure, every verdict
that is true of it; the first in the rule's order is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import duckdb
import numpy as np

from afterword.attribution.facts import DERIVED_BIT
from afterword.attribution.gather import Limits
from afterword.attribution.histories import History, load_history
from afterword.attribution.matching import EVENT_KINDS, Matching, Token
from afterword.attribution.ordering import CHANGE, FIRST_VERSION, SAME_VERSION
from afterword.attribution.people import make_people
from afterword.attribution.reading import Reader, Scans
from afterword.attribution.streams import (
    CONVERTED,
    PER_CHANNEL,
    PER_EXPOSURE,
    SLOTS,
    Found,
    Rules,
    Walk,
    new_found,
    new_state,
)
from afterword.attribution.sweep import Trace, sweep
from afterword.model import LETTERS, Campaign, ConversionEvent, ConversionKind, Definitions


class Verdict(StrEnum):
    """The closed list of rule 39, in its order: of several the first is given."""

    CONVERTED = "converted"
    ALREADY_CONVERTED = "already_converted"
    PENDING = "pending"
    TRIGGER_EXCLUDED = "trigger_excluded"
    CREDITED_TO_LATER_EXPOSURE = "credited_to_later_exposure"
    NOT_AN_UPGRADE = "not_an_upgrade"
    NO_EARLIER_VERSION = "no_earlier_version"
    FILTER_NOT_MET = "filter_not_met"
    TOO_LATE = "too_late"
    BEFORE_EXPOSURE = "before_exposure"
    NO_EVENT = "no_event"
    NOT_EXPOSED = "not_exposed"


ORDER = list(Verdict)
BEFORE_ALL, AN_EXPOSURE, AN_EVENT = 0, 1, 3
"""Ranks at equal times: a shifted event, an exposure, an event (rules 8 and 9)."""


@dataclass(frozen=True)
class Judged:
    """The verdict on one exposure under one conversion event."""

    letter: str
    exposure: int
    """Place in the history's exposures, -1 where the user has none."""
    verdict: Verdict
    event: int | None = None
    """Place in the history's events: the event that decided, or the nearest miss."""
    time: int | None = None
    """When the event counts (it is shifted if it triggered an exposure)."""
    unmet: tuple[int, ...] = ()
    """Which of the conversion event's filters are not met (places in `where`)."""


@dataclass(frozen=True)
class Traced:
    """One person's facts in order, and what the sweep said of them."""

    history: History
    rules: Rules
    matching: Matching
    classes: list[tuple[int, ...]]
    found: Found
    trace: Trace
    user: int
    campaign: int

    @property
    def events(self) -> range:
        """The person's events: places in `history.events`."""
        offsets = self.history.events.offsets
        return range(int(offsets[self.user]), int(offsets[self.user + 1]))

    @property
    def exposures(self) -> list[int]:
        """The person's exposures to the campaign: places in `history.exposures`."""
        exposures = self.history.exposures
        own = range(int(exposures.offsets[self.user]), int(exposures.offsets[self.user + 1]))
        return [x for x in own if exposures.campaign[x] == self.campaign]

    def token(self, event: int) -> Token:
        """Return what kind of event it is."""
        return self.matching.tokens[self.classes[int(self.history.events.kind[event])][0] - 1]

    def row(self, event: int) -> int:
        """Return the event's row in the files."""
        return self.history.event_facts.value("row", event) & ~(1 << DERIVED_BIT)


def trace_person(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    campaign: int,
    person: str,
    scans: Scans,
    limits: Limits,
    as_of: int,
) -> Traced | None:
    """Sweep the facts of one person with a trace; None where the person was never exposed to the campaign.

    Args:
        con: the connection with the facts staged and a table `merges`.
        definitions: the campaigns.
        campaign: the campaign's number.
        person: the person's id.
        scans: the facts of this person, and whatever disputes their ids.
        limits: memory and batch size.
        as_of: epoch microseconds.

    """
    matching = Matching(definitions, machine_messages=True)
    people = make_people(con, scans.exposures.sql)
    users, user = len(people), people.find(person)
    if user < 0:
        return None
    read = Reader(con, scans, matching, limits, lambda _stage, _done: None).read(people, 1, as_of)
    rules = matching.rules(read.classes.rows)
    history = load_history(read.stores(), 0, 0, users, rules, read.vocabulary())
    exposures, events = len(history.exposures.time), len(history.events.time)
    found = new_found(4 * exposures + 4, events * max(1, exposures) + 4, exposures, len(history.steps.time))
    trace: Trace = []
    state = new_state(rules)
    walk = Walk(rules, history.events, history.exposures, history.steps, history.shifts, state, found)
    sweep(user, user + 1, walk, trace)
    traced = Traced(history, rules, matching, read.classes.rows, found, trace, user, campaign)
    return traced if traced.exposures else None


def judge(traced: Traced, campaign: Campaign, as_of: int) -> list[Judged]:
    """Return the verdict on every exposure, conversion event by conversion event."""
    judged = []
    for letter, event in enumerate(campaign.conversion_events):
        scope = _Scope(traced, campaign, letter, event, as_of)
        for exposure in traced.exposures:
            judged.append(scope.judge(exposure))
    return judged


class _Scope:
    """One conversion event, looked at from each exposure's scope of credit."""

    def __init__(self, traced: Traced, campaign: Campaign, letter: int, event: ConversionEvent, as_of: int) -> None:
        self.traced = traced
        self.letter = letter
        self.event = event
        self.as_of = as_of
        self.deadline = event.deadline_seconds * 1_000_000
        self.counting = int(traced.rules.counting[traced.campaign])
        self.converted = {
            int(exposure): (int(moved), int(time))
            for moved, time, slot, own, exposure, verdict in traced.trace
            if verdict == CONVERTED and own == letter and slot // SLOTS == traced.campaign
        }

    def judge(self, x: int) -> Judged:
        exposures = self.traced.history.exposures
        letter = LETTERS[self.letter]
        if x in self.converted:
            event, time = self.converted[x]
            return Judged(letter, x, Verdict.CONVERTED, event, time)
        scope = self._scope(x)
        candidates: list[Judged] = [Judged(letter, x, Verdict.NO_EVENT)]
        done = [y for y in scope if y in self.converted]
        if self.counting != PER_EXPOSURE and any(y < x for y in done):
            event, time = self.converted[min(done)]
            candidates.append(Judged(letter, x, Verdict.ALREADY_CONVERTED, event, time))
        end = int(exposures.time[x]) + self.deadline
        if x == scope[-1] and self.as_of < end and (self.counting == PER_EXPOSURE or not done):
            candidates.append(Judged(letter, x, Verdict.PENDING))
        for event in self.traced.events:
            found = self._look(event, x, scope, end)
            if found is not None:
                candidates.append(found)
        return min(candidates, key=lambda c: (ORDER.index(c.verdict), self._distance(c, x, end)))

    def _scope(self, x: int) -> list[int]:
        """The exposures among which the latest is looked for."""
        channel = self.traced.history.exposures.channel
        return [y for y in self.traced.exposures if self.counting != PER_CHANNEL or channel[y] == channel[x]]

    def _slot(self, x: int) -> int:
        channel = int(self.traced.history.exposures.channel[x]) + 1 if self.counting == PER_CHANNEL else 0
        return self.traced.campaign * SLOTS + channel

    def _place(self, event: int, slot: int) -> tuple[int, int]:
        """When the event counts in a slot: its own time, or just before the exposure it triggered (rule 9)."""
        shifts = self.traced.history.shifts
        for row in np.flatnonzero((shifts.event == event) & (shifts.slot == slot)):
            return int(shifts.time[row]), BEFORE_ALL
        return int(self.traced.history.events.time[event]), AN_EVENT

    def _look(self, event: int, x: int, scope: list[int], end: int) -> Judged | None:
        """What one event says of the exposure, if anything."""
        near, unmet = self._match(event, x)
        if near is None:
            return None
        time = self.traced.history.exposures.time
        place = self._place(event, self._slot(x))
        after = place > (int(time[x]), AN_EXPOSURE)
        inside = after and place[0] <= end
        verdict = near
        if near is not Verdict.CONVERTED:
            if not inside:
                return None
        elif not after:
            triggered = place[1] == BEFORE_ALL and self._triggered(event, x)
            verdict = Verdict.TRIGGER_EXCLUDED if triggered else Verdict.BEFORE_EXPOSURE
        elif not inside:
            verdict = Verdict.TOO_LATE
        else:
            latest = max(y for y in scope if (int(time[y]), AN_EXPOSURE) < place)
            verdict = Verdict.CREDITED_TO_LATER_EXPOSURE if latest != x else Verdict.ALREADY_CONVERTED
        return Judged(LETTERS[self.letter], x, verdict, event, place[0], unmet)

    def _triggered(self, event: int, x: int) -> bool:
        facts = self.traced.history
        own = int(facts.events.time[event]) >= int(facts.exposures.time[x])
        return own and facts.exposure_facts.value("trigger", x) == facts.event_facts.value("named", event)

    def _match(self, event: int, x: int) -> tuple[Verdict | None, tuple[int, ...]]:
        """How near the event comes, times apart: CONVERTED stands for meeting the definition."""
        history, token = self.traced.history, self.traced.token(event)
        asked = self.event
        if token.kind not in EVENT_KINDS[asked.kind]:
            return None, ()
        if asked.kind is ConversionKind.CUSTOM and token.key != asked.name:
            return None, ()
        if token.campaign >= 0:
            if token.campaign != self.traced.campaign:
                return None, ()
            if self.counting == PER_CHANNEL and history.events.channel[event] + 1 != self._slot(x) % SLOTS:
                return None, ()
            if token.machine:
                return Verdict.FILTER_NOT_MET, ()
        listed = not asked.apps or token.key in asked.apps
        if asked.kind is ConversionKind.UPGRADE:
            if history.event_facts.value("label", event) < 0:
                return None, ()
            change = int(history.events.upgrade[event])
            if change in (SAME_VERSION, CHANGE, FIRST_VERSION):
                near = Verdict.NO_EARLIER_VERSION if change == FIRST_VERSION else Verdict.NOT_AN_UPGRADE
                return (near, ()) if listed else (None, ())
        if not listed or (asked.products and token.key not in asked.products):
            return Verdict.FILTER_NOT_MET, ()
        bits = self.traced.classes[int(history.events.kind[event])][1:]
        unmet = tuple(
            place for place, where in enumerate(asked.where) if not self.traced.matching.is_met(asked, where, bits)
        )
        return (Verdict.FILTER_NOT_MET if unmet else Verdict.CONVERTED), unmet

    def _distance(self, candidate: Judged, x: int, end: int) -> int:
        """How far from counting: of several misses of one kind the nearest is told."""
        if candidate.time is None:
            return 0
        exposed = int(self.traced.history.exposures.time[x])
        if candidate.verdict is Verdict.TOO_LATE:
            return candidate.time - end
        return abs(candidate.time - exposed)
