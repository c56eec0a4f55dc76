"""Derived tables for tests: empty, or filled with random recipients whose truth is kept beside as plain objects."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import duckdb

from afterword.model import (
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    Step,
    Variant,
    Workspace,
)

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 1_000_000
OUTCOMES = 3

TABLES = """
CREATE TABLE recipients(
    campaign INTEGER, variant INTEGER, user INTEGER, channel TINYINT, exposure BIGINT, first_exposed_at BIGINT,
    first_day DATE, last_exposed_at BIGINT, latest BOOLEAN, converted UTINYINT, unit_converted UTINYINT,
    variants_seen UTINYINT
);
CREATE TABLE exposures(
    exposure BIGINT, campaign INTEGER, variant INTEGER, user INTEGER, channel TINYINT, exposed_at BIGINT,
    exposed_day DATE, superseded_at BIGINT, outcome TINYINT, at_risk UTINYINT, converted UTINYINT, first BOOLEAN
);
CREATE TABLE conversions(
    campaign INTEGER, letter UTINYINT, user INTEGER, exposure BIGINT, variant INTEGER, channel TINYINT, step INTEGER,
    exposed_at BIGINT, exposed_day DATE, converted_at BIGINT, converted_day DATE, event BIGINT, after_open BOOLEAN,
    after_click BOOLEAN
);
CREATE TABLE credited(
    campaign INTEGER, variant INTEGER, channel TINYINT, step INTEGER, user INTEGER, exposure BIGINT, exposed_day DATE,
    event BIGINT, occurred_at BIGINT, occurred_day DATE, amount BIGINT, refunded BIGINT, currency SMALLINT
);
CREATE TABLE currencies(currency SMALLINT, code VARCHAR);
CREATE TABLE rates(date DATE, currency VARCHAR, rate DECIMAL(38,12));
CREATE TABLE received(
    campaign INTEGER, variant INTEGER, step INTEGER, user INTEGER, exposure BIGINT, received_at BIGINT,
    received_day DATE
);
CREATE TABLE persons(
    campaign INTEGER, variant INTEGER, user INTEGER, first_exposed_at BIGINT, first_day DATE, y_a INTEGER, y_b INTEGER,
    y_c INTEGER, y_d INTEGER, m_a INTEGER, m_b INTEGER, m_c INTEGER, m_d INTEGER, x_a INTEGER, x_b INTEGER, x_c INTEGER,
    x_d INTEGER, earned BIGINT, earned_before BIGINT, apart BOOLEAN, guards UTINYINT
);
CREATE TABLE person_money(
    campaign INTEGER, user INTEGER, currency SMALLINT, occurred_day DATE, before BOOLEAN, net BIGINT
);
CREATE TABLE counted_revenue(
    campaign INTEGER, variant INTEGER, step INTEGER, currency INTEGER, exposed_day DATE, occurred_day DATE,
    purchases BIGINT, upper BIGINT, lower BIGINT
);
CREATE TABLE users(user INTEGER, user_id VARCHAR);
"""


def empty_tables() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 1})
    con.execute("SET TimeZone = 'UTC'")
    con.execute(TABLES)
    return con


def fill(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def day_of(us: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).date()


@dataclass
class Conversion:
    letter: int
    at: int
    step: int
    after_open: bool
    after_click: bool


@dataclass
class Exposure:
    id: int
    user: int
    variant: int
    channel: int
    at: int
    outcome: int
    superseded_at: int | None = None
    at_risk: int = 0
    conversions: list[Conversion] = field(default_factory=list)

    @property
    def mask(self) -> int:
        return sum(1 << conversion.letter for conversion in self.conversions)


@dataclass
class Unit:
    """A user, a user and channel, or an exposure, with its exposures in order of time."""

    user: int
    channel: int
    exposure: int
    exposures: list[Exposure]


EVENTS = (
    ConversionEvent(ConversionKind.PURCHASE, 3 * 86_400),
    ConversionEvent(ConversionKind.CUSTOM, 90 * 60, name="added_to_cart"),
    ConversionEvent(ConversionKind.MESSAGE_CLICK, 86_400),
)
VARIANTS = (Variant("a", 4500, "Cart"), Variant("b", 4500), Variant("control", 1000, control=True))


def a_campaign(counting: Counting = Counting.ONCE_PER_USER, name: str = "c") -> Campaign:
    steps = () if counting is Counting.ONCE_PER_CHANNEL else (Step("hello"), Step("tips"))
    return Campaign(
        name, "canvas" if steps else "campaign", name, VARIANTS, EVENTS, counting, (Channel.EMAIL,), (), steps
    )


def definitions(*campaigns: Campaign, currency: str = "EUR") -> Definitions:
    return Definitions(Workspace("UTC", currency), campaigns)


def random_units(rng: random.Random, campaign: Campaign, as_of: int, users: int = 60) -> list[Unit]:
    """Recipients with plausible conversions: in the window, before the next exposure, each letter once per unit."""
    units, next_id = [], 0
    for user in range(users):
        home = rng.randrange(len(campaign.variants))
        exposures = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            variant = rng.randrange(len(campaign.variants)) if rng.random() < 0.15 else home
            channel = rng.randrange(2) if campaign.counting is Counting.ONCE_PER_CHANNEL else -1
            at = START + rng.randrange((as_of - START) // HOUR + 1) * HOUR
            exposures.append(Exposure(next_id, user, variant, channel, at, rng.randrange(-1, OUTCOMES)))
            next_id += 1
        units += _units_of(campaign, sorted(exposures, key=lambda exposure: (exposure.at, exposure.id)))
    for unit in units:
        _convert(rng, campaign, unit, as_of)
    return units


def _units_of(campaign: Campaign, exposures: list[Exposure]) -> list[Unit]:
    user = exposures[0].user
    if campaign.counting is Counting.ONCE_PER_CHANNEL:
        groups = [[e for e in exposures if e.channel == channel] for channel in (0, 1)]
        scopes = [group for group in groups if group]
    else:
        scopes = [exposures]
    for scope in scopes:
        for earlier, later in pairwise(scope):
            earlier.superseded_at = later.at
    if campaign.counting is Counting.ONCE_PER_EXPOSURE:
        return [Unit(user, -1, exposure.id, [exposure]) for exposure in exposures]
    return [Unit(user, scope[0].channel, -1, scope) for scope in scopes]


def _convert(rng: random.Random, campaign: Campaign, unit: Unit, as_of: int) -> None:
    for letter, event in enumerate(campaign.conversion_events):
        done = False
        for exposure in unit.exposures:
            exposure.at_risk |= 0 if done else 1 << letter
            end = min(exposure.at + event.deadline_seconds * 1_000_000, as_of)
            if exposure.superseded_at is not None:
                end = min(end, exposure.superseded_at - 1)
            if not done and end >= exposure.at and rng.random() < 0.4:
                at = rng.choice((exposure.at, end, rng.randint(exposure.at, end)))
                step = rng.randrange(-1, len(campaign.steps)) if campaign.steps else -1
                exposure.conversions.append(Conversion(letter, at, step, rng.random() < 0.5, rng.random() < 0.2))
                done = True


def write(con: duckdb.DuckDBPyConnection, index: int, units: list[Unit]) -> None:
    """Write what the contract of the derived tables says about these units."""
    seen: dict[int, set[int]] = {}
    for unit in units:
        seen.setdefault(unit.user, set()).update(exposure.variant for exposure in unit.exposures)
    recipients, exposures, conversions = [], [], []
    for unit in units:
        unit_mask = sum({1 << c.letter for e in unit.exposures for c in e.conversions})
        last = unit.exposures[-1]
        for variant in sorted({exposure.variant for exposure in unit.exposures}):
            mine = [exposure for exposure in unit.exposures if exposure.variant == variant]
            mask = sum({1 << c.letter for e in mine for c in e.conversions})
            latest = last.variant == variant and (unit.exposure < 0 or last.superseded_at is None)
            first = mine[0].at
            unit_of = (unit.user, unit.channel, unit.exposure)
            flags = (latest, mask, unit_mask, len(seen[unit.user]))
            recipients.append((index, variant, *unit_of, first, day_of(first), last.at, *flags))
        for exposure in unit.exposures:
            when = (exposure.at, day_of(exposure.at))
            state = (exposure.superseded_at, exposure.outcome, exposure.at_risk, exposure.mask)
            who = (exposure.variant, unit.user, exposure.channel)
            exposures.append((exposure.id, index, *who, *when, *state, exposure is unit.exposures[0]))
            for one in exposure.conversions:
                where = (unit.user, exposure.id, exposure.variant, exposure.channel, one.step)
                then = (one.at, day_of(one.at), 0, one.after_open, one.after_click)
                conversions.append((index, one.letter, *where, *when, *then))
    fill(con, "recipients", recipients)
    fill(con, "exposures", exposures)
    fill(con, "conversions", conversions)
