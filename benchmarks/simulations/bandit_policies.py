"""Afterword's bandit and its rivals, over many replications at once: what each knows, and the shares it sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterword.model import Selection
from afterword.selection.allocation import probability_best, shares_of, value_remaining
from afterword.selection.bandit import RESUME, WORTH
from afterword.stats.delayed import LIKENESS, Betas, Evidence, learn
from benchmarks.simulations.bandit_worlds import PIECES, World

Floats = NDArray[np.float64]
DRAWS = 300


@dataclass(slots=True)
class Seen:
    """What has been seen by the beginning of a step; arrays [replication, variant, ...]."""

    world: World
    step: int
    n: Floats
    """[..., cohort]: users exposed in each half day."""
    converted: Floats
    """[..., cohort]: of these, converted so far."""
    came: Floats
    """[..., piece]: conversions by delay."""
    at_risk: Floats
    """[..., piece]: half days that users were watched unconverted."""

    @property
    def here(self) -> NDArray[np.bool_]:
        """[variant]: part of the campaign by now."""
        return np.array(self.world.starts) <= self.step

    @property
    def closed(self) -> slice:
        """The cohorts whose windows are closed."""
        return slice(0, max(0, self.step - PIECES + 1))


@dataclass(frozen=True, slots=True)
class Settings:
    """The product's defaults, in half days."""

    users: int = Selection().training_users
    conversions: int = Selection().training_conversions
    floor: float = Selection().floor_hundredths / 10_000
    half_life: float = (Selection().half_life_seconds or 0) / 43_200
    likeness: float = LIKENESS
    draws: int = DRAWS
    """The product has 20,000; how sure it is to settle (a quantile) needs more than shares do."""


@dataclass(slots=True)
class Stops:
    """When a policy stopped, and whether it still is stopped; arrays [replication]."""

    first: NDArray[np.int64]
    now: NDArray[np.bool_]
    leader: NDArray[np.int64]
    first_leader: NDArray[np.int64]


Policy = Callable[[Seen, Settings, np.random.Generator, Stops], Floats]


def _equal(seen: Seen) -> Floats:
    here = seen.here / seen.here.sum()
    return np.broadcast_to(here, seen.n.shape[:2])


def _trained(n: Floats, converted: Floats, settings: Settings) -> NDArray[np.bool_]:
    """Which variants may be judged: enough users of their own, and enough conversions over all."""
    enough = converted.sum(axis=-1, keepdims=True) >= settings.conversions
    return np.asarray((n >= settings.users) & enough)


def _allocated(seen: Seen, best: Floats, trained: NDArray[np.bool_], floor: float) -> Floats:
    shares = np.zeros_like(best)
    here = np.flatnonzero(seen.here)
    shares[:, here] = shares_of(best[:, here], trained[:, here], floor)
    return shares


def equal_split(seen: Seen, settings: Settings, generator: np.random.Generator, stops: Stops) -> Floats:
    """The same share for everyone, for ever."""
    return _equal(seen)


def _thompson(seen: Seen, n: Floats, converted: Floats, settings: Settings, generator: np.random.Generator) -> Floats:
    trained = _trained(n, converted, settings) & seen.here
    draws = Betas(1 + converted, 1 + n - converted).draws(generator, settings.draws)
    return _allocated(seen, probability_best(draws, trained), trained, settings.floor)


def open_as_failures(seen: Seen, settings: Settings, generator: np.random.Generator, stops: Stops) -> Floats:
    """Thompson sampling that takes whoever has not converted yet for a failure."""
    return _thompson(seen, seen.n.sum(axis=-1), seen.converted.sum(axis=-1), settings, generator)


def closed_only(seen: Seen, settings: Settings, generator: np.random.Generator, stops: Stops) -> Floats:
    """Thompson sampling that looks at closed windows only."""
    n, converted = seen.n[..., seen.closed], seen.converted[..., seen.closed]
    return _thompson(seen, n.sum(axis=-1), converted.sum(axis=-1), settings, generator)


def epsilon_greedy(seen: Seen, settings: Settings, generator: np.random.Generator, stops: Stops) -> Floats:
    """A tenth of the users is spread evenly; the others get the variant with the best rate so far."""
    n, converted = seen.n.sum(axis=-1), seen.converted.sum(axis=-1)
    trained = _trained(n, converted, settings) & seen.here
    rate = np.where(trained, converted / np.maximum(n, 1), -1.0)
    best = (rate.argmax(axis=-1)[:, None] == np.arange(n.shape[-1])).astype(np.float64)
    return _allocated(seen, best, trained, 0.1 / int(seen.here.sum()))


def evidence_of(seen: Seen, settings: Settings) -> Evidence:
    """What Afterword's bandit is given."""
    cohorts = max(seen.step, 1)
    age = seen.step - np.arange(cohorts)
    lived = (np.arange(PIECES) < age[:, None]).astype(np.float64)
    weight = 0.5 ** (age / settings.half_life)
    return Evidence(
        np.ones(PIECES), seen.at_risk, seen.came, seen.n[..., :cohorts], seen.converted[..., :cohorts], lived, weight
    )


def afterword(seen: Seen, settings: Settings, generator: np.random.Generator, stops: Stops) -> Floats:
    """Thompson sampling that knows that conversions come late, and stops when nothing is to be gained."""
    trained = _trained(seen.n.sum(axis=-1), seen.converted.sum(axis=-1), settings) & seen.here
    draws = learn(evidence_of(seen, settings), settings.likeness).rates.draws(generator, settings.draws)
    best = probability_best(draws, trained)
    leader = np.where(stops.now, stops.leader, best.argmax(axis=-1))
    of_leader = np.take_along_axis(best, leader[:, None], axis=-1)[:, 0]
    closed = seen.n[..., seen.closed].sum(axis=-1) >= settings.users
    ready = ((trained & closed) | ~seen.here).all(axis=-1)
    stops.now &= ready & (of_leader >= RESUME)
    sure = ready & ~stops.now & (value_remaining(draws, trained) < WORTH)
    stops.leader = np.where(sure, best.argmax(axis=-1), leader)
    newly = sure & (stops.first < 0)
    stops.first[newly] = seen.step
    stops.first_leader[newly] = stops.leader[newly]
    stops.now |= sure
    chosen = (stops.leader[:, None] == np.arange(best.shape[-1])).astype(np.float64)
    best = np.where(stops.now[:, None], chosen, best)
    return _allocated(seen, best, trained, settings.floor)


POLICIES: dict[str, Policy] = {
    "Afterword": afterword,
    "equal split": equal_split,
    "open as failures": open_as_failures,
    "closed only": closed_only,
    "epsilon-greedy": epsilon_greedy,
}
