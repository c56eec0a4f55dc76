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

from typing import TypeAlias

from afterword.attribution.compiled import NEVER, Int, compiled_without_allocation, inlinable
from afterword.attribution.streams import (
    ACTIVE,
    ALREADY,
    CONVERSIONS,
    CONVERTED,
    CREDITED,
    LATE,
    LETTERS,
    NO_ROLE,
    NOT_NAMED,
    OPEN,
    PER_CHANNEL,
    PER_EXPOSURE,
    PURCHASE,
    REVENUE,
    REVENUE_LATE,
    SLOTS,
    UNWATCHED,
    VARIANTS,
    WATCHED,
    Walk,
)

Trace: TypeAlias = "list[tuple[Int, Int, Int, Int, Int, Int]]"
"""Meetings of events and exposures: event, time, slot, letter, exposure, verdict."""


@inlinable
def _roles(slot: Int, w: Walk) -> int:
    """What a slot is for: conversions, revenue or both (rules 16 and 26)."""
    if w.rules.counting[slot // SLOTS] != PER_CHANNEL:
        return CONVERSIONS | REVENUE
    return REVENUE if slot % SLOTS == 0 else CONVERSIONS


@inlinable
def _convert(letters: Int, event: Int, time: Int, slot: Int, w: Walk, trace: Trace | None) -> None:
    """Credit the event to the slot's latest exposure, letter by letter (rules 13-16)."""
    campaign = slot // SLOTS
    exposure = w.state.last[slot]
    per_exposure = w.rules.counting[campaign] == PER_EXPOSURE
    for letter in range(LETTERS):
        bit = 1 << letter
        if not letters & bit:
            continue
        done = w.found.exposure_converted[exposure] if per_exposure else w.state.converted[slot]
        if done & bit:
            verdict = ALREADY
        elif time - w.exposures.time[exposure] > w.rules.deadline[campaign, letter]:
            verdict = LATE
        else:
            verdict = CONVERTED
            w.state.converted[slot] |= bit
            w.state.by[slot, letter] = w.exposures.variant[exposure]
            w.found.exposure_converted[exposure] |= bit
            row = w.found.size[0]
            w.found.conversion_exposure[row] = exposure
            w.found.conversion_event[row] = event
            w.found.conversion_time[row] = time
            w.found.conversion_letter[row] = letter
            w.found.conversion_step[row] = w.state.step[slot]
            w.found.conversion_flags[row] = w.found.exposure_flags[exposure]
            w.found.size[0] = row + 1
        if trace is not None:
            trace.append((event, time, slot, letter, exposure, verdict))


@inlinable
def _credit(event: Int, time: Int, slot: Int, w: Walk, trace: Trace | None) -> None:
    """Credit a purchase's revenue to the latest exposure within the revenue window (rule 26)."""
    exposure = w.state.last[slot]
    inside = time - w.exposures.time[exposure] <= w.rules.window[slot // SLOTS]
    if inside:
        row = w.found.size[1]
        w.found.credited_exposure[row] = exposure
        w.found.credited_event[row] = event
        w.found.credited_step[row] = w.state.step[slot]
        w.found.size[1] = row + 1
    if trace is not None:
        trace.append((event, time, slot, -1, exposure, CREDITED if inside else REVENUE_LATE))


@inlinable
def _meet(event: Int, time: Int, slot: Int, roles: Int, w: Walk, trace: Trace | None) -> None:
    """Let one event meet one slot whose user has been exposed."""
    kind = w.events.kind[event]
    campaign = slot // SLOTS
    match = w.rules.match[kind, campaign]
    role = w.rules.role[kind]
    if match == 0 and role == NO_ROLE:
        return
    letters = match & 15
    if w.events.upgrade[event] == 1:
        letters |= match >> 4
    message = role >= OPEN and w.rules.campaign[kind] == campaign
    channel = slot % SLOTS - 1
    if message and channel >= 0 and w.events.channel[event] != channel:
        return  # under once per channel, opens and clicks count for their own channel (rule 16)
    if letters and roles & CONVERSIONS:
        _convert(letters, event, time, slot, w, trace)
    if role == PURCHASE and roles & REVENUE:
        _credit(event, time, slot, w, trace)
    if message and roles & CONVERSIONS and w.events.link[event] == NOT_NAMED:
        exposure = w.state.last[slot]
        theirs, ours = w.events.channel[event], w.exposures.channel[exposure]
        if theirs < 0 or ours < 0 or theirs == ours:
            w.found.exposure_flags[exposure] |= role - PURCHASE


@inlinable
def _own_slot(exposure: Int, w: Walk) -> Int:
    """The slot in which an exposure receives conversions."""
    campaign = w.exposures.campaign[exposure]
    slot = campaign * SLOTS
    return slot + w.exposures.channel[exposure] + 1 if w.rules.counting[campaign] == PER_CHANNEL else slot


@inlinable
def _mark_named(event: Int, w: Walk) -> None:
    """Note that a named exposure's message was opened, whichever exposure is the latest (rule 11)."""
    link = w.events.link[event]
    if link >= 0:
        w.found.exposure_flags[link] |= w.rules.role[w.events.kind[event]] - PURCHASE


@inlinable
def _own_roles(event: Int, slot: Int, roles: Int, low: Int, high: Int, w: Walk) -> Int:
    """Take away the roles in which the event already counted just before its exposure (rule 9)."""
    for row in range(low, high):
        if w.shifts.event[row] == event and w.shifts.slot[row] == slot:
            roles &= ~int(w.shifts.roles[row])
    return roles


@inlinable
def _on_event(event: Int, low: Int, high: Int, w: Walk, trace: Trace | None) -> None:
    """An event happens: every scope whose windows may still be open looks at it.

    With a trace all scopes in which the user has been exposed do, so that misses can be told.
    """
    time = w.events.time[event]
    index = 0
    while index < w.state.size[WATCHED]:
        slot = w.state.watched[index]
        if time > w.state.until[slot] and trace is None:
            _unwatch(index, w)
            continue
        roles = _roles(slot, w)
        if w.events.shifted[event]:
            roles = _own_roles(event, slot, roles, low, high, w)
        if roles:
            _meet(event, time, slot, roles, w, trace)
        index += 1
    if w.rules.role[w.events.kind[event]] >= OPEN:
        _mark_named(event, w)


@inlinable
def _unwatch(index: Int, w: Walk) -> None:
    """Take a slot from those that look at events; the last one takes its place."""
    w.state.until[w.state.watched[index]] = UNWATCHED
    w.state.size[WATCHED] -= 1
    w.state.watched[index] = w.state.watched[w.state.size[WATCHED]]


@inlinable
def _watch(slot: Int, time: Int, w: Walk) -> None:
    """Let the slot look at events until the last window of its new exposure ends.

    Nothing counts after that: the flags of opens and clicks only tell of later conversions of their exposure.
    """
    if w.state.until[slot] == UNWATCHED:
        w.state.watched[w.state.size[WATCHED]] = slot
        w.state.size[WATCHED] += 1
    w.state.until[slot] = time + w.state.reach[slot // SLOTS]


@inlinable
def _expose(exposure: Int, slot: Int, w: Walk) -> None:
    """Make the exposure the slot's latest (rule 13)."""
    time = w.exposures.time[exposure]
    variant = w.exposures.variant[exposure]
    if w.state.last[slot] < 0:
        w.state.active[w.state.size[ACTIVE]] = slot
        w.state.size[ACTIVE] += 1
    w.state.last[slot] = exposure
    w.state.step[slot] = -1
    w.state.seen[slot] |= 1 << variant
    if time < w.state.first[slot, variant]:
        w.state.first[slot, variant] = time
    _watch(slot, time, w)


@inlinable
def _on_exposure(exposure: Int, w: Walk) -> None:
    """An exposure opens its windows and takes over from the one before."""
    campaign = w.exposures.campaign[exposure]
    counting = w.rules.counting[campaign]
    slot = _own_slot(exposure, w)
    if counting == PER_CHANNEL:
        _expose(exposure, campaign * SLOTS, w)
    before = w.state.last[slot]
    if before >= 0:
        w.found.exposure_superseded[before] = w.exposures.time[exposure]
    w.found.exposure_first[exposure] = before < 0 or counting == PER_EXPOSURE
    w.found.exposure_at_risk[exposure] = 15 if counting == PER_EXPOSURE else 15 & ~w.state.converted[slot]
    _expose(exposure, slot, w)


@inlinable
def _on_step(row: Int, w: Walk) -> None:
    """A step's message was received (rule 18)."""
    slot = w.steps.campaign[row] * SLOTS
    exposure = w.steps.link[row]
    if exposure == NOT_NAMED:
        exposure = w.state.last[slot]
    if exposure < 0:
        return
    w.found.step_exposure[row] = exposure
    if exposure == w.state.last[slot]:
        w.state.step[slot] = w.steps.step[row]


@inlinable
def _add_recipient(user: Int, slot: Int, variant: Int, exposure: Int, seen: Int, w: Walk) -> None:
    """Append one row: a unit and a variant that it was exposed to."""
    row = w.found.size[2]
    last = w.state.last[slot]
    w.found.recipient_user[row] = user
    w.found.recipient_campaign[row] = slot // SLOTS
    w.found.recipient_variant[row] = variant
    w.found.recipient_channel[row] = slot % SLOTS - 1
    w.found.recipient_exposure[row] = exposure
    w.found.recipient_seen[row] = seen
    if exposure >= 0:
        w.found.recipient_first[row] = w.exposures.time[exposure]
        w.found.recipient_last[row] = w.exposures.time[exposure]
        w.found.recipient_latest[row] = exposure == last
        w.found.recipient_converted[row] = w.found.exposure_converted[exposure]
        w.found.recipient_unit[row] = w.found.exposure_converted[exposure]
    else:
        own = 0
        for letter in range(LETTERS):
            if w.state.by[slot, letter] == variant:
                own |= 1 << letter
        w.found.recipient_first[row] = w.state.first[slot, variant]
        w.found.recipient_last[row] = w.exposures.time[last]
        w.found.recipient_latest[row] = w.exposures.variant[last] == variant
        w.found.recipient_converted[row] = own
        w.found.recipient_unit[row] = w.state.converted[slot]
    w.found.size[2] = row + 1


@inlinable
def _bits(mask: int) -> int:
    """How many bits are set."""
    count = 0
    while mask:
        count += mask & 1
        mask >>= 1
    return count


@inlinable
def _finish(user: Int, w: Walk) -> None:
    """Write down the user's units (rules 15-17) and forget the user."""
    active = w.state.size[ACTIVE]
    for index in range(active):
        slot = w.state.active[index]
        campaign = slot // SLOTS
        if not _roles(slot, w) & CONVERSIONS:
            continue
        seen = _bits(int(w.state.seen[campaign * SLOTS]))
        if w.rules.counting[campaign] == PER_EXPOSURE:
            for exposure in range(w.exposures.offsets[user], w.exposures.offsets[user + 1]):
                if w.exposures.campaign[exposure] == campaign:
                    variant = w.exposures.variant[exposure]
                    _add_recipient(user, slot, variant, exposure, seen, w)
        else:
            for variant in range(VARIANTS):
                if w.state.seen[slot] & (1 << variant):
                    _add_recipient(user, slot, variant, -1, seen, w)
    for index in range(active):
        _forget(w.state.active[index], w)
    w.state.size[ACTIVE] = 0
    w.state.size[WATCHED] = 0


@inlinable
def _forget(slot: Int, w: Walk) -> None:
    """Bring a slot back to how every user begins."""
    w.state.last[slot] = -1
    for variant in range(VARIANTS):
        w.state.first[slot, variant] = NEVER
    w.state.seen[slot] = 0
    w.state.converted[slot] = 0
    for letter in range(LETTERS):
        w.state.by[slot, letter] = -1
    w.state.step[slot] = -1
    w.state.until[slot] = UNWATCHED


@inlinable
def _walk(user: Int, w: Walk, trace: Trace | None) -> None:
    """Merge the user's four streams in order of time and apply the rules to each fact."""
    shift, last_shift = w.shifts.offsets[user], w.shifts.offsets[user + 1]
    first_shift = shift
    exposure, last_exposure = w.exposures.offsets[user], w.exposures.offsets[user + 1]
    step, last_step = w.steps.offsets[user], w.steps.offsets[user + 1]
    event, last_event = w.events.offsets[user], w.events.offsets[user + 1]
    while True:
        time_h = w.shifts.time[shift] if shift < last_shift else NEVER
        time_x = w.exposures.time[exposure] if exposure < last_exposure else NEVER
        time_s = w.steps.time[step] if step < last_step else NEVER
        following = min(time_h, time_x, time_s)
        while event < last_event and w.events.time[event] < following:
            _on_event(event, first_shift, last_shift, w, trace)
            event += 1
        if time_h == following and shift < last_shift:
            slot = w.shifts.slot[shift]
            moved = w.shifts.event[shift]
            if w.state.last[slot] >= 0:
                roles = w.shifts.roles[shift]
                _meet(moved, time_h, slot, roles, w, trace)
            link = w.events.link[moved]
            if link >= 0 and _own_slot(link, w) == slot:
                _mark_named(moved, w)
            shift += 1
        elif time_x == following and exposure < last_exposure:
            _on_exposure(exposure, w)
            exposure += 1
        elif step < last_step:
            _on_step(step, w)
            step += 1
        else:
            break


def sweep(first: Int, users: Int, w: Walk, trace: Trace | None) -> Int:
    """Sweep users `first` to `users`; return the next user to sweep.

    It stops early, at a whole user, where `w.found` might not have room for the next one: the caller
    takes out what is there, sets `w.found.size` to 0 and calls again.

    Args:
        first: the first user to sweep.
        users: one past the last.
        w: definitions, the four streams (grouped by user and in order), a new state, and what is filled.
        trace: None, or (uncompiled only) a list that receives every meeting.

    """
    campaigns = w.rules.counting.shape[0]
    for user in range(first, users):
        own_exposures = w.exposures.offsets[user + 1] - w.exposures.offsets[user]
        own_events = w.events.offsets[user + 1] - w.events.offsets[user]
        if w.found.size[0] + 4 * own_exposures > w.found.conversion_event.shape[0]:
            return user
        if w.found.size[1] + own_events * min(own_exposures, campaigns) > w.found.credited_event.shape[0]:
            return user
        _walk(user, w, trace)
        _finish(user, w)
    return users


sweep_compiled = compiled_without_allocation(sweep)
