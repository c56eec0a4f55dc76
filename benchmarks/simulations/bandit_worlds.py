"""Worlds for the bandit: rates, delays and traffic that are known, and what every user would do under every variant.

Time goes in half days. A user who would convert under a variant does so a number of half days after the exposure,
which follows the variant's delays; deadlines are 14 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PIECES = 28
"""Half days of a window."""
STEPS = 120
"""Half days that a campaign runs: 60 days."""


@dataclass(frozen=True, slots=True)
class World:
    """A campaign of which everything is known."""

    name: str
    rates: Floats
    """[step, replication, variant]: the share of the users exposed in a step that convert within the deadline.

    One replication stands for all where they do not differ.
    """
    delays: Floats
    """[variant, piece]: when those convert who do; rows sum to 1."""
    users: int
    """Users per half day."""
    starts: tuple[int, ...]
    """The step from which on a variant is part of the campaign."""

    def outcomes(self, generator: np.random.Generator, step: int, replications: int) -> NDArray[np.int16]:
        """Return for the users of a step [replication, user, variant] the piece in which they convert, -1 for never.

        All policies meet the same users, who would do the same.
        """
        shape = (replications, self.users, 1)
        converts, when = generator.random(shape), generator.random(shape)
        piece = (when[..., None] > np.cumsum(self.delays, axis=-1)[:, :-1]).sum(axis=-1)
        return np.where(converts < self.rates[step][:, None], piece, -1).astype(np.int16)


def exponential(mean_days: float) -> Floats:
    """Delays that fade away with a mean (before the deadline cuts them)."""
    edges = np.arange(PIECES + 1) / 2
    share = -np.diff(np.exp(-edges / mean_days))
    return np.asarray(share / share.sum())


def hump(mean_days: float, stages: int = 3) -> Floats:
    """Delays that first grow: a sum of `stages` exponential ones, an Erlang distribution."""
    edges = np.arange(PIECES + 1) / 2 * stages / mean_days
    terms: Floats = np.ones_like(edges)
    survival: Floats = np.ones_like(edges)
    for stage in range(1, stages):
        terms = terms * edges / stage
        survival = survival + terms
    share = -np.diff(survival * np.exp(-edges))
    return np.asarray(share / share.sum())


def steps(parts: Sequence[tuple[int, float]], mean_days: float) -> Floats:
    """Delays of a Canvas: messages after some days, each with its part of the conversions."""
    share = np.zeros(PIECES)
    for day, part in parts:
        after = exponential(mean_days)[: PIECES - 2 * day]
        share[2 * day :] += part * after / after.sum()
    return share


def world(name: str, rates: Sequence[float], delays: Sequence[Floats], users: int, starts: Sequence[int] = ()) -> World:
    """A world whose rates stay."""
    return World(
        name,
        np.tile(np.array(rates), (STEPS, 1, 1)),
        np.stack([delays[min(v, len(delays) - 1)] for v in range(len(rates))]),
        users,
        tuple(starts) or (0,) * len(rates),
    )


def drifting(name: str, before: Sequence[float], after: Sequence[float], delays: Floats, users: int) -> World:
    """Weekdays raise and lower all rates, and between days 25 and 35 the order of the variants turns round."""
    steps_ = np.arange(STEPS)
    turned = np.clip((steps_ / 2 - 25) / 10, 0, 1)[:, None]
    weekly = 1 + 0.25 * np.sin(2 * np.pi * steps_ / 14)[:, None]
    rates = (np.array(before) * (1 - turned) + np.array(after) * turned) * weekly
    return World(name, rates[:, None], np.stack([delays] * len(before)), users, (0,) * len(before))


def drawn(generator: np.random.Generator, replications: int) -> World:
    """A world of its own for each replication: three variants of about 5 %, apart by some 15 % of that."""
    rates = 0.05 * np.exp(0.15 * generator.standard_normal((replications, 3)))
    return World("drawn", np.tile(rates, (STEPS, 1, 1)), np.stack([exponential(3.0)] * 3), 150, (0,) * 3)


def all_worlds() -> list[World]:
    """The scenarios that are reported."""
    usual = exponential(3.0)
    return [
        world("clear winner", [0.050, 0.055, 0.075], [usual], 150),
        world("near tie", [0.050, 0.051, 0.052], [usual], 150),
        world("all equal", [0.05] * 4, [usual], 150),
        world("slow winner", [0.060, 0.080, 0.055], [exponential(1.0), hump(7.0), exponential(1.0)], 150),
        drifting("drift", [0.070, 0.050, 0.045], [0.045, 0.050, 0.070], usual, 150),
        world("eight variants", [0.040, 0.044, 0.048, 0.050, 0.052, 0.055, 0.058, 0.070], [usual], 300),
        world(
            "Canvas of several steps",
            [0.090, 0.120, 0.085],
            [
                steps([(0, 0.7), (3, 0.2), (7, 0.1)], 1.0),
                steps([(0, 0.2), (3, 0.3), (7, 0.5)], 1.5),
                steps([(0, 0.5), (3, 0.3), (7, 0.2)], 1.0),
            ],
            100,
        ),
        world("newcomer", [0.050, 0.055, 0.075], [usual], 150, starts=[0, 0, 30]),
    ]
