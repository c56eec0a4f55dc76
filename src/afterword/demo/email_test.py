"""The published e-mail test, rebuilt: the totals are those of 2008, the people and times are made up.

Source of the totals: MineThatData E-Mail Analytics and Data Mining Challenge (Hillstrom, 2008): 64,000
customers who had bought within twelve months, a third each to an e-mail with men's merchandise, one with
women's, or none; visits, buyers and spending within two weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from afterword.demo.facts import DAY, HOUR, MINUTE, SECOND, Bools, Facts, Floats, Ints, Texts, at, money, names
from afterword.demo.truth import CampaignTruth, VariantTruth

CAMPAIGN = "email-test"
WINDOW = 14 * DAY
SENT_AT = at("2008-03-03T14:00:00")
SENDING = 90 * MINUTE
REPEATED = 400
"""Rows that the export holds twice."""

_PRODUCTS = np.array(["mens-boots", "mens-jacket", "mens-shirt", "womens-bag", "womens-coat", "womens-shoes"])
_SMALLEST_ORDER = 2_999
"""In cents; about what the smallest order of the published data was."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The published totals of one arm."""

    variant: str
    customers: int
    visited: int
    bought: int
    spent_cents: int


ARMS = (
    Arm("mens", 21_307, 3_894, 267, 3_031_169),
    Arm("womens", 21_387, 3_238, 189, 2_303_811),
    Arm("control", 21_306, 2_262, 122, 1_390_833),
)
_CONTROL = 2


@dataclass(frozen=True, slots=True)
class _People:
    """The 64,000, each at one position in all arrays."""

    ids: Texts
    arm: Ints
    exposed_at: Ints
    visited_at: Ints
    """0 for those who do not visit within the window."""
    buyers: Ints
    """Positions of the buyers, arm by arm; the first of each arm is `edge_buyers`."""
    edge_buyers: Ints
    edge_visitors: Ints

    @property
    def ends_at(self) -> Ints:
        return self.exposed_at + WINDOW

    @property
    def visitors(self) -> Ints:
        return np.flatnonzero(self.visited_at)

    @property
    def absent(self) -> Ints:
        """Those who neither visit nor buy within the window."""
        return np.flatnonzero(self.visited_at == 0)


def email_test(rng: np.random.Generator) -> tuple[pa.Table, pa.Table, CampaignTruth]:
    """Return exposures, events, and what is true about them."""
    people = _people(rng)
    events = Facts(
        "event_id user_id kind occurred_at app_id product_id order_id price quantity currency campaign_id channel "
        "exposure_id machine"
    )
    _add_visits(events, rng, people)
    _add_orders(events, rng, people)
    opened, clicked = _add_opens(events, rng, people)
    _add_what_does_not_count(events, rng, people)
    _add_people_without_the_message(events, rng)
    table = events.table()
    repeated = table.take(np.sort(rng.choice(len(table), REPEATED, replace=False)))
    return _exposures(rng, people), pa.concat_tables([table, repeated]), _truth(people, opened, clicked)


def _people(rng: np.random.Generator) -> _People:
    total = sum(arm.customers for arm in ARMS)
    arm = rng.permutation(np.repeat(np.arange(len(ARMS)), [a.customers for a in ARMS])).astype(np.int64)
    exposed_at = SENT_AT + rng.integers(0, SENDING, total)
    visited_at = np.zeros(total, dtype=np.int64)
    buyers, edge_buyers, edge_visitors = [], [], []
    for index, published in enumerate(ARMS):
        visitors = rng.choice(np.flatnonzero(arm == index), published.visited, replace=False)
        # An e-mail is answered soon or never; who got none comes when he comes. An hour stays for buying.
        soon = rng.exponential(3 * DAY, len(visitors)) % (WINDOW - HOUR)
        any_time = rng.random(len(visitors)) * (WINDOW - HOUR)
        delay = 2 * MINUTE + (any_time if index == _CONTROL else soon).astype(np.int64)
        # The window is closed on both sides (rule 8): one comes at its first instant, one buys at its last.
        delay[0] = WINDOW - 20 * MINUTE
        delay[-1] = 0
        visited_at[visitors] = exposed_at[visitors] + delay
        buyers.append(visitors[: published.bought])
        edge_buyers.append(visitors[0])
        edge_visitors.append(visitors[-1])
    return _People(
        names("c", range(1, total + 1), 5),
        arm,
        exposed_at,
        visited_at,
        np.concatenate(buyers),
        np.array(edge_buyers),
        np.array(edge_visitors),
    )


