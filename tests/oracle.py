"""A second, naive answer to the question that the engine answers: what did whom convert, and what is it worth?

Written from the rulebook alone: for every person, exposure and event all pairs are looked at, nothing is sorted,
swept or remembered. It shares the types of definitions with the engine and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from afterword.model import LETTERS, Campaign, Counting, Definitions, EventKind
from tests.oracle_facts import EventFact, ExposureFact, Facts, Keep, Log, StepFact, message_channel, read_log
from tests.oracle_matching import Match, match

SECOND = 1_000_000
TRIGGERED, EXPOSED, RECEIVED, HAPPENED = range(4)
"""The order at equal times: what triggered an exposure, exposures, step messages, events (rules 8 and 9)."""

Place: TypeAlias = "tuple[int, int, bytes, bytes]"
"""Where something stands in a person's history: time, order at equal times, ids."""


@dataclass(frozen=True, slots=True)
class Conversion:
    campaign_id: str
    letter: str
    user_id: str
    exposure_id: str
    variant_id: str
    channel: str | None
    step_id: str | None
    converted_at: int
    event_id: str
    after_open: bool
    after_click: bool


@dataclass(frozen=True, slots=True)
class Credited:
    campaign_id: str
    variant_id: str
    channel: str | None
    exposure_id: str
    user_id: str
    event_id: str
    occurred_at: int
    amount: Decimal
    currency: str
    refunded: Decimal
    step_id: str | None = None


@dataclass(slots=True)
class Scope:
    """What decides together: one person's facts for one campaign, under once per channel for one channel."""

    campaign: Campaign
    person: str
    channel: str | None
    exposures: list[ExposureFact]
    events: list[EventFact]
    steps: list[StepFact]
    all_events: list[EventFact]
    conversions: list[Conversion] = field(default_factory=list)

    def place(self, event: EventFact) -> Place:
        """Rules 8, 9 and 14: events in order of time and id, but what triggered an exposure before that exposure."""
        opened = [x.at for x in self.exposures if x.trigger_event_id == event.id and event.at >= x.at]
        if opened:
            return (min(opened), TRIGGERED, bytes([event.kind]), event.id.encode())
        return (event.at, HAPPENED, event.id.encode(), bytes([event.kind]))

    def latest(self, place: Place) -> ExposureFact | None:
        """Rule 13: the latest exposure before a place in the history."""
        found = None
        for x in self.exposures:
            if exposed(x) < place and (found is None or exposed(x) > exposed(found)):
                found = x
        return found

    def is_last(self, exposure: ExposureFact) -> bool:
        return all(exposed(x) <= exposed(exposure) for x in self.exposures)

    def step_before(self, exposure: ExposureFact, place: Place) -> str | None:
        """Rule 18: the step whose message was received last within the exposure before a place in the history."""
        best: Place | None = None
        name = None
        for step in self.steps:
            owner = self.owner(step)
            received = self.received(step, owner)
            if owner == exposure and received < place and (best is None or received > best):
                best, name = received, step.step_id
        return name

    def owner(self, step: StepFact) -> ExposureFact:
        if step.exposure_id is not None:
            return next(x for x in self.exposures if x.id == step.exposure_id)
        owner = self.latest((step.at, RECEIVED, b"", b""))
        assert owner is not None
        return owner

    def received(self, step: StepFact, owner: ExposureFact) -> Place:
        position = [s.id for s in self.campaign.steps].index(step.step_id)
        return (max(step.at, owner.at), RECEIVED, bytes([position]), step.id.encode())

    def after(self, kind: EventKind, exposure: ExposureFact, place: Place) -> bool:
        """Rule 11: did an open or click of this exposure's message, not by a machine, come before?

        What names the exposure is of its message, even if it names another channel too.
        """
        return any(
            event.kind is kind and self.place(event) < place and self._belongs(event, exposure)
            for event in self.all_events
        )

    def _belongs(self, event: EventFact, exposure: ExposureFact) -> bool:
        if event.campaign_id != self.campaign.id or event.machine:
            return False
        if event.exposure_id is not None:
            return event.exposure_id == exposure.id
        if event.channel is not None and exposure.channel is not None and event.channel != exposure.channel:
            return False
        return self.latest(self.place(event)) == exposure


def exposed(exposure: ExposureFact) -> Place:
    return (exposure.at, EXPOSED, exposure.id.encode(), b"")


def window_end(exposure: ExposureFact, deadline_seconds: int) -> int:
    return exposure.at + deadline_seconds * SECOND


@dataclass(slots=True)
class Answer:
    """Everything that the oracle knows about one set of facts."""

    definitions: Definitions
    log: Log
    scopes: list[Scope]
    whole: list[Scope]
    """Scopes over all channels: for revenue and for the persons behind comparisons."""
    conversions: list[Conversion]
    credited: list[Credited]


