"""What the sweep walks over and what it leaves: tuples of NumPy arrays, which Numba takes as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I8, I32, I64, NEVER, U8, U16

SLOTS = 7
"""Slots per campaign: the whole campaign and one per channel."""
VARIANTS = 9
"""Eight variants and a control (rule 31)."""
LETTERS = 4
"""Conversion events per campaign (rule 1)."""
ACTIVE, WATCHED = 0, 1
UNWATCHED = -NEVER

PER_USER, PER_EXPOSURE, PER_CHANNEL = 0, 1, 2
CONVERSIONS, REVENUE = 1, 2
NO_ROLE, PURCHASE, OPEN, CLICK = 0, 1, 2, 3
UNSUBSCRIBED, COMPLAINED, BOUNCED = 1, 2, 4
"""What must not get worse: bits."""
NOT_NAMED, NAMED_UNKNOWN = -1, -2

CONVERTED, ALREADY, LATE, CREDITED, REVENUE_LATE = 0, 1, 2, 3, 4
"""What a trace says of an event that met a conversion event (or of a purchase's revenue)."""


class Rules(NamedTuple):
    """The definitions as tables; C campaigns, K event classes."""

    counting: I8
    """(C,) PER_USER, PER_EXPOSURE or PER_CHANNEL."""
    deadline: I64
    """(C, 4) microseconds."""
    window: I64
    """(C,) the revenue window in microseconds."""
    match: U8
    """(K, C) low four bits: letters met by the event; high four: met if it is an upgrade."""
    role: U8
    """(K,) NO_ROLE, PURCHASE, OPEN or CLICK."""
    campaign: I32
    """(K,) the campaign whose message the event is about, else -1."""
    guard: U8
    """(K,) UNSUBSCRIBED, COMPLAINED, BOUNCED, else 0."""


class Events(NamedTuple):
    """Events of many users, grouped by user, in order of (time, id, kind)."""

    offsets: I64
    time: I64
    kind: I32
    """The event's class: the row of `Rules.match`."""
    upgrade: U8
    """1 where the app's version went up (rules 20-25)."""
    link: I32
    """Opens and clicks: the exposure named, NOT_NAMED or NAMED_UNKNOWN."""
    channel: I8
    shifted: U8
    """1 where the event is also in `Shifts`."""


class Exposures(NamedTuple):
    """Exposures of many users, grouped by user, in order of (time, id)."""

    offsets: I64
    time: I64
    campaign: I32
    variant: I32
    channel: I8


class Steps(NamedTuple):
    """Step messages, grouped by user, in order of (effective time, step, id)."""

    offsets: I64
    time: I64
    campaign: I32
    step: I32
    link: I32


class Shifts(NamedTuple):
    """Triggering events, grouped by user, at the exposure that they opened (rule 9)."""

    offsets: I64
    time: I64
    event: I32
    slot: I32
    roles: U8


class State(NamedTuple):
    """What the sweep knows of the current user, per slot. Between users it is all reset."""

    size: I32
    """(2,) how many slots are ACTIVE, and how many are WATCHED."""
    active: I32
    """The slots in which the user was exposed."""
    watched: I32
    """Those of them for which an event may still count."""
    until: I64
    """The last moment at which an event may count, UNWATCHED if it is not watched."""
    reach: I64
    """By campaign: how long after an exposure an event may count. It never changes."""
    last: I32
    """The latest exposure, -1 before the first."""
    first: I64
    """(slots, VARIANTS) when the unit was first exposed to the variant."""
    seen: U16
    """Bit per variant."""
    converted: U8
    by: I8
    """(slots, 4) the variant that a conversion was credited to."""
    step: I32


class Found(NamedTuple):
    """What the sweep finds. Conversions, credited purchases and recipients are appended."""

    conversion_exposure: I32
    conversion_event: I32
    conversion_time: I64
    conversion_letter: U8
    conversion_step: I32
    conversion_flags: U8
    """Bit 0: after an open; bit 1: after a click (rule 11)."""
    credited_exposure: I32
    credited_event: I32
    credited_step: I32
    recipient_user: I32
    recipient_campaign: I32
    recipient_variant: I32
    recipient_channel: I8
    recipient_exposure: I32
    recipient_first: I64
    recipient_last: I64
    recipient_latest: U8
    recipient_converted: U8
    recipient_unit: U8
    recipient_seen: U8
    exposure_superseded: I64
    exposure_at_risk: U8
    exposure_converted: U8
    exposure_first: U8
    exposure_flags: U8
    step_exposure: I32
    """The exposure that a step message belongs to, -1 if there is none."""
    size: I64
    """(3,) how many conversions, credited purchases and recipients there are."""


class Walk(NamedTuple):
    """Everything that one sweep needs and fills."""

    rules: Rules
    events: Events
    exposures: Exposures
    steps: Steps
    shifts: Shifts
    state: State
    found: Found


def new_state(rules: Rules) -> State:
    """Return the state in which every user begins."""
    slots = max(1, len(rules.counting)) * SLOTS
    return State(
        np.zeros(2, np.int32),
        np.zeros(slots, np.int32),
        np.zeros(slots, np.int32),
        np.full(slots, UNWATCHED, np.int64),
        np.maximum(rules.window, rules.deadline.max(axis=1)),
        np.full(slots, -1, np.int32),
        np.full((slots, VARIANTS), NEVER, np.int64),
        np.zeros(slots, np.uint16),
        np.zeros(slots, np.uint8),
        np.full((slots, 4), -1, np.int8),
        np.full(slots, -1, np.int32),
    )


def new_found(conversions: int, credited: int, exposures: int, steps: int) -> Found:
    """Return empty results with room for so many rows."""
    i32, u8 = np.int32, np.uint8
    return Found(
        np.empty(conversions, i32), np.empty(conversions, i32), np.empty(conversions, np.int64),
        np.empty(conversions, u8), np.empty(conversions, i32), np.empty(conversions, u8),
        np.empty(credited, i32), np.empty(credited, i32), np.empty(credited, i32),
        np.empty(exposures, i32), np.empty(exposures, i32), np.empty(exposures, i32),
        np.empty(exposures, np.int8), np.empty(exposures, i32), np.empty(exposures, np.int64),
        np.empty(exposures, np.int64), np.empty(exposures, u8), np.empty(exposures, u8),
        np.empty(exposures, u8), np.empty(exposures, u8),
        np.full(exposures, NEVER, np.int64), np.zeros(exposures, u8), np.zeros(exposures, u8),
        np.zeros(exposures, u8), np.zeros(exposures, u8),
        np.full(steps, -1, i32), np.zeros(3, np.int64),
    )  # fmt: skip
