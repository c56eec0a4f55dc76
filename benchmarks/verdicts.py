"""How long the verdicts of many campaigns take: 200 campaigns, 8 variants and control, 4 conversion events, 60 days.

    python -m benchmarks.verdicts

The goal is 2 s for verdicts with everything that reports show beside them. Sums are generated: what is measured begins
where the database has counted.
"""

from __future__ import annotations

import time

import numpy as np

from afterword.model import AnalysisPlan, Guardrail, GuardrailEvent
from afterword.reports.persons import GUARDRAILS, REVENUE, SUMS, DaySums
from afterword.selection.experiment import Arm, Experiment, Metric
from afterword.selection.told import comparisons_data, verdict_data
from afterword.stats.rates import Counts

CAMPAIGNS, DAYS, A_DAY = 200, 60, 300
LETTERS = "ABCD"
TODAY = 20_000
PLAN = AnalysisPlan(guardrails=(Guardrail(GuardrailEvent.UNSUBSCRIBE, AnalysisPlan().smallest_effect),))


def experiment(rng: np.random.Generator, number: int) -> Experiment:
    """Return a campaign whose arms differ by a little."""
    arms = tuple(_arm(rng, name) for name in (*"abcdefgh", "control"))
    metrics = (*(Metric(letter, 3 * 86_400) for letter in LETTERS), Metric(REVENUE, 3 * 86_400))
    persons = sum(arm.persons for arm in arms)
    return Experiment(f"c-{number}", "campaign", PLAN, metrics, arms, TODAY, persons)


def _arm(rng: np.random.Generator, name: str) -> Arm:
    days = np.arange(TODAY - DAYS, TODAY)
    n = rng.binomial(A_DAY * 9, 1 / 9, DAYS).astype(float)
    series = {}
    for metric in (*LETTERS, REVENUE, *GUARDRAILS):
        rate = 0.001 if metric in GUARDRAILS else 0.1 * rng.uniform(0.95, 1.05)
        y = rng.binomial(n.astype(int), rate).astype(float)
        x = rng.binomial(n.astype(int), 0.2).astype(float)
        sums = {"n": n, "y": y, "yy": y, "m": n, "mm": n, "my": y, "x": x, "xx": x, "xy": np.minimum(x, y) / 2, "xm": x}
        series[metric] = DaySums(days, np.stack([sums[name] for name in SUMS]))
    entered = [(day - 3, int(count)) for day, count in zip(days.tolist(), n, strict=True)]
    so_far = {letter: Counts(int(n.sum()), int(series[letter].total().y)) for letter in LETTERS}
    persons = int(n.sum())
    return Arm(name, name, name == "control", 1 / 9, persons, persons, series, entered, so_far=so_far)


def measure(campaigns: int = CAMPAIGNS, seed: int = 1) -> tuple[float, float]:
    """Return the seconds that verdicts took, and those of the comparisons beside them."""
    rng = np.random.default_rng(seed)
    warm, *found = [experiment(rng, number) for number in range(campaigns + 1)]
    verdict_data(warm), comparisons_data(warm)
    begin = time.perf_counter()
    for one in found:
        verdict_data(one)
    between = time.perf_counter()
    for one in found:
        comparisons_data(one)
    return between - begin, time.perf_counter() - between


def main() -> None:
    """Print the times."""
    verdicts, comparisons = measure()
    print(f"{CAMPAIGNS} campaigns x 9 variants x 4 events: verdicts {verdicts:.2f} s, comparisons {comparisons:.2f} s")


if __name__ == "__main__":
    main()
