"""Who is how active: users by rank, their ids, and choices that stay the same for a user."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def exponent(users: int, rows: int, top: float) -> float:
    """Return the s for which `rows` shared out by rank^-s give the first user `top` of them."""
    log_ranks = np.log(np.arange(1, users + 1))
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        # A steeper fall leaves less for the others, so the first user's share grows with s.
        share = 1.0 / float(np.exp(-middle * log_ranks).sum())
        low, high = (middle, high) if share * rows < top else (low, middle)
    return (low + high) / 2


class Population:
    """Users by rank of activity; ids are given out in shuffled order, so that an id says nothing."""

    def __init__(self, users: int, rows: int, top: float, ids: Ints) -> None:
        self.ids = ids
        self.s = exponent(users, rows, top)
        weights = np.arange(1, users + 1, dtype=np.float64) ** -self.s
        self.cumulative: Floats = np.cumsum(weights)
        self.cumulative /= self.cumulative[-1]

    def draw(self, rng: np.random.Generator, rows: int) -> Ints:
        """Return the users (the numbers of their ids) of `rows` independent facts."""
        ranks = np.searchsorted(self.cumulative, rng.random(rows), side="right")
        return self.ids[np.minimum(ranks, len(self.ids) - 1)]


def mixed(values: Ints, salt: int) -> Ints:
    """Return a well-mixed 31-bit number per value (the finaliser of splitmix64): the same value, the same number."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(33)).astype(np.int64)
