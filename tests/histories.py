"""Small and nasty worlds: definitions and facts that sit on the edges of the rules.

`generate_world(random.Random(seed), users=...)` puts many users, each with an own history, under the same
definitions. `worlds()` is the same generator driven by Hypothesis, which can then shrink what fails.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import TypeVar

from hypothesis import strategies as st

from afterword.model import (
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    EventKind,
    Op,
    PropertyFilter,
    Step,
    Variant,
    Workspace,
)
from tests.oracle_facts import EventFact, ExposureFact, Fact, Facts, Json, RateFact, StepFact
from tests.oracle_people import MergeFact

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 19_811 * DAY
"""2024-03-29 00:00 in UTC, two days before the clocks of Europe change."""

DEADLINES = (1, 10, 60, 3_600, 86_400, 3 * 86_400, 30 * 86_400)
APPS = ("ios", "web", None)
PRODUCTS = ("sku-1", "SKU-1", "sku-2", None)
NAMES = ("added_to_cart", "added_to_cart", "viewed")
VERSIONS = ("1.2", "1.2.0", " 1.2 ", "1.9", "1.10", "1.2.3", "2", "1.3.0", "1.2.3-beta2", "3.7.0 (134)", None)
EVENTS = tuple(EventKind)[:6] + tuple(EventKind)[8:10]
BAD_NEWS = (EventKind.MESSAGE_UNSUBSCRIBE, EventKind.MESSAGE_COMPLAINT, EventKind.MESSAGE_BOUNCED)
CURRENCIES = ("EUR", "USD", "JPY")
PRICES = tuple(map(Decimal, ("0", "0.01", "49.90", "50", "50.000001", "19.99", "999999.99")))
RATES = tuple(map(Decimal, ("0.5", "0.923", "1.000000000001", "0.25")))
PROPERTIES: tuple[dict[str, Json] | None, ...] = (
    None,
    {},
    {"cart": {"total": Decimal("49.90")}},
    {"cart": {"total": 50, "items": [{"sku": "a"}, {"sku": "b", "n": 2}]}},
    {"cart": {"total": "50", "items": []}},
    {"cart": {"total": Decimal("1e2"), "items": [{"sku": None}, {"n": Decimal("2.0")}]}, "tag": "übergröße"},
    {"cart": [], "tag": True, "tags": ["x", "y"]},
    {"tag": 1, "tags": ["X", 1, False], "big": 9007199254740993},
)
FILTERS = (
    PropertyFilter("cart.total", Op.GE, 50),
    PropertyFilter("cart.total", Op.LT, Decimal("50.00")),
    PropertyFilter("cart.total", Op.EQ, Decimal("49.9")),
    PropertyFilter("cart.total", Op.NE, 50),
    PropertyFilter("cart.items[].sku", Op.EQ, "b"),
    PropertyFilter("cart.items[].sku", Op.NE, "a"),
    PropertyFilter("cart.items[].sku", Op.EXISTS),
    PropertyFilter("cart.items[].n", Op.IN, (2, 3)),
    PropertyFilter("cart.items[].sku", Op.NOT_EXISTS),
    PropertyFilter("tag", Op.EQ, True),
    PropertyFilter("tag", Op.NE, 1),
    PropertyFilter("tag", Op.GT, "t"),
    PropertyFilter("tag", Op.CONTAINS, "größe"),
    PropertyFilter("tags[]", Op.CONTAINS, "x"),
    PropertyFilter("tags[]", Op.IN, ("y", 1)),
    PropertyFilter("big", Op.GT, 9007199254740992),
    PropertyFilter("big", Op.EXISTS),
)
COLUMN_FILTERS = {
    ConversionKind.PURCHASE: (
        PropertyFilter("$price", Op.GE, 50),
        PropertyFilter("$price", Op.EQ, Decimal("49.9")),
        PropertyFilter("$quantity", Op.GT, 1),
        PropertyFilter("$currency", Op.IN, ("EUR", "JPY")),
        PropertyFilter("$product_id", Op.NOT_EXISTS),
        PropertyFilter("$product_id", Op.NE, "sku-1"),
    ),
    ConversionKind.UPGRADE: (
        PropertyFilter("$app_version", Op.EQ, "1.10"),
        PropertyFilter("$app_id", Op.NE, "web"),
    ),
    ConversionKind.SESSION: (
        PropertyFilter("$app_id", Op.NOT_EXISTS),
        PropertyFilter("$app_version", Op.CONTAINS, "beta"),
    ),
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """One set of definitions and facts."""

    definitions: Definitions
    facts: Facts
    as_of: int | None


def worlds(max_users: int = 3) -> st.SearchStrategy[World]:
    """Worlds that Hypothesis draws and shrinks."""
    return st.builds(generate_world, st.randoms(use_true_random=False), users=st.integers(1, max_users))


def generate_world(rng: random.Random, *, users: int) -> World:
    definitions = Definitions(Workspace("Europe/Berlin", "EUR"), _campaigns(rng))
    people = [rng.choice(("u", "ü", "10", "9", "😀", "U-")) + str(i) for i in range(users)]
    ids = count()
    events: list[EventFact] = []
    exposures: list[ExposureFact] = []
    steps: list[StepFact] = []
    for person in people:
        _History(rng, definitions, person, ids, exposures, events, steps).live()
    _confuse(rng, events, exposures, steps)
    facts = Facts(exposures, events, steps, _merges(rng, people), _rates(rng))
    as_of = _as_of(rng, definitions, facts)
    _surround(random.Random(rng.getrandbits(32)), definitions, exposures, events)
    return World(definitions, facts, as_of)


# ---- definitions


def _campaigns(rng: random.Random) -> tuple[Campaign, ...]:
    return tuple(_campaign(rng, f"c{i}") for i in range(rng.choice((1, 1, 2, 2, 3, 4))))


def _campaign(rng: random.Random, name: str) -> Campaign:
    steps = tuple(Step(f"s{i}", f"s{i}") for i in range(rng.randint(1, 3))) if rng.random() < 0.35 else ()
    counting = rng.choice(list(Counting))
    if steps and counting is Counting.ONCE_PER_CHANNEL:
        counting = Counting.ONCE_PER_EXPOSURE
    channels: tuple[Channel, ...] = ()
    if counting is Counting.ONCE_PER_CHANNEL or rng.random() < 0.5:
        channels = (Channel.EMAIL, Channel.PUSH)
    return Campaign(
        id=name,
        kind="canvas" if steps else "campaign",
        name=name,
        variants=_variants(rng),
        conversion_events=tuple(_conversion_event(rng) for _ in range(rng.choice((0, 1, 2, 3, 4, 4)))),
        counting=counting,
        channels=channels,
        steps=steps,
    )


def _variants(rng: random.Random) -> tuple[Variant, ...]:
    messaged, control = rng.randint(1, 3), rng.random() < 0.5
    share = 9000 // messaged if control else 10_000 // messaged
    first = (9_000 if control else 10_000) - share * (messaged - 1)
    variants = [Variant(f"v{i}", first if i == 0 else share, f"v{i}") for i in range(messaged)]
    if control:
        variants.append(Variant("control", 1_000, "control", control=True))
    return tuple(variants)


def _conversion_event(rng: random.Random) -> ConversionEvent:
    kind = rng.choice(list(ConversionKind))
    where: list[PropertyFilter] = []
    while rng.random() < 0.2 and len(where) < 2:
        where.append(rng.choice((*FILTERS, *COLUMN_FILTERS.get(kind, ()) * 3)))
    apps: tuple[str, ...] = ()
    if kind in (ConversionKind.SESSION, ConversionKind.UPGRADE) and rng.random() < 0.4:
        apps = rng.choice((("ios",), ("ios", "web"), ("web",)))
    products: tuple[str, ...] = ()
    if kind is ConversionKind.PURCHASE and rng.random() < 0.4:
        products = rng.choice((("sku-1",), ("sku-2", "SKU-1")))
    name = rng.choice(NAMES) if kind is ConversionKind.CUSTOM else None
    return ConversionEvent(kind, rng.choice(DEADLINES), apps, products, name, tuple(where))


# ---- one user's history


@dataclass(slots=True)
class _History:
    """Writes one user's facts; times are drawn near each other, and near the ends of windows."""

    rng: random.Random
    definitions: Definitions
    user: str
    ids: count[int]
    exposures: list[ExposureFact]
    events: list[EventFact]
    steps: list[StepFact]

    def live(self) -> None:
        first_event, first_exposure = len(self.events), len(self.exposures)
        for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3, 5))):
            self.exposures.append(self._exposure(self.exposures[first_exposure:]))
        mine = self.exposures[first_exposure:]
        instants = [x.at for x in mine]
        for _ in range(self.rng.choice((0, 1, 3, 6, 10, 14))):
            event = self._event(instants, self.events[first_event:], mine)
            self.events.append(event)
            instants.append(event.at)
        for x in list(mine):
            if self.rng.random() < 0.6:
                self._step(x, instants)
        self._trigger(first_exposure, self.events[first_event:])

    def _name(self) -> str:
        """An id whose order says nothing about the time."""
        return f"{self.rng.choice('azéZ😀')}{next(self.ids)}"

    def _instant(self, instants: Sequence[int]) -> int:
        rng = self.rng
        deadline = rng.choice(
            [e.deadline_seconds for c in self.definitions.campaigns for e in c.conversion_events] or [60]
        )
        if not instants or rng.random() < 0.15:
            return START + rng.randrange(6) * deadline * SECOND
        near = rng.choice(instants)
        if rng.random() < 0.35:
            return near
        return near + rng.choice((0, 1, 1, 1, -1)) * deadline * SECOND + rng.choice((-1, 0, 0, 0, 1, 500_000))

    def _exposure(self, before: Sequence[ExposureFact]) -> ExposureFact:
        rng = self.rng
        campaign = rng.choice(self.definitions.campaigns)
        variant = rng.choice(campaign.variants)
        if before and rng.random() < 0.5:
            campaign = next(c for c in self.definitions.campaigns if c.id == before[-1].campaign_id)
            variant = next(v for v in campaign.variants if v.id == before[-1].variant_id)
        channel: str | None = rng.choice((Channel.EMAIL, Channel.PUSH)).value
        if campaign.counting is not Counting.ONCE_PER_CHANNEL and rng.random() < 0.4:
            channel = None
        return ExposureFact(
            self.user,
            campaign.id,
            variant.id,
            self._instant([x.at for x in before]),
            f"x{self._name()}",
            channel,
            outcome=rng.choice((None, "sent", "bounced")),
        )

    def _event(self, instants: Sequence[int], events: Sequence[EventFact], mine: Sequence[ExposureFact]) -> EventFact:
        rng = self.rng
        kind = rng.choice((*EVENTS, EventKind.PURCHASE))
        wanted = [e.kind.value for c in self.definitions.campaigns for e in c.conversion_events]
        if wanted and rng.random() < 0.5:
            kind = EventKind[rng.choice(wanted).upper()]
            kind = EventKind.SESSION if kind is EventKind.UPGRADE and rng.random() < 0.7 else kind
        event = EventFact(self.user, kind, self._instant(instants), self._name(), properties=rng.choice(PROPERTIES))
        if events and rng.random() < 0.05 and kind is not events[-1].kind:
            event = replace(event, event_id=events[-1].event_id)  # ids are unique per kind only
        match kind:
            case EventKind.SESSION | EventKind.UPGRADE:
                return self._session(event)
            case EventKind.PURCHASE:
                quantity, currency = rng.choice((None, None, 2, 7)), rng.choice(CURRENCIES)
                product, price = rng.choice(PRODUCTS), rng.choice(PRICES)
                return replace(event, product_id=product, price=price, quantity=quantity, currency=currency)
            case EventKind.CUSTOM:
                return replace(event, name=rng.choice(NAMES))
            case EventKind.REFUND:
                return self._refund(event, events)
            case _:
                return self._message(event, mine)

    def _session(self, event: EventFact) -> EventFact:
        rng = self.rng
        version, app, device = rng.choice(VERSIONS), rng.choice(APPS), rng.choice(("d1", None))
        if event.kind is EventKind.UPGRADE:
            before = rng.choice([v for v in VERSIONS if v is not None])
            return replace(event, app_id=app, device_id=device, app_version=version or "2", from_version=before)
        return replace(event, app_id=app, device_id=device, app_version=version)

    def _refund(self, event: EventFact, events: Sequence[EventFact]) -> EventFact:
        rng = self.rng
        named = [e for e in (self.events[-20:] if rng.random() < 0.2 else events) if e.kind is EventKind.PURCHASE]
        of = rng.choice(named).event_id if named and rng.random() < 0.85 else "nowhere"
        price, currency = rng.choice(PRICES[1:]), rng.choice((None, None, *CURRENCIES))
        return replace(event, refund_of=of, price=price, quantity=rng.choice((None, 2)), currency=currency)

    def _message(self, event: EventFact, mine: Sequence[ExposureFact]) -> EventFact:
        rng = self.rng
        exposure = rng.choice(mine) if mine else None
        campaign = exposure.campaign_id if exposure else rng.choice(self.definitions.campaigns).id
        return replace(
            event,
            campaign_id=campaign,
            channel=rng.choice((None, None, "email", "push")),
            exposure_id=exposure.exposure_id if exposure and rng.random() < 0.5 else rng.choice((None, None, "xnone")),
            machine=rng.choice((None, None, None, None, True, False)),
        )

    def _step(self, exposure: ExposureFact, instants: Sequence[int]) -> None:
        campaign = next(c for c in self.definitions.campaigns if c.id == exposure.campaign_id)
        while campaign.steps and self.rng.random() < 0.7:
            self.steps.append(
                StepFact(
                    self.user,
                    campaign.id,
                    self.rng.choice(campaign.steps).id,
                    self._instant(instants),
                    self.rng.choice((None, None, *[exposure.exposure_id] * 4, "xnone")),
                    f"m{self._name()}",
                )
            )

    def _trigger(self, first: int, events: Sequence[EventFact]) -> None:
        for i in range(first, len(self.exposures)):
            if events and self.rng.random() < 0.35:
                exposure = self.exposures[i]
                same = [e for e in events if e.at == exposure.at] or events
                chosen = self.rng.choice(same if self.rng.random() < 0.5 else events)
                self.exposures[i] = replace(exposure, trigger_event_id=chosen.event_id)


