"""A second, naive answer to how credit is shared over campaigns: all events with all exposures, in fractions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from afterword.model import Campaign, ConversionEvent, Counting, Definitions, EventKind
from tests.oracle import Answer, Scope, exposed, window_end
from tests.oracle_facts import EventFact, ExposureFact
from tests.oracle_matching import Match, match

DAY_SECONDS = 86_400
REACTIONS = {EventKind.MESSAGE_OPEN: "opened", EventKind.MESSAGE_CLICK: "clicked"}
CONSERVED = ("first", "last", "linear", "position", "time_decay")


@dataclass(slots=True)
class Shared:
    """Credit by view and campaign, and what had no touch."""

    conversions: dict[str, dict[str, Fraction]] = field(default_factory=dict)
    money: dict[str, dict[tuple[str, str], Fraction]] = field(default_factory=dict)
    """By view, then campaign and currency."""
    touched: int = 0
    untouched: int = 0
    money_untouched: dict[str, Fraction] = field(default_factory=dict)
    money_touched: dict[str, Fraction] = field(default_factory=dict)


def shares(event: EventFact, touches: list[ExposureFact]) -> dict[str, list[Fraction]]:
    """What each of an event's touches, in their order, gets by each view in which credit is conserved."""
    n = len(touches)
    position = [Fraction(1, n)] * n
    if n > 2:
        position = [Fraction(2, 5), *[Fraction(1, 5) / (n - 2)] * (n - 2), Fraction(2, 5)]
    weights = [Fraction(math.exp2(-(event.at - x.at) / (7 * DAY_SECONDS * 1_000_000))) for x in touches]
    return {
        "first": [Fraction(int(k == 0)) for k in range(n)],
        "last": [Fraction(int(k == n - 1)) for k in range(n)],
        "linear": [Fraction(1, n)] * n,
        "position": position,
        "time_decay": [weight / sum(weights) for weight in weights],
    }


def share_out(
    found: Answer, wanted: ConversionEvent, period: tuple[int | None, int | None], *, once_per_user: bool
) -> Shared:
    """Share out what an answer's events are worth; the deadline of `wanted` is the window."""
    shared = Shared({view: defaultdict(Fraction) for view in ("every", *CONSERVED)})
    shared.money = {view: defaultdict(Fraction) for view in shared.conversions}
    shared.money_touched, shared.money_untouched = defaultdict(Fraction), defaultdict(Fraction)
    of_person: dict[str, list[tuple[EventFact, list[ExposureFact]]]] = defaultdict(list)
    refunds: dict[str, Decimal] = defaultdict(Decimal)
    for event in found.log.events:
        if event.kind is EventKind.REFUND and event.refund_of is not None:
            refunds[event.refund_of] += event.amount
    for event in found.log.events:
        if not (period[0] is None or period[0] <= event.at) or not (period[1] is None or event.at <= period[1]):
            continue
        person = found.log.person(event.user_id)
        touches = list(touches_of(found, person, event, wanted.deadline_seconds))
        if meets(wanted, event):
            of_person[person].append((event, touches))
        if event.kind is EventKind.PURCHASE:
            _pay(shared, event, Fraction(event.amount - refunds[event.id]), touches)
    for events in of_person.values():
        events.sort(key=lambda one: (one[0].at, one[0].id.encode()))
        if not once_per_user:
            for event, touches in events:
                _credit(shared, event, touches)
                for campaign in {x.campaign_id for x in touches}:
                    shared.conversions["every"][campaign] += 1
            continue
        for campaign in {x.campaign_id for _, touches in events for x in touches}:
            shared.conversions["every"][campaign] += 1
        event, touches = next((one for one in events if one[1]), events[0])
        _credit(shared, event, touches)
    return shared


def touches_of(found: Answer, person: str, event: EventFact, window_seconds: int) -> Iterator[ExposureFact]:
    """The exposures to a message that had the event in their window, in order of time and id."""
    touches = []
    for scope in _scopes_of(found, person):
        place = scope.place(event)
        for x in scope.exposures:
            if exposed(x) < place and place[0] <= window_end(x, window_seconds) and not _is_control(scope.campaign, x):
                touches.append(x)
    yield from sorted(touches, key=lambda x: (x.at, x.id.encode()))


def meets(wanted: ConversionEvent, event: EventFact) -> bool:
    nobody = Campaign("", "campaign", "", ())
    return match(wanted, nobody, event, ()) is Match.MEETS


def _scopes_of(found: Answer, person: str) -> list[Scope]:
    return [scope for scope in found.whole if scope.person == person]


def _is_control(campaign: Campaign, exposure: ExposureFact) -> bool:
    return next(variant.control for variant in campaign.variants if variant.id == exposure.variant_id)


def _credit(shared: Shared, event: EventFact, touches: list[ExposureFact]) -> None:
    if not touches:
        shared.untouched += 1
        return
    shared.touched += 1
    for view, parts in shares(event, touches).items():
        for x, part in zip(touches, parts, strict=True):
            shared.conversions[view][x.campaign_id] += part


def _pay(shared: Shared, event: EventFact, amount: Fraction, touches: list[ExposureFact]) -> None:
    currency = (event.currency or "").upper()
    if not touches:
        shared.money_untouched[currency] += amount
        return
    shared.money_touched[currency] += amount
    for campaign in {x.campaign_id for x in touches}:
        shared.money["every"][campaign, currency] += amount
    for view, parts in shares(event, touches).items():
        for x, part in zip(touches, parts, strict=True):
            shared.money[view][x.campaign_id, currency] += amount * part


def campaigns_of(definitions: Definitions) -> list[str]:
    return [campaign.id for campaign in definitions.campaigns]


def funnel(
    found: Answer, wanted: ConversionEvent, period: tuple[int | None, int | None], as_of: int
) -> dict[str | None, dict[str, int]]:
    """Persons who were reached, opened, clicked and converted, by campaign, and by None over all of them."""
    first, last = period[0], as_of if period[1] is None else min(as_of, period[1])
    steps: dict[str | None, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for scope in found.whole:
        since = None if first is None else first - wanted.deadline_seconds * 1_000_000
        messages = [x for x in scope.exposures if not _is_control(scope.campaign, x) and x.at <= last]
        reached = [x for x in messages if since is None or x.at >= since]
        if not reached:
            continue
        did = {"reached"}
        for event in found.log.events:
            if found.log.person(event.user_id) != scope.person or event.at > last:
                continue
            if event.campaign_id == scope.campaign.id and event.kind in REACTIONS:
                named = [x for x in messages if x.id == event.exposure_id]
                apart = scope.campaign.counting is Counting.ONCE_PER_CHANNEL
                same = [x for x in messages if not apart or x.channel == event.channel]
                before = named or [x for x in same if x.at <= event.at]
                if event.kind is EventKind.MESSAGE_CLICK and event.machine:
                    continue
                if any(x in reached for x in before):
                    did.add(REACTIONS[event.kind])
            in_period = first is None or event.at >= first
            if in_period and meets(wanted, event):
                touches = touches_of(found, scope.person, event, wanted.deadline_seconds)
                if any(x.campaign_id == scope.campaign.id for x in touches):
                    did.add("converted")
        for step in did:
            steps[scope.campaign.id][step].add(scope.person)
            steps[None][step].add(scope.person)
    return {name: {step: len(persons) for step, persons in one.items()} for name, one in steps.items()}
