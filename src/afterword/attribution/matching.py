"""Matching: each event becomes a small integer, its *class*, which says what it can satisfy.

A class is a *token* (kind and, where a definition mentions it, the product, name, app or campaign)
with one bit per property filter that applies to the token. DuckDB computes the bits in the scan, a
compiled function looks the tokens up (`tokens`); the table "class meets (campaign, letter)" that
drives the sweep is computed once per class that occurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from afterword.attribution.compiled import I8, I32, I64, U8
from afterword.attribution.filters import filter_condition
from afterword.attribution.streams import (
    BOUNCED,
    CLICK,
    COMPLAINED,
    NO_ROLE,
    OPEN,
    PER_CHANNEL,
    PER_EXPOSURE,
    PER_USER,
    PURCHASE,
    UNSUBSCRIBED,
    Rules,
)
from afterword.attribution.tokens import APP, IRRELEVANT, KINDS, NAME, PRODUCT, TokenTable, token_table
from afterword.model import (
    MAX_CONVERSION_EVENTS,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    EventKind,
    PropertyFilter,
)
from afterword.store.sql import literal

BITS_PER_COLUMN = 60

_COUNTINGS = {
    Counting.ONCE_PER_USER: PER_USER,
    Counting.ONCE_PER_EXPOSURE: PER_EXPOSURE,
    Counting.ONCE_PER_CHANNEL: PER_CHANNEL,
}
EVENT_KINDS: dict[ConversionKind, tuple[EventKind, ...]] = {
    ConversionKind.SESSION: (EventKind.SESSION,),
    ConversionKind.PURCHASE: (EventKind.PURCHASE,),
    ConversionKind.CUSTOM: (EventKind.CUSTOM,),
    ConversionKind.UPGRADE: (EventKind.SESSION, EventKind.UPGRADE),
    ConversionKind.MESSAGE_OPEN: (EventKind.MESSAGE_OPEN,),
    ConversionKind.MESSAGE_CLICK: (EventKind.MESSAGE_CLICK,),
}
GUARDS = {
    EventKind.MESSAGE_UNSUBSCRIBE: UNSUBSCRIBED,
    EventKind.MESSAGE_COMPLAINT: COMPLAINED,
    EventKind.MESSAGE_BOUNCED: BOUNCED,
}
"""Kinds of events that nothing converts on, but that a campaign must not have more of."""

_KEYS = {
    EventKind.PURCHASE: PRODUCT,
    EventKind.CUSTOM: NAME,
    EventKind.SESSION: APP,
    EventKind.UPGRADE: APP,
}
"""The column that the keys of a kind of event are compared with."""


@dataclass(frozen=True, slots=True)
class Token:
    """A kind of event, and the product, name, app or campaign that a definition mentions."""

    kind: EventKind
    key: str | None = None
    campaign: int = -1
    machine: bool = False
    """An open or click by a machine: it never counts, but explanations tell of it."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A property filter with the events that it is asked of (`name` for custom events)."""

    kinds: tuple[EventKind, ...]
    name: str | None
    filter: PropertyFilter

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two filters one; for Python `1 == True`, for rule 5 it is not."""
        return (self.kinds, self.name, self.filter.property, self.filter.op, repr(self.filter.value))

    @property
    def condition(self) -> str:
        """SQL: the event is one of those asked, and meets the filter."""
        kinds = ", ".join(str(int(kind)) for kind in self.kinds)
        named = f" AND name = {literal(self.name)}" if self.name is not None else ""
        return f"CASE WHEN kind IN ({kinds}){named} THEN {filter_condition(self.filter)} ELSE false END"


class Matching:
    """The conditions of all conversion events of some definitions."""

    def __init__(self, definitions: Definitions, *, machine_messages: bool = False) -> None:
        """Take the conditions of all campaigns.

        Args:
            definitions: the campaigns.
            machine_messages: give opens and clicks by machines a class too, for explanations.

        """
        self.definitions = definitions
        events = [event for campaign in definitions.campaigns for event in campaign.conversion_events]
        kinds = {event.kind for event in events}
        self.versions_matter = ConversionKind.UPGRADE in kinds
        self.tokens = _tokens(events, len(definitions.campaigns), kinds, machine_messages)
        self.filters = _filters(events)
        self._token_index = {token: index for index, token in enumerate(self.tokens, start=1)}
        self._filter_index = {guarded.key: index for index, guarded in enumerate(self.filters)}

    @property
    def bit_columns(self) -> int:
        """How many BIGINT columns of filter bits a scan has."""
        return -(-len(self.filters) // BITS_PER_COLUMN)

    def token_table(self, hashes: Mapping[str, int]) -> TokenTable:
        """Return the table in which tokens are looked up; `hashes` are those of the names in `keys`."""
        default: I32 = np.full(KINDS, IRRELEVANT, np.int32)
        by_campaign: I32 = np.full((KINDS, 2), -1, np.int32)
        column: U8 = np.zeros(KINDS, np.uint8)
        rows: list[tuple[int, int, int]] = []
        for token, index in self._token_index.items():
            if token.key is not None:
                rows.append((int(token.kind), hashes[token.key], index))
                column[token.kind] = _KEYS[token.kind]
            elif token.campaign < 0:
                default[token.kind] = index
            elif token.campaign == 0:
                by_campaign[token.kind, int(token.machine)] = index
        return token_table(default, by_campaign, column, rows)

    @property
    def keys(self) -> list[str]:
        """The products, names and apps that definitions mention."""
        return sorted({token.key for token in self.tokens if token.key is not None})

    def bits_sql(self) -> list[str]:
        """SQL for each column of filter bits."""
        columns = []
        for start in range(0, len(self.filters), BITS_PER_COLUMN):
            chunk = self.filters[start : start + BITS_PER_COLUMN]
            bits = [
                f"(CASE WHEN {guarded.condition} THEN {1 << bit}::BIGINT ELSE 0 END)"
                for bit, guarded in enumerate(chunk)
            ]
            columns.append(" | ".join(bits))
        return columns

    def rules(self, classes: Sequence[tuple[int, ...]]) -> Rules:
        """Return the tables that drive the sweep, for classes given as (token, bits...)."""
        campaigns = self.definitions.campaigns
        counting: I8 = np.array([_COUNTINGS[c.counting] for c in campaigns], np.int8)
        deadline: I64 = np.zeros((len(campaigns), MAX_CONVERSION_EVENTS), np.int64)
        for index, campaign in enumerate(campaigns):
            for letter, event in enumerate(campaign.conversion_events):
                deadline[index, letter] = event.deadline_seconds * 1_000_000
        window: I64 = np.array([c.revenue_window_seconds * 1_000_000 for c in campaigns], np.int64)
        match: U8 = np.zeros((len(classes), len(campaigns)), np.uint8)
        role: U8 = np.zeros(len(classes), np.uint8)
        message: I32 = np.full(len(classes), -1, np.int32)
        guard: U8 = np.zeros(len(classes), np.uint8)
        asked = [(i, n, event) for i, one in enumerate(campaigns) for n, event in enumerate(one.conversion_events)]
        for row, (token_index, *bits) in enumerate(classes):
            if token_index == IRRELEVANT:
                continue
            token = self.tokens[token_index - 1]
            role[row] = _role(token)
            message[row] = token.campaign
            guard[row] = GUARDS.get(token.kind, 0)
            for index, letter, event in asked:
                if self._meets(token, bits, index, event):
                    match[row, index] |= 1 << (letter + (4 if event.kind is ConversionKind.UPGRADE else 0))
        return Rules(counting, deadline, window, match, role, message, guard)

    def _meets(self, token: Token, bits: Sequence[int], campaign: int, event: ConversionEvent) -> bool:
        if token.kind not in EVENT_KINDS[event.kind]:
            return False
        if token.machine or (token.campaign >= 0 and token.campaign != campaign):
            return False
        asked = (event.name,) if event.kind is ConversionKind.CUSTOM else event.apps or event.products
        if asked and token.key not in asked:
            return False
        return all(self.is_met(event, filter_, bits) for filter_ in event.where)

    def is_met(self, event: ConversionEvent, filter_: PropertyFilter, bits: Sequence[int]) -> bool:
        """Return whether a class's bits say that a filter of the conversion event is met."""
        index = self._filter_index[_guard(event, filter_).key]
        return bool(bits[index // BITS_PER_COLUMN] >> (index % BITS_PER_COLUMN) & 1)


def _role(token: Token) -> int:
    if token.machine:
        return NO_ROLE
    roles = {EventKind.PURCHASE: PURCHASE, EventKind.MESSAGE_OPEN: OPEN, EventKind.MESSAGE_CLICK: CLICK}
    return roles.get(token.kind, NO_ROLE)


def _guard(event: ConversionEvent, filter_: PropertyFilter) -> Guarded:
    return Guarded(EVENT_KINDS[event.kind], event.name, filter_)


def _filters(events: Iterable[ConversionEvent]) -> list[Guarded]:
    guarded = [_guard(event, filter_) for event in events for filter_ in event.where]
    return list({each.key: each for each in guarded}.values())


def _tokens(
    events: Sequence[ConversionEvent], campaigns: int, kinds: set[ConversionKind], machine_messages: bool
) -> list[Token]:
    """Return all tokens; those of one kind of news about messages follow each other, campaign by campaign."""
    tokens = [Token(EventKind.PURCHASE)]
    if kinds & {ConversionKind.SESSION, ConversionKind.UPGRADE}:
        tokens.append(Token(EventKind.SESSION))
    if ConversionKind.UPGRADE in kinds:
        tokens.append(Token(EventKind.UPGRADE))
    for kind in (EventKind.MESSAGE_OPEN, EventKind.MESSAGE_CLICK):
        for machine in (False, True) if machine_messages else (False,):
            tokens += [Token(kind, None, campaign, machine) for campaign in range(campaigns)]
    for kind in GUARDS:
        tokens += [Token(kind, None, campaign) for campaign in range(campaigns)]
    mentioned: dict[Token, None] = {}
    for event in events:
        for kind in EVENT_KINDS[event.kind]:
            for key in (*event.apps, *event.products, *([event.name] if event.name else [])):
                mentioned[Token(kind, key)] = None
    return tokens + list(mentioned)