# ---- around exposures


def _surround(
    rng: random.Random, definitions: Definitions, exposures: Sequence[ExposureFact], events: list[EventFact]
) -> None:
    """Add what happened near the beginning of the 14 days before an exposure, and bad news near the window's end."""
    campaigns = {campaign.id: campaign for campaign in definitions.campaigns}
    for number, x in enumerate(exposures):
        edge = rng.choice((-1, 0, 0, 1))
        id_ = f"{rng.choice('aé😀')}-around{number}"
        if rng.random() < 0.25:
            at = x.at - rng.choice((1, 1, 14, 14, 10)) * DAY + edge
            event = EventFact(x.user_id, EventKind.CUSTOM, at, id_, name=rng.choice(NAMES))
            if rng.random() < 0.6:
                price, currency = rng.choice(PRICES), rng.choice(CURRENCIES)
                event = replace(event, kind=EventKind.PURCHASE, name=None, price=price, currency=currency)
            events.append(event)
        elif rng.random() < 0.3:
            at = x.at + rng.choice((0, 0, 1)) * campaigns[x.campaign_id].revenue_window_seconds * SECOND + edge
            kind = rng.choice(BAD_NEWS)
            machine = rng.choice((None, None, None, True))
            event = EventFact(x.user_id, kind, at, id_, campaign_id=x.campaign_id, machine=machine)
            events.append(event)


