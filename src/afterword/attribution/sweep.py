"""The sweep: one pass over a user's history that applies the whole rulebook (rules 7-19, 26, 40).

A user's history is four streams, each in order of time: *shifts* (events that triggered an
exposure and are moved just before it, rule 9), *exposures*, *step messages* and *events*. The
sweep merges them (at equal times in that order, rule 8) and holds, per credit scope, the latest
exposure, what has converted and the last step received.

A *scope* is where rule 13's "latest exposure" is looked for: the campaign, or under once per
channel the campaign and channel. Its state lives at `slot = campaign * SLOTS + channel + 1`, where
channel -1 stands for the whole campaign. Under once per channel the campaign's own slot serves
revenue only, which goes over all channels (rule 26).

`sweep` is plain Python over NumPy arrays. `sweep_compiled` is the same function compiled by Numba;
the explanations call the plain one with a `trace`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from afterword.attribution.compiled import I8, I16, I32, I64, NEVER, U8, U16, compiled_without_allocation, inlinable

SLOTS = 7
"""Slots per campaign: the whole campaign and one per channel."""
VARIANTS = 9
"""Eight variants and a control (rule 31)."""

PER_USER, PER_EXPOSURE, PER_CHANNEL = 0, 1, 2
CONVERSIONS, REVENUE = 1, 2
NO_ROLE, PURCHASE, OPEN, CLICK = 0, 1, 2, 3
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
    """(K,) the campaign whose message was opened or clicked, else -1."""


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

    active: I32
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


def new_state(campaigns: int) -> State:
    """Return the state in which every user begins."""
    slots = max(1, campaigns) * SLOTS
    return State(
        np.zeros(slots, np.int32),
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


@inlinable
def _roles(rules: Rules, slot: int) -> int:
    """What a slot is for: conversions, revenue or both (rules 16 and 26)."""
    if rules.counting[slot // SLOTS] != PER_CHANNEL:
        return CONVERSIONS | REVENUE
    return REVENUE if slot % SLOTS == 0 else CONVERSIONS


@inlinable
def _convert(letters, event, time, slot, rules, exposures, state, found, trace):  # type: ignore[no-untyped-def]
    """Credit the event to the slot's latest exposure, letter by letter (rules 13-16)."""
    campaign = slot // SLOTS
    exposure = state.last[slot]
    per_exposure = rules.counting[campaign] == PER_EXPOSURE
    for letter in range(4):
        bit = 1 << letter
        if not letters & bit:
            continue
        done = found.exposure_converted[exposure] if per_exposure else state.converted[slot]
        if done & bit:
            verdict = ALREADY
        elif time - exposures.time[exposure] > rules.deadline[campaign, letter]:
            verdict = LATE
        else:
            verdict = CONVERTED
            state.converted[slot] |= bit
            state.by[slot, letter] = exposures.variant[exposure]
            found.exposure_converted[exposure] |= bit
            row = found.size[0]
            found.conversion_exposure[row] = exposure
            found.conversion_event[row] = event
            found.conversion_time[row] = time
            found.conversion_letter[row] = letter
            found.conversion_step[row] = state.step[slot]
            found.conversion_flags[row] = found.exposure_flags[exposure]
            found.size[0] = row + 1
        if trace is not None:
            trace.append((event, time, slot, letter, exposure, verdict))


