"""Forecasts of what open windows will bring, against what they then brought."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from afterword.stats.delays import Delays
from afterword.stats.forecast import Forecast, forecast
from benchmarks.simulations.table import Table, percent, within

Array = np.ndarray[Any, np.dtype[np.float64]]
Times = Callable[[np.random.Generator, int], Array]

DELAYS: dict[str, Times] = {
    "mostly at once, some late (lognormal, median 8 h)": lambda rng, n: rng.lognormal(math.log(8), 1.5, n),
    "evenly declining (exponential, mean 24 h)": lambda rng, n: rng.exponential(24, n),
    "not before days have passed (gamma, mean 60 h)": lambda rng, n: rng.gamma(6, 10, n),
}
SITUATIONS = ((3, 7), (3, 4), (1, 1.25), (14, 20))
"""Deadline, and how long the campaign has been running, both in days."""


def forecasts(runs: int = 300, seed: int = 31) -> Table:
    """How often the 95 % interval of the forecast held the rate that the same recipients reached."""
    rows = []
    for name, times in DELAYS.items():
        for deadline, running in SITUATIONS:
            covered, bias = [], []
            for recipients in (500, 5_000, 50_000):
                for rate in (0.005, 0.05, 0.3):
                    rng = np.random.default_rng((seed, len(name), int(4 * running), recipients, int(1_000 * rate)))
                    found = [_forecast(rng, times, recipients, rate, 24 * deadline, 24 * running) for _ in range(runs)]
                    judged = [(f, final) for f, final in found if f is not None and f.complete]
                    if len(judged) < runs / 4:
                        continue
                    held = sum(f.interval.low - 1e-12 <= final <= f.interval.high + 1e-12 for f, final in judged)
                    covered.append(held / len(judged))
                    reached = math.fsum(final for _, final in judged)
                    if recipients * rate >= 200 and reached:
                        bias.append(math.fsum(f.rate for f, _ in judged) / reached - 1)
            rows.append(
                (
                    name,
                    f"{deadline} days, running for {running}" if deadline > 1 else f"1 day, running for {running}",
                    within(covered),
                    percent(sum(covered) / len(covered), 1),
                    f"{100 * min(bias):+.1f} to {100 * max(bias):+.1f} %",
                )
            )
    columns = ("time to convert", "deadline", "coverage", "on average", "mean error of the rate, relative")
    return Table("Forecasts: coverage of the 95 % interval", columns, tuple(rows))


def _forecast(
    rng: np.random.Generator, times: Times, recipients: int, rate: float, deadline: int, running: float
) -> tuple[Forecast | None, float]:
    """A forecast for recipients who came in evenly, and the rate that they reached."""
    age = np.minimum(rng.uniform(0, running, recipients), deadline)
    after = np.where(rng.random(recipients) < rate, times(rng, recipients), np.inf)
    after[after > deadline] = np.inf
    seen = after <= age
    hour = np.minimum(np.where(seen, after, age).astype(int), deadline - 1)
    gone = np.bincount(hour, minlength=deadline)
    at_risk = recipients - np.concatenate([[0], gone.cumsum()[:-1]])
    delays = Delays(tuple(at_risk.tolist()), tuple(np.bincount(hour[seen], minlength=deadline).tolist()))
    return forecast(delays, 3_600 * deadline), float(np.isfinite(after).mean())