# ---- what goes wrong on the way


def _confuse(rng: random.Random, events: list[EventFact], exposures: list[ExposureFact], steps: list[StepFact]) -> None:
    """Repeat some facts, and send a few ids again with another content."""
    for event in list(events):
        if rng.random() < 0.06:
            events.append(event)
        if rng.random() < 0.03:
            events.append(replace(event, occurred_at=event.at + rng.choice((1, SECOND))))
        elif rng.random() < 0.02:
            events.append(replace(event, properties={"tag": "another"}))
    for exposure in list(exposures):
        if rng.random() < 0.06:
            exposures.append(exposure)
        if rng.random() < 0.03:
            exposures.append(replace(exposure, exposed_at=exposure.at - SECOND))
    for step in list(steps):
        if rng.random() < 0.06:
            steps.append(step)
        if rng.random() < 0.03:
            steps.append(replace(step, received_at=step.at + SECOND))
    for rows in (events, exposures, steps):
        rng.shuffle(rows)


def _merges(rng: random.Random, people: Sequence[str]) -> list[MergeFact]:
    merges: list[MergeFact] = []
    while people and rng.random() < 0.7 and len(merges) < len(people) // 5:
        merges.append(MergeFact(rng.choice(people), rng.choice(people)))
        if rng.random() < 0.3:
            merges.append(MergeFact(merges[-1].to_user_id, merges[-1].from_user_id))
    return merges


def _rates(rng: random.Random) -> list[RateFact]:
    """Dollars on some days, the first and the last of them near the edge of being too old; yen never."""
    days = sorted(rng.sample(range(-9, 40), rng.choice((0, 1, 3, 6))))
    return [RateFact(date(2024, 3, 29) + timedelta(day), "USD", rng.choice(RATES)) for day in days]


def _as_of(rng: random.Random, definitions: Definitions, facts: Facts) -> int | None:
    rows: list[Fact] = [*facts.exposures, *facts.events, *facts.step_messages]
    if not facts.exposures or rng.random() < 0.4:
        return None
    if rng.random() < 0.6:
        deadlines = [e.deadline_seconds for c in definitions.campaigns for e in c.conversion_events] or [60]
        last = max(rng.choice(facts.exposures).at for _ in range(4))
        return last + rng.choice(deadlines) * SECOND + rng.choice((-1, 0, 1))
    return max(rng.choice(rows).at for _ in range(4))
