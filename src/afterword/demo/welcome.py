"""A Canvas for new customers: steps, re-entries, triggers, opens and clicks, refunds, windows still open.

Everything that a person does in an entry happens before the next entry, so what is true can be counted
entry by entry; the engine has to find the same through all the rows of a person.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from afterword.demo.facts import DAY, MINUTE, SECOND, Bools, Facts, Ints, Texts, at, money, names
from afterword.demo.truth import CampaignTruth, VariantTruth

CANVAS = "welcome"
VARIANTS = ("story", "short", "control")
SHARES = (0.45, 0.45, 0.10)
STEPS = (("hello", MINUTE), ("tips", 2 * DAY), ("offer", 5 * DAY))
DEADLINES = {"A": 10 * DAY, "B": 3 * DAY, "C": 3 * DAY}
LEAST_FIELDS = 5

EXPORTED_AT = at("2008-05-01T00:00:00")
"""When the demo's facts end: whatever would be later is not in the files yet."""

_CONTROL = 2
_FIRST, _LAST = at("2008-03-01T00:00:00"), at("2008-04-28T00:00:00")
_PEOPLE = 3_000
# By variant: what part of the entries buys, completes the profile, clicks.
_RATES = {"A": (0.16, 0.13, 0.10), "B": (0.40, 0.34, 0.25), "C": (0.22, 0.18, 0.0)}


@dataclass(frozen=True, slots=True)
class _Entries:
    """The entries into the Canvas, each at one position in all arrays."""

    ids: Texts
    user_ids: Texts
    variant: Ints
    entered_at: Ints
    next_at: Ints
    """When the same person enters again; just after the export for the last entry."""
    is_last: Bools
    after_long_pause: Bools
    """Re-entries for which the window of the entry before is over."""

    def stop(self, letter: str) -> Ints:
        """The last instant at which an event counts for this entry (of a later entry's instant, the one before)."""
        return np.minimum(self.entered_at + DEADLINES[letter], self.next_at - SECOND)


@dataclass(frozen=True, slots=True)
class WelcomeFacts:
    """What the Canvas brings: three tables and the truth."""

    exposures: pa.Table
    events: pa.Table
    step_messages: pa.Table
    truth: CampaignTruth


def welcome(rng: np.random.Generator) -> WelcomeFacts:
    """Make the Canvas's facts."""
    entries = _entries(rng)
    events = Facts(
        "event_id user_id kind occurred_at name app_id product_id price quantity currency refund_of campaign_id "
        "channel exposure_id machine properties",
        prefix="w",
    )
    triggers = _add_triggers(events, rng, entries)
    bought_at, revenue = _add_purchases(events, rng, entries)
    completed_at = _add_profiles(events, rng, entries)
    clicked_at = _add_clicks(events, rng, entries)
    first = {"A": bought_at, "B": completed_at, "C": clicked_at}
    # Somebody looks around while the export is made: the latest fact, hence the time of the results (rule 40).
    events.add(
        1,
        event_id=events.new_ids(1),
        user_id="n-0001",
        kind="session",
        occurred_at=np.array([EXPORTED_AT]),
        app_id="shop",
    )
    messages, sent = _step_messages(entries)
    return WelcomeFacts(_exposures(entries, triggers), events.table(), messages, _truth(entries, first, revenue, sent))


def _entries(rng: np.random.Generator) -> _Entries:
    first = _whole_seconds(rng.integers(_FIRST, _LAST, _PEOPLE))
    person = np.arange(_PEOPLE)
    variant = rng.choice(len(VARIANTS), _PEOPLE, p=SHARES)
    soon = rng.random(_PEOPLE) < 0.08  # within the window of the first entry, which thereby loses the person
    pause = np.where(soon, rng.uniform(2, 6, _PEOPLE), rng.uniform(15, 30, _PEOPLE)) * DAY
    again = soon | (rng.random(_PEOPLE) < 0.25)
    second = _whole_seconds(first + pause.astype(np.int64))
    again &= second < EXPORTED_AT - DAY
    people = np.concatenate([person, person[again]])
    entered_at = np.concatenate([first, second[again]])
    is_last = np.concatenate([~again, np.ones(int(again.sum()), dtype=np.bool_)])
    next_at = np.concatenate(
        [np.where(again, second, EXPORTED_AT + SECOND), np.full(again.sum(), EXPORTED_AT + SECOND)]
    )
    long_pause = np.concatenate([np.zeros(_PEOPLE, dtype=np.bool_), ~soon[again]])
    order = np.lexsort((people, entered_at))
    user_ids = names("n", (people[order] + 1).tolist(), 4)
    return _Entries(
        names("entry", range(1, len(order) + 1), 5),
        user_ids,
        variant[people[order]].astype(np.int64),
        entered_at[order],
        next_at[order],
        is_last[order],
        long_pause[order],
    )