def _exposures(rng: np.random.Generator, people: _People) -> pa.Table:
    outcome = np.where(people.arm == _CONTROL, "held_out", "sent").astype("<U8")
    sent_in_vain = people.absent[people.arm[people.absent] != _CONTROL]
    outcome[rng.choice(sent_in_vain, len(sent_in_vain) // 250, replace=False)] = "bounced"
    facts = Facts("exposure_id user_id campaign_id variant_id channel exposed_at outcome")
    facts.add(
        len(people.ids),
        exposure_id=_exposure_ids(people.ids),
        user_id=people.ids,
        campaign_id=CAMPAIGN,
        variant_id=np.array([arm.variant for arm in ARMS])[people.arm],
        channel="email",
        exposed_at=people.exposed_at,
        outcome=outcome,
    )
    return facts.table()


def _exposure_ids(user_ids: Texts) -> Texts:
    return np.char.add("x-", user_ids)


def _add_sessions(events: Facts, user_ids: Texts, times: Ints) -> None:
    count = len(times)
    events.add(
        count, event_id=events.new_ids(count), user_id=user_ids, kind="session", occurred_at=times, app_id="shop"
    )


def _add_purchases(events: Facts, rng: np.random.Generator, user_ids: Texts, times: Ints, cents: Ints) -> None:
    count = len(times)
    ids = events.new_ids(count)
    pairs = (cents % 2 == 0) & (rng.random(count) < 0.2)
    events.add(
        count,
        event_id=ids,
        user_id=user_ids,
        kind="purchase",
        occurred_at=times,
        app_id="shop",
        product_id=rng.choice(_PRODUCTS, count),
        order_id=np.char.add("o-", ids),
        price=money(np.where(pairs, cents // 2, cents)),
        quantity=np.where(pairs, 2, 1).astype(np.int64),
        currency="USD",
    )


def _add_visits(events: Facts, rng: np.random.Generator, people: _People) -> None:
    visitors = people.visitors
    _add_sessions(events, people.ids[visitors], people.visited_at[visitors])
    again = rng.choice(visitors, len(visitors) // 3, replace=False)
    left = people.ends_at[again] - people.visited_at[again]
    _add_sessions(
        events, people.ids[again], people.visited_at[again] + (rng.random(len(again)) * left).astype(np.int64)
    )


def _add_orders(events: Facts, rng: np.random.Generator, people: _People) -> None:
    buyers = people.buyers
    edge = np.isin(buyers, people.edge_buyers)
    first_at = people.visited_at[buyers] + rng.integers(2 * MINUTE, 45 * MINUTE, len(buyers))
    first_at[edge] = people.ends_at[buyers[edge]]
    spent = np.concatenate(
        [split_exactly(arm.spent_cents, rng.lognormal(0, 0.8, arm.bought), _SMALLEST_ORDER) for arm in ARMS]
    )
    # Some come back for a second order; revenue is the sum of both, the conversion is one.
    twice = (rng.random(len(buyers)) < 0.15) & ~edge & (spent > 2 * _SMALLEST_ORDER)
    second = np.where(twice, (spent * rng.uniform(0.3, 0.6, len(buyers))).astype(np.int64), 0)
    left = (people.ends_at[buyers] - first_at) * rng.random(len(buyers))
    second_at = first_at + left.astype(np.int64)
    _add_purchases(events, rng, people.ids[buyers], first_at, spent - second)
    _add_purchases(events, rng, people.ids[buyers[twice]], second_at[twice], second[twice])


def split_exactly(total: int, weights: Floats, smallest: int) -> Ints:
    """Share out `total` whole units by weight, at least `smallest` each, with nothing lost."""
    free = total - smallest * len(weights)
    shares: Ints = smallest + np.floor(free * weights / weights.sum()).astype(np.int64)
    shares[: total - int(shares.sum())] += 1
    return shares


def _add_opens(events: Facts, rng: np.random.Generator, people: _People) -> tuple[Bools, Bools]:
    """Add opens and clicks; return who opened and who clicked before the visit."""
    mailed = people.arm != _CONTROL
    visited = (people.visited_at > 0) & mailed
    visited[people.edge_visitors] = False  # nobody opens before the first instant
    opened = visited & (rng.random(len(mailed)) < 0.7)
    clicked = opened & (rng.random(len(mailed)) < 0.8)
    for chosen, kind, before in ((opened, "message_open", 60 * SECOND), (clicked, "message_click", 5 * SECOND)):
        _add_reactions(events, people, np.flatnonzero(chosen), kind, people.visited_at[chosen] - before)
    only_read = np.flatnonzero((people.visited_at == 0) & mailed & (rng.random(len(mailed)) < 0.12))
    read_at = people.exposed_at[only_read] + (rng.exponential(DAY, len(only_read))).astype(np.int64)
    _add_reactions(events, people, only_read, "message_open", read_at)
    # Mail proxies fetch the pictures within seconds, whoever reads them or not: no opens (rule 5).
    proxied = np.flatnonzero(mailed & (rng.random(len(mailed)) < 0.25))
    fetched_at = people.exposed_at[proxied] + rng.integers(SECOND, 20 * SECOND, len(proxied))
    _add_reactions(events, people, proxied, "message_open", fetched_at, machine=True)
    return opened, clicked


def _add_reactions(
    events: Facts, people: _People, chosen: Ints, kind: str, times: Ints, *, machine: bool = False
) -> None:
    events.add(
        len(chosen),
        event_id=events.new_ids(len(chosen)),
        user_id=people.ids[chosen],
        kind=kind,
        occurred_at=times,
        campaign_id=CAMPAIGN,
        channel="email",
        exposure_id=_exposure_ids(people.ids[chosen]),
        machine=machine,
    )


def _add_what_does_not_count(events: Facts, rng: np.random.Generator, people: _People) -> None:
    """Add what the customers did before the e-mail and after the two weeks."""
    total = len(people.ids)
    # All of them had bought within the twelve months before: that is how they were chosen.
    bought_at = people.exposed_at - rng.integers(DAY, 365 * DAY, total)
    _add_sessions(events, people.ids, bought_at - 10 * MINUTE)
    _add_purchases(events, rng, people.ids, bought_at, _order_cents(rng, total))
    looked = rng.choice(total, total // 5, replace=False)
    _add_sessions(events, people.ids[looked], people.exposed_at[looked] - rng.integers(1, 30 * DAY, len(looked)))
    later = rng.choice(total, total // 5, replace=False)
    _add_sessions(events, people.ids[later], people.ends_at[later] + rng.integers(1, 35 * DAY, len(later)))
    bought_late = rng.choice(total, 800, replace=False)
    late_at = people.ends_at[bought_late] + rng.integers(1, 35 * DAY, len(bought_late))
    _add_purchases(events, rng, people.ids[bought_late], late_at, _order_cents(rng, len(bought_late)))
    # And at the edges: a microsecond too early, a microsecond too late.
    early, late = people.absent[:50], people.absent[50:100]
    _add_sessions(events, people.ids[early], people.exposed_at[early] - 1)
    _add_sessions(events, people.ids[late], people.ends_at[late] + 1)
    _add_purchases(events, rng, people.ids[late], people.ends_at[late] + 1, _order_cents(rng, len(late)))


def _add_people_without_the_message(events: Facts, rng: np.random.Generator) -> None:
    """Add customers who were no part of the test, busy in the same two weeks."""
    guests = names("g", range(1, 4_001), 5)
    times = SENT_AT + rng.integers(0, WINDOW, len(guests))
    _add_sessions(events, guests, times)
    buying = guests[:600]
    _add_purchases(events, rng, buying, times[:600] + 5 * MINUTE, _order_cents(rng, len(buying)))


def _order_cents(rng: np.random.Generator, count: int) -> Ints:
    return np.minimum(_SMALLEST_ORDER + rng.lognormal(8.6, 0.8, count), 60_000).astype(np.int64)


def _truth(people: _People, opened: Bools, clicked: Bools) -> CampaignTruth:
    variants = {
        arm.variant: VariantTruth(arm.customers, {"A": arm.bought, "B": arm.visited}, {"A": 0, "B": 0}, arm.spent_cents)
        for arm in ARMS
    }
    bought = np.zeros(len(people.ids), dtype=np.bool_)
    bought[people.buyers] = True

    def count(reacted: Bools) -> dict[tuple[str, str], int]:
        rows = {}
        for index, arm in enumerate(ARMS):
            mine = reacted & (people.arm == index)
            rows[arm.variant, "A"] = int((mine & bought).sum())
            rows[arm.variant, "B"] = int(mine.sum())
        return rows

    return CampaignTruth(variants, after_open=count(opened), after_click=count(clicked))
