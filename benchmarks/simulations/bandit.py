"""The bandit against its rivals in worlds of which everything is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulations.bandit_policies import POLICIES, Policy, Seen, Settings, Stops
from benchmarks.simulations.bandit_worlds import PIECES, STEPS, World, all_worlds, drawn
from benchmarks.simulations.table import Table, percent

Floats = NDArray[np.float64]
CAREFUL = Settings(draws=2_000)
REPORTED_SEED, TUNING_SEED = 20_260, 7
"""Settings were chosen on the second; what is reported comes from the first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one policy in one world; arrays [replication]."""

    regret: Floats
    """Conversions that were lost against always sending the best variant of the moment, in expectation."""
    on_best: Floats
    """The share of all users who got the best variant of the moment."""
    stopped: NDArray[np.int64]
    """The step at which it stopped, -1 for never."""
    stop_loss: Floats
    """How much lower than the best's of then the rate of the variant is that it stopped on, relative."""
    n: Floats
    """[replication, variant, step]: users exposed."""
    converted: Floats
    """[replication, variant, step]: of these, those who convert within the deadline."""


class _Run:
    """One policy on its way through a world."""

    def __init__(self, world: World, replications: int, seed: int) -> None:
        variants = world.rates.shape[-1]
        self._world = world
        self.conversions = np.zeros((replications, variants, STEPS, PIECES))
        self._alive = np.zeros((replications, variants, STEPS))
        empty = np.zeros((replications, variants, PIECES))
        cohorts = np.zeros((replications, variants, STEPS))
        self.seen = Seen(world, 0, cohorts, np.zeros_like(cohorts), empty, np.zeros_like(empty))
        none = np.full(replications, -1, np.int64)
        self.stops = Stops(none, np.zeros(replications, np.bool_), none.copy(), none.copy())
        self._generator = np.random.default_rng(seed)
        self.regret, self.on_best = np.zeros(replications), np.zeros(replications)

    def step(self, policy: Policy, settings: Settings, uniform: Floats, outcomes: NDArray[np.int16]) -> None:
        """Set shares, expose the users of a step, and let half a day pass."""
        seen, step = self.seen, self.seen.step
        shares = policy(seen, settings, self._generator, self.stops)
        replications, variants = shares.shape
        edges = np.cumsum(shares, axis=-1)[:, None, :-1]
        assigned = (uniform[..., None] > edges).sum(axis=-1)
        n = np.stack([(assigned == variant).sum(axis=-1) for variant in range(variants)], axis=-1)
        piece = np.take_along_axis(outcomes, assigned[..., None], axis=-1)[..., 0]
        cell = (np.arange(replications)[:, None] * variants + assigned) * PIECES + piece
        counted = np.bincount(cell[piece >= 0], minlength=replications * variants * PIECES)
        seen.n[..., step] = self._alive[..., step] = n
        self.conversions[..., step, :] = counted.reshape(replications, variants, PIECES)
        rates = self._world.rates[step]
        available = np.where(seen.here, rates, 0.0)
        best = available.max(axis=-1, keepdims=True)
        self.regret += (n * (best - rates)).sum(axis=-1)
        self.on_best += (n * (available >= best - 1e-12)).sum(axis=-1)
        self._pass_by()

    def _pass_by(self) -> None:
        seen = self.seen
        pieces = np.arange(min(PIECES, seen.step + 1))
        cohorts = seen.step - pieces
        came = self.conversions[..., cohorts, pieces]
        seen.came[..., pieces] += came
        seen.at_risk[..., pieces] += self._alive[..., cohorts] - came / 2
        self._alive[..., cohorts] -= came
        seen.converted[..., cohorts] += came
        seen.step += 1


def simulate(
    world: World, policies: Sequence[str], replications: int, seed: int, settings: Settings | None = None
) -> dict[str, Outcome]:
    """Let policies meet the same users of a world."""
    runs = {name: _Run(world, replications, seed) for name in policies}
    generator = np.random.default_rng(seed)
    for step in range(STEPS):
        uniform = generator.random((replications, world.users))
        outcomes = world.outcomes(generator, step, replications)
        for name, run in runs.items():
            run.step(POLICIES[name], settings or Settings(), uniform, outcomes)
    return {name: _outcome(world, run) for name, run in runs.items()}


