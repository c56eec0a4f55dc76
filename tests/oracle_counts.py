"""The numbers of a report, counted naively from an oracle's answer (rules 15-17, 26-28, 38 and 40)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from afterword.model import LETTERS, Campaign, Counting
from tests.oracle import SECOND, Answer, Conversion, Credited, Scope, conversions_of, window_end
from tests.oracle_facts import EventFact, ExposureFact

TOTAL, TOTAL_WITH_CONTROL = "total", "total_with_control"
MAX_RATE_AGE_DAYS = 7


@dataclass(slots=True)
class LetterCounts:
    """One conversion event in one row of the variant table. The sets are the units behind the numbers (rule 38)."""

    converted: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    not_converted: set[str] = field(default_factory=set)
    matured_n: int = 0
    matured_converted: int = 0
    compared_n: int = 0
    compared_converted: int = 0
    after_open: int = 0
    after_click: int = 0


@dataclass(slots=True)
class RowCounts:
    exposed: set[str] = field(default_factory=set)
    exposed_by_day: Counter[str] = field(default_factory=Counter)
    """Units with an exposure on a calendar day of the workspace: each once on it."""
    several_variants: int = 0
    letters: dict[str, LetterCounts] = field(default_factory=dict)
    revenue: dict[str, Decimal] = field(default_factory=dict)
    """Net of refunds, per currency, as it was paid."""
    booked: Decimal = Decimal(0)
    """In the reporting currency, not yet rounded (rule 27)."""
    unconverted: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class StepCounts:
    """One step of a Canvas (rule 18), over the variants that get messages."""

    received: int
    recipients: int
    conversions: dict[str, int]
    booked: Decimal
    unconverted: dict[str, Decimal]


def step_counts(found: Answer, campaign: Campaign) -> dict[str, StepCounts]:
    """Count every step: messages, who received them, conversions and revenue that are credited to it."""
    return {step.id: _step(found, campaign, step.id) for step in campaign.steps}


def _step(found: Answer, campaign: Campaign, step_id: str) -> StepCounts:
    messaged = {v.id for v in campaign.variants if not v.control}
    owners = [
        scope.owner(step)
        for scope in found.whole
        for step in scope.steps
        if scope.campaign.id == campaign.id and step.step_id == step_id
    ]
    here = [x for x in owners if x.variant_id in messaged]
    per_exposure = campaign.counting is Counting.ONCE_PER_EXPOSURE
    row = RowCounts()
    credited = [c for c in found.credited if c.campaign_id == campaign.id and c.step_id == step_id]
    _add_revenue(found, row, [c for c in credited if c.variant_id in messaged])
    return StepCounts(
        received=len(here),
        recipients=len({x.id if per_exposure else found.log.person(x.user_id) for x in here}),
        conversions={
            letter: sum(
                c.step_id == step_id and c.variant_id in messaged
                for c in conversions_of(found.conversions, campaign.id, letter)
            )
            for letter, _ in zip(LETTERS, campaign.conversion_events, strict=False)
        },
        booked=row.booked,
        unconverted=row.unconverted,
    )


def campaign_counts(found: Answer, campaign: Campaign) -> dict[str, RowCounts]:
    """Count every row: a variant each, the total without control, the total with it."""
    messaged = {v.id for v in campaign.variants if not v.control}
    rows = {v.id: {v.id} for v in campaign.variants}
    rows[TOTAL] = messaged
    rows[TOTAL_WITH_CONTROL] = {v.id for v in campaign.variants}
    return {name: _row(found, campaign, variants) for name, variants in rows.items()}


def _units(found: Answer, campaign: Campaign) -> dict[str, tuple[Scope, list[ExposureFact]]]:
    """The units of the counting (rule 16) with their exposures."""
    units: dict[str, tuple[Scope, list[ExposureFact]]] = {}
    for scope in found.scopes:
        if scope.campaign.id != campaign.id:
            continue
        if campaign.counting is Counting.ONCE_PER_EXPOSURE:
            for exposure in scope.exposures:
                units[exposure.id] = (scope, [exposure])
        else:
            units[unit_name(scope.person, scope.channel)] = (scope, scope.exposures)
    return units


def unit_name(person: str, channel: str | None) -> str:
    return person if channel is None else f"{person} / {channel}"


def _unit_of(campaign: Campaign, conversion: Conversion) -> str:
    if campaign.counting is Counting.ONCE_PER_EXPOSURE:
        return conversion.exposure_id
    if campaign.counting is Counting.ONCE_PER_CHANNEL:
        return unit_name(conversion.user_id, conversion.channel)
    return conversion.user_id


def _row(found: Answer, campaign: Campaign, variants: set[str]) -> RowCounts:
    row = RowCounts()
    units = _units(found, campaign)
    row.exposed = {name for name, (_, xs) in units.items() if any(x.variant_id in variants for x in xs)}
    zone = ZoneInfo(found.definitions.workspace.timezone)
    for _, exposures in units.values():
        days = {day_of(x.at, zone).isoformat() for x in exposures if x.variant_id in variants}
        row.exposed_by_day.update(days)
    persons = _variants_of_persons(found, campaign)
    row.several_variants = sum(1 for seen in persons.values() if seen & variants and len(seen) > 1)
    for letter, definition in zip(LETTERS, campaign.conversion_events, strict=False):
        deadline = definition.deadline_seconds
        counts = LetterCounts()
        conversions = conversions_of(found.conversions, campaign.id, letter)
        anywhere = {_unit_of(campaign, c) for c in conversions}
        here = [c for c in conversions if c.variant_id in variants]
        counts.converted = {_unit_of(campaign, c) for c in here}
        counts.after_open = sum(c.after_open for c in here)
        counts.after_click = sum(c.after_click for c in here)
        for name in row.exposed:
            scope, exposures = units[name]
            if name in anywhere:
                if name not in counts.converted:
                    counts.not_converted.add(name)
            elif any(x.variant_id in variants and is_open(found, scope, x, deadline) for x in exposures):
                counts.pending.add(name)
            else:
                counts.not_converted.add(name)
            first = min(x.at for x in exposures if x.variant_id in variants)
            if first + deadline * SECOND <= found.log.as_of:
                counts.matured_n += 1
                counts.matured_converted += name in counts.converted
        if len(variants) == 1:
            compared = {person for person, seen in persons.items() if seen == variants}
            counts.compared_n = len(compared)
            counts.compared_converted = len(compared & {c.user_id for c in here})
        row.letters[letter] = counts
    _add_revenue(found, row, [c for c in found.credited if c.campaign_id == campaign.id and c.variant_id in variants])
    return row


def is_open(found: Answer, scope: Scope, exposure: ExposureFact, deadline: int) -> bool:
    """Rule 40: the window has not ended at `as_of` and no later exposure has taken over."""
    return scope.is_last(exposure) and found.log.as_of < window_end(exposure, deadline)


def _variants_of_persons(found: Answer, campaign: Campaign) -> dict[str, set[str | None]]:
    return {s.person: {x.variant_id for x in s.exposures} for s in found.whole if s.campaign.id == campaign.id}


def _add_revenue(found: Answer, row: RowCounts, credited: list[Credited]) -> None:
    own = found.definitions.workspace.currency
    zone = ZoneInfo(found.definitions.workspace.timezone)
    daily: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for c in credited:
        net = c.amount - c.refunded
        row.revenue[c.currency] = row.revenue.get(c.currency, Decimal(0)) + net
        daily[c.currency, day_of(c.occurred_at, zone)] += net
    for (currency, day), amount in daily.items():
        rate = Decimal(1) if currency == own else _rate(found, currency, day)
        if rate is None:
            row.unconverted[currency] = row.unconverted.get(currency, Decimal(0)) + amount
        else:
            row.booked += amount * rate


def day_of(at: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone).date()


def _rate(found: Answer, currency: str, day: date) -> Decimal | None:
    best = None
    for rate in found.log.rates:
        age = (day - rate.date).days
        if rate.currency == currency and 0 <= age <= MAX_RATE_AGE_DAYS and (best is None or rate.date > best.date):
            best = rate
    return None if best is None else best.rate


def booked_at(found: Answer, purchase: EventFact, amount: Decimal) -> Decimal | None:
    """An amount of a purchase's currency in the reporting one, by the rate of its day; None if there is none."""
    assert purchase.currency is not None
    own, currency = found.definitions.workspace.currency, purchase.currency.upper()
    day = day_of(purchase.at, ZoneInfo(found.definitions.workspace.timezone))
    rate = Decimal(1) if currency == own else _rate(found, currency, day)
    return None if rate is None else amount * rate
