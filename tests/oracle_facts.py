"""Facts as plain rows, and what is left of them before any credit is given (rules 28, 33-35, 37, 40).

The fields have the names of the columns in files. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from typing import TypeAlias, TypeVar

from afterword.model import Campaign, Counting, Definitions, EventKind
from tests.oracle_people import MergeFact, people

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class ExposureFact:
    user_id: str
    campaign_id: str
    variant_id: str | None
    exposed_at: int
    exposure_id: str | None = None
    channel: str | None = None
    trigger_event_id: str | None = None
    outcome: str | None = None
    source: int = 0

    @property
    def at(self) -> int:
        return self.exposed_at

    @property
    def identity(self) -> tuple[str, str | None]:
        return "exposure", self.exposure_id

    def named(self, name: str) -> ExposureFact:
        return replace(self, exposure_id=name)

    @property
    def id(self) -> str:
        assert self.exposure_id is not None
        return self.exposure_id


@dataclass(frozen=True, slots=True)
class EventFact:
    user_id: str
    kind: EventKind
    occurred_at: int
    event_id: str | None = None
    name: str | None = None
    product_id: str | None = None
    order_id: str | None = None
    app_id: str | None = None
    app_version: str | None = None
    from_version: str | None = None
    device_id: str | None = None
    price: Decimal | None = None
    quantity: int | None = None
    currency: str | None = None
    campaign_id: str | None = None
    channel: str | None = None
    exposure_id: str | None = None
    machine: bool | None = None
    properties: dict[str, Json] | None = None
    refund_of: str | None = None
    source: int = 0

    @property
    def at(self) -> int:
        return self.occurred_at

    @property
    def identity(self) -> tuple[str, str | None]:
        return self.kind.label, self.event_id

    def named(self, name: str) -> EventFact:
        return replace(self, event_id=name)

    @property
    def id(self) -> str:
        assert self.event_id is not None
        return self.event_id

    @property
    def amount(self) -> Decimal:
        """Price x quantity of a purchase or refund, exactly (rules 26 and 28)."""
        assert self.price is not None
        return self.price * (1 if self.quantity is None else self.quantity)


@dataclass(frozen=True, slots=True)
class StepFact:
    user_id: str
    campaign_id: str
    step_id: str
    received_at: int
    exposure_id: str | None = None
    message_id: str | None = None
    source: int = 0

    @property
    def at(self) -> int:
        return self.received_at

    @property
    def identity(self) -> tuple[str, str | None]:
        return "step_message", self.message_id

    def named(self, name: str) -> StepFact:
        return replace(self, message_id=name)

    @property
    def id(self) -> str:
        assert self.message_id is not None
        return self.message_id


@dataclass(frozen=True, slots=True)
class RateFact:
    date: date
    currency: str
    rate: Decimal


Fact: TypeAlias = ExposureFact | EventFact | StepFact
FactT = TypeVar("FactT", ExposureFact, EventFact, StepFact)
Keep: TypeAlias = Mapping[tuple[str, str], str]
"""Which content stays under an id that was seen with several: {(kind of fact, id): content}."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was sent. `source` of a fact is the number of its file."""

    exposures: Sequence[ExposureFact] = ()
    events: Sequence[EventFact] = ()
    step_messages: Sequence[StepFact] = ()
    merges: Sequence[MergeFact] = ()
    rates: Sequence[RateFact] = ()


@dataclass(slots=True)
class Log:
    """What is left: distinct, valid facts up to `as_of`, with the person of every user id."""

    as_of: int
    exposures: list[ExposureFact] = field(default_factory=list)
    events: list[EventFact] = field(default_factory=list)
    step_messages: list[StepFact] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    repetitions: int = 0
    after_as_of: int = 0
    unmatched_refunds: int = 0
    exposures_of: dict[str, list[ExposureFact]] = field(default_factory=lambda: defaultdict(list))
    rates: Sequence[RateFact] = ()

    def person(self, user_id: str) -> str:
        return self.people.get(user_id, user_id)