def _outcome(world: World, run: _Run) -> Outcome:
    then = run.stops.first
    # Of those that never stopped the last step stands here, and is not used.
    own = np.arange(len(then)) % world.rates.shape[1]
    rates = np.where(np.array(world.starts) <= (then % STEPS)[:, None], world.rates[then, own], 0.0)
    of_leader = np.take_along_axis(rates, run.stops.first_leader[:, None], axis=-1)[:, 0]
    loss = np.where(then >= 0, 1 - of_leader / rates.max(axis=-1), 0.0)
    on_best = run.on_best / (world.users * STEPS)
    return Outcome(run.regret, on_best, run.stops.first, loss, run.seen.n, run.conversions.sum(axis=-1))


def standard_error(values: Floats) -> float:
    """Of a mean over replications."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def lead(found: Sequence[dict[str, Outcome]], rival: str) -> tuple[float, float]:
    """By how much less regret Afterword has than a rival, summed over worlds, and the standard error of that.

    Policies met the same users, so differences are taken within replications; worlds are independent.
    """
    differences = [one[rival].regret - one["Afterword"].regret for one in found]
    error = np.sqrt(sum(standard_error(one) ** 2 for one in differences))
    return float(sum(one.mean() for one in differences)), float(error)


TOGETHER = 100


def settled_at_random(numbers: Iterable[int], seed: int, settings: Settings = CAREFUL) -> tuple[Floats, Floats]:
    """Return of Afterword in worlds that are drawn the step at which it settled, -1 for never, and what it lost then.

    Each number stands for a hundred campaigns, each in a world of its own.
    """
    found = []
    for number in numbers:
        where = drawn(np.random.default_rng((seed, number)), TOGETHER)
        found.append(simulate(where, ["Afterword"], TOGETHER, seed + number, settings)["Afterword"])
    stopped, lost = ([getattr(one, name) for one in found] for name in ("stopped", "stop_loss"))
    return np.concatenate(stopped), np.concatenate(lost)


def regrets(runs: int = 200, seed: int = REPORTED_SEED) -> Table:
    """Conversions lost against always sending the best variant; the last row is how far all rivals are behind."""
    rows, found = [], []
    for number, one_world in enumerate(all_worlds()):
        found.append(simulate(one_world, list(POLICIES), runs, seed + number))
        cells = [
            f"{abs(one.regret.mean()):.1f} ± {standard_error(one.regret):.1f} ({100 * one.on_best.mean():.0f} %)"
            for one in found[-1].values()
        ]
        rows.append((one_world.name, *cells))
    leads = [lead(found, rival) for rival in list(POLICIES)[1:]]
    rows.append(("behind, summed", "", *(f"{difference:.1f} ± {error:.1f}" for difference, error in leads)))
    return Table("Conversions lost, and share of users on the best", ("world", *POLICIES), tuple(rows))


def settling(runs: int = 200, seed: int = REPORTED_SEED) -> Table:
    """How often and when Afterword settles, and how often it was wrong then; last in worlds drawn at random."""
    rows = []
    for number, one_world in enumerate(all_worlds()):
        one = simulate(one_world, ["Afterword"], runs, seed + number)["Afterword"]
        rows.append(_settled(one_world.name, one.stopped, one.stop_loss))
    rows.append(_settled("rates drawn at random", *settled_at_random(range(max(1, runs // 5)), seed + 50)))
    columns = ("world", "settled", "after days", "of these wrong by over 1 %", "by over 2 %")
    return Table("Settling", columns, tuple(rows))


def _settled(name: str, stopped: NDArray[np.int64] | Floats, lost: Floats) -> tuple[str, ...]:
    settled = stopped >= 0
    if not settled.any():
        return name, "0 %", "–", "–", "–"
    wrong = (_with_error(lost[settled] > bound) for bound in (0.01, 0.02))
    return name, percent(float(settled.mean()), 0), f"{stopped[settled].mean() / 2:.0f}", *wrong


def _with_error(happened: NDArray[np.bool_]) -> str:
    share = float(happened.mean())
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / len(happened)):.1f} %"