def _whole_seconds(times: Ints) -> Ints:
    return times // SECOND * SECOND


def _exposures(entries: _Entries, triggers: Texts) -> pa.Table:
    facts = Facts("exposure_id user_id campaign_id variant_id exposed_at trigger_event_id")
    facts.add(
        len(entries.ids),
        exposure_id=entries.ids,
        user_id=entries.user_ids,
        campaign_id=CANVAS,
        variant_id=np.array(VARIANTS)[entries.variant],
        exposed_at=entries.entered_at,
        trigger_event_id=triggers,
    )
    return facts.table()


def _add_triggers(events: Facts, rng: np.random.Generator, entries: _Entries) -> Texts:
    """Add the event that opened each entry; return their ids.

    A re-entry after a long pause is opened by a purchase, whose own time is a little after the entry.
    It must not convert the entry that it opened (rule 9), and the window of the one before is over.
    """
    count = len(entries.ids)
    ids = events.new_ids(count)
    times = entries.entered_at + rng.integers(0, 3, count) * SECOND
    by_purchase = entries.after_long_pause
    signed_up = ~by_purchase
    events.add(
        int(signed_up.sum()),
        event_id=ids[signed_up],
        user_id=entries.user_ids[signed_up],
        kind="custom",
        name="signed_up",
        occurred_at=times[signed_up],
    )
    cents = _prices(rng, int(by_purchase.sum()))
    _add_orders(events, ids[by_purchase], entries.user_ids[by_purchase], times[by_purchase], cents)
    return ids


def _add_orders(events: Facts, ids: Texts, user_ids: Texts, times: Ints, cents: Ints) -> None:
    events.add(
        len(ids),
        event_id=ids,
        user_id=user_ids,
        kind="purchase",
        occurred_at=times,
        product_id="starter-set",
        price=money(cents),
        quantity=np.ones(len(ids), dtype=np.int64),
        currency="USD",
    )


def _prices(rng: np.random.Generator, count: int) -> Ints:
    return (1_500 + rng.lognormal(7.8, 0.6, count)).astype(np.int64)


def _first_times(rng: np.random.Generator, entries: _Entries, letter: str, usual_delay: float) -> Ints:
    """Return when something happens in each entry, 0 where it does not (in time, or before the export)."""
    delay = 5 * MINUTE + rng.exponential(usual_delay, len(entries.ids)).astype(np.int64)
    times = _whole_seconds(entries.entered_at + delay)
    happens = rng.random(len(times)) < np.array(_RATES[letter])[entries.variant]
    return np.where(happens & (times <= np.minimum(entries.stop(letter), EXPORTED_AT)), times, 0)


def _add_purchases(events: Facts, rng: np.random.Generator, entries: _Entries) -> tuple[Ints, Ints]:
    """Add purchases and refunds; return the first purchase and the revenue of each entry."""
    bought_at = _first_times(rng, entries, "A", 3 * DAY)
    buying = np.flatnonzero(bought_at)
    cents = _prices(rng, len(buying))
    ids = events.new_ids(len(buying))
    _add_orders(events, ids, entries.user_ids[buying], bought_at[buying], cents)
    revenue = np.zeros(len(bought_at), dtype=np.int64)
    revenue[buying] = cents
    # A refund lowers revenue and takes no conversion back (rule 28). It may come long after the window.
    refunded_at = bought_at[buying] + _whole_seconds(rng.integers(DAY, 12 * DAY, len(buying)))
    refunded = (rng.random(len(buying)) < 0.06) & (refunded_at <= EXPORTED_AT)
    revenue[buying[refunded]] = 0
    events.add(
        int(refunded.sum()),
        event_id=events.new_ids(int(refunded.sum())),
        user_id=entries.user_ids[buying[refunded]],
        kind="refund",
        occurred_at=refunded_at[refunded],
        refund_of=ids[refunded],
        price=money(cents[refunded]),
        quantity=np.ones(int(refunded.sum()), dtype=np.int64),
        currency="USD",
    )
    # Purchases after the ten days, where the next entry leaves room for them: credited to nobody.
    late_at = entries.entered_at + DEADLINES["A"] + _whole_seconds(rng.integers(SECOND, 3 * DAY, len(bought_at)))
    late = np.flatnonzero((late_at < np.minimum(entries.next_at, EXPORTED_AT)) & (rng.random(len(late_at)) < 0.05))
    late_ids = events.new_ids(len(late))
    _add_orders(events, late_ids, entries.user_ids[late], late_at[late], _prices(rng, len(late)))
    return bought_at, revenue