def answer(definitions: Definitions, facts: Facts, as_of: int | None = None, keep: Keep | None = None) -> Answer:
    log = read_log(definitions, facts, as_of, keep)
    scopes = list(_scopes(definitions, log, by_channel=True))
    whole = list(_scopes(definitions, log, by_channel=False))
    for scope in scopes:
        scope.conversions = _convert(scope)
    conversions = [conversion for scope in scopes for conversion in scope.conversions]
    refunds = _refunds(log)
    credited = [row for scope in whole for row in _credit(scope, refunds)]
    return Answer(definitions, log, scopes, whole, conversions, credited)


def _scopes(definitions: Definitions, log: Log, *, by_channel: bool) -> Iterator[Scope]:
    events: dict[str, list[EventFact]] = defaultdict(list)
    steps: dict[str, list[StepFact]] = defaultdict(list)
    for event in log.events:
        events[log.person(event.user_id)].append(event)
    for step in log.step_messages:
        steps[log.person(step.user_id)].append(step)
    for campaign in definitions.campaigns:
        for person, all_exposures in log.exposures_of.items():
            exposures = [x for x in all_exposures if x.campaign_id == campaign.id]
            mine = [s for s in steps[person] if s.campaign_id == campaign.id]
            if not exposures:
                continue
            if not by_channel or campaign.counting is not Counting.ONCE_PER_CHANNEL:
                yield Scope(campaign, person, None, exposures, events[person], mine, events[person])
                continue
            for channel in sorted({x.channel for x in exposures if x.channel is not None}):
                there = [x for x in exposures if x.channel == channel]
                seen = [e for e in events[person] if _counts_in(log, campaign, channel, e)]
                yield Scope(campaign, person, channel, there, seen, [], events[person])


def _counts_in(log: Log, campaign: Campaign, channel: str, event: EventFact) -> bool:
    """Rule 16: opens and clicks count for their own channel, all else for every channel."""
    if event.kind in (EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK) and event.campaign_id == campaign.id:
        return message_channel(log, event) == channel
    return True


def _convert(scope: Scope) -> list[Conversion]:
    """Rules 8, 13-16: of all pairs of exposure and event the first that qualifies, per unit of the counting."""
    converted = []
    for letter, definition in zip(LETTERS, scope.campaign.conversion_events, strict=False):
        first: dict[str, tuple[Place, ExposureFact, EventFact]] = {}
        for event in scope.events:
            if match(definition, scope.campaign, event, scope.all_events) is not Match.MEETS:
                continue
            place = scope.place(event)
            exposure = scope.latest(place)
            if exposure is None or place[0] > window_end(exposure, definition.deadline_seconds):
                continue
            unit = exposure.id if scope.campaign.counting is Counting.ONCE_PER_EXPOSURE else ""
            if unit not in first or place < first[unit][0]:
                first[unit] = (place, exposure, event)
        for place, exposure, event in first.values():
            converted.append(_conversion(scope, letter, place, exposure, event))
    return converted


def _conversion(scope: Scope, letter: str, place: Place, exposure: ExposureFact, event: EventFact) -> Conversion:
    assert exposure.variant_id is not None
    return Conversion(
        campaign_id=scope.campaign.id,
        letter=letter,
        user_id=scope.person,
        exposure_id=exposure.id,
        variant_id=exposure.variant_id,
        channel=exposure.channel,
        step_id=scope.step_before(exposure, place),
        converted_at=place[0],
        event_id=event.id,
        after_open=scope.after(EventKind.MESSAGE_OPEN, exposure, place),
        after_click=scope.after(EventKind.MESSAGE_CLICK, exposure, place),
    )


def _refunds(log: Log) -> dict[str, Decimal]:
    """Rule 28: what was given back of each purchase. A refund names its purchase, whoever's account it is under."""
    given_back: dict[str, Decimal] = defaultdict(Decimal)
    for event in log.events:
        if event.kind is EventKind.REFUND and event.refund_of is not None:
            given_back[event.refund_of] += event.amount
    return given_back


def _credit(scope: Scope, refunds: dict[str, Decimal]) -> list[Credited]:
    """Rules 26 and 28: every purchase within the primary window of the exposure it is credited to."""
    rows = []
    for event in scope.events:
        if event.kind is not EventKind.PURCHASE:
            continue
        place = scope.place(event)
        exposure = scope.latest(place)
        if exposure is None or place[0] > window_end(exposure, scope.campaign.revenue_window_seconds):
            continue
        assert exposure.variant_id is not None
        assert event.currency is not None
        rows.append(
            Credited(
                campaign_id=scope.campaign.id,
                variant_id=exposure.variant_id,
                channel=exposure.channel,
                exposure_id=exposure.id,
                user_id=scope.person,
                event_id=event.id,
                occurred_at=event.at,
                amount=event.amount,
                currency=event.currency.upper(),
                refunded=refunds.get(event.id, Decimal(0)),
                step_id=scope.step_before(exposure, place),
            )
        )
    return rows


def conversions_of(found: Sequence[Conversion], campaign_id: str, letter: str) -> list[Conversion]:
    return [c for c in found if c.campaign_id == campaign_id and c.letter == letter]
