"""What persons did by the time they came of age, counted naively: one after the other, from all their facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from afterword.model import LETTERS, Counting, EventKind
from tests.oracle import SECOND, Answer, Place, Scope, conversions_of, exposed
from tests.oracle_counts import booked_at, day_of
from tests.oracle_facts import EventFact
from tests.oracle_matching import Match, match

BEFORE = 14 * 86_400 * SECOND
GUARDRAILS = {
    "unsubscribes": EventKind.MESSAGE_UNSUBSCRIBE,
    "complaints": EventKind.MESSAGE_COMPLAINT,
    "bounces": EventKind.MESSAGE_BOUNCED,
}
EXACT = Context(prec=100)
Row = tuple[Fraction, Fraction, Fraction]
"""y, m and x of one person."""


@dataclass(slots=True)
class PersonCounts:
    """One variant of a campaign."""

    rows: dict[str, dict[date, list[Row]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By metric and day of coming of age: the persons."""
    first_exposed: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    unconverted: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def sums(self, metric: str) -> dict[date, tuple[float, ...]]:
        """n, y, yy, m, mm, my, x, xx, xy, xm of each day: exact until they become floats."""
        products: list[Callable[[Row], Fraction]] = [
            lambda r: r[0], lambda r: r[0] * r[0], lambda r: r[1], lambda r: r[1] * r[1], lambda r: r[1] * r[0],
            lambda r: r[2], lambda r: r[2] * r[2], lambda r: r[2] * r[0], lambda r: r[2] * r[1],
        ]  # fmt: skip
        return {
            day: (len(rows), *(float(sum(map(product, rows), Fraction(0))) for product in products))
            for day, rows in sorted(self.rows[metric].items())
        }


def person_counts(found: Answer, campaign_id: str) -> dict[str, PersonCounts]:
    """Count the persons of each variant who were exposed to no other."""
    campaign = next(c for c in found.definitions.campaigns if c.id == campaign_id)
    counts = {variant.id: PersonCounts() for variant in campaign.variants}
    zone = ZoneInfo(found.definitions.workspace.timezone)
    for scope in found.whole:
        variants = {x.variant_id for x in scope.exposures}
        if scope.campaign.id != campaign_id or len(variants) > 1:
            continue
        (variant,) = variants
        assert variant is not None
        person = _Person(found, scope)
        counts[variant].first_exposed[day_of(person.first, zone)] += 1
        for metric, seconds, row in person.rows():
            end = person.first + seconds * SECOND
            if end <= found.log.as_of:
                counts[variant].rows[metric][day_of(end, zone)].append(row())
        if person.end <= found.log.as_of:
            for currency, amount in person.unconverted().items():
                counts[variant].unconverted[currency] += amount
    return counts


@dataclass(slots=True)
class _Person:
    found: Answer
    scope: Scope

    @property
    def first(self) -> int:
        return min(x.at for x in self.scope.exposures)

    @property
    def end(self) -> int:
        return self.first + self.scope.campaign.revenue_window_seconds * SECOND

    def rows(self) -> Iterator[tuple[str, int, Callable[[], Row]]]:
        for letter, definition in zip(LETTERS, self.scope.campaign.conversion_events, strict=False):
            yield letter, definition.deadline_seconds, lambda letter=letter: self._letter(letter)  # type: ignore[misc]
        window = self.scope.campaign.revenue_window_seconds
        yield "revenue", window, self._revenue
        for name, kind in GUARDRAILS.items():
            yield name, window, lambda kind=kind: self._guardrail(kind)  # type: ignore[misc]

    def _letter(self, letter: str) -> Row:
        campaign = self.scope.campaign
        definition = campaign.conversion_events[LETTERS.index(letter)]
        end = self.first + definition.deadline_seconds * SECOND
        converted = [
            c
            for c in conversions_of(self.found.conversions, campaign.id, letter)
            if c.user_id == self.scope.person and c.converted_at <= end
        ]
        young = [x for x in self.scope.exposures if x.at <= end]
        units = {Counting.ONCE_PER_USER: 1, Counting.ONCE_PER_EXPOSURE: len(young)}
        before = [e for e in self._before() if match(definition, campaign, e, self.scope.all_events) is Match.MEETS]
        channels = len({x.channel for x in young})
        return Fraction(len(converted)), Fraction(units.get(campaign.counting, channels)), Fraction(len(before))

    def _is_before(self, place: Place) -> bool:
        return place < min(exposed(x) for x in self.scope.exposures)

    def _before(self) -> list[EventFact]:
        """The 14 days before the first exposure, which its trigger belongs to (rule 9)."""
        found = []
        for event in self.scope.all_events:
            place = self.scope.place(event)
            if self._is_before(place) and place[0] >= self.first - BEFORE:
                found.append(event)
        return found

    def _purchases(self) -> list[EventFact]:
        """Those credited that count by the end of the first exposure's window."""
        credited = {
            c.event_id
            for c in self.found.credited
            if c.campaign_id == self.scope.campaign.id and c.user_id == self.scope.person
        }
        return [
            e
            for e in self.scope.all_events
            if e.kind is EventKind.PURCHASE and e.id in credited and self.scope.place(e)[0] <= self.end
        ]

    def _revenue(self) -> Row:
        before = [e for e in self._before() if e.kind is EventKind.PURCHASE]
        return self._money(self._purchases()), Fraction(1), self._money(before)

    def _net(self, event: EventFact) -> Decimal:
        refunds = [e for e in self.found.log.events if e.kind is EventKind.REFUND and e.refund_of == event.id]
        return event.amount - sum((e.amount for e in refunds), Decimal(0))

    def _money(self, purchases: list[EventFact]) -> Fraction:
        """In the reporting currency, rounded once to a millionth; what has no rate is left out."""
        booked = Decimal(0)
        for event in purchases:
            converted = booked_at(self.found, event, self._net(event))
            booked += converted if converted is not None else 0
        return Fraction(booked.quantize(Decimal("0.000001"), ROUND_HALF_EVEN, EXACT))

    def unconverted(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for event in self._purchases():
            if booked_at(self.found, event, Decimal(1)) is None:
                assert event.currency is not None
                found[event.currency.upper()] += self._net(event)
        return found

    def _guardrail(self, kind: EventKind) -> Row:
        campaign = self.scope.campaign
        places = [
            self.scope.place(e)
            for e in self.scope.all_events
            if e.kind is kind and e.campaign_id == campaign.id and not e.machine
        ]
        hit = any(not self._is_before(place) and place[0] <= self.end for place in places)
        if kind is EventKind.MESSAGE_BOUNCED:
            hit = hit or any(x.outcome == "bounced" and x.at <= self.end for x in self.scope.exposures)
        return Fraction(int(hit)), Fraction(1), Fraction(0)