@inlinable
def _credit(event, time, slot, rules, exposures, state, found, trace):  # type: ignore[no-untyped-def]
    """Credit a purchase's revenue to the latest exposure within the revenue window (rule 26)."""
    exposure = state.last[slot]
    inside = time - exposures.time[exposure] <= rules.window[slot // SLOTS]
    if inside:
        row = found.size[1]
        found.credited_exposure[row] = exposure
        found.credited_event[row] = event
        found.credited_step[row] = state.step[slot]
        found.size[1] = row + 1
    if trace is not None:
        trace.append((event, time, slot, -1, exposure, CREDITED if inside else REVENUE_LATE))


@inlinable
def _meet(event, time, slot, roles, rules, events, exposures, state, found, trace):  # type: ignore[no-untyped-def]
    """Let one event meet one slot whose user has been exposed."""
    kind = events.kind[event]
    campaign = slot // SLOTS
    match = rules.match[kind, campaign]
    letters = match & 15
    if events.upgrade[event] == 1:
        letters |= match >> 4
    role = rules.role[kind]
    message = role >= OPEN and rules.campaign[kind] == campaign
    if letters == 0 and role != PURCHASE and not message:
        return
    channel = slot % SLOTS - 1
    if message and channel >= 0 and events.channel[event] != channel:
        return  # under once per channel, opens and clicks count for their own channel (rule 16)
    if letters and roles & CONVERSIONS:
        _convert(letters, event, time, slot, rules, exposures, state, found, trace)
    if role == PURCHASE and roles & REVENUE:
        _credit(event, time, slot, rules, exposures, state, found, trace)
    if message and roles & CONVERSIONS and events.link[event] == NOT_NAMED:
        exposure = state.last[slot]
        theirs, ours = events.channel[event], exposures.channel[exposure]
        if theirs < 0 or ours < 0 or theirs == ours:
            found.exposure_flags[exposure] |= role - PURCHASE


@inlinable
def _own_slot(exposure, rules, exposures):  # type: ignore[no-untyped-def]
    """The slot in which an exposure receives conversions."""
    campaign = exposures.campaign[exposure]
    slot = campaign * SLOTS
    return slot + exposures.channel[exposure] + 1 if rules.counting[campaign] == PER_CHANNEL else slot


@inlinable
def _mark_named(event, rules, events, found):  # type: ignore[no-untyped-def]
    """Note that a named exposure's message was opened, whichever exposure is the latest (rule 11)."""
    link = events.link[event]
    if link >= 0:
        found.exposure_flags[link] |= rules.role[events.kind[event]] - PURCHASE


@inlinable
def _own_roles(event, slot, roles, shifts, low, high):  # type: ignore[no-untyped-def]
    """Take away the roles in which the event already counted just before its exposure (rule 9)."""
    for row in range(low, high):
        if shifts.event[row] == event and shifts.slot[row] == slot:
            roles &= ~int(shifts.roles[row])
    return roles


@inlinable
def _on_event(event, low, high, active, rules, events, exposures, shifts, state, found, trace):  # type: ignore[no-untyped-def]
    """An event happens: every scope in which the user has been exposed looks at it."""
    time = events.time[event]
    for index in range(active):
        slot = state.active[index]
        roles = _roles(rules, slot)
        if events.shifted[event]:
            roles = _own_roles(event, slot, roles, shifts, low, high)
        if roles:
            _meet(event, time, slot, roles, rules, events, exposures, state, found, trace)
    _mark_named(event, rules, events, found)


@inlinable
def _expose(exposure, slot, active, exposures, state, found):  # type: ignore[no-untyped-def]
    """Make the exposure the slot's latest (rule 13); return how many slots are active."""
    time = exposures.time[exposure]
    variant = exposures.variant[exposure]
    before = state.last[slot]
    if before < 0:
        state.active[active] = slot
        active += 1
    state.last[slot] = exposure
    state.step[slot] = -1
    state.seen[slot] |= 1 << variant
    if time < state.first[slot, variant]:
        state.first[slot, variant] = time
    return active


@inlinable
def _on_exposure(exposure, active, rules, exposures, state, found):  # type: ignore[no-untyped-def]
    """An exposure opens its windows and takes over from the one before."""
    campaign = exposures.campaign[exposure]
    counting = rules.counting[campaign]
    slot = _own_slot(exposure, rules, exposures)
    if counting == PER_CHANNEL:
        active = _expose(exposure, campaign * SLOTS, active, exposures, state, found)
    before = state.last[slot]
    if before >= 0:
        found.exposure_superseded[before] = exposures.time[exposure]
    found.exposure_first[exposure] = before < 0 or counting == PER_EXPOSURE
    found.exposure_at_risk[exposure] = 15 if counting == PER_EXPOSURE else 15 & ~state.converted[slot]
    return _expose(exposure, slot, active, exposures, state, found)


@inlinable
def _on_step(row, steps, state, found):  # type: ignore[no-untyped-def]
    """A step's message was received (rule 18)."""
    slot = steps.campaign[row] * SLOTS
    exposure = steps.link[row]
    if exposure == NOT_NAMED:
        exposure = state.last[slot]
    if exposure < 0:
        return
    found.step_exposure[row] = exposure
    if exposure == state.last[slot]:
        state.step[slot] = steps.step[row]


@inlinable
def _add_recipient(user, slot, variant, exposure, seen, exposures, state, found):  # type: ignore[no-untyped-def]
    """Append one row: a unit and a variant that it was exposed to."""
    row = found.size[2]
    last = state.last[slot]
    found.recipient_user[row] = user
    found.recipient_campaign[row] = slot // SLOTS
    found.recipient_variant[row] = variant
    found.recipient_channel[row] = slot % SLOTS - 1
    found.recipient_exposure[row] = exposure
    found.recipient_seen[row] = seen
    if exposure >= 0:
        found.recipient_first[row] = exposures.time[exposure]
        found.recipient_last[row] = exposures.time[exposure]
        found.recipient_latest[row] = exposure == last
        found.recipient_converted[row] = found.exposure_converted[exposure]
        found.recipient_unit[row] = found.exposure_converted[exposure]
    else:
        own = 0
        for letter in range(4):
            if state.by[slot, letter] == variant:
                own |= 1 << letter
        found.recipient_first[row] = state.first[slot, variant]
        found.recipient_last[row] = exposures.time[last]
        found.recipient_latest[row] = exposures.variant[last] == variant
        found.recipient_converted[row] = own
        found.recipient_unit[row] = state.converted[slot]
    found.size[2] = row + 1


@inlinable
def _bits(mask: int) -> int:
    """How many bits are set."""
    count = 0
    while mask:
        count += mask & 1
        mask >>= 1
    return count


@inlinable
def _finish(user, active, rules, exposures, state, found):  # type: ignore[no-untyped-def]
    """Write down the user's units (rules 15-17) and forget the user."""
    for index in range(active):
        slot = state.active[index]
        campaign = slot // SLOTS
        if not _roles(rules, slot) & CONVERSIONS:
            continue
        seen = _bits(int(state.seen[campaign * SLOTS]))
        if rules.counting[campaign] == PER_EXPOSURE:
            for exposure in range(exposures.offsets[user], exposures.offsets[user + 1]):
                if exposures.campaign[exposure] == campaign:
                    variant = exposures.variant[exposure]
                    _add_recipient(user, slot, variant, exposure, seen, exposures, state, found)
        else:
            for variant in range(VARIANTS):
                if state.seen[slot] & (1 << variant):
                    _add_recipient(user, slot, variant, -1, seen, exposures, state, found)
    for index in range(active):
        slot = state.active[index]
        state.last[slot] = -1
        state.first[slot, :] = NEVER
        state.seen[slot] = 0
        state.converted[slot] = 0
        state.by[slot, :] = -1
        state.step[slot] = -1


@inlinable
def _walk(user, rules, events, exposures, steps, shifts, state, found, trace):  # type: ignore[no-untyped-def]
    """Merge the user's four streams in order of time and apply the rules to each fact."""
    active = 0
    shift, last_shift = shifts.offsets[user], shifts.offsets[user + 1]
    first_shift = shift
    exposure, last_exposure = exposures.offsets[user], exposures.offsets[user + 1]
    step, last_step = steps.offsets[user], steps.offsets[user + 1]
    event, last_event = events.offsets[user], events.offsets[user + 1]
    while True:
        time_h = shifts.time[shift] if shift < last_shift else NEVER
        time_x = exposures.time[exposure] if exposure < last_exposure else NEVER
        time_s = steps.time[step] if step < last_step else NEVER
        time_e = events.time[event] if event < last_event else NEVER
        if time_e < time_x and time_e < time_s and time_e < time_h:
            _on_event(
                event, first_shift, last_shift, active, rules, events, exposures, shifts, state, found, trace
            )
            event += 1
        elif time_h <= time_x and time_h <= time_s and shift < last_shift:
            slot = shifts.slot[shift]
            moved = shifts.event[shift]
            if state.last[slot] >= 0:
                roles = shifts.roles[shift]
                _meet(moved, time_h, slot, roles, rules, events, exposures, state, found, trace)
            link = events.link[moved]
            if link >= 0 and _own_slot(link, rules, exposures) == slot:
                _mark_named(moved, rules, events, found)
            shift += 1
        elif time_x <= time_s and exposure < last_exposure:
            active = _on_exposure(exposure, active, rules, exposures, state, found)
            exposure += 1
        elif step < last_step:
            _on_step(step, steps, state, found)
            step += 1
        else:
            break
    return active


def sweep(first, users, rules, events, exposures, steps, shifts, state, found, trace):  # type: ignore[no-untyped-def]
    """Sweep users `first` to `users`; return the next user to sweep.

    It stops early, at a whole user, where `found` might not have room for the next one: the caller
    takes out what is there, sets `found.size` to 0 and calls again.

    Args:
        first: the first user to sweep.
        users: one past the last.
        rules: the definitions (`Rules`).
        events: `Events`; exposures: `Exposures`; steps: `Steps`; shifts: `Shifts`.
        state: from `new_state`; as new again afterwards.
        found: from `new_found`; filled.
        trace: None, or (uncompiled only) a list that receives a tuple
            `(event, time, slot, letter, exposure, verdict)` for every meeting.
    """
    campaigns = rules.counting.shape[0]
    for user in range(first, users):
        own_exposures = exposures.offsets[user + 1] - exposures.offsets[user]
        own_events = events.offsets[user + 1] - events.offsets[user]
        if found.size[0] + 4 * own_exposures > found.conversion_event.shape[0]:
            return user
        if found.size[1] + own_events * min(own_exposures, campaigns) > found.credited_event.shape[0]:
            return user
        active = _walk(user, rules, events, exposures, steps, shifts, state, found, trace)
        _finish(user, active, rules, exposures, state, found)
    return users


sweep_compiled = compiled_without_allocation(sweep)