def json_text(value: Json) -> str:
    """JSON with keys in order and numbers in one form, so that equal contents are equal texts (rule 33)."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{json_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return json.dumps(value)


def content(fact: Fact) -> str:
    """What the sender sent, normalised: every column, but not in which file it came."""
    columns: dict[str, Json] = {}
    for column in fields(fact):
        value = getattr(fact, column.name)
        if column.name != "source" and value is not None:
            columns[column.name] = value
    return json_text(columns)


def read_log(definitions: Definitions, facts: Facts, as_of: int | None, keep: Keep | None = None) -> Log:
    """Rules 33-35, 37 and 40: what of the facts is seen, kept, rejected, set aside.

    A reading where the rulebook is silent: what is later than `as_of` is not seen at all, so it neither
    repeats nor conflicts with an earlier fact of the same id.
    """
    campaigns = {campaign.id: campaign for campaign in definitions.campaigns}
    rejected: Counter[str] = Counter()
    exposures = _valid([_with_variant(e, campaigns) for e in facts.exposures], campaigns, rejected)
    events = _valid(list(facts.events), campaigns, rejected)
    steps = _valid(list(facts.step_messages), campaigns, rejected)
    if as_of is None:
        as_of = max([x.at for x in exposures] + [e.at for e in events] + [s.at for s in steps])
    log = Log(as_of, people=people(facts.merges), rejected=rejected, rates=facts.rates)
    log.exposures = _distinct(log, _seen(log, exposures), keep)
    for exposure in log.exposures:
        log.exposures_of[log.person(exposure.user_id)].append(exposure)
    log.events = _with_channel(log, _distinct(log, _seen(log, events), keep), campaigns)
    log.step_messages = _distinct(log, _seen(log, steps), keep)
    _reject_steps_without_exposure(log)
    _reject_refunds_in_other_currency(log)
    return log


def _with_variant(exposure: ExposureFact, campaigns: Mapping[str, Campaign]) -> ExposureFact:
    campaign = campaigns.get(exposure.campaign_id)
    if exposure.variant_id is None and campaign is not None and len(campaign.variants) == 1:
        return replace(exposure, variant_id=campaign.variants[0].id)
    return exposure


def _valid(rows: list[FactT], campaigns: Mapping[str, Campaign], rejected: Counter[str]) -> list[FactT]:
    kept = []
    for row in rows:
        reason = _reason(row, campaigns)
        if reason is None:
            kept.append(row)
        else:
            rejected[reason] += 1
    return kept


def _reason(row: Fact, campaigns: Mapping[str, Campaign]) -> str | None:
    if isinstance(row, EventFact):
        return _reason_of_event(row, campaigns)
    campaign = campaigns.get(row.campaign_id)
    if campaign is None:
        return "unknown_campaign"
    if isinstance(row, StepFact):
        return None if row.step_id in {s.id for s in campaign.steps} else "unknown_step"
    if row.variant_id is None:
        return "missing_field"
    if row.variant_id not in {v.id for v in campaign.variants}:
        return "unknown_variant"
    if campaign.counting is Counting.ONCE_PER_CHANNEL and row.channel is None:
        return "missing_channel"
    return None


def _reason_of_event(event: EventFact, campaigns: Mapping[str, Campaign]) -> str | None:
    needs: dict[EventKind, tuple[object, ...]] = {
        EventKind.CUSTOM: (event.name,),
        EventKind.PURCHASE: (event.price, event.currency),
        EventKind.REFUND: (event.refund_of, event.price),
        EventKind.UPGRADE: (event.from_version, event.app_version),
        EventKind.MESSAGE_OPEN: (event.campaign_id,),
        EventKind.MESSAGE_CLICK: (event.campaign_id,),
    }
    if any(value is None for value in needs.get(event.kind, ())):
        return "missing_field"
    if event.kind in (EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK) and event.campaign_id not in campaigns:
        return "unknown_campaign"
    if event.kind is EventKind.PURCHASE and event.amount < 0:
        return "bad_amount"
    if event.kind is EventKind.REFUND and event.amount <= 0:
        return "bad_amount"
    return None


def _seen(log: Log, rows: list[FactT]) -> list[FactT]:
    """Rules 34 and 40: what is later than `as_of` is set aside."""
    seen = [row for row in rows if row.at <= log.as_of]
    log.after_as_of += len(rows) - len(seen)
    return seen


def _distinct(log: Log, rows: list[FactT], keep: Keep | None) -> list[FactT]:
    """Rule 33: one fact per id; a row is a repetition, a conflict or the one that stays."""
    by_id: dict[tuple[str, str], list[FactT]] = defaultdict(list)
    for row in _with_ids(rows):
        by_id[row.identity[0], row.id].append(row)
    kept = []
    for identity, same in by_id.items():
        contents = {content(row) for row in same}
        stays = min(contents, key=lambda text: hashlib.md5(text.encode()).hexdigest())
        if keep is not None and len(contents) > 1:
            stays = keep[identity]
        copies = [row for row in same if content(row) == stays]
        kept.append(copies[0])
        log.repetitions += len(copies) - 1
        log.rejected["id_conflict"] += len(same) - len(copies)
    return kept


def _with_ids(rows: list[FactT]) -> list[FactT]:
    """Rule 33: equals in one file are distinct, the same file again adds none."""
    seen: Counter[tuple[str, int]] = Counter()
    named = []
    for row in rows:
        if row.identity[1] is not None:
            named.append(row)
            continue
        text = content(row)
        seen[text, row.source] += 1
        named.append(row.named(f"{hashlib.md5(text.encode()).hexdigest()}-{seen[text, row.source]}"))
    return named


def _reject_steps_without_exposure(log: Log) -> None:
    kept = []
    for step in log.step_messages:
        mine = [e for e in log.exposures_of[log.person(step.user_id)] if e.campaign_id == step.campaign_id]
        if step.exposure_id is None:
            found = any(e.at <= step.at for e in mine)
        else:
            found = any(e.id == step.exposure_id for e in mine)
        if found:
            kept.append(step)
        else:
            log.rejected["no_exposure"] += 1
    log.step_messages = kept


def message_channel(log: Log, event: EventFact) -> str | None:
    """The channel that an open or click counts for: its own, else that of the exposure it names (rule 16)."""
    if event.channel is not None:
        return event.channel
    for e in log.exposures_of[log.person(event.user_id)]:
        if e.campaign_id == event.campaign_id and e.id == event.exposure_id:
            return e.channel
    return None


def _with_channel(log: Log, events: list[EventFact], campaigns: Mapping[str, Campaign]) -> list[EventFact]:
    """Rule 16: where every channel is a separate opportunity, an open or click of no channel cannot be used."""
    kept = []
    for event in events:
        is_message = event.kind in (EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK)
        if is_message and not event.machine and event.campaign_id is not None:
            per_channel = campaigns[event.campaign_id].counting is Counting.ONCE_PER_CHANNEL
            if per_channel and message_channel(log, event) is None:
                log.rejected["missing_channel"] += 1
                continue
        kept.append(event)
    return kept


def _reject_refunds_in_other_currency(log: Log) -> None:
    purchases = {e.id: e for e in log.events if e.kind is EventKind.PURCHASE}
    kept = []
    for event in log.events:
        if event.kind is EventKind.REFUND:
            purchase = purchases.get(event.refund_of or "")
            if purchase is None:
                log.unmatched_refunds += 1
            elif (event.currency or purchase.currency or "").upper() != (purchase.currency or "").upper():
                log.rejected["bad_currency"] += 1
                continue
        kept.append(event)
    log.events = kept