def _add_profiles(events: Facts, rng: np.random.Generator, entries: _Entries) -> Ints:
    """Add completed profiles; return when each entry's first full enough one came."""
    completed_at = _first_times(rng, entries, "B", DAY)
    full = np.flatnonzero(completed_at)
    _add_profile(events, entries.user_ids[full], completed_at[full], rng.integers(LEAST_FIELDS, 9, len(full)))
    # Profiles with too few fields do not meet the filter, whoever sends them.
    thin_at = entries.entered_at + _whole_seconds(rng.integers(MINUTE, DAY, len(entries.ids)))
    thin = np.flatnonzero((rng.random(len(thin_at)) < 0.2) & (thin_at < EXPORTED_AT))
    _add_profile(events, entries.user_ids[thin], thin_at[thin], rng.integers(1, LEAST_FIELDS, len(thin)))
    return completed_at


def _add_profile(events: Facts, user_ids: Texts, times: Ints, fields: Ints) -> None:
    properties = [json.dumps({"profile": {"fields": number}}) for number in fields.tolist()]
    events.add(
        len(user_ids),
        event_id=events.new_ids(len(user_ids)),
        user_id=user_ids,
        kind="custom",
        name="profile_completed",
        occurred_at=times,
        properties=np.array(properties, dtype=np.str_),
    )


def _add_clicks(events: Facts, rng: np.random.Generator, entries: _Entries) -> Ints:
    """Add opens and clicks; return each entry's first click by a person."""
    clicked_at = _first_times(rng, entries, "C", DAY)
    clicking = np.flatnonzero(clicked_at)
    for kind, before in (("message_open", 20 * SECOND), ("message_click", 0)):
        _add_reactions(events, entries, clicking, kind, clicked_at[clicking] - before)
    mailed = np.flatnonzero((entries.variant != _CONTROL) & (rng.random(len(clicked_at)) < 0.1))
    for kind in ("message_open", "message_click"):  # a scanner that follows every link
        times = entries.entered_at[mailed] + 62 * SECOND
        _add_reactions(events, entries, mailed, kind, times, machine=True)
    return clicked_at


def _add_reactions(
    events: Facts, entries: _Entries, chosen: Ints, kind: str, times: Ints, *, machine: bool = False
) -> None:
    events.add(
        len(chosen),
        event_id=events.new_ids(len(chosen)),
        user_id=entries.user_ids[chosen],
        kind=kind,
        occurred_at=times,
        campaign_id=CANVAS,
        channel="email",
        exposure_id=entries.ids[chosen],
        machine=machine,
    )


def _step_messages(entries: _Entries) -> tuple[pa.Table, dict[str, Bools]]:
    """Return the step messages, and for each step which entries received it before the export."""
    facts = Facts("message_id user_id campaign_id step_id received_at exposure_id", prefix="m")
    received = {}
    for step, delay in STEPS:
        times = entries.entered_at + delay
        chosen = (entries.variant != _CONTROL) & (times <= EXPORTED_AT)
        if step == "tips":  # the short variant goes without
            chosen &= entries.variant == VARIANTS.index("story")
        count = int(chosen.sum())
        facts.add(
            count,
            message_id=facts.new_ids(count),
            user_id=entries.user_ids[chosen],
            campaign_id=CANVAS,
            step_id=step,
            received_at=times[chosen],
            exposure_id=entries.ids[chosen],
        )
        received[step] = chosen
    return facts.table(), received


def _truth(entries: _Entries, first: dict[str, Ints], revenue: Ints, received: dict[str, Bools]) -> CampaignTruth:
    variants = {}
    for index, variant in enumerate(VARIANTS):
        mine = entries.variant == index
        converted = {letter: int((mine & (times > 0)).sum()) for letter, times in first.items()}
        pending = {
            letter: int(
                (mine & entries.is_last & (times == 0) & (entries.entered_at + DEADLINES[letter] > EXPORTED_AT)).sum()
            )
            for letter, times in first.items()
        }
        variants[variant] = VariantTruth(int(mine.sum()), converted, pending, int(revenue[mine].sum()))
    return CampaignTruth(
        variants,
        {
            (variant, step): int((got & (entries.variant == index)).sum())
            for index, variant in enumerate(VARIANTS)
            for step, got in received.items()
        },
        _step_conversions(entries, first, received),
    )


def _step_conversions(
    entries: _Entries, first: dict[str, Ints], received: dict[str, Bools]
) -> dict[tuple[str, str, str], int]:
    """Count conversions by the last step that the entry had received when they happened (rule 18)."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for letter, times in first.items():
        for position in np.flatnonzero(times).tolist():
            had = [
                step
                for step, delay in STEPS
                if received[step][position] and entries.entered_at[position] + delay <= times[position]
            ]
            if had:
                counts[VARIANTS[entries.variant[position]], had[-1], letter] += 1
    return dict(counts)
